"""The textual heap dump, line by line."""

from __future__ import annotations

from attrs import evolve

from fanlight.profiling import jeheap
from tests.core.profiling.samples import PROFILE


def test_totals_and_stacks_leaf_first() -> None:
    text = b"".join(jeheap.encode(PROFILE)).decode()
    assert text.splitlines() == [
        "heap_v2/1",
        "  t*: 3: 4196 [0: 0]",
        "@ 0x2 0x1",
        "  t*: 2: 4096 [0: 0]",
        "@ 0x3 0x2 0x1",
        "  t*: 1: 100 [0: 0]",
        "",
        "MAPPED_LIBRARIES:",
    ]


def test_an_empty_heap() -> None:
    text = b"".join(jeheap.encode(evolve(PROFILE, samples=()))).decode()
    assert text == "heap_v2/1\n  t*: 0: 0 [0: 0]\n\nMAPPED_LIBRARIES:\n"
