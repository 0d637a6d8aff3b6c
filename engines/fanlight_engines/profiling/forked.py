"""Work done in a forked child: it sees the process as it is now, computes bytes and exits.

A fork stops the process for as long as copying its page tables takes (about
5 ms at 500 MB); whatever the work costs, the child pays.  In memory that is
what the work allocates, and a copy of each page that the child or the parent
writes to while both live: at worst the process twice, for that time.

The parent has other threads and the child has not, so any lock may be held in
it for ever.  The work must take none: no logging, no print, no import, no
thread; only computation on plain objects.  The child runs no signal handler,
no garbage collection and no exit hook, has given up the parent's files (so a
connection that the parent closes is closed), and if memory runs out, it is the
one to be killed.
"""

from __future__ import annotations

import gc
import os
import re
import select
import signal
import sys
import warnings
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import NoReturn

CAN_FORK = hasattr(os, "fork") and hasattr(select, "poll")

_HEADER = 8
_READ = 256 * 1024


class ForkedChild:
    """A child that runs `work` and sends the bytes that it returns.

    Making one forks; raises OSError or RuntimeError where that is refused.
    Then call `result` and, whatever happens, `end`.  `kill` may be called by
    any thread at any time.
    """

    def __init__(self, work: Callable[[], bytes]) -> None:
        self._lock = Lock()
        self._ended = False
        self._read, write = os.pipe()
        try:
            self.pid = _fork(work, write)
        except BaseException:
            os.close(self._read)
            raise
        finally:
            os.close(write)
        self._handle = _open_handle(self.pid)

    def result(self, seconds: float) -> bytes | None:
        """The child's bytes; None if it died without or needs longer than `seconds`."""
        deadline = monotonic() + seconds
        received = bytearray()
        while not _is_whole(received):
            if not self._await_data(deadline - monotonic()):
                return None
            chunk = os.read(self._read, _READ)
            if not chunk:
                return None
            received += chunk
        return bytes(memoryview(received)[_HEADER:])

    def kill(self) -> None:
        """End the child at once; a `result` that waits returns None."""
        with self._lock:
            if not self._ended:
                self._kill()

    def end(self) -> None:
        """Make sure that there is no child any more, and no zombie; returns quickly."""
        with self._lock:
            self._ended = True
            self._kill()
        # The host may have reaped the child already (a SIGCHLD handler that
        # waits for everyone, or SIGCHLD ignored): then there is nothing to do.
        try:
            if self._handle is None:
                os.waitpid(self.pid, 0)
            else:
                os.waitid(os.P_PIDFD, self._handle, os.WEXITED)
        except ChildProcessError:
            pass
        if self._handle is not None:
            os.close(self._handle)
        os.close(self._read)

    def _kill(self) -> None:
        try:
            if self._handle is None:
                os.kill(self.pid, signal.SIGKILL)
            else:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _await_data(self, seconds: float) -> bool:
        """Wait until there is something to read; False if there will not be.

        The end of the pipe alone would not tell: a program that some other
        thread started between our `pipe` and `close` may hold it open.
        """
        waiting = select.poll()
        waiting.register(self._read, select.POLLIN)
        if self._handle is not None:
            waiting.register(self._handle, select.POLLIN)
        waiting.poll(max(0.0, seconds) * 1000)
        # Asked again, because the child may have written and died in between.
        waiting = select.poll()
        waiting.register(self._read, select.POLLIN)
        return bool(waiting.poll(0))


def _is_whole(received: bytearray) -> bool:
    length = int.from_bytes(received[:_HEADER], "big")
    return len(received) >= _HEADER and len(received) - _HEADER >= length


def _open_handle(pid: int) -> int | None:
    """A pidfd: it means this child even after its number was given to another."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _fork(work: Callable[[], bytes], write: int) -> int:
    # Blocked in the child for good: a handler of the host must not run there,
    # nor a byte be written into the loop's wake-up pipe, which is shared.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        _permit_fork()
        pid = os.fork()
        if pid == 0:
            _be_child(work, write)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _permit_fork() -> None:
    """Silence "multi-threaded, use of fork()" (Python 3.12 and later) for this module's call only.

    Done for each call, since hosts reset their filters; it is idempotent.
    `catch_warnings` would not do: it swaps the filters of all threads.
    """
    if sys.version_info >= (3, 12):
        warnings.filterwarnings("ignore", "This process", DeprecationWarning, re.escape(__name__) + "$")


def _be_child(work: Callable[[], bytes], write: int) -> NoReturn:
    status = 1
    try:
        gc.disable()
        sys.settrace(None)
        sys.setprofile(None)
        _close_all_but(write)
        _step_back()
        data = work()
        _send(write, len(data).to_bytes(_HEADER, "big"))
        _send(write, data)
        status = 0
    finally:
        # Even on an error: nothing may unwind into the host's code.
        os._exit(status)


def _close_all_but(kept: int) -> None:
    try:
        numbers = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return
    for number in numbers:
        if number > 2 and number != kept:
            try:
                os.close(number)
            except OSError:
                pass


def _step_back() -> None:
    """Yield the processor to the parent, and memory too if it comes to that."""
    os.nice(5)
    try:
        score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(score, b"1000")
    except OSError:
        pass


def _send(write: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(write, left) :]
