"""Spool files: answers too long for memory wait in a file that has no name.

The file is gone when its last user is, also when the process is killed.
"""

from __future__ import annotations

import os

from fanlight.sql.effects import CloseSpool, OpenSpool, ReadSpool, WriteSpool


class Spool:
    """A file without a name; closed when nobody refers to it any more."""

    __slots__ = ("_file", "size")

    def __init__(self) -> None:
        import tempfile  # brings much along that most programs never need

        self.size = 0
        self._file = -1
        file, path = tempfile.mkstemp(prefix="fanlight-")
        self._file = file
        os.unlink(path)

    def write(self, data: bytes) -> None:
        """Append `data`."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self._file, view, self.size)
            self.size += written
            view = view[written:]

    def read(self, start: int, most: int) -> bytes:
        """At most `most` bytes from `start`; fewer only at the end."""
        return os.pread(self._file, most, start)

    def close(self) -> None:
        """Give the space back; a second time does nothing."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    __del__ = close


def open_spool(effect: OpenSpool) -> Spool | None:
    """Answers `OpenSpool`."""
    try:
        return Spool()
    except OSError:
        return None


def write_spool(effect: WriteSpool) -> bool:
    """Answers `WriteSpool`."""
    spool = effect.spool
    if not isinstance(spool, Spool):
        raise TypeError(spool)
    try:
        spool.write(effect.data)
    except OSError:
        return False
    return True


def read_spool(effect: ReadSpool) -> bytes:
    """Answers `ReadSpool`."""
    if not isinstance(effect.spool, Spool):
        raise TypeError(effect.spool)
    return effect.spool.read(effect.start, effect.most)


def close_spool(effect: CloseSpool) -> None:
    """Answers `CloseSpool`."""
    if not isinstance(effect.spool, Spool):
        raise TypeError(effect.spool)
    effect.spool.close()
