"""Statistics of the allocators of this very process."""

from __future__ import annotations

import gc
import json
import sys
import tracemalloc
from typing import Any, Literal

import pytest
from attrs import define

from fanlight.profiling.effects import ReadAllocator
from fanlight_engines.profiling import allocator
from fanlight_engines.profiling.allocator import Allocator
from fanlight_engines.profiling.forked import CAN_FORK


@define
class Settings:
    fork: Literal["auto", "never"] = "auto"


def ask(effect: ReadAllocator, fork: Literal["auto", "never"] = "auto") -> Any:
    return Allocator(Settings(fork)).handlers[ReadAllocator](effect)


def test_four_groups_of_json_values() -> None:
    found = ask(ReadAllocator())
    assert list(found) == ["tracemalloc", "gc", "process", "allocator"]
    assert json.loads(json.dumps(found)) == found
    assert found["gc"]["enabled"] == gc.isenabled()
    assert [each["threshold"] for each in found["gc"]["generations"]] == list(gc.get_threshold())
    assert found["allocator"]["implementation"] == "CPython"


@pytest.mark.skipif(tracemalloc.is_tracing(), reason="the test run itself is traced")
def test_what_tracing_says() -> None:
    assert ask(ReadAllocator())["tracemalloc"]["active"] is False
    tracemalloc.start(3)
    try:
        kept = bytearray(1_000_000)
        found = ask(ReadAllocator())["tracemalloc"]
        assert (found["active"], found["frames"]) == (True, 3)
        assert found["peak_bytes"] >= found["current_bytes"] >= len(kept)
        assert found["tracer_bytes"] > 0
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_memory_of_the_process() -> None:
    found = ask(ReadAllocator())["process"]
    assert 1_000_000 < found["resident_bytes"] <= found["peak_resident_bytes"]


@pytest.mark.skipif(not CAN_FORK, reason="this system cannot fork")
def test_details_are_what_the_interpreter_prints(capfd: pytest.CaptureFixture[str]) -> None:
    details = ask(ReadAllocator(details=True))["details"]
    assert "arenas" in details or "free" in details
    assert capfd.readouterr().err == ""


def test_without_a_fork_there_are_no_details(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(ReadAllocator(details=True), "never")["details"] == ""
    monkeypatch.setattr(allocator, "CAN_FORK", False)
    assert ask(ReadAllocator(details=True))["details"] == ""


def test_a_fork_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(work: object) -> None:
        raise OSError("no memory")

    monkeypatch.setattr(allocator, "ForkedChild", refuse)
    assert ask(ReadAllocator(details=True))["details"] == ""
