"""Spool files: read back what was written, nothing left behind."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from fanlight.sql.effects import CloseSpool, OpenSpool, ReadSpool, WriteSpool
from fanlight_engines.duckdb.spool import Spool, close_spool, open_spool, read_spool, write_spool


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_what_is_written_is_read() -> None:
    spool = open_spool(OpenSpool())
    assert spool is not None
    assert write_spool(WriteSpool(spool, b"abc"))
    assert write_spool(WriteSpool(spool, b"def"))
    assert spool.size == 6
    assert read_spool(ReadSpool(spool, 2, 3)) == b"cde"
    assert read_spool(ReadSpool(spool, 4, 100)) == b"ef"
    close_spool(CloseSpool(spool))
    close_spool(CloseSpool(spool))


def test_it_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spool = Spool()
    spool.write(b"x" * 100_000)
    assert list(tmp_path.iterdir()) == []
    spool.close()


def test_it_ends_with_its_last_user() -> None:
    before = open_files()
    spool = Spool()
    assert open_files() == before + 1
    del spool
    gc.collect()
    assert open_files() == before


def test_without_a_place_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    assert open_spool(OpenSpool()) is None


def test_a_full_disk_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert not write_spool(WriteSpool(spool, b"x"))
    spool.close()
