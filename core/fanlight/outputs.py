"""What a connection hands to its host, one value for each `poll()`.

Frozen values and nothing else: a host that does what they say is a transport.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from .asks import Effect


@frozen
class Send:
    """Write `data` to the socket, in order; give the credit back with `sent(n)`."""

    data: bytes


@frozen
class Perform:
    """Have the performer do `effect`; give the answer back with `reply(number, …)`.

    A `number` is never used twice on one connection, so a reply that comes after
    a `Cancel` is simply dropped.
    """

    number: int
    effect: Effect[Any]


@frozen
class Cancel:
    """Nobody waits for `number` any more: have the performer interrupt `effect`."""

    number: int
    effect: Effect[Any]


@frozen
class Note:
    """A record for logs: see `fanlight.observe.records`.  Never holds a secret."""

    record: Any


@frozen
class Close:
    """Close the socket: only the writing half, or all of it.

    After `Close(half=False)` the connection is silent for good.
    """

    half: bool


Output = Send | Perform | Cancel | Note | Close
