"""JSON text of anything: valid, whole, bounded, and never failing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight import jsontext
from fanlight.config.redaction import REDACTED
from fanlight.jsontext import elements, encode, fragments, members, pieces, printable, quoted


class Hostile:
    """Everything that a dump might ask of it raises."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class Lying(str):
    """A str that is not what it says it is."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no")

    def __getitem__(self, key: Any) -> str:
        raise RuntimeError("no")


class Colour(IntEnum):
    RED = 1


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    # No "://": what happens to URLs is tested by itself.
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters=":")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(min_codepoint=48, max_codepoint=57), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(documents)
def test_json_comes_through_whole(document: Any) -> None:
    text = encode(document)
    assert json.loads(text) == document
    assert text.isascii()
    assert b"".join(pieces(fragments(document))).decode() == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "null"),
        (float("-inf"), "null"),
        (Colour.RED, "1"),
        (True, "true"),
        ((1, "a"), '[1,"a"]'),
        (frozenset({1}), "[1]"),
        ({}, "{}"),
        ([], "[]"),
        ({1: {None: ()}}, '{"1":{"None":[]}}'),
        (2**1024, '"<unprintable>"'),
        (-(2**1023), str(-(2**1023))),
        (Hostile(), '"<unprintable>"'),
        ({Hostile(): Hostile()}, '{"<unprintable>":"<unprintable>"}'),
        (Lying("said"), '"said"'),
        ("a\ud800\u2028é", '"a\\\\ud800\\u2028\\u00e9"'),
        (b"x", "\"b'x'\""),
    ],
)
def test_whatever_json_has_no_form_for_becomes_text(value: object, text: str) -> None:
    assert encode(value) == text
    json.loads(text)


def test_a_circle_ends() -> None:
    circle: dict[str, Any] = {}
    circle["again"] = [circle]
    text = encode(circle)
    assert jsontext.TOO_DEEP in text
    assert len(text) < 1000
    json.loads(text)


def test_long_texts_are_cut() -> None:
    assert json.loads(encode("x" * 10_000)) == "x" * jsontext.LONGEST_TEXT + "…"
    assert len(printable("x" * 10_000)) == jsontext.LONGEST_OTHER
    assert printable(Lying("abc"), 2) == "ab"


def test_secrets_are_redacted_at_every_depth() -> None:
    text = encode(
        {
            "db": {"password": "sesame", "host": "h", "tokens": ["sesame"], "salt": 77123},
            "list": [{"apiKey": "sesame"}, "https://ada:sesame@h/x"],
            "long": "x" * (jsontext.LONGEST_TEXT - 20) + "https://ada:sesame77123@h/",
            "has_password": True,
            "secret": None,
        }
    )
    assert "sesame" not in text
    assert "77123" not in text
    assert json.loads(text)["db"] == {"password": REDACTED, "host": "h", "tokens": REDACTED, "salt": REDACTED}
    assert json.loads(text)["has_password"] is True
    assert json.loads(text)["secret"] is None


def test_objects_and_arrays_are_built_from_fragments() -> None:
    built = members([("a", ["1"]), ('"', elements([["2"], fragments({"b": 3})])), ("é", elements([]))])
    assert json.loads("".join(built)) == {"a": 1, '"': [2, {"b": 3}], "é": []}
    assert "".join(members([])) == "{}"


class Counting(Mapping[str, int]):
    """A mapping of any size that counts what was taken from it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[str]:
        return (str(number) for number in range(self.size))

    def __getitem__(self, key: str) -> int:
        self.taken += 1
        return int(key)


def test_a_piece_takes_a_bounded_amount_of_work() -> None:
    big = Counting(10_000)
    taken = []
    whole = b""
    for piece in pieces(fragments(big)):
        whole += piece
        taken.append(big.taken)
    assert json.loads(whole) == {str(number): number for number in range(10_000)}
    steps = [after - before for before, after in zip([0, *taken], taken, strict=False)]
    assert max(steps) <= jsontext.PIECE_FRAGMENTS
    assert len(taken) > 100


def test_pieces_are_bounded_in_size_and_count_the_empty_ones() -> None:
    sizes = [len(piece) for piece in pieces("x" * 5000 for _ in range(100))]
    assert sum(sizes) == 500_000
    assert max(sizes) <= jsontext.PIECE_CHARACTERS + 5000
    empty = list(pieces("" for _ in range(1000)))
    assert len(empty) == -(-1000 // jsontext.PIECE_FRAGMENTS)
    assert set(empty) == {b""}
    assert list(pieces([])) == []


def test_quoted_is_ascii() -> None:
    assert quoted('é"\n') == '"\\u00e9\\"\\n"'
