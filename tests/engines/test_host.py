"""Facts about the process, and the files that ship with the package."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

import fanlight
from fanlight.pages.files import ReadAssets
from fanlight.pages.root import DescribeProcess
from fanlight_engines.host import HostFacts, describe, read_assets


def test_who_we_are() -> None:
    facts = describe()
    assert (facts.pid, facts.python, facts.version) == (os.getpid(), platform.python_version(), fanlight.__version__)


@pytest.mark.parametrize(
    ("argv", "name"), [(["/usr/bin/shop", "-x"], "shop"), (["shop.py"], "shop.py"), ([""], "python"), ([], "python")]
)
def test_the_program_has_no_path(monkeypatch: pytest.MonkeyPatch, argv: list[str], name: str) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    assert describe().argv0 == name


def test_every_shipped_file_is_an_asset() -> None:
    folder = Path(fanlight.__file__).parent / "pages" / "static"
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert read_assets() == found
    assert "css/page.css" in found


def test_the_engine_does_both() -> None:
    engine = HostFacts()
    assert engine.handlers[DescribeProcess](DescribeProcess()).pid == os.getpid()
    assert engine.handlers[ReadAssets](ReadAssets()) == read_assets()
    assert engine.interrupts == {}
    engine.close()
