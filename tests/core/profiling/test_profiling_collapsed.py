"""Collapsed stacks: root first, one line each, nothing in a name that would break a line."""

from __future__ import annotations

from attrs import evolve

from fanlight.profiling import collapsed
from tests.core.profiling.samples import PROFILE


def test_each_stack_is_a_line_with_its_bytes() -> None:
    assert b"".join(collapsed.encode(PROFILE)).decode().splitlines() == [
        "<module>;Office.sort:er 4096",
        "<module>;Office.sort:er;line:break\\ 100",
    ]


def test_an_empty_profile_is_empty() -> None:
    assert b"".join(collapsed.encode(evolve(PROFILE, samples=()))) == b""


def test_pieces_are_bounded() -> None:
    many = evolve(PROFILE, samples=[*PROFILE.samples] * 1500)
    pieces = list(collapsed.encode(many))
    assert len(pieces) == 3
    assert sum(piece.count(b"\n") for piece in pieces) == 3000
