"""One connection: parsing once, transactions, what is lost without care."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("duckdb")

import duckdb

from fanlight.sql.effects import Interrupt
from fanlight.sql.errors import SqlError, Unreadable
from fanlight_engines.duckdb.connection import PARSED_LENGTH, PARSED_TEXTS, Connection, Parsed
from fanlight_engines.duckdb.instance import open_instance
from fanlight_engines.duckdb.relations import Catalogue
from fanlight_engines.duckdb.results import Interrupted, Result

LIMIT = 10**9


@pytest.fixture(scope="module")
def instance() -> Iterator[Any]:
    instance = open_instance()
    yield instance
    instance.close()


@pytest.fixture
def connection(instance: Any) -> Iterator[Connection]:
    connection = Connection(instance.cursor(), Catalogue({}))
    yield connection
    connection.rollback()
    connection.close()


def parsed(connection: Connection, text: str) -> Parsed:
    found = connection.parse(text)
    assert isinstance(found, Parsed)
    return found


def fetch(connection: Connection, text: str) -> bytes:
    result = connection.execute(parsed(connection, text), text, (), Interrupt())
    return result.batch(b"\n", 10**9, LIMIT, Interrupt()).data


@pytest.mark.parametrize("rows", [-1, 10**6])  # taken as values, and as DuckDB's own JSON
def test_a_statement_does_not_run_far_ahead_of_its_reader(connection: Connection, rows: int) -> None:
    failing = "case when i = 50000 then error('far')::int end"
    text = f"select repeat('x', 50) || i, {failing} from range(60000) r(i) where i >= 0"
    found = parsed(connection, text)
    found.habit.rows, found.habit.short = rows, True
    result = connection.execute(found, text, (), Interrupt())
    assert 0 < result.batch(b",", 16_384, LIMIT, Interrupt()).count < 10_000
    with pytest.raises(duckdb.Error, match="far"):
        result.batch(b",", 10**9, LIMIT, Interrupt())


def test_a_text_is_parsed_once(connection: Connection) -> None:
    first = connection.parse("select 1")
    assert connection.parse("select 1") is first
    assert isinstance(connection.parse("selekt"), SqlError)
    long = "select '" + "x" * PARSED_LENGTH + "'"
    assert connection.parse(long) is not connection.parse(long)
    for at in range(PARSED_TEXTS):
        connection.parse(f"select {at} as a")
    assert connection.parse("select 1") is not first


def test_a_text_may_be_run_again(connection: Connection) -> None:
    assert fetch(connection, "select 1 as a") == fetch(connection, "select 1 as a") == b'["1"]'


def test_transactions(connection: Connection) -> None:
    connection.begin("read write")
    connection.execute(parsed(connection, "create table x (a integer)"), "create table x (a integer)", (), Interrupt())
    opened = connection.in_transaction
    connection.rollback()
    assert (opened, connection.in_transaction) == (True, False)
    connection.rollback()
    connection.commit()
    duckdb = pytest.importorskip("duckdb")
    with pytest.raises(duckdb.CatalogException):
        fetch(connection, "select * from x")
    connection.rollback()


def test_a_broken_transaction_can_be_rolled_back(connection: Connection) -> None:
    duckdb = pytest.importorskip("duckdb")
    connection.begin("read only")
    with pytest.raises(duckdb.Error):
        fetch(connection, "select 1 / 0")
    connection.rollback()
    assert not connection.dirty
    assert fetch(connection, "select 1 as a") == b'["1"]'


def test_a_transaction_that_failed_to_begin_or_to_commit(connection: Connection) -> None:
    """Whatever DuckDB made of it, a rollback leaves none."""
    duckdb = pytest.importorskip("duckdb")
    connection.begin("read only")
    with pytest.raises(duckdb.TransactionException):
        connection.begin("read only")
    connection.rollback()
    connection.begin("read only")
    connection.cursor.execute("commit")
    with pytest.raises(duckdb.TransactionException):
        connection.commit()
    connection.rollback()
    assert not connection.broken
    assert fetch(connection, "select 1 as a") == b'["1"]'


def test_a_rollback_that_fails_breaks_the_connection(instance: Any) -> None:
    connection = Connection(instance.cursor(), Catalogue({}))
    connection.begin("read only")
    connection.close()
    connection.rollback()
    assert connection.broken


def test_rows_that_nobody_fetched_are_dropped(connection: Connection) -> None:
    connection.begin("read only")
    text = "select i from range(100000) t(i)"
    result = connection.execute(parsed(connection, text), text, (), Interrupt())
    assert not result.batch(b"\n", 100, LIMIT, Interrupt()).last
    connection.complete()
    connection.commit()
    assert fetch(connection, "select 2 as a") == b'["2"]'


def test_an_interrupt_between_batches(connection: Connection) -> None:
    text = "select i from range(100000) t(i)"
    result = connection.execute(parsed(connection, text), text, (), Interrupt())
    interrupt = Interrupt()
    interrupt.asked = True
    with pytest.raises(Interrupted):
        result.batch(b"\n", 100, LIMIT, interrupt)
    connection.complete()


@pytest.mark.parametrize("width", [1, 100, 70_000])
def test_batches_are_about_as_large_as_asked(connection: Connection, width: int) -> None:
    text = f"select repeat('x', {width}) as x from range(3000)"
    result = connection.execute(parsed(connection, text), text, (), Interrupt())
    largest = count = 0
    while not result.last:
        batch = result.batch(b",", 100_000, LIMIT, Interrupt())
        largest = max(largest, len(batch.data))
        count += batch.count
        if count > 1500 and width > 1000:
            break
    assert largest < 9 * width + 200_000
    connection.complete()


def sizes_of(result: Result, limit: int) -> Iterator[int]:
    while not result.last:
        yield result.batch(b",", 10_000, limit, Interrupt()).size


def test_all_rows_count_for_the_limit(connection: Connection) -> None:
    text = "select repeat('x', 96) as x from range(1000)"
    result = connection.execute(parsed(connection, text), text, (), Interrupt())
    sizes: list[int] = []
    with pytest.raises(Unreadable) as refused:
        sizes.extend(sizes_of(result, 60_000))
    assert refused.value.error.code == "53200"
    assert 40_000 < sum(sizes) <= 60_000
    connection.complete()


def test_statement_types_that_the_client_has_no_name_for(connection: Connection) -> None:
    assert parsed(connection, "disconnect").kind == "UNKNOWN"
