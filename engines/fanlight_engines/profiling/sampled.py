"""From what a sampler saw to a `StackProfile`.

Done in a worker's thread after the capture, in slices: the lines are found
here, because finding them while sampling would take longer than all the rest.
"""

from __future__ import annotations

import os
import platform
import sys
from array import array
from bisect import bisect_right
from collections.abc import Generator
from types import CodeType

from fanlight.profiling.profile import Frame, Sample, StackProfile, ValueType

from .sampled_stacks import TRUNCATED
from .sampling import Sampler
from .traces import HIDDEN

_SLICE = 100
_MARK = Frame("[truncated]", "", 0)
_NOTHING = Frame("[hidden]", "", 0)

Labels = tuple[tuple[str, str], ...]


class Lines:
    """The line of each instruction, by code object.  A table is made when a code object is first asked for."""

    def __init__(self) -> None:
        self._tables: dict[int, tuple[list[int], list[int]]] = {}

    def line(self, code: CodeType, offset: int) -> int:
        """The line of the instruction at `offset`; where the function begins, if it has none."""
        table = self._tables.get(id(code))
        if table is None:
            parts = [(start, found or code.co_firstlineno) for start, _, found in code.co_lines()]
            table = self._tables[id(code)] = ([start for start, _ in parts], [found for _, found in parts])
        at = bisect_right(table[0], offset) - 1
        return table[1][at] if at >= 0 else code.co_firstlineno


class _Frames:
    """The frames of a profile, each once, by the places of the sampler; hidden ones are None."""

    def __init__(self, places: dict[int, CodeType]) -> None:
        self._places = places
        self._lines = Lines()
        self._by_place: dict[int, int | None] = {}
        self.numbers: dict[Frame, int] = {}

    def number(self, frame: Frame) -> int:
        """The index of `frame`, given at first sight."""
        return self.numbers.setdefault(frame, len(self.numbers))

    def stack(self, packed: bytes) -> tuple[int, ...]:
        """The stack, leaf first, without what is hidden; never empty."""
        shown = [number for number in map(self._at, array("Q", packed)) if number is not None]
        return tuple(shown) or (self.number(_NOTHING),)

    def _at(self, place: int) -> int | None:
        if place not in self._by_place:
            self._by_place[place] = self._find(place)
        return self._by_place[place]

    def _find(self, place: int) -> int | None:
        if place == TRUNCATED:
            return self.number(_MARK)
        code = self._places[place]
        if code.co_filename.startswith(HIDDEN):
            return None
        line = self._lines.line(code, place - id(code))
        return self.number(Frame(code.co_qualname, code.co_filename, line, code.co_firstlineno))


def profile(sampler: Sampler, *, merge: bool) -> Generator[None, None, StackProfile]:
    """Return the profile of a sampler that has ended.  `merge`: as if all threads were one."""
    frames = _Frames(sampler.stacks.places)
    threads, tasks = sampler.threads.listed(), sampler.stacks.tasks.listed()
    merged: dict[tuple[tuple[int, ...], Labels], list[int]] = {}
    for count, ((thread, task, packed), (seen, weight)) in enumerate(sampler.samples.items()):
        if count % _SLICE == 0:
            yield
        key = (frames.stack(packed), _labels("" if merge else threads[thread], tasks[task]))
        values = merged.setdefault(key, [0, 0])
        values[0] += seen
        values[1] += weight
    kind = ValueType(sampler.clock, "nanoseconds")
    return StackProfile(
        types=(ValueType("samples", "count"), kind),
        default_type=kind.type,
        period_type=kind,
        period=round(1e9 / sampler.hz),
        frames=list(frames.numbers),
        samples=[Sample(stack, tuple(values), labels) for (stack, labels), values in merged.items()],
        time_nanos=sampler.began_wall,
        duration_nanos=sampler.duration,
        comments=_comments(sampler),
        program=program(),
        facts=(
            ("Sampling time (s)", f"{sampler.seconds:g}"),
            ("Sampling frequency (Hz)", str(sampler.hz)),
            ("Achieved frequency (Hz)", f"{_achieved(sampler):.1f}"),
        ),
    )


def program() -> str:
    """The base name of what runs: profiles name it as their binary."""
    return os.path.basename(sys.executable) or "python3"


def _labels(thread: str, task: str) -> Labels:
    """`annotation` says the same as `thread`, for readers of Materialize's profiles."""
    of_thread = (("thread", thread), ("annotation", thread)) if thread else ()
    return (*of_thread, ("task", task)) if task else of_thread


def _achieved(sampler: Sampler) -> float:
    return sampler.looks * 1e9 / sampler.duration if sampler.duration else 0.0


def _comments(sampler: Sampler) -> tuple[str, ...]:
    seconds = sampler.duration / 1e9
    told = [
        f"fanlight CPU sampler, {platform.python_implementation()} {platform.python_version()}",
        f"asked {sampler.hz} Hz, achieved {_achieved(sampler):.1f} Hz: {sampler.looks} looks in {seconds:.2f} s",
        _measure(sampler),
        f"the sampler itself took {sampler.own / 1e9:.3f} s of processor time, not shown",
    ]
    if seconds < sampler.seconds * 0.99:
        told.append(f"ended after {seconds:.2f} of {sampler.seconds:g} s")
    if sampler.truncated:
        told.append("too many different stacks: later ones are [truncated]")
    if "_tracemalloc" in sys.modules and sys.modules["_tracemalloc"].is_tracing():
        told.append("tracemalloc: active")
    return tuple(told)


def _measure(sampler: Sampler) -> str:
    if sampler.clock == "wall":
        return "values: time that passed, for every thread and for every task that waited"
    if sampler.meters.known:
        return "values: processor time of each thread, by its own clock"
    return "values: time that passed, shared by the threads that moved; this system has no clock for each"
