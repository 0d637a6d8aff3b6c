"""Recordings of native memory: with memray itself, and where it is not installed."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fanlight.asks import Effect
from fanlight.profiling.effects import BeginNative, EndNative, FinishNative, NativeCapture, NativeRefused
from fanlight_engines.profiling import native
from fanlight_engines.profiling.native import NativeRecorder

HAS_MEMRAY = importlib.util.find_spec("memray") is not None
with_memray = pytest.mark.skipif(not HAS_MEMRAY, reason="memray is not installed")


@pytest.fixture
def recorder() -> Iterator[NativeRecorder]:
    made = NativeRecorder()
    yield made
    made.close()


def ask(recorder: NativeRecorder, effect: Effect[Any]) -> Any:
    return recorder.handlers[type(effect)](effect)


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def begin(recorder: NativeRecorder, seconds: int = 60) -> NativeCapture:
    capture = ask(recorder, BeginNative(seconds))
    assert isinstance(capture, NativeCapture)
    return capture


def hoard(count: int) -> list[bytearray]:
    return [bytearray(1_000_000) for _ in range(count)]


def is_recording() -> bool:
    """Whether somebody records: of two at once memray refuses the second."""
    try:
        native.Recorder(60).drop()
    except RuntimeError:
        return True
    return False


@with_memray
def test_a_recording_is_a_file_that_memray_reads(recorder: NativeRecorder, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as worker:
        capture = worker.submit(begin, recorder).result()
        folder = capture.recorder._folder.name
        kept = hoard(20)
        data = worker.submit(ask, recorder, FinishNative(capture)).result()
    assert isinstance(data, bytes)
    assert not os.path.exists(folder)
    path = tmp_path / "memray.bin"
    path.write_bytes(data)
    reader: Any = importlib.import_module("memray").FileReader(str(path))
    with closing(reader):
        found = [(each.size, each.stack_trace()) for each in reader.get_high_watermark_allocation_records()]
    assert sum(size for size, trace in found if "hoard" in [name for name, _, _ in trace]) >= 20_000_000
    del kept


@with_memray
def test_one_at_a_time(recorder: NativeRecorder) -> None:
    capture = begin(recorder)
    refused = ask(NativeRecorder(), BeginNative(1))
    assert isinstance(refused, NativeRefused)
    assert refused.reason == "running"
    ask(recorder, EndNative(capture))
    ask(recorder, EndNative(capture))
    assert not is_recording()
    assert ask(recorder, FinishNative(capture)).reason == "failed"


@with_memray
def test_it_ends_by_itself(recorder: NativeRecorder) -> None:
    capture = begin(recorder, seconds=1)
    wait_for(lambda: not is_recording())
    assert isinstance(ask(recorder, FinishNative(capture)), bytes)


@with_memray
def test_an_interrupt_and_a_close_delete_the_file(recorder: NativeRecorder) -> None:
    effect = BeginNative(60)
    capture = ask(recorder, effect)
    recorder.interrupts[BeginNative](effect)
    wait_for(lambda: not os.path.exists(capture.recorder._folder.name))
    early = BeginNative(60)
    recorder.interrupts[BeginNative](early)
    capture = ask(recorder, early)
    assert not os.path.exists(capture.recorder._folder.name)
    capture = begin(recorder)
    recorder.close()
    assert not os.path.exists(capture.recorder._folder.name)
    assert not is_recording()


def test_where_memray_is_not_installed(recorder: NativeRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "memray", None)
    refused = ask(recorder, BeginNative(1))
    assert isinstance(refused, NativeRefused)
    assert refused.reason == "missing"
