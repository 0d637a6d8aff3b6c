"""The session layer's grammar: every statement of ours, and what is not ours left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.sql.errors import Unreadable
from fanlight.sql.grammar import read_script
from fanlight.sql.lexer import quote
from fanlight.sql.statements import (
    Action,
    Begin,
    CancelBackend,
    Commit,
    Deallocate,
    Discard,
    Execute,
    Prepare,
    Prohibited,
    Reset,
    Rollback,
    Run,
    Set,
    SetTransaction,
    Show,
    Statement,
    Subscribe,
)


def action(text: str) -> Action:
    (statement,) = read_script(text)
    return statement.action


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("begin", Begin()),
        ("BEGIN WORK", Begin()),
        ("begin transaction isolation level serializable, read only", Begin(True)),
        ("start transaction read write isolation level repeatable read", Begin(False)),
        ("begin read only", Begin(True)),
        ("begin read only, not deferrable", Begin(True)),
        ("begin deferrable", Begin()),
        ("reset variable x", Run("RESET")),
        ("reset global threads", Run("RESET")),
        ("commit", Commit()),
        ("end transaction", Commit()),
        ("commit and no chain", Commit()),
        ("rollback work", Rollback()),
        ("abort", Rollback()),
        ("set transaction read only", SetTransaction(True)),
        ("set transaction isolation level read committed", SetTransaction(None)),
        ("set a = 1", Set("a", "1")),
        ("set a to 'it''s'", Set("a", "it's")),
        (r"set a to e'x\n'", Set("a", "x\n")),
        ("set session a = on", Set("a", "on")),
        ("set local a.b to -5", Set("a.b", "-5", True)),
        ("set local a = +5", Set("a", "5", True)),
        ("set session = 1", Set("session", "1")),
        ("set a = default", Set("a", None)),
        ("set search_path to a, \"B c\", 'd'", Set("search_path", "a, B c, d")),
        ("set time zone 'UTC'", Set("timezone", "UTC")),
        ("set time zone local", Set("timezone", None)),
        ("set names utf8", Set("client_encoding", "utf8")),
        ("set schema 'x'", Set("search_path", "x")),
        ("set schema = x", Set("schema", "x")),
        ("set variable x = 1", Run("SET")),
        ("set global threads = 1", Run("SET")),
        ("set /* c */ a -- d\n = 2", Set("a", "2")),
        ("reset a", Reset("a")),
        ("reset all", Reset(None)),
        ("reset time zone", Reset("timezone")),
        ("show a", Show("a")),
        ('show "A"', Show("A")),
        ("show all", Show(None)),
        ("show time zone", Show("timezone")),
        ("show transaction isolation level", Show("transaction_isolation")),
        ("show tables", Run("SHOW")),
        ("show all tables", Run("SHOW")),
        ("discard all", Discard("ALL")),
        ("discard temporary", Discard("TEMP")),
        ("execute p", Execute("p", ())),
        ("execute p ( 1 , f(2, 3), 'a,b', [4, 5] )", Execute("p", ("1", "f(2, 3)", "'a,b'", "[4, 5]"))),
        ("deallocate p", Deallocate("p")),
        ("deallocate prepare p", Deallocate("p")),
        ("deallocate all", Deallocate(None)),
        ("subscribe (select 1)", Subscribe(Statement("select 1", Run("SELECT"), 11))),
        ("declare c cursor for select 1", Prohibited()),
        ("fetch 1 from c", Prohibited()),
        ("close c", Prohibited()),
        ("copy (select 1) to stdout", Prohibited()),
        ("copy t (a, b) from stdin with (format csv)", Prohibited()),
        ("copy t to 'stdout'", Run("COPY")),
        ("copy (copy x to stdout) to 'file'", Run("COPY")),
        ("prepare p as copy t to stdout", Prohibited()),
        ("select 1", Run("SELECT")),
        ("(select 1)", Run("")),
        ("explain begin", Run("EXPLAIN")),
    ],
)
def test_read(text: str, expected: Action) -> None:
    assert action(text) == expected


def test_prepare_keeps_its_body() -> None:
    read = action("prepare p (int, numeric(4, 2)) as select $1, $2")
    assert read == Prepare("p", ("int", "numeric(4, 2)"), Statement("select $1, $2", Run("SELECT"), 34))


@pytest.mark.parametrize(
    "text",
    [
        "set",
        "set a",
        "set a =",
        "set a = ,",
        "set a = 1 2",
        "set a = -'x'",
        "set a = (1)",
        "reset",
        "reset a b",
        "show",
        "show a b",
        "discard",
        "discard x",
        "begin x",
        "begin isolation level chaos",
        "begin not",
        "commit x",
        "start",
        "prepare",
        "prepare p",
        "prepare p as",
        "prepare p as begin",
        "execute",
        "execute p (",
        "execute p ()",
        "execute p (1,)",
        "deallocate",
        "deallocate p q",
        "set 'a' = 1",
    ],
)
def test_syntax_errors(text: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_script(text)
    assert refused.value.error.code == "42601"
    assert refused.value.error.position is not None


@pytest.mark.parametrize(
    ("text", "near", "position"),
    [
        ("begin foo", '"foo"', 6),
        ("show 'é'", "\"'é'\"", 5),
        ("select 'é'; set x y", '"y"', 19),
        (";; set", "end of input", 6),
        ("select 1; prepare p as begin", '"begin"', 23),
        ("select 1; prepare p as subscribe select 1", '"select"', 33),
        ("commit; set constraints all deferred", '"all"', 24),
    ],
)
def test_syntax_errors_tell_what_was_written_and_where(text: str, near: str, position: int) -> None:
    with pytest.raises(Unreadable, match=near) as refused:
        read_script(text)
    assert refused.value.error.position == position


@pytest.mark.parametrize(
    ("text", "position"), [("/* x", 0), ("select 'é' /* /* */", 12), ("a; -- /*\n; /* b */ /*", 19), ("a;/*/", 2)]
)
def test_a_comment_has_an_end(text: str, position: int) -> None:
    with pytest.raises(Unreadable, match="unterminated comment") as refused:
        read_script(text)
    assert (refused.value.error.code, refused.value.error.position) == ("42601", position)


@pytest.mark.parametrize(
    "text",
    [
        "savepoint a",
        "release a",
        "rollback to a",
        "rollback work to a",
        "commit and chain",
        "commit prepared 'x'",
        "set role x",
        "set session authorization x",
    ],
)
def test_features_that_are_not_there(text: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_script(text)
    assert refused.value.error.code == "0A000"


def test_offsets_are_in_bytes() -> None:
    assert [(each.text, each.offset) for each in read_script("select 'é'; /* ü */ select 2")] == [
        ("select 'é'", 0),
        ("select 2", 22),
    ]


@given(st.text())
def test_any_text_can_be_a_value(value: str) -> None:
    assert action(f"set application_name = {quote(value)}") == Set("application_name", value)


@given(
    st.sampled_from(["set", "begin", "prepare", "execute", "copy", "show", "discard", "deallocate", "reset"]),
    st.text("abc ,='\"()$1-;\n", max_size=30),
)
def test_nothing_but_a_refusal_comes_out(first: str, rest: str) -> None:
    code = None
    try:
        read_script(f"{first} {rest}")
    except Unreadable as refused:
        code = refused.error.code
    assert code in (None, "42601", "0A000")


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("select pg_cancel_backend(7)", "pg_cancel_backend"),
        ("SELECT PG_CANCEL_BACKEND ( 7 ) as done", "done"),
        ('select /* x */ pg_cancel_backend(7) "Was It"', "Was It"),
        ("select pg_catalog.pg_cancel_backend(7::int4)", "pg_cancel_backend"),
    ],
)
def test_cancelling_a_session_is_ours(text: str, column: str) -> None:
    assert [statement.action for statement in read_script(text)] == [CancelBackend(7, column)]


def test_so_it_is_with_the_number_as_a_parameter() -> None:
    for text in ("select pg_cancel_backend($1) as done", "select pg_cancel_backend($1::bigint) done"):
        assert action(text) == CancelBackend(None, "done")


@pytest.mark.parametrize(
    "text",
    [
        "select pg_cancel_backend('7')",
        "select pg_cancel_backend($2)",
        "select pg_cancel_backend(7::text)",
        "select pg_cancel_backend(7::)",
        "select pg_cancel_backend(7::",
        "select pg_cancel_backend(1e3)",
        "select pg_cancel_backend(-7)",
        "select pg_cancel_backend(" + "9" * 19 + ")",
        "select pg_cancel_backend(7), 1",
        "select pg_cancel_backend(7) from t",
        "select pg_cancel_backend(7) + 1",
        "select pg_cancel_backend(7) 'x'",
        "select pg_cancel_backend(",
        "select pg_cancel_backend",
        "select 'pg_cancel_backend(7)'",
        'select "pg_cancel_backend"(7)',
    ],
)
def test_any_other_use_of_that_name_is_the_engines(text: str) -> None:
    assert [statement.action for statement in read_script(text)] == [Run("SELECT")]
