"""SUBSCRIBE as it is read: the relation or query, every clause, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.sql.errors import Unreadable
from fanlight.sql.grammar import read_script
from fanlight.sql.statements import AsOf, Envelope, OrderItem, Run, Statement, Subscribe, subscribed_query


def read(text: str) -> Subscribe:
    (statement,) = read_script(text)
    assert isinstance(statement.action, Subscribe)
    return statement.action


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("subscribe t", "SELECT * FROM t"),
        ("SUBSCRIBE TO process . tasks", "SELECT * FROM process . tasks"),
        ('subscribe "a b"."C"', 'SELECT * FROM "a b"."C"'),
        ("subscribe ( select 1 -- )\n )", "select 1 -- )"),
        ("subscribe to (values (1))", "values (1)"),
        ("subscribe ((select 1))", "(select 1)"),
    ],
)
def test_what_is_subscribed_to(text: str, query: str) -> None:
    assert read(text).query.text == query


def test_the_query_knows_its_place_in_bytes() -> None:
    text = "select 'é'; subscribe to (  select wibble)"
    statement = read_script(text)[1]
    query = subscribed_query(statement)
    assert query is not None
    assert query.offset == text.encode().index(b"select wibble")
    assert subscribed_query(read_script("subscribe t")[0]) == Statement("SELECT * FROM t", query.action, None)
    assert subscribed_query(read_script("select 1")[0]) is None


def asked(expression: str) -> Statement:
    """The query that an engine is asked for a moment."""
    return Statement(f"SELECT ({expression}\n)", Run("SELECT"))


@pytest.mark.parametrize(
    ("clauses", "member", "value"),
    [
        ("envelope upsert (key (a, B))", "envelope", Envelope("upsert", ("a", "b"))),
        ('envelope debezium (key ("A b"))', "envelope", Envelope("debezium", ("A b",))),
        ("within timestamp order by a", "order", (OrderItem("a"),)),
        (
            "within timestamp order by a desc, b asc nulls first, c desc nulls last",
            "order",
            (OrderItem("a", True, True), OrderItem("b", False, True), OrderItem("c", True, False)),
        ),
        ("with (snapshot = false)", "snapshot", False),
        ("with (snapshot 'on')", "snapshot", True),
        ("with (progress)", "progress", True),
        ("with (progress, snapshot = off)", "snapshot", False),
        ("with (poll = '250ms')", "poll", 0.25),
        ("with (poll 1000)", "poll", 1.0),
        ("as of 7", "as_of", AsOf(7)),
        ("as of at least '7'", "as_of", AsOf(7, True)),
        ("as of now()", "as_of", AsOf(None)),
        ("as of mz_now()", "as_of", AsOf(None)),
        ("up to 18446744073709551615", "up_to", 2**64 - 1),
        ("up to '1970-01-01 00:00:01.5'", "up_to", 1500),
        ("up to '1970-01-01T01:00:00+01:00'", "up_to", 0),
        ("as of at least now()", "as_of", AsOf(None, True)),
        ("as of now() - interval '1 s'", "as_of", AsOf(asked("now() - interval '1 s'"))),
        ("up to now()", "up_to", asked("now()")),
        ("up to -1", "up_to", asked("-1")),
        ("up to 1 + 1", "up_to", asked("1 + 1")),
        ("up to 18446744073709551616", "up_to", asked("18446744073709551616")),
        ("up to 'tomorrow'", "up_to", asked("'tomorrow'")),
        ("up to (select max(a) from b with (c))", "up_to", asked("(select max(a) from b with (c))")),
        ("up to x::timestamp with time zone", "up_to", asked("x::timestamp with time zone")),
    ],
)
def test_clauses(clauses: str, member: str, value: object) -> None:
    assert getattr(read(f"subscribe t {clauses}"), member) == value
    assert getattr(read(f"subscribe (select 1) {clauses}"), member) == value


CLAUSES = {
    "envelope upsert (key (a))": "envelope",
    "within timestamp order by a, mz_diff": "order",
    "with (progress, poll = '1s')": "progress",
    "as of now()": "as_of",
    "up to now() + interval '1 s'": "up_to",
}


@given(st.lists(st.sampled_from(sorted(CLAUSES)), unique=True))
def test_clauses_come_in_any_order(chosen: list[str]) -> None:
    plain, found = Subscribe(read("subscribe t").query), read("subscribe t " + " ".join(chosen))
    for clause, member in CLAUSES.items():
        assert (getattr(found, member) != getattr(plain, member)) is (clause in chosen)


@pytest.mark.parametrize("clause", sorted(CLAUSES))
def test_a_clause_comes_once(clause: str) -> None:
    with pytest.raises(Unreadable, match="syntax error"):
        read(f"subscribe t {clause} {clause}")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("subscribe", "42601"),
        ("subscribe to", "42601"),
        ("subscribe 7", "42601"),
        ("subscribe select 1", "42601"),
        ("subscribe (insert into t values (1))", "42601"),
        ("subscribe ()", "42601"),
        ("subscribe (select 1", "42601"),
        ("subscribe t wibble", "42601"),
        ("subscribe t envelope none", "42601"),
        ("subscribe t envelope upsert (a)", "42601"),
        ("subscribe t envelope upsert (key ())", "42601"),
        ("subscribe t envelope upsert (key (a, a))", "42701"),
        ("subscribe t within timestamp order by", "42601"),
        ("subscribe t within timestamp order by lower(a)", "0A000"),
        ("subscribe t within timestamp order by 1", "0A000"),
        ("subscribe t with ()", "42601"),
        ("subscribe t with (wibble)", "42601"),
        ("subscribe t with (progress, progress)", "42601"),
        ("subscribe t with (progress = perhaps)", "22023"),
        ("subscribe t with (poll = '49ms')", "22023"),
        ("subscribe t with (poll = 'soon')", "22023"),
        ("subscribe t up to", "42601"),
        ("subscribe t up to $1", "0A000"),
        ("subscribe t as of now() + $1::interval", "0A000"),
        ("subscribe t within timestamp order by a + 1", "0A000"),
        ("subscribe t within timestamp order by a b", "42601"),
        ("subscribe t with progress", "42601"),
    ],
)
def test_what_is_refused(text: str, code: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_script(text)
    assert refused.value.error.code == code


def code_of(text: str) -> str:
    """What reading `text` ends with, "" for well."""
    try:
        read_script(text)
    except Unreadable as refused:
        return refused.error.code
    return ""


@given(st.text(alphabet="tabcde()[],;'\"$1 \n.-+=", max_size=40))
def test_any_text_is_read_or_refused(tail: str) -> None:
    assert code_of("subscribe " + tail) in ("", "42601", "0A000", "22023", "42701")
