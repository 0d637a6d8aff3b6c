"""Latches: how one conversation waits for another.

Work that is the same for many (a check, a fetch) is done by one of them; the
others wait at a latch.  Whoever does the work opens the latch however it ends,
so nobody waits for somebody who has left.  A latch holds no answer and keeps no
order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from ..asks import Op

if TYPE_CHECKING:
    from ..routine import Conversation


class Nudged(Protocol):
    """Whoever drives a conversation: a connection, or the background."""

    def nudge(self) -> None:
        """Something that was waited for has come: look again in a turn of your own, at once."""
        ...


class Latch:
    """Closed until `open`, then open for good."""

    __slots__ = ("is_open", "waiting")

    def __init__(self) -> None:
        self.is_open = False
        self.waiting: dict[Conversation, Nudged] = {}

    def open(self) -> None:
        """Let everybody through: each in a turn of its own connection, which is due at once."""
        self.is_open = True
        for driver in self.waiting.values():
            driver.nudge()
        self.waiting.clear()


@frozen
class Await(Op[None]):
    """Resume when `latch` is open."""

    latch: Latch
