"""Differences of multisets, and that every form of them, applied from nothing, gives the relation."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.sql.changes import NOTHING, Form, Rows, Shape, difference, in_pieces, position, same
from fanlight.sql.errors import Unreadable
from fanlight.sql.statements import Envelope, OrderItem
from fanlight.sql.values import Descriptor, text_column
from tests.core.sql.replica import Replica

COLUMNS = (Descriptor("k", 23, 4), text_column("v"))


def row(key: int | None, value: str | None) -> bytes:
    cells = [None if key is None else str(key), value]
    return json.dumps(cells, separators=(",", ":"), ensure_ascii=False).encode()


ROWS = st.builds(row, st.none() | st.integers(0, 3), st.none() | st.sampled_from(["a", "b", 'x,"]{', "é"]))
STATES = st.dictionaries(ROWS, st.integers(1, 3), max_size=8)
KINDS: tuple[Literal["upsert", "debezium"], ...] = ("upsert", "debezium")
KEYS = st.sampled_from([("k",), ("v",), ("v", "k")])
ENVELOPES = st.none() | st.builds(Envelope, st.sampled_from(KINDS), KEYS)


@given(STATES, STATES)
def test_a_difference_leads_from_one_state_to_the_other(before: Rows, after: Rows) -> None:
    changes = difference(before, after)
    state = Counter(dict(before))
    for each, count in changes:
        state[each] += count
    assert {each: count for each, count in state.items() if count} == after
    assert [count < 0 for _, count in changes] == sorted((count < 0 for _, count in changes), reverse=True)
    assert len({each for each, _ in changes}) == len(changes)
    assert (changes == []) is (before == after)


@given(STATES, STATES)
def test_same_is_equality(before: dict[bytes, int], after: dict[bytes, int]) -> None:
    assert same(before, after) is (before == after)
    assert same(before, dict(before))
    assert same(before, before)


@given(st.lists(STATES, min_size=1, max_size=5), ENVELOPES, st.booleans(), st.booleans())
def test_what_is_told_adds_up_to_the_relation(
    states: list[Rows], envelope: Envelope | None, progress: bool, sort: bool
) -> None:
    by = "k" if envelope is None else envelope.key[0]
    form = Form(envelope, (OrderItem(by, True, True),) if sort else (), progress)
    shape = Shape(form, COLUMNS)
    replica = Replica(envelope, [column.name for column in COLUMNS], progress)
    before = NOTHING
    for state in states:
        for payload in shape.payloads(before, state):
            cells = json.loads(b"[0," + payload + b"]")
            assert len(cells) == len(shape.columns)
            replica.apply(cells)
        replica.agree(state)
        before = state


@given(STATES, STATES, ENVELOPES)
def test_rows_of_one_timestamp_are_sorted(before: Rows, after: Rows, envelope: Envelope | None) -> None:
    name = "v" if envelope is None else envelope.key[0]
    plain = Shape(Form(envelope), COLUMNS)
    shape = Shape(Form(envelope, (OrderItem(name, False, True),)), COLUMNS)
    found = [json.loads(b"[0," + payload + b"]") for payload in shape.payloads(before, after)]
    at = [column.name for column in shape.columns].index(name)
    values = [cells[at] for cells in found]
    assert values == sorted(values, key=lambda value: (value is not None, value or ""))
    assert Counter(map(str, found)) == Counter(
        str(json.loads(b"[0," + payload + b"]")) for payload in plain.payloads(before, after)
    )


def test_the_diff_may_be_sorted_by() -> None:
    shape = Shape(Form(None, (OrderItem("mz_diff", True),)), COLUMNS)
    assert shape.payloads({b'["1","a"]': 2}, {b'["2","b"]': 12, b'["3","c"]': 5}) == [
        b'"12","2","b"',
        b'"5","3","c"',
        b'"-2","1","a"',
    ]


def names(form: Form) -> list[str]:
    return [column.name for column in Shape(form, COLUMNS).columns]


def test_columns_of_each_form() -> None:
    assert names(Form()) == ["mz_timestamp", "mz_diff", "k", "v"]
    assert names(Form(progress=True)) == ["mz_timestamp", "mz_progressed", "mz_diff", "k", "v"]
    assert names(Form(Envelope("upsert", ("v",)))) == ["mz_timestamp", "mz_state", "v", "k"]
    assert names(Form(Envelope("debezium", ("k",)))) == ["mz_timestamp", "mz_state", "k", "before_v", "after_v"]
    assert Shape(Form(progress=True), COLUMNS).progressed == b"true,null,null,null"
    assert Shape(Form(), COLUMNS).columns[0] == Descriptor("mz_timestamp", 1700, -1, 2555908)


@pytest.mark.parametrize(
    ("kind", "before", "after", "payload"),
    [
        ("upsert", {}, {row(1, "a"): 1}, b'"upsert","1","a"'),
        ("upsert", {row(1, "a"): 1}, {row(1, "b"): 1}, b'"upsert","1","b"'),
        ("upsert", {row(1, "a"): 1}, {}, b'"delete","1",null'),
        ("upsert", {row(1, "a"): 1}, {row(1, "a"): 1, row(1, "b"): 1}, b'"key_violation","1",null'),
        ("upsert", {}, {row(1, "a"): 2}, b'"key_violation","1",null'),
        ("upsert", {row(1, "a"): 2}, {row(1, "a"): 1}, b'"upsert","1","a"'),
        ("debezium", {}, {row(1, "a"): 1}, b'"insert","1",null,"a"'),
        ("debezium", {row(1, "a"): 1}, {row(1, "b"): 1}, b'"upsert","1","a","b"'),
        ("debezium", {row(1, "a"): 1}, {}, b'"delete","1","a",null'),
        ("debezium", {row(1, "a"): 1}, {row(1, "a"): 2}, b'"key_violation","1",null,null'),
        ("debezium", {row(1, "a"): 2}, {row(1, "a"): 1}, b'"upsert","1",null,"a"'),
    ],
)
def test_states(kind: Any, before: Rows, after: Rows, payload: bytes) -> None:
    assert Shape(Form(Envelope(kind, ("k",))), COLUMNS).payloads(before, after) == [payload]


def test_columns_that_are_not_there_or_twice() -> None:
    twice = [*COLUMNS, text_column("K")]
    assert position(twice, "K") == 2
    assert position(COLUMNS, "V") == 1
    with pytest.raises(Unreadable) as refused:
        position(COLUMNS, "w")
    assert refused.value.error.code == "42703"
    with pytest.raises(Unreadable) as refused:
        position([*COLUMNS, text_column("v")], "v")
    assert refused.value.error.code == "42702"
    with pytest.raises(Unreadable):
        Shape(Form(Envelope("upsert", ("w",))), COLUMNS)
    with pytest.raises(Unreadable):
        Shape(Form(Envelope("upsert", ("k",)), (OrderItem("mz_diff"),)), COLUMNS)


def test_what_is_long_is_done_with_pauses() -> None:
    pauses: list[int] = []
    assert list(in_pieces(range(1200), lambda: pauses.append(1))) == list(range(1200))
    assert len(pauses) == 3
