"""A heartbeat of 1 ms on a host's own loop: how late it wakes, less what the kernel made it wait.

Lateness is the time between two beats less the millisecond slept, less the
time that the thread was runnable but had no core (`schedstat`): what is left
is what the process did to its own loop.  An idle loop shows about half a
millisecond, since epoll rounds up.  Beside it stands the CPU time of the host's
thread within the same beat: on a machine that is busy with other things it is
the steadier figure, but it does not see a wait for the interpreter's lock.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from array import array
from pathlib import Path
from types import FrameType

PERIOD = 0.001


class Heartbeat:
    """Latenesses and the thread's CPU time, in seconds, of each beat since the last report.

    On SIGUSR1 the next beat writes them to `sink` as JSON and starts anew.
    """

    def __init__(self, sink: Path) -> None:
        self._sink = sink
        self._late = array("d")
        self._busy = array("d")
        self._asked = False
        thread = threading.get_native_id()
        self._schedstat = os.open(f"/proc/self/task/{thread}/schedstat", os.O_RDONLY)
        self._from = 0.0
        self._waited = 0.0
        self._used = 0.0
        signal.signal(signal.SIGUSR1, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def _queued(self) -> float:
        return int(os.pread(self._schedstat, 96, 0).split()[1]) / 1e9

    def before(self) -> None:
        """Call just before the loop's sleep of `PERIOD`."""
        self._waited = self._queued()
        self._used = time.thread_time()
        self._from = time.perf_counter()

    def after(self) -> None:
        """Call just after it."""
        late = time.perf_counter() - self._from - PERIOD
        self._busy.append(time.thread_time() - self._used)
        self._late.append(max(0.0, late - (self._queued() - self._waited)))
        if self._asked:
            self._asked = False
            self._report()

    def _report(self) -> None:
        draft = self._sink.with_suffix(".draft")
        draft.write_text(json.dumps({"late": list(self._late), "busy": list(self._busy)}))
        draft.rename(self._sink)
        del self._late[:]
        del self._busy[:]
