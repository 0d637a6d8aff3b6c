"""The heap profiler: tracing, snapshots of it, and whose it is.

Tracing is tracemalloc's, which there is one of in a process and which the
application may be using itself: what the application began is used here and
never ended.  A snapshot is grouped and encoded in a forked child, because even
asking tracemalloc for its traces is a single call of half a second for a
million blocks.  Where forking is not allowed or not possible, that one call
stops the process and the rest is done in slices, in the thread that asks.
This module never decides who may ask.
"""

from __future__ import annotations

import gc
import marshal
import os
import platform
import sys
import time
from collections.abc import Callable, Generator, Mapping
from functools import partial
from threading import Lock
from typing import Any, ClassVar, Literal, Protocol
from weakref import WeakSet

from attrs import evolve

from fanlight.asks import Effect
from fanlight.profiling.effects import (
    CaptureHeap,
    HeapMark,
    HeapMode,
    HeapRefused,
    MarkHeap,
    ReadHeapMode,
    SwitchHeapMode,
)
from fanlight.profiling.formats import ENCODERS
from fanlight.profiling.mzfg import si

from .allocator import memory
from .forked import CAN_FORK, ForkedChild
from .functions import running_code
from .traces import Circumstances, Heap, LineTotals, Trace, by_line, group, pack, profile, run, subtract, unpack

Finish = Callable[[Heap, Circumstances], Generator[None, None, bytes]]
"""Makes the answer of a heap."""


class HeapSettings(Protocol):
    """What is read of an `App`."""

    @property
    def heap_frames(self) -> int:
        """How many frames of each stack to keep, 1 to 64."""
        ...

    @property
    def fork(self) -> Literal["auto", "never"]:
        """`auto`: a forked child does the work wherever the system lets us."""
        ...


def _find_tracer() -> Any:
    """The functions behind the module `tracemalloc`, without what that imports; None on PyPy."""
    try:
        import _tracemalloc
    except ImportError:
        return None
    return _tracemalloc


_TRACER = _find_tracer()


class _Process:
    """What there is one of in a process, however many profilers it has."""

    switching: ClassVar = Lock()
    snapshot: ClassVar = Lock()
    owner: ClassVar[HeapProfiler | None] = None
    since: ClassVar[float] = 0.0


def _is_tracing() -> bool:
    """Whether tracing is on.  If not, what begins next is not ours, though we began what ended."""
    active: bool = _TRACER.is_tracing()
    if not active:
        _Process.owner = None
    return active


class _Interrupted(Exception):
    """Nobody waits for the snapshot any more."""


class HeapProfiler:
    """Answers the effects of `fanlight.profiling.effects`, from any thread.

    A snapshot takes about 280 bytes of memory for each traced block, and about
    a second for a million of them: in the child, or here if there is none.
    """

    deadline: ClassVar[float] = 120.0
    """Seconds that a child may take.  It ends by itself; this is for one that was born with a lock held."""

    most_marks: ClassVar[int] = 4
    """How many marks may be alive: each is some megabytes, for as long as an hour."""

    def __init__(self, app: HeapSettings) -> None:
        self._app = app
        self._lock = Lock()
        self._effect: Effect[Any] | None = None
        self._child: ForkedChild | None = None
        self._interrupted = False
        self._marks: WeakSet[HeapMark] = WeakSet()
        self.handlers: Mapping[type[Effect[Any]], Callable[[Any], Any]] = {
            ReadHeapMode: self.read_mode,
            SwitchHeapMode: self._switch,
            MarkHeap: self._mark,
            CaptureHeap: self._capture,
        }
        self.interrupts: Mapping[type[Effect[Any]], Callable[[Any], None]] = {
            MarkHeap: self._interrupt,
            CaptureHeap: self._interrupt,
        }

    def close(self) -> None:
        """End a snapshot that is being taken, and tracing if this profiler began it."""
        with self._lock:
            self._stop_work()
        with _Process.switching:
            if _Process.owner is self:
                _Process.owner = None
                _TRACER.stop()

    def lines(self) -> list[LineTotals] | HeapRefused:
        """Live blocks by the line that allocated them, the largest first; takes a snapshot like `CaptureHeap`."""
        data = self._take(MarkHeap(), _by_line)
        return data if isinstance(data, HeapRefused) else marshal.loads(data)

    def traced(self) -> tuple[int, int]:
        """Bytes of the blocks that are traced, now and at most so far."""
        now, most = _TRACER.get_traced_memory()
        return now, most

    def read_mode(self, _: ReadHeapMode) -> HeapMode:
        """The state of tracing; changes nothing."""
        if _TRACER is None:
            return HeapMode(False, False, "none", 0, 0)
        with _Process.switching:
            active = _is_tracing()
            seconds = time.monotonic() - _Process.since if active and _Process.owner is not None else None
        frames = _TRACER.get_traceback_limit() if active else self._app.heap_frames
        traced = _TRACER.get_traced_memory()[0]
        tracer = _TRACER.get_tracemalloc_memory() if active else 0
        return HeapMode(True, active, "tracemalloc", frames, traced, tracer, seconds)

    def _switch(self, effect: SwitchHeapMode) -> HeapMode | HeapRefused:
        if _TRACER is None:
            return HeapRefused("unavailable")
        with _Process.switching:
            active = _is_tracing()
            if effect.active and not active:
                _TRACER.start(self._app.heap_frames)
                _Process.owner = self
                _Process.since = time.monotonic()
            elif active and not effect.active:
                if _Process.owner is None:
                    return HeapRefused("owned")
                _TRACER.stop()
                _Process.owner = None
        return self.read_mode(ReadHeapMode())

    def _mark(self, effect: MarkHeap) -> HeapMark | HeapRefused:
        if len(self._marks) >= self.most_marks:
            return HeapRefused("busy")
        data = self._take(effect, _packed)
        if isinstance(data, HeapRefused):
            return data
        mark = HeapMark(data)
        self._marks.add(mark)
        return mark

    def _capture(self, effect: CaptureHeap) -> bytes | HeapRefused:
        return self._take(effect, partial(_encoded, effect))

    def _take(self, effect: Effect[Any], finish: Finish) -> bytes | HeapRefused:
        if _TRACER is None:
            return HeapRefused("unavailable")
        if not _TRACER.is_tracing():
            return HeapRefused("inactive")
        if not _Process.snapshot.acquire(blocking=False):
            return HeapRefused("busy")
        try:
            self._begin(effect)
            data = self._work(finish, self._circumstances())
        finally:
            self._end()
            _Process.snapshot.release()
        return HeapRefused("failed") if data is None else data

    def _circumstances(self) -> Circumstances:
        return Circumstances(
            wall_nanos=time.time_ns(),
            mono=time.monotonic(),
            program=os.path.basename(sys.executable) or "python3",
            comments=(
                f"tracemalloc, {platform.python_implementation()} {platform.python_version()}",
                f"at most {_TRACER.get_traceback_limit()} frames of each stack",
                "not seen: blocks from before tracing began, and memory of native allocators",
            ),
            running=tuple(running_code()),
            facts=_facts(),
        )

    def _work(self, finish: Finish, at: Circumstances) -> bytes | None:
        child = self._fork(partial(_in_child, finish, at))
        if child is None:
            return self._in_process(finish, at)
        try:
            self._adopt(child)
            return child.result(self.deadline)
        finally:
            self._adopt(None)
            child.end()

    def _fork(self, work: Callable[[], bytes]) -> ForkedChild | None:
        if self._app.fork == "never" or not CAN_FORK:
            return None
        try:
            return ForkedChild(work)
        except (OSError, RuntimeError):
            # No memory for another process, too many of them, a subinterpreter.
            return None

    def _in_process(self, finish: Finish, at: Circumstances) -> bytes | None:
        # With the collector off: one run of it over a million new tuples would
        # be a longer stop than all of the rest.
        collecting = gc.isenabled()
        gc.disable()
        try:
            data: bytes = run(_grouped(_TRACER._get_traces(), finish, at), self._give_way)
        except (_Interrupted, MemoryError):
            return None
        finally:
            if collecting:
                gc.enable()
        return data

    def _give_way(self) -> None:
        if self._interrupted:
            raise _Interrupted
        time.sleep(0)

    def _begin(self, effect: Effect[Any]) -> None:
        with self._lock:
            self._effect = effect
            self._interrupted = False

    def _adopt(self, child: ForkedChild | None) -> None:
        with self._lock:
            self._child = child
            if child is not None and self._interrupted:
                child.kill()

    def _end(self) -> None:
        with self._lock:
            self._effect = None

    def _interrupt(self, effect: Effect[Any]) -> None:
        with self._lock:
            # Two requests may ask the same, so equal is not enough.
            if self._effect is effect:
                self._stop_work()

    def _stop_work(self) -> None:
        self._interrupted = True
        if self._child is not None:
            self._child.kill()


def _facts() -> tuple[tuple[str, str], ...]:
    """What formats with a heading tell of the heap, beside the sum of what they show."""
    told = {
        "Peak allocated": _TRACER.get_traced_memory()[1],
        "Tracer overhead": _TRACER.get_tracemalloc_memory(),
        "Resident": memory().get("resident_bytes"),
    }
    return tuple((name, si(size)) for name, size in told.items() if size is not None)


def _in_child(finish: Finish, at: Circumstances) -> bytes:
    found: list[Trace] = _TRACER._get_traces()
    _TRACER.stop()
    # Frozen objects can be counted without touching them, and this collector will never run again.
    gc.freeze()
    followed = (("Objects tracked by gc", f"{gc.get_freeze_count():,}"),)
    at = evolve(at, facts=at.facts + followed)
    data: bytes = run(_grouped(found, finish, at), lambda: None)
    return data


def _grouped(found: list[Trace], finish: Finish, at: Circumstances) -> Generator[None, None, bytes]:
    heap = yield from group(found)
    return (yield from finish(heap, at))


def _packed(heap: Heap, at: Circumstances) -> Generator[None, None, bytes]:
    yield
    return pack(heap, at.mono)


def _by_line(heap: Heap, at: Circumstances) -> Generator[None, None, bytes]:
    return marshal.dumps((yield from by_line(heap, at)))


def _encoded(effect: CaptureHeap, heap: Heap, at: Circumstances) -> Generator[None, None, bytes]:
    since = None
    if effect.since is not None:
        since, earlier = unpack(effect.since.data)
        heap = subtract(heap, earlier)
    made = yield from profile(heap, at, since)
    pieces: list[bytes] = []
    for piece in ENCODERS[effect.format](made):
        pieces.append(piece)
        yield
    return b"".join(pieces)
