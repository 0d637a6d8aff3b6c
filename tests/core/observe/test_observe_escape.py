"""`fanlight.observe.escape`: nothing from outside can forge a line or a terminal sequence."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.observe.escape import LIMIT, escape


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ada", '"ada"'),
        ("", '""'),
        ("a b", '"a b"'),
        ("größe", '"größe"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("two\r\nlines\t.", '"two\\r\\nlines\\t."'),
        ("\x1b[31mred", '"\\u001b[31mred"'),
        ("\0", '"\\u0000"'),
        ("\x7f\x80\x9f", '"\\u007f\\u0080\\u009f"'),
        ("\u2028\u2029", '"\\u2028\\u2029"'),
        ("\u202eevil\u2066", '"\\u202eevil\\u2066"'),
        ("zero\u200bwidth", '"zero\\u200bwidth"'),
        ("no\u00a0break", '"no\\u00a0break"'),
        ("\U000e0001", '"\\U000e0001"'),
        ("\ud800", '"\\ud800"'),
        (b"bytes", '"bytes"'),
        (b"\xff\xc3\xbc", '"\\xffü"'),
    ],
)
def test_shapes(value: str | bytes, shown: str) -> None:
    assert escape(value) == shown


@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [
        ("abcdef", 8, '"abcdef"'),
        ("abcdefg", 8, '"abc"...'),
        ("abcdefg", 9, '"abcdefg"'),
        ("ab\ncdef", 8, '"ab"...'),
        ("abc\u2028", 10, '"abc"...'),
        ("üüüü", 8, '"ü"...'),
    ],
)
def test_a_cut_is_marked_and_never_splits_a_piece(value: str, limit: int, shown: str) -> None:
    assert escape(value, limit) == shown


@given(st.one_of(st.text(), st.binary(), st.text().map(lambda text: text * 50)))
def test_always_one_short_printable_line(value: str | bytes) -> None:
    shown = escape(value)
    assert len(shown.encode()) <= LIMIT
    assert all(unicodedata.category(character)[0] not in "CZ" or character == " " for character in shown)
    assert shown.startswith('"')
    assert shown.removesuffix("...").endswith('"')


@given(st.text(max_size=40), st.text(max_size=40))
def test_short_values_that_differ_are_shown_differently(one: str, other: str) -> None:
    assert (escape(one, 1000) == escape(other, 1000)) == (one == other)
