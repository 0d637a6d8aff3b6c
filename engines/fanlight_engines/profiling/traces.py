"""From tracemalloc's raw traces to a `StackProfile`.

Everything that can take long is a generator that returns its result and
yields now and then: in a forked child it is simply run, inside the host each
yield gives way to the other threads.  Sizes are collected in lists and added
up afterwards, because numbers made while tracing is on are traced themselves.
"""

from __future__ import annotations

import marshal
import os
import zlib
from collections.abc import Callable, Generator, Iterator
from itertools import groupby
from types import CodeType
from typing import Any

from attrs import frozen

from fanlight import asks
from fanlight.profiling.profile import Frame, Sample, StackProfile, ValueType

from ..process.pace import OWN_AUTH
from .functions import Function, Line, name_lines

Frames = tuple[Line, ...]
"""A stack, leaf first."""

Trace = tuple[int, int, Frames, int]
"""Domain, size, stack (as much of it as is kept), and how deep it really was."""

Place = tuple[str, int, int, int]
"""File, line, and which one (0: the innermost) of how many equal lines in a row this is.

With `[f() for x in y]` the comprehension and the function around it are at the
same line, one above the other: that is how to tell them apart.
"""

LineTotals = tuple[str, int, str, int, int]
"""File, line, function, blocks, bytes."""

SLICE = 1000

_CORE = os.path.dirname(asks.__file__)
HIDDEN = (
    *OWN_AUTH,
    # The profilers themselves.
    os.path.join(_CORE, "profiling", ""),
    os.path.join(os.path.dirname(__file__), ""),
    os.path.join(os.path.dirname(os.__file__), "tracemalloc.py"),
)
"""Beginnings of file names.  Blocks that these allocate are left out, their frames cut out of other stacks."""


@frozen
class Heap:
    """Live blocks by stack: `stacks` maps indices into `frames`, leaf first, to (blocks, bytes)."""

    frames: tuple[Place, ...]
    stacks: dict[tuple[int, ...], tuple[int, int]]


@frozen
class Circumstances:
    """What is to be known before the work begins: clocks, settings, the code that runs."""

    wall_nanos: int
    mono: float
    program: str
    comments: tuple[str, ...]
    running: tuple[CodeType, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


def group(traces: list[Trace]) -> Generator[None, None, Heap]:
    """Return the heap that `traces` show, and empty the list on the way.

    The frames themselves are the key.  Their identity would do as well and be
    hashed faster, but it is a new number each time, and so four times slower
    while tracing is on.
    """
    groups: dict[Frames, list[int]] = {}
    while traces:
        for _, size, frames, _ in traces[-SLICE:]:
            sizes = groups.get(frames)
            if sizes is None:
                groups[frames] = [size]
            else:
                sizes.append(size)
        # Freed bit by bit: all at once would be one long stop.
        del traces[-SLICE:]
        yield
    return (yield from _fold(groups))


def _fold(groups: dict[Frames, list[int]]) -> Generator[None, None, Heap]:
    """Leave out what is hidden and number the places."""
    numbers: dict[Place, int] = {}
    hidden: dict[str, bool] = {}
    stacks: dict[tuple[int, ...], tuple[int, int]] = {}
    for count, (frames, sizes) in enumerate(groups.items()):
        if count % SLICE == 0:
            yield
        for file, _ in frames:
            if file not in hidden:
                hidden[file] = file.startswith(HIDDEN)
        if not hidden[frames[0][0]]:
            places = _places([line for line in frames if not hidden[line[0]]])
            stack = tuple([numbers.setdefault(place, len(numbers)) for place in places])
            blocks, size = stacks.get(stack, (0, 0))
            stacks[stack] = (blocks + len(sizes), size + sum(sizes))
    return Heap(tuple(numbers), stacks)


def _places(lines: list[Line]) -> Iterator[Place]:
    for line, row in groupby(lines):
        length = len(list(row))
        for which in range(length):
            yield (*line, which, length)


def pack(heap: Heap, mono: float) -> bytes:
    """The heap as few bytes, to be unpacked by this very process."""
    return zlib.compress(marshal.dumps((mono, heap.frames, heap.stacks)), 1)


def unpack(data: bytes) -> tuple[float, Heap]:
    """What `pack` packed: when, and the heap."""
    mono, frames, stacks = marshal.loads(zlib.decompress(data))
    return mono, Heap(frames, stacks)


def subtract(later: Heap, earlier: Heap) -> Heap:
    """What has changed; stacks without a change are left out."""
    numbers = {place: number for number, place in enumerate(later.frames)}
    moved = [numbers.setdefault(place, len(numbers)) for place in earlier.frames]
    stacks = dict(later.stacks)
    for old, (old_blocks, old_size) in earlier.stacks.items():
        stack = tuple([moved[number] for number in old])
        blocks, size = stacks.get(stack, (0, 0))
        stacks[stack] = (blocks - old_blocks, size - old_size)
    return Heap(tuple(numbers), {stack: change for stack, change in stacks.items() if change != (0, 0)})


def profile(heap: Heap, at: Circumstances, since: float | None = None) -> Generator[None, None, StackProfile]:
    """Return the profile of a heap, or of a difference whose first moment was `since`."""
    names = yield from name_lines({(file, line) for file, line, _, _ in heap.frames}, at.running)
    # Different places may turn out to be the same line of the same function.
    numbers: dict[Frame, int] = {}
    frames = [numbers.setdefault(_frame(place, names), len(numbers)) for place in heap.frames]
    return StackProfile(
        types=(ValueType("inuse_objects", "count"), ValueType("inuse_space", "bytes")),
        default_type="inuse_space",
        period_type=ValueType("space", "bytes"),
        period=1,
        frames=list(numbers),
        samples=[Sample(tuple([frames[n] for n in stack]), change) for stack, change in heap.stacks.items()],
        time_nanos=at.wall_nanos,
        duration_nanos=0 if since is None else round((at.mono - since) * 1e9),
        comments=at.comments,
        program=at.program,
        facts=at.facts,
    )


def by_line(heap: Heap, at: Circumstances) -> Generator[None, None, list[LineTotals]]:
    """Return what each line itself allocated, the largest first: the innermost frames of the stacks."""
    totals: dict[int, tuple[int, int]] = {}
    for stack, (blocks, size) in heap.stacks.items():
        if stack:
            known_blocks, known_size = totals.get(stack[0], (0, 0))
            totals[stack[0]] = (known_blocks + blocks, known_size + size)
    yield
    places = {number: heap.frames[number] for number in totals}
    names = yield from name_lines({(file, line) for file, line, _, _ in places.values()}, at.running)
    found: dict[Line, tuple[str, int, int]] = {}
    for number, (blocks, size) in totals.items():
        frame = _frame(places[number], names)
        _, known_blocks, known_size = found.get((frame.file, frame.line), ("", 0, 0))
        found[frame.file, frame.line] = (frame.function, known_blocks + blocks, known_size + size)
    rows = [(file, line, *totals_of) for (file, line), totals_of in found.items()]
    return sorted(rows, key=lambda row: row[4], reverse=True)


def _frame(place: Place, names: dict[Line, list[Function]]) -> Frame:
    file, line, which, length = place
    functions = names.get((file, line))
    if functions is None:
        # A module's own code is gone once it ran, so what no function claims is taken for it.
        return Frame("<module>" if line else "<unknown>", file, line)
    # A longer row than there are functions is a recursion.
    name, first = functions[which if length <= len(functions) else 0]
    return Frame(name, file, line, first)


def run(work: Generator[None, None, Any], give_way: Callable[[], None]) -> Any:
    """Drive `work` to its end, with `give_way()` at each yield; the result is what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value
        give_way()
