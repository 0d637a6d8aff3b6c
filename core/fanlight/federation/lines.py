"""What is asked of one connection to a worker process, as effects.  Values only.

A `Dial` is also the name of its connection: whoever made it can always hang up,
whether its answer came or not.  Everything that waits may be asked again after
it lost a race, and nothing is lost by that: pieces of an answer have numbers,
and a piece is kept until the next one is asked for.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from attrs import field, frozen

from ..asks import Effect
from ..config.listeners import Address
from ..http.response import Fields
from .effects import NoReply  # noqa: F401  (ruff does not look into the strings below)

# Compared by identity: each of them is one connection, or one question about it.


@frozen(eq=False)
class Dial(Effect["NoReply | None"]):
    """Connect to `address` and send a request head; None once connected.

    HTTP/1.1 in the clear.  `fields` are all there are, framing included.
    """

    address: Address
    method: str
    target: str
    fields: Fields = field(repr=False)


@frozen(eq=False)
class Offer(Effect[None]):
    """Send `data`, after all that was offered before; b"" is the end of it.  Never waits (see `Drain`)."""

    runs: ClassVar[Literal["worker", "loop"]] = "loop"
    dial: Dial
    data: bytes = field(repr=False)


@frozen(eq=False)
class Drain(Effect[bool]):
    """Wait until everything offered has gone; False when the other side takes nothing any more."""

    dial: Dial


@frozen
class Replying:
    """A response head; names of fields in lower case.  With status 101 bytes pass untouched from here on."""

    status: int
    fields: Fields = field(repr=False)


@frozen(eq=False)
class ReceiveHead(Effect["Replying | NoReply"]):
    """Wait for the response head (an interim one is none)."""

    dial: Dial


@frozen(eq=False)
class ReceivePiece(Effect["bytes | None"]):
    """Wait for the piece `number` of the body: b"" is its end, None says that it broke off.

    From 0 on, one after the other; at most 64 KiB each.
    """

    dial: Dial
    number: int


@frozen(eq=False)
class HangUp(Effect[None]):
    """Let go of the connection, whatever its state.  Doing it twice is fine."""

    runs: ClassVar[Literal["worker", "loop"]] = "loop"
    dial: Dial
