"""MZFG text, read back by its grammar."""

from __future__ import annotations

import re

from fanlight.profiling import mzfg
from tests.core.profiling.samples import PROFILE


def test_header_stacks_and_symbols() -> None:
    header, stacks, symbols = b"".join(mzfg.encode(PROFILE)).decode().split("\n\n")
    assert header.splitlines() == ["mz_fg_version: 1", "display_bytes: 1", "Allocated: 4.2 kB"]
    assert stacks.splitlines() == ["0x1;0x2; 4096", "0x1;0x2;0x3; 100 worker-1"]
    assert symbols.splitlines() == [
        "0x1 <module> (app.py:1);",
        "0x2 Office.sort\\;er (app.py:10);",
        "0x3 line break\\\\ (other.py:20);",
    ]


def test_every_line_fits_the_grammar() -> None:
    text = b"".join(mzfg.encode(PROFILE)).decode()
    assert text.endswith("\n")
    for line in text.split("\n\n")[1].splitlines():
        assert re.fullmatch(r"(0x[0-9a-f]{1,16};)* [0-9]+( .+)?", line)
