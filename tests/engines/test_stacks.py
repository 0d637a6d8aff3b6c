"""Where threads and tasks stand: the profile, and the trees of asyncio's and trio's tasks."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from fanlight.profiling.effects import CaptureStacks, DescribeStacks
from fanlight.profiling.profile import ValueType
from fanlight_engines.profiling.stacks import StackReader
from fanlight_engines.profiling.traces import HIDDEN
from tests.engines.working import idle, working
from tests.pprof import read


def pprof() -> bytes:
    body = StackReader().handlers[CaptureStacks](CaptureStacks())
    assert isinstance(body, bytes)
    return body


def text(*, whole: bool) -> list[str]:
    told = StackReader().handlers[DescribeStacks](DescribeStacks(whole))
    assert isinstance(told, str)
    assert told.endswith("\n")
    return told.splitlines()


async def forever_asyncio() -> None:
    await asyncio.sleep(3600)


async def group_asyncio() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(forever_asyncio(), name="leaf-a")
        group.create_task(forever_asyncio(), name="leaf-b")


async def within_asyncio(look: Callable[[], Any]) -> Any:
    parent = asyncio.create_task(group_asyncio(), name="parent")
    for _ in range(3):
        await asyncio.sleep(0)
    found = await asyncio.to_thread(look)
    parent.cancel()
    return found


async def group_trio() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever, name="leaf-a")
        nursery.start_soon(trio.sleep_forever, name="leaf-b")


async def within_trio(look: Callable[[], Any]) -> Any:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(group_trio, name="parent")
        await trio.testing.wait_all_tasks_blocked()
        found = await trio.to_thread.run_sync(look)
        nursery.cancel_scope.cancel()
    return found


WITHIN: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "asyncio": lambda look: asyncio.run(within_asyncio(look)),
    "trio": lambda look: trio.run(within_trio, look),
}


@pytest.mark.parametrize("loop", WITHIN)
def test_the_profile_counts_threads_and_tasks(loop: str) -> None:
    with working(("ada", idle)):
        profile = read(WITHIN[loop](pprof))
    assert profile.types == (ValueType("goroutine", "count"),)
    assert (profile.default_type, profile.period) == ("goroutine", 1)
    labels = [dict(sample.labels) for sample in profile.samples]
    threads = {each["thread"] for each in labels if each["kind"] == "thread"}
    tasks = {each["task"]: each for each in labels if each["kind"] == loop}
    assert {"ada", "MainThread"} <= threads
    assert {"parent", "leaf-a", "leaf-b"} <= tasks.keys()
    assert tasks["leaf-a"]["state"] == "waiting"
    assert tasks["leaf-a"]["thread"] == "MainThread"
    stack = next(s.stack for s in profile.samples if dict(s.labels).get("task") == "parent")
    assert profile.frames[stack[-1]].function == f"group_{loop}"


@pytest.mark.parametrize("loop", WITHIN)
def test_tasks_are_below_those_that_wait_for_them(loop: str) -> None:
    lines = WITHIN[loop](lambda: text(whole=False))
    assert lines[0].startswith("goroutine profile: total ")
    parent = next(line for line in lines if 'task "parent"' in line)
    leaves = [line for line in lines if 'task "leaf-' in line]
    indent = len(parent) - len(parent.lstrip())
    assert [len(line) - len(line.lstrip()) for line in leaves] == [indent + 4] * 2
    assert {line.split('"')[1] for line in lines[lines.index(parent) + 1 :][:2]} == {"leaf-a", "leaf-b"}
    assert f"[waiting] group_{loop} at group_{loop} ({__file__}:" in parent
    assert any(line.startswith(f"{loop} tasks: ") for line in lines)


@pytest.mark.parametrize("loop", WITHIN)
def test_the_whole_text_has_the_stacks(loop: str) -> None:
    lines = WITHIN[loop](lambda: text(whole=True))
    at = next(number for number, line in enumerate(lines) if 'task "parent"' in line)
    indent = " " * (len(lines[at]) - len(lines[at].lstrip()))
    stack = []
    for line in lines[at + 1 :]:
        if "task " in line:
            break
        stack.append(line)
    assert all(line.startswith(f"{indent}  ") for line in stack)
    assert f"group_{loop} ({__file__}:" in stack[-1]


def test_threads_without_any_loop() -> None:
    with working(("ada", idle)):
        lines = text(whole=False)
        assert f"threads: {len(threading.enumerate())}" in lines
        assert any(line.startswith("thread ") and '"ada" at Condition.wait (' in line for line in lines)


def test_names_stay_on_their_lines() -> None:
    with working(("two\nlines", idle)):
        lines = text(whole=True)
    assert any('"two\\x0alines"' in line for line in lines)


def test_the_reader_is_not_in_it() -> None:
    assert [frame.file for frame in read(pprof()).frames if frame.file.startswith(HIDDEN)] == []


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
def test_pprof_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.pb.gz"
    path.write_bytes(pprof())
    home = {**os.environ, "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path)}
    command = ["go", "tool", "pprof", "-top", "-cum", str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=home).stdout
    assert "Type: goroutine" in told
    assert "test_pprof_reads_it" in told
