"""What the profiling pages ask of an engine.  Values only."""

from __future__ import annotations

from typing import ClassVar, Literal

from attrs import field, frozen

from ..asks import Effect

Reason = Literal["unavailable", "inactive", "owned", "busy", "failed"]


@frozen
class HeapMode:
    """The state of heap profiling.

    `available`: this interpreter can trace.  `active`: it does, whoever began
    it.  `frames` is how many frames of each stack are kept, or would be if
    tracing were switched on now; `traced_bytes` is what the blocks seen so far
    and still alive add up to.
    """

    available: bool
    active: bool
    backend: str
    frames: int
    traced_bytes: int


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
