"""From raw traces to a profile, on invented traces: nothing is traced here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fanlight_engines.profiling.heap
from fanlight import asks
from fanlight.profiling.profile import Frame, Sample
from fanlight_engines.profiling.traces import (
    HIDDEN,
    SLICE,
    Circumstances,
    Frames,
    Heap,
    Trace,
    group,
    pack,
    profile,
    run,
    subtract,
    unpack,
)

T = TypeVar("T")
AT = Circumstances(wall_nanos=5, mono=7.5, program="python3", comments=("a comment",))
SECRET = os.path.join(os.path.dirname(asks.__file__), "auth", "basic.py")
PROFILER = fanlight_engines.profiling.heap.__file__


def result(work: Generator[None, None, T]) -> T:
    value: T = run(work, lambda: None)
    return value


def plain(heap: Heap) -> dict[Frames, tuple[int, int]]:
    """The heap with its frames written out."""
    return {tuple(heap.frames[n][:2] for n in stack): change for stack, change in heap.stacks.items()}


lines = st.tuples(st.sampled_from(["a.py", "b.py", "<string>", SECRET, PROFILER]), st.integers(0, 3))
stacks = st.lists(lines, min_size=1, max_size=4).map(tuple)
traces = st.lists(st.tuples(st.just(0), st.integers(0, 5000), stacks, st.integers(1, 9)), max_size=60)


def expected(found: list[Trace]) -> dict[Frames, tuple[int, int]]:
    blocks: Counter[Frames] = Counter()
    sizes: Counter[Frames] = Counter()
    for _, size, frames, _ in found:
        if frames[0][0] not in (SECRET, PROFILER):
            stack = tuple(line for line in frames if line[0] not in (SECRET, PROFILER))
            blocks[stack] += 1
            sizes[stack] += size
    return {stack: (count, sizes[stack]) for stack, count in blocks.items()}


@given(traces)
def test_blocks_are_counted_and_sizes_added_by_stack(found: list[Trace]) -> None:
    heap = result(group(list(found)))
    assert plain(heap) == expected(found)
    assert len(set(heap.frames)) == len(heap.frames)


def test_grouping_gives_way_and_frees_as_it_goes() -> None:
    found: list[Trace] = [(0, n, (("a.py", n % 7),), 1) for n in range(3 * SLICE + 1)]
    left: list[int] = []
    work = group(found)
    heap = run(work, lambda: left.append(len(found)))
    assert left[:4] == [2 * SLICE + 1, SLICE + 1, 1, 0]
    assert sum(size for _, size in heap.stacks.values()) == sum(range(3 * SLICE + 1))


def test_the_authentication_modules_and_the_profiler_are_hidden() -> None:
    assert SECRET.startswith(HIDDEN)
    for name in ("profiles", "traces", "forked", "functions", "passwords"):
        assert os.path.join(os.path.dirname(PROFILER), f"{name}.py").startswith(HIDDEN)
    assert not os.path.join(os.path.dirname(asks.__file__), "authors.py").startswith(HIDDEN)
    for visible in (asks.__file__, "auth/basic.py", __file__):
        assert not visible.startswith(HIDDEN)


@given(traces, traces)
def test_a_difference_is_what_has_to_be_added(before: list[Trace], after: list[Trace]) -> None:
    earlier, later = result(group(list(before))), result(group(list(after)))
    change = plain(subtract(later, earlier))
    assert (0, 0) not in change.values()
    summed: dict[Frames, tuple[int, int]] = {}
    for part in (plain(earlier), change):
        for stack, (blocks, size) in part.items():
            so_far = summed.get(stack, (0, 0))
            summed[stack] = (so_far[0] + blocks, so_far[1] + size)
    assert {stack: total for stack, total in summed.items() if total != (0, 0)} == plain(later)


@given(traces, st.floats(0, 1e9))
def test_what_is_packed_comes_back(found: list[Trace], mono: float) -> None:
    heap = result(group(list(found)))
    assert unpack(pack(heap, mono)) == (mono, heap)


def test_a_profile_names_what_it_can() -> None:
    function = test_a_profile_names_what_it_can.__code__
    line = function.co_firstlineno + 1
    frames = ((__file__, line, 0, 1), ("gone.py", 3, 0, 1), ("<unknown>", 0, 0, 1))
    heap = Heap(frames, {(0, 1): (2, 30), (2,): (1, 1)})
    at = Circumstances(5, 7.5, "python3", ("a comment",), (function,))
    made = result(profile(heap, at))
    assert made.frames == [
        Frame("test_a_profile_names_what_it_can", __file__, line, line - 1),
        Frame("<module>", "gone.py", 3, 0),
        Frame("<unknown>", "<unknown>", 0, 0),
    ]
    assert made.samples == [Sample((0, 1), (2, 30)), Sample((2,), (1, 1))]
    assert [(kind.type, kind.unit) for kind in made.types] == [("inuse_objects", "count"), ("inuse_space", "bytes")]
    assert (made.default_type, made.period, made.period_type.type) == ("inuse_space", 1, "space")
    assert (made.time_nanos, made.duration_nanos) == (5, 0)
    assert (made.comments, made.program) == (("a comment",), "python3")


def test_lines_in_a_row_are_told_apart_by_their_order() -> None:
    def outer() -> Any: return (lambda: None)  # fmt: skip

    running = (outer.__code__,)
    line = (__file__, outer.__code__.co_firstlineno)
    found: list[Trace] = [
        (0, 1, (line, line, ("gone.py", 1)), 3),
        (0, 2, (line, ("gone.py", 1)), 2),
        (0, 4, (line,) * 7, 7),
    ]
    made = result(profile(result(group(found)), Circumstances(5, 7.5, "python3", (), running)))
    names = {
        change[1]: [made.frames[n].function.rpartition(".")[2] for n in stack]
        for stack, change in ((sample.stack, sample.values) for sample in made.samples)
    }
    assert names == {
        1: ["<lambda>", "outer", "<module>"],
        2: ["<lambda>", "<module>"],
        4: ["<lambda>"] * 7,
    }
    assert len(set(made.frames)) == len(made.frames) == 3


def test_a_difference_has_a_duration() -> None:
    assert result(profile(Heap((), {}), AT, since=5.0)).duration_nanos == 2_500_000_000


def test_run_stops_where_giving_way_raises() -> None:
    ended: list[str] = []

    def work() -> Generator[None, None, Any]:
        try:
            yield
            raise AssertionError("went on")
        finally:
            ended.append("cleaned up")

    def refuse() -> None:
        raise InterruptedError

    routine = work()
    with pytest.raises(InterruptedError):
        run(routine, refuse)
    routine.close()
    assert ended == ["cleaned up"]
