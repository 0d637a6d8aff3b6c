"""Statistics of what allocates memory: tracemalloc, the collector, the process, the interpreter's allocator.

Numbers that are there already; nothing is collected, counted or traced for
them.  The interpreter prints the details of its arenas to standard error and
nowhere else, so that is done in a forked child.
"""

from __future__ import annotations

import gc
import os
import platform
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from fanlight.profiling.effects import ReadAllocator

from .forked import CAN_FORK, ForkedChild

DETAILS_SECONDS = 10.0
_MOST_DETAILS = 256 * 1024


class ForkSettings(Protocol):
    """What is read of an `App`."""

    @property
    def fork(self) -> Literal["auto", "never"]:
        """`auto`: a forked child may be used."""
        ...


class Allocator:
    """Answers `ReadAllocator`."""

    interrupts: Mapping[type, Callable[[Any], None]] = {}

    def __init__(self, app: ForkSettings) -> None:
        self._app = app
        self.handlers: Mapping[type, Callable[[Any], Any]] = {ReadAllocator: self._read}

    def close(self) -> None:
        """Nothing is held."""

    def _read(self, effect: ReadAllocator) -> dict[str, Any]:
        found = statistics()
        if effect.details:
            found["details"] = "" if self._app.fork == "never" else _details()
        return found


def statistics() -> dict[str, Any]:
    """The four objects of `ReadAllocator`; sizes are in bytes."""
    return {"tracemalloc": _tracemalloc(), "gc": _collector(), "process": memory(), "allocator": _allocator()}


def _tracemalloc() -> dict[str, Any]:
    try:
        import _tracemalloc as tracer
    except ImportError:
        return {"available": False, "active": False}
    active = tracer.is_tracing()
    current, peak = tracer.get_traced_memory()
    return {
        "available": True,
        "active": active,
        "frames": tracer.get_traceback_limit() if active else 0,
        "current_bytes": current,
        "peak_bytes": peak,
        "tracer_bytes": tracer.get_tracemalloc_memory(),
    }


def _collector() -> dict[str, Any]:
    counts, thresholds = gc.get_count(), gc.get_threshold()
    generations = [
        {"count": counts[number], "threshold": thresholds[number], **stats}
        for number, stats in enumerate(gc.get_stats()[: len(counts)])
    ]
    return {"enabled": gc.isenabled(), "frozen": gc.get_freeze_count(), "generations": generations}


def memory() -> dict[str, Any]:
    """Resident memory now and at most, of Linux's /proc; empty elsewhere."""
    found: dict[str, Any] = {}
    names = {"VmRSS": "resident_bytes", "VmHWM": "peak_resident_bytes", "VmSize": "virtual_bytes"}
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for text in status:
                key, _, value = text.partition(":")
                if key in names:
                    found[names[key]] = int(value.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return {}
    return found


def _allocator() -> dict[str, Any]:
    blocks = sys.getallocatedblocks() if hasattr(sys, "getallocatedblocks") else 0
    chosen = os.environ.get("PYTHONMALLOC", "")
    # Only the interpreter's own allocators count their blocks.
    own = "mimalloc" if "free-threading" in sys.version else "pymalloc"
    name = chosen if chosen.isidentifier() else own if blocks else "malloc"
    return {"name": name, "blocks": blocks, "implementation": platform.python_implementation()}


def _details() -> str:
    if not CAN_FORK or not hasattr(sys, "_debugmallocstats") or not hasattr(os, "memfd_create"):
        return ""
    try:
        child = ForkedChild(_print_details)
    except (OSError, RuntimeError):
        return ""
    try:
        return (child.result(DETAILS_SECONDS) or b"").decode(errors="replace")
    finally:
        child.end()


def _print_details() -> bytes:
    """In the child: let the interpreter print into a file in memory."""
    file = os.memfd_create("details")
    os.dup2(file, 2)
    sys._debugmallocstats()
    return os.pread(file, _MOST_DETAILS, 0)
