"""MZFG text, read back by its grammar."""

from __future__ import annotations

import re

import pytest
from attrs import evolve

from fanlight.profiling import mzfg
from fanlight.profiling.profile import StackProfile
from tests.core.profiling.samples import CPU, PROFILE


def test_header_stacks_and_symbols() -> None:
    header, stacks, symbols = b"".join(mzfg.encode(PROFILE)).decode().split("\n\n")
    assert header.splitlines() == ["mz_fg_version: 1", "display_bytes: 1", "Allocated: 4.2 kB"]
    assert stacks.splitlines() == ["0x1;0x2; 4096", "0x1;0x2;0x3; 100 worker-1"]
    assert symbols.splitlines() == [
        "0x1 <module> (app.py:1);",
        "0x2 Office.sort\\;er (app.py:10);",
        "0x3 line break\\\\ (other.py:20);",
    ]


def test_times_are_seconds_and_facts_follow_the_version() -> None:
    header, stacks, _ = b"".join(mzfg.encode(CPU)).decode().split("\n\n")
    assert header.splitlines() == ["mz_fg_version: 1", "Sampling time (s): 1", "Sampling frequency (Hz): 99"]
    assert stacks.splitlines() == ["0x1;0x2; 0.020500 MainThread", "0x1;0x3; 0.000001 worker-1"]


def test_no_fact_can_end_the_header() -> None:
    odd = evolve(CPU, facts=(("a: b\n", "1\n\n2"),))
    assert b"".join(mzfg.encode(odd)).decode().split("\n\n")[0].splitlines() == ["mz_fg_version: 1", "a  b : 1  2"]


@pytest.mark.parametrize("profile", [PROFILE, CPU])
def test_every_line_fits_the_grammar(profile: StackProfile) -> None:
    text = b"".join(mzfg.encode(profile)).decode()
    assert text.endswith("\n")
    for line in text.split("\n\n")[1].splitlines():
        assert re.fullmatch(r"(0x[0-9a-f]{1,16};)* [0-9]+(\.[0-9]+)?( .+)?", line)
