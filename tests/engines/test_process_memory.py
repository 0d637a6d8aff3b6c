"""`process.memory` and `process.heap` over this very process, with and without tracing."""

from __future__ import annotations

import os
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from attrs import frozen

from fanlight_engines.process import memory as process_memory
from fanlight_engines.process.memory import bound, resident
from fanlight_engines.profiling import heap as profiles
from fanlight_engines.profiling.forked import CAN_FORK
from fanlight_engines.profiling.heap import HeapProfiler

Row = dict[str, Any]


@frozen
class Wish:
    """The settings of a profiler."""

    heap_frames: int = 4
    fork: Literal["auto", "never"] = "auto"


@pytest.fixture(params=["auto", "never"])
def profiler(request: pytest.FixtureRequest) -> Iterator[HeapProfiler]:
    if request.param == "auto" and not CAN_FORK:
        pytest.skip("this system cannot fork")
    made = HeapProfiler(Wish(fork=request.param))
    yield made
    made.close()


@pytest.fixture
def tracing() -> Iterator[None]:
    tracemalloc.start(4)
    yield
    tracemalloc.stop()


def read(profiler: HeapProfiler, name: str) -> list[Row]:
    relation = next(relation for relation in bound(profiler) if relation.name == name)
    names = [column.name for column in relation.columns]
    return [dict(zip(names, row, strict=True)) for row in relation.rows()]


def test_memory_is_one_row_about_this_process(profiler: HeapProfiler) -> None:
    (row,) = read(profiler, "memory")
    assert row["pid"] == os.getpid()
    assert row["threads"] == threading.active_count()
    assert (row["tracing"], row["traced"], row["peak_traced"]) == (False, None, None)
    assert row["program"] == os.path.basename(sys.argv[0])


def test_resident_is_what_the_kernel_says() -> None:
    now, most = resident()
    if not sys.platform.startswith("linux"):
        assert (now, most) == (None, None)
        return
    assert now is not None
    assert most is not None
    assert 1_000_000 < now <= most


def test_a_system_without_proc_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(process_memory, "open", absent, raising=False)
    assert resident() == (None, None)


def test_without_tracing_the_heap_has_no_rows(profiler: HeapProfiler) -> None:
    assert read(profiler, "heap") == []


@pytest.mark.usefixtures("tracing")
def test_the_line_that_allocates_is_told_with_its_module_and_function(profiler: HeapProfiler) -> None:
    held = [bytes(10_000) for _ in range(100)]
    rows = read(profiler, "heap")
    row = next(row for row in rows if row["bytes"] >= 1_000_000 and row["file"] == __file__)
    assert row["module"] == __name__
    assert row["function"].startswith("test_the_line_that_allocates")
    assert row["blocks"] >= len(held)
    assert [row["bytes"] for row in rows] == sorted((row["bytes"] for row in rows), reverse=True)
    assert all(isinstance(row["line"], int) for row in rows)
    (memory,) = read(profiler, "memory")
    assert memory["tracing"]
    assert 1_000_000 < memory["traced"] <= memory["peak_traced"]


@pytest.mark.usefixtures("tracing")
def test_each_line_has_one_row(profiler: HeapProfiler) -> None:
    places = [(row["file"], row["line"]) for row in read(profiler, "heap")]
    assert len(places) == len(set(places))


@pytest.mark.usefixtures("tracing")
def test_what_checks_credentials_is_not_told(profiler: HeapProfiler) -> None:
    namespace: dict[str, Any] = {}
    hidden = os.path.join(os.path.dirname(profiles.__file__), "passwords.py")
    exec(compile("held = [bytes(50_000) for _ in range(10)]", hidden, "exec"), namespace)
    assert len(namespace["held"]) == 10
    assert hidden not in {row["file"] for row in read(profiler, "heap")}


@pytest.mark.usefixtures("tracing")
def test_a_read_waits_for_a_snapshot_that_is_being_taken(profiler: HeapProfiler) -> None:
    lock = profiles._Process.snapshot
    lock.acquire()
    later = threading.Timer(0.1, lock.release)
    later.start()
    assert read(profiler, "heap") != []
    later.join()


@pytest.mark.usefixtures("tracing")
def test_a_read_does_not_wait_for_ever(profiler: HeapProfiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_memory, "PATIENCE", 0.0)
    with profiles._Process.snapshot:
        time.sleep(0.01)
        with pytest.raises(RuntimeError, match="busy"):
            read(profiler, "heap")


def test_frozen_modules_have_their_names() -> None:
    assert process_memory._module("<frozen importlib._bootstrap>", {}) == "importlib._bootstrap"
    assert process_memory._module("<string>", {}) is None
    assert process_memory._module("/srv/app.py", {"/srv/app.py": "app"}) == "app"
