"""`process.threads`: the threads of the process, Python's and those that only visit it.

Processor times and states come from the kernel, where it tells.  No thread is
stopped, signalled or waited for.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

from fanlight.relations import Column, Relation

from .pace import line, polite
from .stacks import Place, thread_stack

_STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "waiting for a device",
    "T": "stopped",
    "t": "traced",
    "Z": "ended",
    "X": "ended",
    "I": "idle",
}


def _kernel_facts(native_id: int | None) -> tuple[str | None, float | None]:
    """State and processor time (seconds) of a thread, from Linux's /proc; None where there is none."""
    if native_id is None:
        return None, None
    folder = f"/proc/self/task/{native_id}"
    try:
        with open(f"{folder}/stat", encoding="ascii", errors="replace") as stat:
            # The name stands in parentheses and may hold some itself.
            fields = stat.read().rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return _STATES.get(fields[0], fields[0]), _precise(folder, seconds)
    except (OSError, ValueError, IndexError):
        return None, None


def _precise(folder: str, seconds: float) -> float:
    """The same time in nanosecond steps, where the kernel keeps it."""
    try:
        with open(f"{folder}/schedstat", encoding="ascii") as schedstat:
            return int(schedstat.read().split()[0]) / 1e9 or seconds
    except (OSError, ValueError, IndexError):
        return seconds


def _rows() -> Iterator[tuple[object, ...]]:
    known = {thread.ident: thread for thread in threading.enumerate()}
    leaves = sys._current_frames()
    strangers = [ident for ident in leaves if ident not in known]
    for ident in polite([*(ident for ident in known if ident is not None), *strangers]):
        thread = known.get(ident)
        native_id = thread.native_id if thread is not None else None
        state, seconds = _kernel_facts(native_id)
        stack = thread_stack(leaves.get(ident))
        at = stack[0] if stack else Place("", "", 0)
        yield (
            ident,
            native_id,
            line(thread.name) if thread is not None else None,
            thread.daemon if thread is not None else None,
            thread.is_alive() if thread is not None else True,
            state,
            seconds,
            at.function or None,
            at.file or None,
            at.line or None,
        )


THREADS = Relation(
    name="threads",
    columns=(
        Column("ident", "bigint", "Python's number of the thread; `frames.owner_id` of its stack."),
        Column("native_id", "bigint", "The system's number of the thread."),
        Column("name", "text", "The thread's name; null for one that Python did not start."),
        Column("daemon", "boolean", "Whether the process may end without it."),
        Column("alive", "boolean", "Whether it still runs."),
        Column("state", "text", "What the kernel says (`running`, `sleeping`, …); Linux only."),
        Column("cpu_seconds", "double", "Processor time used so far; Linux only.", "seconds"),
        Column("function", "text", "The innermost Python function."),
        Column("file", "text", "The file of that function."),
        Column("line", "integer", "The line in that file."),
    ),
    rows=_rows,
    doc="The threads of the process that run Python, with the place where each of them stands.",
    cost="About 50 microseconds for each thread.",
)
