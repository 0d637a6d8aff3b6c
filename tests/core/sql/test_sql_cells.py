"""Rows taken apart into cells, and cells in the order of SQL."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.sql.cells import NULL, Order, cells_of
from fanlight.sql.changes import at_once
from fanlight.sql.errors import Unreadable
from fanlight.sql.values import Descriptor

LEAVES = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


@given(st.lists(VALUES, min_size=1, max_size=6))
def test_cells_are_the_texts_of_the_values(values: list[Any]) -> None:
    row = compact(values)
    assert cells_of(row) == tuple(map(compact, values))
    assert b"[" + b",".join(cells_of(row)) + b"]" == row


def ordered(oid: int, cells: list[bytes], descending: bool = False, nulls_first: bool = False) -> list[bytes]:
    order = Order([Descriptor("a", oid, -1)], [(0, descending, nulls_first)])
    return [row[0] for row in order([(cell,) for cell in cells], at_once)]


@given(st.lists(st.integers()), st.booleans(), st.booleans())
def test_numbers_are_no_texts(values: list[int], descending: bool, nulls_first: bool) -> None:
    cells = [b'"%d"' % value for value in values]
    found = ordered(20, [NULL, *cells, NULL], descending, nulls_first)
    expected = [b'"%d"' % value for value in sorted(values, reverse=descending)]
    assert found == ([NULL, NULL, *expected] if nulls_first else [*expected, NULL, NULL])


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False) | st.just(Decimal("Infinity"))))
def test_decimals(values: list[Decimal]) -> None:
    cells = [compact(str(value)) for value in values]
    found = [Decimal(json.loads(cell)) for cell in ordered(1700, [*cells, b'"NaN"'])]
    assert found[:-1] == sorted(values)
    assert found[-1].is_nan()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_texts(values: list[str]) -> None:
    assert [json.loads(cell) for cell in ordered(25, [compact(value) for value in values])] == sorted(values)


@pytest.mark.parametrize(
    ("oid", "cells"),
    [
        (16, [b"false", b"true"]),
        (1082, [b'"-infinity"', b'"0044-03-15 BC"', b'"0001-01-01"', b'"1999-12-31"', b'"12000-01-01"', b'"infinity"']),
        (1083, [b'"01:02:03"', b'"01:02:03.250"', b'"01:02:03.250001"']),
        (1114, [b'"-2.000"', b'"-1.999"', b'"0.000"', b'"0.001"', b'"1933135628901.234"']),
        (17, [b"[]", b"[1]", b"[1,2]", b"[2]"]),
    ],
)
def test_other_types(oid: int, cells: list[bytes]) -> None:
    assert ordered(oid, cells[::-1]) == cells
    assert ordered(oid, cells, descending=True) == cells[::-1]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_the_second_column_decides_where_the_first_is_equal(pairs: list[tuple[int, int]]) -> None:
    order = Order([Descriptor("a", 23, 4), Descriptor("b", 23, 4)], [(1, False, False), (0, True, True)])
    found = order([(b'"%d"' % a, b'"%d"' % b) for a, b in pairs], at_once)
    assert found == [(b'"%d"' % a, b'"%d"' % b) for a, b in sorted(pairs, key=lambda pair: (pair[1], -pair[0]))]


def test_long_orders_pause() -> None:
    pauses: list[int] = []
    order = Order([Descriptor("a", 23, 4)], [(0, False, False)])
    rows = [(b'"%d"' % (value * 7919 % 1250),) for value in range(1250)]
    assert order(rows, lambda: pauses.append(1)) == [(b'"%d"' % value,) for value in range(1250)]
    assert len(pauses) == 3


def test_a_type_without_an_order_is_refused() -> None:
    with pytest.raises(Unreadable, match="column a"):
        ordered(3802, [])
