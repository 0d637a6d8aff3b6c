"""Routes and how a path finds one: byte by byte, one decision for each request.

Paths are matched in their percent-encoded form with no normalisation
whatsoever, so nothing can be spelt around a rule; captured segments are decoded
after the match.  The router knows no user and runs no handler.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from attrs import field, frozen

from ..asks import Routine
from .request import Request
from .response import Response, empty

if TYPE_CHECKING:
    from ..auth.groups import RouteGroup
    from ..observe.metrics import RouteCells

Handler = Callable[[Request], Routine["Response | None"]]
"""`async def handler(request) -> Response`; a WebSocket handler returns None once it has accepted."""

UNKNOWN = "unknown"
"""The label of every path without a route: clients must not be able to make labels."""
_PARAMETER = re.compile(r"\{(\*?)([a-z_][a-z0-9_]*)\}")


@frozen
class Route:
    """A method and a path template, the group whose rules apply, and a handler.

    `{name}` in the path matches one segment, a final `{*name}` the rest, which
    is not empty.  GET answers HEAD too.  `privileged`: internal users and
    superusers only.  `websocket`: a GET with upgrade, or an extended CONNECT.
    """

    method: str
    path: str
    group: RouteGroup
    handler: Handler = field(eq=False, repr=False)
    privileged: bool = False
    websocket: bool = False


class Place:
    """Everything at one path: its routes by method, and its label in metrics.

    Gates run before the method is looked at, so what they need (`group`,
    `privileged`) is the path's and not the route's.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.routes: dict[str, Route] = {}
        self.pattern: re.Pattern[str] | None = _compile(path)
        self.cells: RouteCells | None = None  # where it is counted, once it was asked for

    @property
    def group(self) -> RouteGroup:
        """The group of the path: its routes may not differ in it."""
        return next(iter(self.routes.values())).group

    @property
    def privileged(self) -> bool:
        """One privileged route makes the path privileged: its 405 says nothing to others."""
        return any(route.privileged for route in self.routes.values())

    def add(self, route: Route) -> None:
        """Add a route; raises ValueError for a method that is taken or another group."""
        if route.method in self.routes:
            raise ValueError(f"two routes for {route.method} {route.path}")
        if self.routes and self.group != route.group:
            raise ValueError(f"the routes of {route.path} are in different groups")
        self.routes[route.method] = route

    def find(self, method: str) -> Route | None:
        """The route for `method`; HEAD is served by GET, and so is CONNECT, if the route is a WebSocket's."""
        return self.routes.get(method) or (self.routes.get("GET") if method in ("HEAD", "CONNECT") else None)

    def not_allowed(self) -> Response:
        """405 with the methods of the path (RFC 9110 15.5.6), an empty body."""
        methods = [m for name in self.routes for m in (("GET", "HEAD") if name == "GET" else (name,))]
        return empty(405, ("allow", ",".join(methods)))


class Router:
    """The routes of one listener: those of its enabled groups.

    A path without parameters is found by one look-up; patterns are tried in the
    order in which they were given, and the first that fits wins.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, Place] = {}
        self._patterns: dict[str, Place] = {}
        for route in routes:
            table = self._patterns if "{" in route.path else self._exact
            table.setdefault(route.path, Place(route.path)).add(route)

    def places(self) -> list[Place]:
        """Every path served, exact ones first."""
        return [*self._exact.values(), *self._patterns.values()]

    def match(self, path: str) -> tuple[Place | None, Mapping[str, str]]:
        """The place of `path` and its captured segments, still encoded; `(None, {})` for none."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        for place in self._patterns.values():
            found = place.pattern.fullmatch(path) if place.pattern else None
            if found is not None:
                return place, found.groupdict()
        return None, {}


def decode_segments(params: Mapping[str, str]) -> dict[str, str] | None:
    """Captured segments percent-decoded; None when one of them is not UTF-8."""
    from urllib.parse import unquote_to_bytes  # brings ipaddress: a program that only describes an app needs neither

    try:
        return {name: unquote_to_bytes(value).decode() for name, value in params.items()}
    except UnicodeDecodeError:
        return None


def _compile(path: str) -> re.Pattern[str] | None:
    """The pattern of a template, None for one without parameters; everything else in it is literal."""
    if "{" not in path:
        return None
    pattern, at = "", 0
    for parameter in _PARAMETER.finditer(path):
        pattern += re.escape(path[at : parameter.start()])
        pattern += f"(?P<{parameter[2]}>{'.+' if parameter[1] else '[^/]+'})"
        at = parameter.end()
    return re.compile(pattern + re.escape(path[at:]))
