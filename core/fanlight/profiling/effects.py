"""What the profiling pages ask of an engine.  Values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from attrs import field, frozen

from ..asks import Effect

Reason = Literal["unavailable", "inactive", "owned", "busy", "failed"]
CpuReason = Literal["running", "failed"]
NativeReason = Literal["missing", "running", "failed"]
Clock = Literal["cpu", "wall"]


@frozen
class HeapMode:
    """The state of heap profiling.

    `available`: this interpreter can trace.  `active`: it does, whoever began
    it.  `frames` is how many frames of each stack are kept, or would be if
    tracing were switched on now; `traced_bytes` is what the blocks seen so far
    and still alive add up to, `tracer_bytes` what the tracer itself takes.
    `seconds` says for how long it has been on; None where that is not known,
    because it is off or because the application began it.
    """

    available: bool
    active: bool
    backend: str
    frames: int
    traced_bytes: int
    tracer_bytes: int = 0
    seconds: float | None = None


@frozen
class HeapRefused:
    """Why the heap was not profiled, or tracing not switched.

    `unavailable`: this interpreter cannot trace.  `inactive`: tracing is off.
    `owned`: the application itself began tracing, so it is not ours to stop.
    `busy`: a snapshot is being taken.  `failed`: a snapshot was begun and came
    to nothing (not enough memory, taken too long, interrupted).
    """

    reason: Reason


@frozen(eq=False)
class HeapMark:
    """The heap at one moment, to be subtracted from a later one.

    `data` is the engine's own, packed.  An engine counts the marks that are
    alive, so let go of one as soon as it was used.
    """

    data: bytes = field(repr=False)


@frozen
class ReadHeapMode(Effect[HeapMode]):
    """Ask for the state; changes nothing."""

    runs: ClassVar[Literal["worker", "loop"]] = "loop"


@frozen
class SwitchHeapMode(Effect["HeapMode | HeapRefused"]):
    """Begin or end tracing; the new state is the answer.  Switching twice is fine.

    Refused as `unavailable` or `owned`.
    """

    active: bool


@frozen
class MarkHeap(Effect["HeapMark | HeapRefused"]):
    """Keep the present heap for a later `CaptureHeap`.  Refused as anything but `owned`."""


@frozen
class CaptureHeap(Effect["bytes | HeapRefused"]):
    """Profile the heap: the answer is the profile in `format`, encoded.

    With `since`, what has changed between that mark and now.  Encoding is the
    engine's part because it can be done outside the process (`formats` says
    how).  Refused as anything but `owned`.
    """

    format: str = "pprof"
    since: HeapMark | None = None


@frozen
class ReadAllocator(Effect[Mapping[str, Any]]):
    """Statistics of what allocates memory, as JSON values.

    Exactly the members `tracemalloc`, `gc`, `process` and `allocator`, each an
    object of numbers, strings and flags.  With `details` also `details`: the
    interpreter's own text on its arenas, empty where it cannot be had.
    """

    details: bool = False


@frozen
class Profilers:
    """What else is there: a CPU capture that runs, and a profiler of native memory that is installed."""

    cpu_active: bool
    native: bool


@frozen
class ReadProfilers(Effect[Profilers]):
    """Ask for the state; changes nothing."""

    runs: ClassVar[Literal["worker", "loop"]] = "loop"


# The effects of a capture are compared by identity: an interrupt is for one of them, not for all that look like it.


@frozen(eq=False)
class CpuCapture:
    """A capture that was begun; `sampler` is the engine's own."""

    sampler: Any = field(repr=False)


@frozen(eq=False)
class CpuRefused:
    """Why there is no CPU profile.

    `running`: this process is being profiled already.  `failed`: no thread
    could be started, or the client left.
    """

    reason: CpuReason


@frozen(eq=False)
class BeginCpu(Effect["CpuCapture | CpuRefused"]):
    """Begin to sample the process, `hz` times a second, for at most `seconds`.

    `clock` says what is measured: the processor time of the threads that run,
    or the time that passes for all threads and tasks.  There is one capture at
    a time in a process.  It ends by itself, also when nobody finishes it.
    """

    seconds: int
    hz: int
    clock: Clock = "cpu"


@frozen(eq=False)
class EndCpu(Effect[None]):
    """End the capture now and throw away what it saw.  Harmless for one that is over."""

    capture: CpuCapture
    runs: ClassVar[Literal["worker", "loop"]] = "loop"


@frozen(eq=False)
class FinishCpu(Effect["bytes | CpuRefused"]):
    """End the capture, if it has not ended, and encode what it saw in `format`.

    `merge`: without telling the threads apart.
    """

    capture: CpuCapture
    format: str = "pprof"
    merge: bool = False


@frozen
class CaptureStacks(Effect[bytes]):
    """Where every thread and every task stands now: a profile in `format`, encoded."""

    format: str = "pprof"


@frozen
class DescribeStacks(Effect[str]):
    """The same for people: threads, then the tasks of each loop as a tree.

    `whole`: with all frames; otherwise a line for each.
    """

    whole: bool = False


@frozen(eq=False)
class NativeCapture:
    """A recording of native memory that was begun; `recorder` is the engine's own."""

    recorder: Any = field(repr=False)


@frozen(eq=False)
class NativeRefused:
    """Why native memory was not recorded.

    `missing`: the library is not installed.  `running`: somebody records
    already.  `failed`: the recording could not be begun or read.
    """

    reason: NativeReason


@frozen(eq=False)
class BeginNative(Effect["NativeCapture | NativeRefused"]):
    """Begin to record the allocations of native code, into a temporary file.

    It ends after `seconds` by itself, if nobody finishes it before.
    """

    seconds: int


@frozen(eq=False)
class EndNative(Effect[None]):
    """End the recording and throw it away.  Harmless for one that is over."""

    capture: NativeCapture


@frozen(eq=False)
class FinishNative(Effect["bytes | NativeRefused"]):
    """End the recording; the answer is the file."""

    capture: NativeCapture
