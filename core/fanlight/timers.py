"""Deadlines of many connections as one number, without a timer for each.

A heap of (moment, connection) whose entries may be early: a connection whose
deadline moved away is looked at once too often and armed anew, so a request
costs no heap operation at all.  It tells no time and calls nobody.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import Generic, Protocol, TypeVar


class Timed(Protocol):
    """Something with a deadline in monotonic seconds (`inf`: none)."""

    deadline: float
    armed: float


T = TypeVar("T", bound=Timed)


class Deadlines(Generic[T]):
    """The earliest deadline of all that were armed."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0

    @property
    def next(self) -> float:
        """The moment at which `due` must be called; `inf` for never."""
        return self._heap[0][0] if self._heap else inf

    def arm(self, item: T) -> None:
        """Make sure that `item` is looked at no later than at its deadline."""
        if item.deadline < item.armed:
            item.armed = item.deadline
            self._count += 1
            heappush(self._heap, (item.deadline, self._count, item))

    def due(self, mono: float) -> list[T]:
        """Remove and return what is due; what was armed too early is armed again."""
        ready: list[T] = []
        while self._heap and self._heap[0][0] <= mono:
            moment, _, item = heappop(self._heap)
            if moment != item.armed:
                continue  # superseded by an earlier entry, or looked at already
            item.armed = inf
            if item.deadline <= mono:
                ready.append(item)
            else:
                self.arm(item)
        return ready
