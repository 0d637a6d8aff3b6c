"""Pages that are not imported before somebody asks for them.

Most servers are asked for a few of their pages, and many for none but the
probes; what stands behind all of them takes more memory than the server itself.
So the route table names handlers, and the first request for one has a worker
import its module: not the loop's thread, which it would hold for tens of
milliseconds.  Nothing is imported here.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from attrs import frozen

from ..asks import Effect

if TYPE_CHECKING:
    from ..asks import Routine
    from ..http.request import Request
    from ..http.response import Response
    from ..http.router import Handler


@frozen
class ImportPage(Effect[None]):
    """Import the module `name`, and the engines behind the effects that it brings.

    The answer comes when importing either again takes no time.
    """

    name: str


class Page:
    """The handler `function` of the module `fanlight.pages.{module}`.

    It may be called as any handler; the routine imports the module first, if
    nobody has yet.
    """

    __slots__ = ("_found", "function", "module")

    def __init__(self, module: str, function: str) -> None:
        self.module = f"{__package__}.{module}"
        self.function = function
        self._found: Handler | None = None

    def __repr__(self) -> str:
        return f"<page {self.module}.{self.function}>"

    def __call__(self, request: Request) -> Routine[Response | None]:
        return self._load_first(request) if self._found is None else self._found(request)

    async def _load_first(self, request: Request) -> Response | None:
        await ImportPage(self.module)
        return await self.find()(request)

    def find(self) -> Handler:
        """The handler itself; imports its module here and now, where that has not been done."""
        if self._found is None:
            found: Handler = getattr(import_module(self.module), self.function)
            self._found = found
        return self._found


@cache
def page(name: str) -> Page:
    """The handler `module.function` of this package: one for a name, so that a page is looked for once."""
    module, _, function = name.partition(".")
    return Page(module, function)
