"""Deadlines of many connections as one number, without a timer for each.

A heap of (moment, item) whose entries may be early: an item whose deadline moved
away is looked at once too often and armed anew, so a request costs no heap
operation at all.  It tells no time and calls nobody.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf
from typing import Generic, Protocol, TypeVar

_DEAD_ENTRIES_MOST = 1024


class Timed(Protocol):
    """Something with a deadline in monotonic seconds (`inf`: none)."""

    deadline: float
    armed: float


T = TypeVar("T", bound=Timed)


class _Entry(Generic[T]):
    """An armed moment; `item` is None once it is superseded or dropped."""

    __slots__ = ("item", "moment")

    def __init__(self, moment: float, item: T) -> None:
        self.moment = moment
        self.item: T | None = item

    def __lt__(self, other: _Entry[T]) -> bool:
        return self.moment < other.moment


class Deadlines(Generic[T]):
    """The earliest deadline of all that were armed."""

    def __init__(self) -> None:
        self.next = inf
        """The moment at which `due` must be called; `inf` for never."""
        self._heap: list[_Entry[T]] = []
        self._entries: dict[T, _Entry[T]] = {}

    def _look(self) -> None:
        """Find the next moment anew."""
        heap = self._heap
        while heap and heap[0].item is None:
            heappop(heap)
        self.next = heap[0].moment if heap else inf

    def arm(self, item: T) -> None:
        """Make sure that `item` is looked at no later than at its deadline."""
        if item.deadline < item.armed:
            self.drop(item)
            item.armed = item.deadline
            entry = self._entries[item] = _Entry(item.deadline, item)
            heappush(self._heap, entry)
            self.next = min(self.next, item.deadline)

    def drop(self, item: T) -> None:
        """Forget `item`; nothing keeps it alive any more."""
        entry = self._entries.pop(item, None)
        if entry is not None:
            entry.item = None
            item.armed = inf
            if len(self._heap) > 2 * len(self._entries) + _DEAD_ENTRIES_MOST:
                self._heap = [kept for kept in self._heap if kept.item is not None]
                heapify(self._heap)
            if entry.moment <= self.next:
                self._look()

    def due(self, mono: float, most: int) -> list[T]:
        """Remove and return what is due, at most `most` items; what was armed too early is armed again."""
        ready: list[T] = []
        while len(ready) < most and self.next <= mono:
            item = heappop(self._heap).item
            self._look()
            if item is None:
                continue
            del self._entries[item]
            item.armed = inf
            if item.deadline <= mono:
                ready.append(item)
            else:
                self.arm(item)
        return ready
