"""The page of a profile holds its MZFG, under a title that says what was measured."""

from __future__ import annotations

import json
import re

import pytest
from attrs import evolve

from fanlight.profiling import html, mzfg
from fanlight.profiling.profile import StackProfile, ValueType
from tests.core.profiling.samples import CPU, PROFILE

WALL = evolve(CPU, types=(ValueType("samples", "count"), ValueType("wall", "nanoseconds")), default_type="wall")


@pytest.mark.parametrize(
    ("profile", "title"),
    [(PROFILE, "Heap Flamegraph"), (CPU, "CPU Time Flamegraph"), (WALL, "Wall Time Flamegraph")],
)
def test_title_and_text(profile: StackProfile, title: str) -> None:
    page = b"".join(html.encode(profile)).decode()
    assert f"<title>{title}</title>" in page
    (text,) = re.findall(r"<script[^>]*application/json[^>]*>(.*?)</script>", page, re.DOTALL)
    assert json.loads(text) == b"".join(mzfg.encode(profile)).decode()
