"""The lock of a file, by `flock`: for processes of one machine.

The kernel gives it back when the process ends, however that happens.  The file
itself is never removed: a lock on a file that has lost its name keeps nobody out.
"""

from __future__ import annotations

import fcntl
import os
import stat
from typing import Any
from weakref import WeakSet

from .leaders import Lock, Pause

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
                os.ftruncate(file, 0)
                os.write(file, b"%d\n" % os.getpid())  # for whoever looks: nothing depends on it
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


def _in_child() -> None:
    for lock in list(_open):
        lock.in_child()


os.register_at_fork(after_in_child=_in_child)
