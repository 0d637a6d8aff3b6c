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
    """How much a thread has used since that was last taken.  `used` is in nanoseconds."""

    clock: int
    read: int
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
                self.by_thread[ident] = Meter(clock, time.clock_gettime_ns(clock) if first else 0)

    def advance(self) -> dict[int, int]:
        """Read all clocks; what each thread that ran has used since then.  Threads that ended are forgotten."""
        used: dict[int, int] = {}
        read = time.clock_gettime_ns
        for ident, meter in list(self.by_thread.items()):
            try:
                now = read(meter.clock)
            except OSError:
                # Its number may be another thread's by now.
                del self.by_thread[ident]
                continue
            if now != meter.read:
                used[ident] = new = now - meter.read
                meter.used += new
                meter.read = now
        return used
