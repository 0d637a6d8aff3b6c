"""The interpreter's switch interval, lowered while somebody needs the processor soon.

A thread that wakes up waits for the interpreter until whoever computes has had
its interval, five milliseconds by default.  There is one interval in a process,
so it is counted who wants it low, and set back when nobody does.
"""

from __future__ import annotations

import sys
from threading import Lock
from typing import ClassVar

LOW = 0.0005
"""Seconds: a tenth of the default."""
EAGER = 0.00005


class LowSwitchInterval:
    """A context in which the interval is at most `LOW`.

    A program that has a lower one keeps it, and one that changes it meanwhile
    is not overruled at the end.
    """

    _lock: ClassVar = Lock()
    _users: ClassVar[int] = 0
    _before: ClassVar[float | None] = None

    def __enter__(self) -> None:
        kind = type(self)
        with kind._lock:
            kind._users += 1
            interval = sys.getswitchinterval()
            if kind._before is None and interval > LOW:
                kind._before = interval
                sys.setswitchinterval(LOW)

    def __exit__(self, *_: object) -> None:
        kind = type(self)
        with kind._lock:
            kind._users -= 1
            if kind._users or kind._before is None:
                return
            # Kept in microseconds, so what is read is not quite what was set.
            if abs(sys.getswitchinterval() - LOW) < 1e-6:
                sys.setswitchinterval(kind._before)
            kind._before = None


class EagerSwitchInterval:
    """A context of a fraction of a millisecond in which whoever computes is interrupted at once.

    Longer it would cost: threads that compute side by side would do little
    but take turns.
    """

    def __enter__(self) -> None:
        self._before = sys.getswitchinterval()
        sys.setswitchinterval(min(self._before, EAGER))

    def __exit__(self, *_: object) -> None:
        sys.setswitchinterval(self._before)
