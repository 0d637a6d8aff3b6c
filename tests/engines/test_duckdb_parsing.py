"""One statement out of a text, long ones without holding the host up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("duckdb")

import duckdb

from fanlight.sql.errors import SqlError
from fanlight_engines.duckdb.instance import open_instance
from fanlight_engines.duckdb.parsing import LONG, NESTED, read_one

PADDING = " " * LONG


@pytest.fixture(scope="module")
def cursor() -> Iterator[Any]:
    instance = open_instance()
    cursor = instance.cursor()
    cursor.execute("create table lark(a integer)")
    yield cursor
    cursor.close()
    instance.close()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("select $1 as a, $2 as b", "SELECT"),
        ("insert into lark values (1)", "INSERT"),
        ("with x as (insert into lark values (2) returning a) select * from x", "SELECT"),
        ("create table wren as select 1 as a", "CREATE"),
        ("pivot lark on a", "MULTI"),
        ("attach ':memory:' as other", "ATTACH"),
        ("install nothing", "LOAD"),
        ("checkpoint", "CALL"),
        ("set variable x = 1", "SET"),
    ],
)
def test_long_texts_give_the_same_statement_as_short_ones(cursor: Any, text: str, kind: str) -> None:
    short, long = read_one(cursor, text), read_one(cursor, text + PADDING)
    assert short.type.name == long.type.name == kind
    assert short.named_parameters == long.named_parameters
    assert cursor.execute("select count(*) from lark").fetchone() == (0,)


@pytest.mark.parametrize("padding", ["", PADDING])
def test_what_is_not_one_statement(cursor: Any, padding: str) -> None:
    for text in ("insert into lark values (1); select 1", "-- nothing"):
        refused = read_one(cursor, text + padding)
        assert isinstance(refused, SqlError)
        assert refused.code == "42601"
    assert cursor.execute("select count(*) from lark").fetchone() == (0,)


@pytest.mark.parametrize("padding", ["", PADDING])
def test_errors_and_types_without_a_name(cursor: Any, padding: str) -> None:
    with pytest.raises(duckdb.ParserException, match="selekt"):
        read_one(cursor, "selekt 1" + padding)
    with pytest.raises(ValueError, match="StatementType"):
        _ = read_one(cursor, "disconnect" + padding).type


def test_deep_nesting_is_refused_before_the_parser_sees_it(cursor: Any) -> None:
    deepest = "select " + "(" * NESTED + "1" + ")" * NESTED
    assert read_one(cursor, deepest).type.name == "SELECT"
    for opening, closing in ("()", "[]", ("{'a':", "}")):
        refused = read_one(cursor, "select " + opening * (NESTED + 1) + "1" + closing * (NESTED + 1))
        assert isinstance(refused, SqlError)
        assert refused.code == "54001"
    assert read_one(cursor, "select '" + "(" * 5000 + "' as a").type.name == "SELECT"


def test_other_threads_go_on_while_a_long_text_is_parsed(cursor: Any) -> None:
    """As long as the parser held the interpreter, nothing else ran at all."""
    text = "select " + ",".join("1" for _ in range(30_000))
    started, over = threading.Event(), threading.Event()

    def parse() -> None:
        started.wait()
        read_one(cursor, text)
        over.set()

    thread = threading.Thread(target=parse)
    thread.start()
    turns = 0
    started.set()
    while not over.is_set():
        time.sleep(0.001)
        turns += 1
    thread.join()
    assert turns > 10
