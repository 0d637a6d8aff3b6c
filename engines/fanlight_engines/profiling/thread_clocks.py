"""Processor time of threads, read by another thread.

Every thread has a clock of its own that only runs while the thread does.
Nothing here looks at a stack.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from itertools import chain, starmap, tee

from attrs import define


def thread_clocks() -> dict[int, int]:
    """The clock of every thread that runs Python, by the thread's number; empty where there are none.

    Raises OSError if one of them is ending.  All in one call: asking for the
    clock of a thread that is gone would crash, and between two calls another
    thread may run and end.  Without a lock that keeps them from it there is no
    safe way, and so there are no clocks.
    """
    if not hasattr(time, "pthread_getcpuclockid") or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return {}
    listed, asked = tee(chain.from_iterable(starmap(sys._current_frames, [()])))
    return dict(zip(listed, map(time.pthread_getcpuclockid, asked), strict=True))


@define(eq=False)
class Meter:
    """How much a thread has used since that was last taken, in nanoseconds.  `at` is its place among all."""

    ident: int
    at: int
    used: int = 0

    def take(self) -> int:
        """What was used, which is nothing from now on."""
        used, self.used = self.used, 0
        return used


class Meters:
    """A meter for each thread, those that begin later included.

    `known` is false until `meet` has found clocks.  The time of a thread that
    ends is lost from its last reading on.
    """

    def __init__(self) -> None:
        self.by_thread: dict[int, Meter] = {}
        self.known = False
        # Side by side, so that all clocks can be read in one call.
        self._meters: list[Meter] = []
        self._clocks: list[int] = []
        self._read: list[int] = []

    def meet(self, idents: Iterable[int]) -> None:
        """Give a meter to each of these threads that has none yet."""
        try:
            clocks = thread_clocks()
        except OSError:
            return  # somebody is just ending: next time
        # Whoever is there when we begin starts from now, whoever comes later from birth.
        first, self.known = not self.known, bool(clocks)
        for ident in idents:
            clock = clocks.get(ident)
            if clock is not None and ident not in self.by_thread:
                self._add(ident, clock, time.clock_gettime_ns(clock) if first else 0)

    def _add(self, ident: int, clock: int, read: int, used: int = 0) -> None:
        self.by_thread[ident] = meter = Meter(ident, len(self._meters), used)
        self._meters.append(meter)
        self._clocks.append(clock)
        self._read.append(read)

    def advance(self) -> dict[int, int]:
        """Read all clocks; what each thread that ran has used since then.  Threads that ended are forgotten."""
        try:
            now = list(map(time.clock_gettime_ns, self._clocks))
        except OSError:
            self._forget()
            return self.advance()
        used: dict[int, int] = {}
        for at, (new, old) in enumerate(zip(now, self._read, strict=True)):
            if new != old:
                meter = self._meters[at]
                used[meter.ident] = new - old
                meter.used += new - old
        self._read = now
        return used

    def advance_one(self, ident: int) -> int:
        """Read the clock of one thread; what it has used since then, 0 if it has ended."""
        meter = self.by_thread[ident]
        try:
            now = time.clock_gettime_ns(self._clocks[meter.at])
        except OSError:
            return 0
        new, self._read[meter.at] = now - self._read[meter.at], now
        meter.used += new
        return new

    def _forget(self) -> None:
        """Leave out the threads that have ended: their numbers may be others' by now."""
        kept = [each for each in zip(self._meters, self._clocks, self._read, strict=True) if _runs(each[1])]
        self.by_thread, self._meters, self._clocks, self._read = {}, [], [], []
        for meter, clock, read in kept:
            self._add(meter.ident, clock, read, meter.used)


def _runs(clock: int) -> bool:
    try:
        time.clock_gettime_ns(clock)
    except OSError:
        return False
    return True
