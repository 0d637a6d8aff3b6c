"""The speedscope document: valid JSON, one profile a thread, indices that exist."""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve

from fanlight.profiling import speedscope
from fanlight.profiling.profile import StackProfile
from tests.core.profiling.samples import PROFILE


def document(profile: StackProfile) -> Any:
    return json.loads(b"".join(speedscope.encode(profile)))


def test_frames_and_threads() -> None:
    made = document(PROFILE)
    assert made["$schema"] == speedscope.SCHEMA
    assert made["shared"]["frames"][1] == {"name": "Office.sort;er", "file": "app.py", "line": 10}
    assert [(profile["name"], profile["weights"], profile["endValue"]) for profile in made["profiles"]] == [
        ("python3", [4096], 4096),
        ("worker-1", [100], 100),
    ]
    assert made["profiles"][1]["samples"] == [[0, 1, 2]]
    assert {profile["unit"] for profile in made["profiles"]} == {"bytes"}


def test_an_empty_profile_is_still_one() -> None:
    (only,) = document(evolve(PROFILE, samples=()))["profiles"]
    assert only["samples"] == []
    assert only["endValue"] == 0
