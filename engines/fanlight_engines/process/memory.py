"""`process.memory` and `process.heap`: how much memory there is, and who allocated it.

The first is a few numbers that the system and the interpreter have at hand.
The second exists while tracing is on: the heap profiler takes a snapshot, in a
forked child where it may, and tells it by line.  Nothing here switches tracing.
"""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve

from fanlight.profiling.effects import HeapRefused, ReadHeapMode
from fanlight.relations import Column, Relation

from .modules import loaded, module_file
from .pace import line, polite
from .server import unserved

if TYPE_CHECKING:
    from ..profiling.heap import HeapProfiler
    from ..profiling.traces import LineTotals

PATIENCE = 30.0
"""Seconds that a read waits while another snapshot is being taken."""

_RESIDENT = re.compile(r"^(VmRSS|VmHWM):\s+(\d+) kB$", re.MULTILINE)


class _Busy(RuntimeError):
    """Another snapshot took too long."""


def resident() -> tuple[int | None, int | None]:
    """What of the process is in memory, now and at most so far, in bytes; None where the system does not tell."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            found = dict(_RESIDENT.findall(status.read()))
    except OSError:
        found = {}
    now, most = (int(found[name]) * 1024 if name in found else None for name in ("VmRSS", "VmHWM"))
    return now, most


def _memory(profiler: HeapProfiler) -> Iterator[tuple[object, ...]]:
    now, most = resident()
    mode = profiler.read_mode(ReadHeapMode())
    traced, traced_most = profiler.traced() if mode.active else (None, None)
    yield (
        os.getpid(),
        line(os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python"),
        now,
        most,
        threading.active_count(),
        mode.active,
        traced,
        traced_most,
        gc.isenabled(),
        gc.get_stats()[-1]["collections"],
    )


def _heap(profiler: HeapProfiler) -> Iterator[tuple[object, ...]]:
    found = _lines(profiler)
    modules = _modules() if found else {}
    for file, number, function, blocks, size in polite(found):
        yield _module(file, modules), line(file, 4096), number, line(function), blocks, size


def _lines(profiler: HeapProfiler) -> list[LineTotals]:
    """The snapshot by line, the largest first; nothing while tracing is off."""
    until = time.monotonic() + PATIENCE
    while isinstance(found := profiler.lines(), HeapRefused):
        if found.reason in ("inactive", "unavailable"):
            return []
        if found.reason != "busy" or time.monotonic() > until:
            raise _Busy(found.reason)
        time.sleep(0.05)
    return found


def _modules() -> dict[str, str]:
    """Loaded modules by their files; of several with one file the first by name."""
    found: dict[str, str] = {}
    for name, module in polite(loaded()):
        file: Any = module_file(module)
        if file is not None:
            found.setdefault(file, name)
    return found


def _module(file: str, modules: dict[str, str]) -> str | None:
    if file.startswith("<frozen ") and file.endswith(">"):
        return line(file[len("<frozen ") : -1])
    name = modules.get(file)
    return None if name is None else line(name)


MEMORY = Relation(
    name="memory",
    columns=(
        Column("pid", "integer", "The process."),
        Column("program", "text", "The base name of what was started."),
        Column("resident", "bigint", "What of it is in memory; Linux only.", "bytes"),
        Column("peak_resident", "bigint", "The most that was in memory so far; Linux only.", "bytes"),
        Column("threads", "integer", "Threads that Python knows."),
        Column("tracing", "boolean", "Whether tracemalloc is on, whoever switched it on: only then `heap` has rows."),
        Column(
            "traced", "bigint", "Live blocks that were allocated while tracing was on; null while it is off.", "bytes"
        ),
        Column("peak_traced", "bigint", "The most of these so far.", "bytes"),
        Column("gc_enabled", "boolean", "Whether the garbage collector runs by itself."),
        Column("gc_collections", "bigint", "Collections of the oldest generation so far."),
    ),
    rows=unserved,
    doc="How much memory the process has: one row.",
    cost="About 50 microseconds.",
)

HEAP = Relation(
    name="heap",
    columns=(
        Column("module", "text", "The module of the file; null for code that belongs to none."),
        Column("file", "text", "The file of the line that allocated."),
        Column("line", "integer", "The line in that file."),
        Column("function", "text", "The function that the line belongs to; `<module>` for none."),
        Column("blocks", "bigint", "Blocks that are still alive."),
        Column("bytes", "bigint", "What they add up to.", "bytes"),
    ),
    rows=unserved,
    doc="Live blocks by the line that allocated them, since tracing was switched on; no rows while it is off.",
    cost=(
        "A fork, and about a second of a child's time for a million blocks; where the program forbids to fork, "
        "that time in the worker's thread."
    ),
)


def bound(profiler: HeapProfiler) -> tuple[Relation, ...]:
    """These relations over one profiler."""
    return evolve(MEMORY, rows=partial(_memory, profiler)), evolve(HEAP, rows=partial(_heap, profiler))
