"""The heap profiler on the heap of this very process: forked and in process, and read by pprof."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from attrs import define

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
from fanlight.profiling.profile import StackProfile
from fanlight_engines.profiling import heap as profiles
from fanlight_engines.profiling.forked import CAN_FORK, ForkedChild
from fanlight_engines.profiling.heap import HeapProfiler
from tests.pprof import read

pytestmark = pytest.mark.skipif(tracemalloc.is_tracing(), reason="the test run itself is traced")

Fork = Literal["auto", "never"]
WAYS: list[Fork] = ["auto", "never"] if CAN_FORK else ["never"]


@define
class Settings:
    heap_frames: int = 4  # each frame costs time, and the heap of a test run is large
    fork: Fork = "auto"


@pytest.fixture(params=WAYS)
def profiler(request: pytest.FixtureRequest) -> Iterator[HeapProfiler]:
    """One with tracing off; what it began is over afterwards."""
    made = HeapProfiler(Settings(fork=request.param))
    yield made
    made.close()
    tracemalloc.stop()


def ask(profiler: HeapProfiler, effect: Effect[Any]) -> Any:
    return profiler.handlers[type(effect)](effect)


def switch(profiler: HeapProfiler, active: bool) -> HeapMode:
    mode = ask(profiler, SwitchHeapMode(active))
    assert isinstance(mode, HeapMode)
    return mode


def capture(profiler: HeapProfiler, since: HeapMark | None = None) -> StackProfile:
    body = ask(profiler, CaptureHeap(since=since))
    assert isinstance(body, bytes)
    return read(body)


def kept_by(profile: StackProfile, function: str) -> tuple[int, int]:
    """Blocks and bytes that `function` of this file allocated itself."""
    blocks = size = 0
    for sample in profile.samples:
        leaf = profile.frames[sample.stack[0]]
        if (leaf.function, leaf.file) == (function, __file__):
            blocks += sample.values[0]
            size += sample.values[1]
    return blocks, size


def hoard(count: int) -> list[bytearray]:
    return [bytearray(10_000) for _ in range(count)]


def hoarded(profile: StackProfile) -> tuple[int, int]:
    """What `hoard` keeps; before 3.12 its comprehension is a function."""
    parts = [kept_by(profile, name) for name in ("hoard", "hoard.<locals>.<listcomp>")]
    return parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]


small: Callable[[], bytearray] = lambda: bytearray(3_000)  # noqa: E731


def test_off_at_first(profiler: HeapProfiler) -> None:
    assert ask(profiler, ReadHeapMode()) == HeapMode(True, False, "tracemalloc", 4, 0)
    assert ask(profiler, CaptureHeap()) == HeapRefused("inactive")
    assert ask(profiler, MarkHeap()) == HeapRefused("inactive")
    assert not tracemalloc.is_tracing()


def test_on_and_off_twice(profiler: HeapProfiler) -> None:
    for _ in range(2):
        for _ in range(2):
            mode = switch(profiler, True)
            assert (mode.active, mode.frames) == (True, 4)
            assert tracemalloc.get_traceback_limit() == 4
        keep = hoard(1)
        assert ask(profiler, ReadHeapMode()).traced_bytes >= 10_000
        del keep
        for _ in range(2):
            assert switch(profiler, False) == HeapMode(True, False, "tracemalloc", 4, 0)
            assert not tracemalloc.is_tracing()


def test_what_lives_is_in_the_profile(profiler: HeapProfiler) -> None:
    before = hoard(5)
    switch(profiler, True)
    keep = hoard(100)
    hoard(50)
    one = small()
    profile = capture(profiler)
    blocks, size = hoarded(profile)
    assert 100 * 10_000 <= size < 101 * 10_100
    assert 200 <= blocks <= 205
    assert kept_by(profile, "<lambda>")[1] >= 3_000
    assert profile.default_type == "inuse_space"
    assert [kind.type for kind in profile.types] == ["inuse_objects", "inuse_space"]
    assert abs(profile.time_nanos / 1e9 - time.time()) < 60
    assert "at most 4 frames of each stack" in profile.comments
    del before, keep, one


def test_stacks_reach_up_to_the_caller(profiler: HeapProfiler) -> None:
    switch(profiler, True)
    keep = hoard(3)
    profile = capture(profiler)
    callers = {
        profile.frames[place].function
        for sample in profile.samples
        if profile.frames[sample.stack[0]].function.startswith("hoard")
        for place in sample.stack
    }
    assert {"hoard", "test_stacks_reach_up_to_the_caller"} <= callers
    assert all(1 <= len(sample.stack) <= 4 for sample in profile.samples)
    del keep


def test_the_profiler_is_not_in_its_profile(profiler: HeapProfiler) -> None:
    switch(profiler, True)
    keep = hoard(1)
    mark = ask(profiler, MarkHeap())
    profile = capture(profiler)
    folder = os.path.dirname(profiles.__file__)
    assert [frame.file for frame in profile.frames if os.path.dirname(frame.file) == folder] == []
    del keep, mark


def test_a_difference_tells_what_came_and_what_went(profiler: HeapProfiler) -> None:
    switch(profiler, True)
    gone = hoard(20)
    mark = ask(profiler, MarkHeap())
    assert isinstance(mark, HeapMark)
    assert "data" not in repr(mark)
    del gone
    few = [small() for _ in range(10)]
    profile = capture(profiler, mark)
    blocks, size = hoarded(profile)
    assert blocks <= -40
    assert size <= -200_000
    assert kept_by(profile, "<lambda>")[1] >= 30_000
    assert 0 < profile.duration_nanos < 600e9
    del few


def test_marks_are_counted_while_they_live(profiler: HeapProfiler) -> None:
    switch(profiler, True)
    marks = [ask(profiler, MarkHeap()) for _ in range(HeapProfiler.most_marks)]
    assert all(isinstance(mark, HeapMark) for mark in marks)
    assert ask(profiler, MarkHeap()) == HeapRefused("busy")
    marks.pop()
    assert isinstance(ask(profiler, MarkHeap()), HeapMark)


def test_what_the_application_began_is_used_and_never_ended(profiler: HeapProfiler) -> None:
    tracemalloc.start(3)
    keep = hoard(2)
    assert switch(profiler, True).frames == 3
    assert ask(profiler, SwitchHeapMode(False)) == HeapRefused("owned")
    assert hoarded(capture(profiler))[1] >= 20_000
    profiler.close()
    assert tracemalloc.is_tracing()
    tracemalloc.stop()
    assert switch(profiler, False).active is False
    del keep


def test_tracing_that_the_application_ended_is_not_ours_when_it_begins_anew(profiler: HeapProfiler) -> None:
    switch(profiler, True)
    tracemalloc.stop()
    assert ask(profiler, ReadHeapMode()).active is False
    tracemalloc.start(2)
    assert ask(profiler, SwitchHeapMode(False)) == HeapRefused("owned")
    tracemalloc.stop()


def test_two_profilers_share_what_there_is_one_of(profiler: HeapProfiler) -> None:
    other = HeapProfiler(Settings())
    switch(profiler, True)
    assert ask(other, ReadHeapMode()).active
    other.close()
    assert tracemalloc.is_tracing()
    assert switch(other, False).active is False
    switch(other, True)
    profiler.close()
    assert tracemalloc.is_tracing()
    other.close()
    assert not tracemalloc.is_tracing()


def test_one_snapshot_at_a_time_in_the_process(profiler: HeapProfiler) -> None:
    switch(profiler, True)
    with profiles._Process.snapshot:
        assert ask(profiler, CaptureHeap()) == HeapRefused("busy")
        assert ask(HeapProfiler(Settings()), MarkHeap()) == HeapRefused("busy")
    assert isinstance(ask(profiler, CaptureHeap()), bytes)


class Begun(threading.Thread):
    """An effect that is being performed in a thread."""

    def __init__(self, profiler: HeapProfiler, effect: Effect[Any]) -> None:
        super().__init__()
        self.profiler, self.effect, self.answer = profiler, effect, None
        self.start()

    def run(self) -> None:
        self.answer = ask(self.profiler, self.effect)

    def ended(self) -> Any:
        self.join(20)
        assert not self.is_alive()
        return self.answer


def stuck_in_child(monkeypatch: pytest.MonkeyPatch) -> list[ForkedChild]:
    """Have the child's work take for ever; the children are in the list."""
    made: list[ForkedChild] = []

    def for_ever() -> bytes:
        time.sleep(1000)
        return b""

    class Stuck(ForkedChild):
        def __init__(self, work: Callable[[], bytes]) -> None:
            super().__init__(for_ever)
            made.append(self)

    monkeypatch.setattr(profiles, "ForkedChild", Stuck)
    return made


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


@pytest.mark.skipif(not CAN_FORK, reason="this system cannot fork")
def test_an_interrupt_ends_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    profiler = HeapProfiler(Settings())
    switch(profiler, True)
    try:
        children = stuck_in_child(monkeypatch)
        effect = CaptureHeap()
        begun = Begun(profiler, effect)
        wait_for(lambda: children)
        # An equal effect of someone else's, and one that is not being done.
        profiler.interrupts[CaptureHeap](CaptureHeap())
        profiler.interrupts[MarkHeap](MarkHeap())
        begun.join(0.05)
        assert begun.is_alive()
        profiler.interrupts[CaptureHeap](effect)
        assert begun.ended() == HeapRefused("failed")
        with pytest.raises(ChildProcessError):
            os.waitpid(children[0].pid, os.WNOHANG)
        monkeypatch.undo()
        profiler.interrupts[CaptureHeap](effect)
        assert isinstance(ask(profiler, CaptureHeap()), bytes)
    finally:
        profiler.close()


@pytest.mark.skipif(not CAN_FORK, reason="this system cannot fork")
def test_close_ends_the_child_and_the_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    profiler = HeapProfiler(Settings())
    switch(profiler, True)
    children = stuck_in_child(monkeypatch)
    begun = Begun(profiler, CaptureHeap())
    wait_for(lambda: children)
    profiler.close()
    assert begun.ended() == HeapRefused("failed")
    assert not tracemalloc.is_tracing()


@pytest.mark.skipif(not CAN_FORK, reason="this system cannot fork")
def test_a_child_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    profiler = HeapProfiler(Settings())
    switch(profiler, True)
    try:
        stuck_in_child(monkeypatch)
        monkeypatch.setattr(HeapProfiler, "deadline", 0.05)
        assert ask(profiler, CaptureHeap()) == HeapRefused("failed")
    finally:
        profiler.close()


@pytest.mark.skipif(not CAN_FORK, reason="this system cannot fork")
def test_where_forking_is_refused_it_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise OSError("no memory")

    monkeypatch.setattr(os, "fork", refuse)
    profiler = HeapProfiler(Settings())
    switch(profiler, True)
    try:
        keep = hoard(10)
        assert hoarded(capture(profiler))[1] >= 100_000
        del keep
    finally:
        profiler.close()


def test_an_interrupt_ends_the_work_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    profiler = HeapProfiler(Settings(fork="never"))
    switch(profiler, True)
    keep = hoard(5_000)
    reached, go_on = threading.Event(), threading.Event()
    give_way = HeapProfiler._give_way

    def wait(self: HeapProfiler) -> None:
        reached.set()
        go_on.wait(20)
        give_way(self)

    monkeypatch.setattr(HeapProfiler, "_give_way", wait)
    try:
        effect = CaptureHeap()
        begun = Begun(profiler, effect)
        assert reached.wait(20)
        profiler.interrupts[CaptureHeap](effect)
        go_on.set()
        assert begun.ended() == HeapRefused("failed")
        assert gc.isenabled()
    finally:
        profiler.close()
    del keep


def test_without_a_tracer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "_TRACER", None)
    profiler = HeapProfiler(Settings())
    assert ask(profiler, ReadHeapMode()) == HeapMode(False, False, "none", 0, 0)
    for effect in (SwitchHeapMode(True), SwitchHeapMode(False), MarkHeap(), CaptureHeap()):
        assert ask(profiler, effect) == HeapRefused("unavailable")
    profiler.close()


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
def test_pprof_reads_it(profiler: HeapProfiler, tmp_path: Path) -> None:
    switch(profiler, True)
    scope: dict[str, Any] = {}
    exec(
        compile("kept = [bytearray(400_000) for _ in range(10)]\nalso = bytearray(300_000)", "script.py", "exec"), scope
    )
    few = [small() for _ in range(100)]
    keep = hoard(500)
    path = tmp_path / "heap.pb.gz"
    path.write_bytes(ask(profiler, CaptureHeap()))
    switch(profiler, False)

    def pprof(*arguments: str) -> str:
        command = ["go", "tool", "pprof", *arguments, str(path)]
        home = {**os.environ, "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path)}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=home).stdout

    top = pprof("-top", "-nodefraction=0")
    assert "Type: inuse_space" in top
    assert "hoard" in top
    assert "<module>" in top
    assert "<lambda>" in top
    assert "Main binary filename not available" not in top
    raw = pprof("-raw")
    assert "inuse_objects/count inuse_space/bytes[dflt]" in raw
    assert "test_profiles.py" in raw
    assert "Type: inuse_objects" in pprof("-top", "-sample_index=inuse_objects")
    del few, keep, scope
