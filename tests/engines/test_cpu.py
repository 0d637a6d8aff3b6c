"""The CPU profiler on real threads, and on the tasks of real loops."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define

from fanlight.asks import Effect
from fanlight.profiling.effects import (
    BeginCpu,
    Clock,
    CpuCapture,
    CpuRefused,
    EndCpu,
    FinishCpu,
    Profilers,
    ReadProfilers,
)
from fanlight.profiling.profile import StackProfile, ValueType
from fanlight_engines.profiling import cpu, sampled_stacks, sampling, thread_clocks
from fanlight_engines.profiling.cpu import CpuProfiler
from fanlight_engines.profiling.traces import HIDDEN
from tests.engines.working import burn, idle, working
from tests.pprof import read

HAS_CLOCKS = bool(thread_clocks.thread_clocks())


@define
class Serving:
    """A server, as far as the profiler looks at it."""

    stopping: bool = False


@pytest.fixture
def server() -> Serving:
    return Serving()


@pytest.fixture
def profiler(server: Serving) -> Iterator[CpuProfiler]:
    made = CpuProfiler(server)
    yield made
    made.close()
    wait_for(lambda: not active(made))


def ask(profiler: CpuProfiler, effect: Effect[Any]) -> Any:
    return profiler.handlers[type(effect)](effect)


def active(profiler: CpuProfiler) -> bool:
    state = ask(profiler, ReadProfilers())
    assert isinstance(state, Profilers)
    return state.cpu_active


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def begin(profiler: CpuProfiler, seconds: int = 60, hz: int = 99, clock: Clock = "cpu") -> CpuCapture:
    capture = ask(profiler, BeginCpu(seconds, hz, clock))
    assert isinstance(capture, CpuCapture)
    return capture


def finish(profiler: CpuProfiler, capture: CpuCapture, *, merge: bool = False) -> StackProfile:
    body = ask(profiler, FinishCpu(capture, merge=merge))
    assert isinstance(body, bytes)
    return read(body)


def spend(seconds: float) -> None:
    """Let the process use so much processor time, however busy the machine is."""
    until, deadline = time.process_time() + seconds, time.monotonic() + 60
    while time.process_time() < until:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def functions(profile: StackProfile) -> list[tuple[tuple[str, ...], int, dict[str, str]]]:
    """Function names leaf first, the default value, and the labels, of each sample."""
    return [
        (tuple(profile.frames[number].function for number in sample.stack), sample.values[1], dict(sample.labels))
        for sample in profile.samples
    ]


def total(profile: StackProfile, function: str) -> int:
    return sum(value for stack, value, _ in functions(profile) if function in stack)


def test_threads_that_work_are_in_it_with_what_they_used(profiler: CpuProfiler) -> None:
    with working(("ada-1", burn), ("ada-2", lambda stop: burn(stop, 30)), ("waits", idle)):
        capture = begin(profiler)
        before = time.process_time_ns()
        spend(1.0)
        profile = finish(profiler, capture)
        used = time.process_time_ns() - before
    assert profile.types == (ValueType("samples", "count"), ValueType("cpu", "nanoseconds"))
    assert (profile.default_type, profile.period_type) == ("cpu", ValueType("cpu", "nanoseconds"))
    assert profile.period == round(1e9 / 99)
    assert profile.duration_nanos > 0
    if HAS_CLOCKS:
        assert 0.7 * used < total(profile, "burn") <= 1.02 * used
    by_thread = {labels["thread"]: stack for stack, _, labels in functions(profile) if "burn" in stack}
    assert by_thread.keys() == {"ada-1", "ada-2"}
    assert by_thread["ada-2"].count("burn") == 31
    assert all(labels["annotation"] == labels["thread"] for _, _, labels in functions(profile))
    assert not total(profile, "idle")


def test_the_profiler_is_not_in_it(profiler: CpuProfiler) -> None:
    with working(("ada", burn)):
        capture = begin(profiler, clock="wall")
        spend(0.2)
        profile = finish(profiler, capture)
    assert [frame.file for frame in profile.frames if frame.file.startswith(HIDDEN)] == []
    assert "fanlight-cpu-profiler" not in {dict(sample.labels)["thread"] for sample in profile.samples}


def test_merged_threads_have_no_names(profiler: CpuProfiler) -> None:
    with working(("ada-1", burn), ("ada-2", burn)):
        capture = begin(profiler)
        spend(0.5)
        profile = finish(profiler, capture, merge=True)
    assert {labels for sample in profile.samples for labels in sample.labels} == set()
    stacks = [sample.stack for sample in profile.samples]
    assert len(stacks) == len(set(stacks))


def test_lines_are_those_of_the_source(profiler: CpuProfiler) -> None:
    with working(("ada", burn)):
        capture = begin(profiler)
        spend(0.5)
        profile = finish(profiler, capture)
    first = burn.__code__.co_firstlineno
    burning = [frame for frame in profile.frames if frame.function == "burn"]
    assert burning
    for frame in burning:
        assert (frame.file, frame.first_line) == (burn.__code__.co_filename, first)
        assert first < frame.line < first + 10


def test_the_wall_clock_counts_those_who_wait(profiler: CpuProfiler) -> None:
    with working(("waits", idle), ("ada", burn)):
        capture = begin(profiler, clock="wall")
        time.sleep(0.5)
        profile = finish(profiler, capture)
    assert profile.types[1] == ValueType("wall", "nanoseconds")
    for name in ("waits", "ada", "MainThread"):
        spent = sum(value for _, value, labels in functions(profile) if labels["thread"] == name)
        assert spent == pytest.approx(profile.duration_nanos, rel=0.02), name
    assert total(profile, "idle") == pytest.approx(profile.duration_nanos, rel=0.02)


def test_what_a_comment_tells(profiler: CpuProfiler) -> None:
    capture = begin(profiler, seconds=60, hz=1_000_000)
    time.sleep(0.1)
    comments = " / ".join(finish(profiler, capture).comments)
    assert "asked 1000000 Hz, achieved " in comments
    assert "ended after 0." in comments
    assert capture.sampler.looks <= 1000 * capture.sampler.duration / 1e9 + 2


def test_it_ends_by_itself_and_may_be_empty(profiler: CpuProfiler) -> None:
    capture = begin(profiler, seconds=1, hz=1)
    assert active(profiler)
    wait_for(lambda: not active(profiler))
    assert capture.sampler.looks >= 1
    profile = finish(profiler, capture)
    assert profile.duration_nanos >= 0.99e9
    assert not [comment for comment in profile.comments if "ended after" in comment]


def test_one_at_a_time_in_the_process(profiler: CpuProfiler) -> None:
    capture = begin(profiler)
    other = CpuProfiler(Serving())
    refused = ask(other, BeginCpu(1, 1))
    assert isinstance(refused, CpuRefused)
    assert refused.reason == "running"
    other.close()
    assert active(profiler)
    ask(profiler, EndCpu(capture))
    ask(profiler, EndCpu(capture))
    wait_for(lambda: not active(profiler))
    assert isinstance(ask(other, BeginCpu(1, 1)), CpuCapture)
    other.close()


def test_it_ends_when_the_server_stops(profiler: CpuProfiler, server: Serving) -> None:
    begin(profiler)
    server.stopping = True
    wait_for(lambda: not active(profiler))


def test_the_end_of_the_profiler_is_the_end_of_its_thread(profiler: CpuProfiler) -> None:
    begin(profiler)
    profiler.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "fanlight-cpu-profiler"]


def test_an_interrupt_ends_what_it_is_for(profiler: CpuProfiler) -> None:
    effect = BeginCpu(60, 99)
    ask(profiler, effect)
    profiler.interrupts[BeginCpu](BeginCpu(60, 99))
    time.sleep(0.05)
    assert active(profiler)
    profiler.interrupts[BeginCpu](effect)
    wait_for(lambda: not active(profiler))
    early = BeginCpu(60, 99)
    profiler.interrupts[BeginCpu](early)
    ask(profiler, early)
    wait_for(lambda: not active(profiler))


def test_encoding_that_nobody_waits_for_ends(profiler: CpuProfiler) -> None:
    capture = begin(profiler)
    effect = FinishCpu(capture)
    profiler.interrupts[FinishCpu](effect)
    refused = ask(profiler, effect)
    assert isinstance(refused, CpuRefused)
    assert refused.reason == "failed"


def test_where_no_thread_can_start(profiler: CpuProfiler, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        refused = ask(profiler, BeginCpu(1, 1))
    assert isinstance(refused, CpuRefused)
    assert refused.reason == "failed"
    begin(profiler)


def test_a_bug_in_sampling_is_told_to_who_asked(profiler: CpuProfiler, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, *_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sampling.Sampler, "_look", broken)
    interval = sys.getswitchinterval()
    capture = begin(profiler)
    with pytest.raises(ZeroDivisionError):
        ask(profiler, FinishCpu(capture))
    assert sys.getswitchinterval() == interval


def test_the_switch_interval_comes_back(profiler: CpuProfiler) -> None:
    interval = sys.getswitchinterval()
    capture = begin(profiler)
    wait_for(lambda: sys.getswitchinterval() < interval)
    finish(profiler, capture)
    assert sys.getswitchinterval() == pytest.approx(interval)


def test_deep_stacks_keep_their_outermost_frames(profiler: CpuProfiler) -> None:
    with working(("ada", lambda stop: burn(stop, 400))):
        capture = begin(profiler)
        spend(0.4)
        profile = finish(profiler, capture)
    (stack,) = {stack for stack, _, labels in functions(profile) if labels["thread"] == "ada"}
    assert len(stack) == sampled_stacks.DEEPEST + 1
    assert stack[0] == "[truncated]"
    assert stack[-1] == "Thread._bootstrap"


def test_too_many_different_samples_are_one(profiler: CpuProfiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MOST_SAMPLES", 1)
    with working(("ada-1", burn), ("ada-2", burn), ("ada-3", burn)):
        capture = begin(profiler, hz=999)
        spend(0.5)
        profile = finish(profiler, capture)
    stacks = {stack for stack, _, _ in functions(profile)}
    assert ("[truncated]",) in stacks
    assert len(stacks) == 2
    assert "too many different stacks: later ones are [truncated]" in profile.comments


def test_names_beyond_the_bound_are_other() -> None:
    names = sampled_stacks.Names(2)
    assert [names.number(name) for name in ("a", "b", "a", "c", "d")] == [1, 2, 1, 3, 3]
    assert names.listed() == ["", "a", "b", "[other]"]


def test_frames_of_authentication_are_cut_out(profiler: CpuProfiler) -> None:
    scope: dict[str, Any] = {}
    source = "def check(password, stop, work):\n    return work(stop)\n"
    exec(compile(source, HIDDEN[0] + "scram.py", "exec"), scope)
    with working(("ada", lambda stop: scope["check"]("lovelace-1843", stop, burn))):
        capture = begin(profiler)
        spend(0.3)
        body = ask(profiler, FinishCpu(capture))
    profile = read(body)
    assert total(profile, "burn")
    assert not total(profile, "check")
    assert b"lovelace" not in gzip.decompress(body)


def test_without_clocks_time_is_shared_by_those_who_moved(
    profiler: CpuProfiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_clocks, "thread_clocks", dict)
    with working(("ada-1", burn), ("ada-2", burn), ("waits", idle)):
        capture = begin(profiler)
        time.sleep(0.7)
        profile = finish(profiler, capture)
    assert 0 < total(profile, "burn") <= profile.duration_nanos * 1.01
    assert not total(profile, "idle")
    assert any("has no clock for each" in comment for comment in profile.comments)


async def inner(until: float) -> None:
    while time.process_time() < until:
        for _ in range(1000):
            pass


async def middle(until: float) -> None:
    await inner(until)


async def asyncio_waits() -> None:
    await asyncio.sleep(3600)


async def run_asyncio(profiler: CpuProfiler, clock: Clock) -> StackProfile:
    waiting = asyncio.create_task(asyncio_waits(), name="mz_system waits")
    await asyncio.sleep(0)
    capture = begin(profiler, clock=clock)
    await asyncio.sleep(0.05)
    await asyncio.create_task(middle(time.process_time() + 0.6), name="ada works")
    waiting.cancel()
    return await asyncio.to_thread(finish, profiler, capture)


async def run_trio(profiler: CpuProfiler, clock: Clock) -> StackProfile:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever, name="mz_system waits")
        await trio.lowlevel.checkpoint()
        capture = begin(profiler, clock=clock)
        await trio.sleep(0.2)
        async with trio.open_nursery() as works:
            works.start_soon(middle, time.process_time() + 0.6, name="ada works")
        nursery.cancel_scope.cancel()
    return await trio.to_thread.run_sync(finish, profiler, capture)


RUNS: dict[str, Callable[[CpuProfiler, Clock], StackProfile]] = {
    "asyncio": lambda profiler, clock: asyncio.run(run_asyncio(profiler, clock)),
    "trio": lambda profiler, clock: trio.run(run_trio, profiler, clock),
}


@pytest.mark.parametrize("loop", RUNS)
@pytest.mark.parametrize("clock", ["cpu", "wall"])
def test_a_coroutine_that_works_has_the_chain_of_its_task(profiler: CpuProfiler, loop: str, clock: Clock) -> None:
    profile = RUNS[loop](profiler, clock)
    found = [(stack, labels) for stack, _, labels in functions(profile) if "inner" in stack]
    assert found
    assert {labels.get("task") for _, labels in found} == {"ada works"}
    for stack, labels in found:
        at = stack.index("inner")
        assert stack[at + 1] == "middle"
        assert labels["thread"] == labels["annotation"] == "MainThread"


@pytest.mark.parametrize("loop", RUNS)
def test_by_the_wall_clock_a_task_that_waits_is_where_it_awaits(profiler: CpuProfiler, loop: str) -> None:
    profile = RUNS[loop](profiler, "wall")
    waits = [(stack, value) for stack, value, labels in functions(profile) if labels.get("task") == "mz_system waits"]
    ends = "asyncio_waits" if loop == "asyncio" else "sleep_forever"
    assert waits
    assert {stack[-1] for stack, _ in waits} == {ends}
    assert sum(value for _, value in waits) > profile.duration_nanos * 0.5


def test_work_in_bursts_is_shown_where_it_is_done(profiler: CpuProfiler) -> None:
    async def main() -> tuple[StackProfile, float]:
        capture = begin(profiler)
        spent = 0.0
        while spent < 0.4:
            before = time.thread_time()
            await inner(time.process_time() + 0.004)
            spent += time.thread_time() - before
            await asyncio.sleep(0.01)
        return await asyncio.to_thread(finish, profiler, capture), spent

    profile, spent = asyncio.run(main())
    assert total(profile, "inner") > spent * 1e9 * 0.5


def test_trio_gets_its_instrument_taken_away(profiler: CpuProfiler) -> None:
    async def main() -> tuple[int, int]:
        instruments = trio.lowlevel.current_root_task()._runner.instruments  # type: ignore[union-attr]
        capture = begin(profiler)
        await trio.sleep(0.1)
        during = len(instruments["_all"])
        await trio.to_thread.run_sync(finish, profiler, capture)
        await trio.sleep(0.1)
        return during, len(instruments["_all"])

    assert trio.run(main) == (1, 0)


def test_task_names_that_raise_or_are_no_text_are_left_out(profiler: CpuProfiler) -> None:
    class Odd(asyncio.Task[None]):
        def get_name(self) -> str:
            raise RuntimeError("no name")

    async def main() -> StackProfile:
        asyncio.get_running_loop().set_task_factory(
            lambda loop, coroutine, **given: Odd(coroutine, loop=loop)  # type: ignore[arg-type]
        )
        capture = begin(profiler)
        await asyncio.create_task(middle(time.process_time() + 0.3))
        return await asyncio.to_thread(finish, profiler, capture)

    profile = asyncio.run(main())
    found = [labels for stack, _, labels in functions(profile) if "inner" in stack]
    assert found
    assert all("task" not in labels for labels in found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_may_profile_itself(profiler: CpuProfiler) -> None:
    begin(profiler)
    pid = os.fork()
    if pid == 0:
        os._exit(1 if cpu._Process.active() else 0)
    assert os.waitpid(pid, 0)[1] == 0
    assert active(profiler)


SCHEMA = Path(__file__).with_name("speedscope-schema.json")


@pytest.mark.parametrize("clock", ["cpu", "wall"])
def test_speedscope_files_follow_the_published_schema(profiler: CpuProfiler, clock: Clock) -> None:
    checker = pytest.importorskip("fastjsonschema", reason="fastjsonschema is not installed")
    with working(("ada", burn), ("waits", idle)):
        capture = begin(profiler, clock=clock)
        spend(0.3)
        document = json.loads(ask(profiler, FinishCpu(capture, "speedscope")))
    checker.compile(json.loads(SCHEMA.read_text()))(document)
    names = {profile["name"] for profile in document["profiles"]}
    assert "ada" in names
    for profile in document["profiles"]:
        assert profile["endValue"] == sum(profile["weights"])
        assert all(0 <= frame < len(document["shared"]["frames"]) for stack in profile["samples"] for frame in stack)


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
def test_pprof_reads_it(profiler: CpuProfiler, tmp_path: Path) -> None:
    with working(("ada", lambda stop: burn(stop, 3))):
        capture = begin(profiler)
        spend(0.5)
        path = tmp_path / "cpu.pb.gz"
        path.write_bytes(ask(profiler, FinishCpu(capture)))

    def pprof(*arguments: str) -> str:
        command = ["go", "tool", "pprof", *arguments, str(path)]
        home = {**os.environ, "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path)}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=home).stdout

    top = pprof("-top")
    assert "Type: cpu" in top
    assert "burn" in top
    raw = pprof("-raw")
    assert "samples/count cpu/nanoseconds[dflt]" in raw
    assert "thread:[ada]" in raw
    assert "burn" in pprof("-tree", "-tagfocus=thread=ada")
    assert "Type: samples" in pprof("-top", "-sample_index=samples")
