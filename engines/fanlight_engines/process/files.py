"""`process.files`: the open file descriptors of the process.

The system is asked what each descriptor is; none is read, moved or closed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from fanlight.relations import Column, Relation

from .pace import line, polite

_FOLDERS = ("/proc/self/fd", "/dev/fd")
_KINDS = (
    (stat.S_ISREG, "file"),
    (stat.S_ISDIR, "directory"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


def _descriptors() -> tuple[str, list[int]]:
    """The folder in which descriptors are listed, and their numbers; nothing where there is no such folder."""
    for folder in _FOLDERS:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        return folder, sorted(int(name) for name in names if name.isdecimal())
    return "", []


def _target(folder: str, number: int) -> str | None:
    try:
        return line(os.readlink(f"{folder}/{number}"), 4096)
    except OSError:
        return None


def _kind(number: int, target: str | None) -> str | None:
    """What a descriptor is; None when it has been closed meanwhile (the listing's own, first of all)."""
    try:
        mode = os.fstat(number).st_mode
    except OSError:
        return None
    if target is not None and target.startswith("anon_inode:"):
        return target.removeprefix("anon_inode:").strip("[]")
    return next((kind for matches, kind in _KINDS if matches(mode)), "other")


def _rows() -> Iterator[tuple[object, ...]]:
    folder, numbers = _descriptors()
    for number in polite(numbers):
        target = _target(folder, number)
        kind = _kind(number, target)
        if kind is not None:
            yield number, kind, target


FILES = Relation(
    name="files",
    columns=(
        Column("fd", "integer", "The descriptor."),
        Column(
            "kind",
            "text",
            "`file`, `directory`, `socket`, `pipe`, `device`, `other`, or the kernel's own (`eventpoll`).",
        ),
        Column(
            "target", "text", "A path, or the kernel's name for what has none; null where the system does not tell."
        ),
    ),
    rows=_rows,
    doc="The open file descriptors of the process.",
    cost="About 10 microseconds for each descriptor.",
    privileged=True,
)
