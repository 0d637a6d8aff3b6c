"""Latches: how one conversation waits for another.

Work that is the same for many (a check, a fetch) is done by one of them; the
others wait at a latch.  Whoever does the work opens the latch however it ends,
so nobody waits for somebody who has left.  A latch holds no answer and keeps no
order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from .asks import Op

if TYPE_CHECKING:
    from .connection import Connection
    from .routine import Conversation


class Latch:
    """Closed until `open`, then open for good."""

    __slots__ = ("is_open", "waiting")

    def __init__(self) -> None:
        self.is_open = False
        self.waiting: dict[Conversation, Connection] = {}

    def open(self) -> None:
        """Let everybody through: each in a turn of its own connection, which is due at once."""
        self.is_open = True
        for connection in self.waiting.values():
            connection.nudge()
        self.waiting.clear()


@frozen
class Await(Op[None]):
    """Resume when `latch` is open."""

    latch: Latch
