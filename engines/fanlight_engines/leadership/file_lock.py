"""The lock of a file, by `flock`: for processes of one machine.

The kernel gives it back when the process ends, however that happens.  The file
itself is never removed: a lock on a file that has lost its name keeps nobody out.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from typing import Any
from weakref import WeakSet

from .leaders import Lock, Pause

_MOST = 256
"""What is read of the file."""
_open: WeakSet[Any] = WeakSet()


class FileLock(Lock):
    """The lock of the file at `path`, looked after every `check_seconds`."""

    def __init__(self, path: str, check_seconds: float) -> None:
        self._path = path
        self._check_seconds = check_seconds
        self._file: int | None = None
        _open.add(self)

    def take(self, pause: Pause) -> bool:
        """Raises OSError for a file that cannot be opened or is not a regular one."""
        del pause
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError("not a regular file")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between the two somebody may have put another file there.
            if self._named(file):
                self.epoch = _next_epoch(file)
                self._file, file = file, -1
                return True
        except BlockingIOError:
            pass
        finally:
            if file >= 0:
                os.close(file)
        return False

    def hold(self, pause: Pause) -> str:
        if self._file is not None and self._named(self._file):
            pause(self._check_seconds)
            return ""
        return "the lock file was removed or replaced"

    def give_back(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def in_child(self) -> None:
        """A forked child has a copy of the descriptor, which would hold the lock when the parent is long gone."""
        self.give_back()

    def _named(self, file: int) -> bool:
        """Whether the file at the path is this one."""
        try:
            found = os.stat(self._path, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(file))


def _next_epoch(file: int) -> int:
    """Count one up in the file, beside the id of the process; on disk before anybody leads by it.

    Written over in place and never cut short first, so that no crash between
    two steps makes the count begin anew.  A file that holds no count begins at 1.
    """
    counted = re.search(rb"^epoch ([0-9]{1,18})$", os.pread(file, _MOST, 0), re.MULTILINE)
    epoch = int(counted[1]) + 1 if counted is not None else 1
    text = b"%-20d\nepoch %d\n" % (os.getpid(), epoch)
    os.pwrite(file, text, 0)
    os.ftruncate(file, len(text))
    os.fsync(file)
    return epoch


def _in_child() -> None:
    for lock in list(_open):
        lock.in_child()


os.register_at_fork(after_in_child=_in_child)
