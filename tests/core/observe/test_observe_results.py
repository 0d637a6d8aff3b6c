"""`fanlight.observe.results`: cells, rows and answers, and what cannot be a metric."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.federation.effects import finish
from fanlight.observe import results
from fanlight.observe.exposition import Memory
from fanlight.observe.negotiation import TEXT
from fanlight.observe.queries import MetricQuery
from fanlight.observe.results import Families, Table, Unfit, label, number, read_rows

M = MetricQuery(metric_name="m", help="h", query="SELECT 1")


def read_reply(body: bytes) -> Table:
    return finish(results.read_reply(body))


def shown(families: Families) -> str:
    return b"".join(Memory().slices(TEXT, None, families.found)).decode()


@pytest.mark.parametrize(
    ("cell", "text"),
    [("a", "a"), ("", ""), (None, ""), (True, "true"), (False, "false"), ([1], ""), ({"a": 1}, "")],
)
def test_labels(cell: Any, text: str) -> None:
    assert label(cell) == text


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1", 1.0),
        ("-2.5e3", -2500.0),
        (".5", 0.5),
        ("inf", float("inf")),
        ("-Infinity", float("-inf")),
        ("18446744073709551615", 18446744073709551615.0),
        (True, 1.0),
        (False, 0.0),
        (None, 0.0),
        ("", 0.0),
        ("1_000", 0.0),
        (" 1", 0.0),
        ("0x10", 0.0),
        ("١", 0.0),
        ([], 0.0),
    ],
)
def test_values(cell: Any, value: float) -> None:
    assert number(cell) == value


def test_numbers_keep_the_text_that_they_were_sent_as() -> None:
    assert read_rows(b'["a",1,1.50,null,true],["b",2e9,-0,false,"x"]') == [
        ["a", "1", "1.50", None, True],
        ["b", "2e9", "-0", False, "x"],
    ]


def test_the_value_may_stand_anywhere() -> None:
    families = Families()
    families.add(M, ("a", "value", "b"), [["1", "9", "2"]])
    assert shown(families).endswith('m{a="1",b="2"} 9.0\n')


def test_a_short_row_has_no_value() -> None:
    families = Families()
    families.add(M, ("value",), [[]])
    assert shown(families).endswith("m 0.0\n")


def test_what_is_unfit_leaves_nothing_behind() -> None:
    families = Families()
    for columns in (("a-b", "value"), ("__a", "value"), ("a", "a", "value"), ("replica_id", "value")):
        with pytest.raises(Unfit):
            families.add(M, columns, [["1"] * len(columns)], ("c.r", "u1", "u2"))
    assert families.found == ()


def reply(*entries: Any) -> bytes:
    return json.dumps({"results": list(entries)}, separators=(",", ":")).encode()


SET = {"ok": "SET", "notices": []}
ROWS = {"tag": "SELECT 1", "rows": [["a", "1"]], "desc": {"columns": [{"name": "k"}, {"name": "value"}]}}


def test_an_answer_is_the_last_of_four() -> None:
    assert read_reply(reply(SET, SET, SET, ROWS)) == Table(("k", "value"), [["a", "1"]])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (reply(SET, SET, ROWS), "3 results"),
        (reply(SET, SET, SET, ROWS, ROWS), "5 results"),
        (reply(SET, SET, SET, SET), "no rows"),
        (reply(SET, SET, SET, {"error": {"message": "boom"}}), "no rows: boom"),
        (reply({"error": {"message": "x" * 999}}), "1 results where there should be 4: " + "x" * 198),
        (b"", "no result of SQL"),
        (b"[]", "no result of SQL"),
        (b"{}", "no result of SQL"),
        (b'{"results":3}', "no result of SQL"),
        (reply(SET, SET, SET, {"rows": [], "desc": None}), "no result of SQL"),
        (reply(1, 2, 3, 4), "no result of SQL"),
        (reply(SET, SET, SET, {**ROWS, "rows": "rows"}), "no result of SQL"),
        (reply(SET, SET, SET, {**ROWS, "rows": ["rows"]}), "no result of SQL"),
        (reply(SET, SET, SET, {"error": 1}), "no result of SQL"),
        (b"[" * 100_000, "no result of SQL"),
    ],
)
def test_any_other_answer_is_unfit(body: bytes, why: str) -> None:
    with pytest.raises(Unfit) as refusal:
        read_reply(body)
    assert why in str(refusal.value)


@given(
    st.binary() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda each: reply(each, 1, 2, 3))
)
def test_whatever_comes_is_read_or_unfit(body: bytes) -> None:
    try:
        read_reply(body)
    except Unfit:
        pass
