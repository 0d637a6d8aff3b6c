"""What is asked of worker processes, and of worker threads, as effects.  Values only."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Literal, TypeVar

from attrs import field, frozen

from ..asks import Effect
from ..config.listeners import Address
from ..http.response import Fields

T = TypeVar("T")

ASKS_RULES = "x-materialize-accept-enrich-rules"
"""The request field by which a reader of `/metrics` asks for the enrichment rules; its value does not matter."""
RULES = "x-materialize-enrich-rules"
"""The response field that has them."""


@frozen
class Call:
    """One HTTP request to a worker process: HTTP/1.1, in the clear, over a connection of its own.

    `fields` come without Host, which is the address (`localhost` for a Unix
    socket) without its port, and without framing.
    """

    address: Address
    method: str
    target: str
    fields: Fields = ()
    body: bytes = field(default=b"", repr=False)


@frozen
class Replied:
    """A whole answer; names of fields are in lower case."""

    status: int
    fields: Fields
    body: bytes = field(repr=False)

    def get(self, name: str) -> str | None:
        """The first field of that name (lower case)."""
        return next((value for known, value in self.fields if known == name), None)


Reason = Literal["refused", "timeout", "unreachable", "broken", "too large", "interrupted", "crowded"]


@frozen
class NoReply:
    """No answer; `reason` is from a closed list and holds nothing of the request."""

    reason: Reason


Reply = Replied | NoReply

# Compared by identity: an interrupt is for one effect, not for all that look like it.


@frozen(eq=False)
class AskWorkers(Effect[tuple[Reply, ...]]):
    """Ask worker processes, all at once; the replies are in the order of `calls`.

    Each call has `seconds`, all of them together `patience`; a reply has at
    most `limit` bytes of body, all together `memory`.  One that is slow, silent
    or broken costs its own reply and nothing else.
    """

    calls: tuple[Call, ...]
    seconds: float
    patience: float
    limit: int
    memory: int


Steps = Generator[None, None, T]
"""Work in pieces: whoever does it may give way at each `yield`; what it returns is the result."""


@frozen(eq=False)
class WorkOut(Effect[Any]):
    """Do `steps(*arguments)` in a worker's thread that gives way: too much work for the host's loop.

    `steps` is a pure generator function of the core; the answer is what it returns.
    """

    steps: Callable[..., Steps[Any]]
    arguments: tuple[Any, ...] = field(repr=False)


def finish(steps: Steps[T], pause: Callable[[], object] = lambda: None) -> T:
    """Do all the work, with a `pause` between its pieces."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        pause()
