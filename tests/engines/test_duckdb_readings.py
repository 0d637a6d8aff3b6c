"""Evaluations for SUBSCRIBE: all rows as a multiset, and none of it where nothing can have changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from fanlight.app import App
from fanlight.auth.identity import Identity
from fanlight.sql import effects
from fanlight.sql.changes import Form, Shape
from fanlight.sql.effects import Evaluate, Evaluated, SqlFailed
from fanlight_engines.duckdb.engine import DuckDbEngine
from tests.engines.test_duckdb import SETTINGS, open_session, perform, run


class Shop:
    """A relation with a change counter, one without, and how often each was read."""

    def __init__(self, app: App) -> None:
        self.orders = [(1, "open")]
        self.version: Any = 0
        self.reads = 0

        @app.relation(id=int, state=str, version=self.look)
        def orders() -> list[tuple[int, str]]:
            self.reads += 1
            return list(self.orders)

        @app.relation(id=int)
        def plain() -> list[tuple[int]]:
            self.reads += 1
            return [(1,)]

    def look(self) -> object:
        if isinstance(self.version, Exception):
            raise self.version
        return self.version


@pytest.fixture
def app() -> App:
    return App(sql_writers="everybody")


@pytest.fixture
def shop(app: App) -> Shop:
    return Shop(app)


@pytest.fixture
def engine(app: App, shop: Shop) -> Iterator[DuckDbEngine]:
    engine = DuckDbEngine(app)
    perform(engine, effects.StartEngine())
    yield engine
    engine.close()


def evaluate(engine: DuckDbEngine, session: Any, text: str, before: Evaluated | None = None) -> Evaluated | SqlFailed:
    work = Evaluate(session, text, (), SETTINGS, 1000, 100_000, before)
    answer: Evaluated | SqlFailed = perform(engine, work)
    return answer


def evaluated(engine: DuckDbEngine, session: Any, text: str, before: Evaluated | None = None) -> Evaluated:
    answer = evaluate(engine, session, text, before)
    assert isinstance(answer, Evaluated), answer
    return answer


def test_rows_are_counted_in_bytes(engine: DuckDbEngine) -> None:
    value = evaluated(engine, open_session(engine), "SELECT i % 2 AS a, 'x' AS b FROM range(1000) t(i)")
    assert len(value.rows) == 2
    assert value.size == sum(len(row) * count for row, count in value.rows.items()) == 1000 * len(b'["0","x"]')


def write(engine: DuckDbEngine, text: str) -> None:
    """A statement of another session, committed."""
    session = open_session(engine)
    assert isinstance(run(engine, session, text), effects.Executed)
    perform(engine, effects.CloseSession(session))


def test_rows_are_counted(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    found = evaluated(engine, session, "select * from (values (1, 'a\nb'), (1, 'a\nb'), (2, null)) t(i, s)")
    assert found.rows == {b'["1","a\\nb"]': 2, b'["2",null]': 1}
    assert [column.name for column in found.columns] == ["i", "s"]
    assert engine.active_statements == 0
    assert session.connection is not None
    assert not session.connection.in_transaction


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ("select 1", True),
        ("values (1), (2)", True),
        ("select upper('a') || count(*) from generate_series(1, 3)", True),
        ("with w as (select 1 as a) select * from w", True),
        ("select random()", False),
        ("select now()", False),
        ("select current_timestamp", False),
        ("select current_user", False),
        ("select * from t", False),
        ("select * from v", False),
        ("select * from orders", False),
        ("select (select count(*) from t)", False),
        ("select * from duckdb_tables()", False),
        ("select * from pg_catalog.pg_class", False),
        ("select * from (select 1) using sample 50%", False),
    ],
)
def test_what_is_constant(engine: DuckDbEngine, text: str, constant: bool) -> None:
    write(engine, "create table t (a integer)")
    write(engine, "create view v as select 1 as a")
    assert evaluated(engine, open_session(engine), text).constant is constant


@pytest.mark.parametrize(
    ("text", "stamped"),
    [
        ("select * from t", True),
        ("select count(*) from t, orders", True),
        ("select * from public.orders", True),
        ("select * from plain", False),
        ("select * from t, plain", False),
        ("select * from v", False),
        ("select *, now() from t", False),
        ("select * from information_schema.tables", False),
    ],
)
def test_what_need_not_run_again(engine: DuckDbEngine, text: str, stamped: bool) -> None:
    write(engine, "create table t (a integer)")
    write(engine, "create view v as select * from t")
    session = open_session(engine)
    first = evaluated(engine, session, text)
    assert (first.stamp is not None) is stamped
    again = evaluated(engine, session, text, first)
    assert (again is first) is stamped


def test_a_table_runs_again_after_a_write(engine: DuckDbEngine) -> None:
    write(engine, "create table t (a integer)")
    session = open_session(engine)
    found = evaluated(engine, session, "select * from t")
    for text, rows in (
        ("insert into t values (1), (1)", {b'["1"]': 2}),
        ("with gone as (select 1) update t set a = 2", {b'["2"]': 2}),
        ("delete from t where a = 2", {}),
    ):
        write(engine, text)
        found = evaluated(engine, session, "select * from t", found)
        assert found.rows == rows
        assert evaluated(engine, session, "select * from t", found) is found


def test_rows_that_are_the_same_are_the_very_same(engine: DuckDbEngine) -> None:
    write(engine, "create table t as select 1 as a")
    session = open_session(engine)
    first = evaluated(engine, session, "select * from t")
    write(engine, "update t set a = 1")
    second = evaluated(engine, session, "select * from t", first)
    assert second is not first
    assert second.rows is first.rows


def test_what_is_not_committed_is_not_seen(engine: DuckDbEngine) -> None:
    write(engine, "create table t (a integer)")
    session, writer = open_session(engine), open_session(engine)
    first = evaluated(engine, session, "select * from t")
    run(engine, writer, "insert into t values (1)", commit=False)
    assert evaluated(engine, session, "select * from t", first).rows == {}
    assert perform(engine, effects.EndTransaction(writer, True)) is None
    assert evaluated(engine, session, "select * from t", first).rows == {b'["1"]': 1}


def test_a_change_counter_decides_whether_a_relation_is_read(engine: DuckDbEngine, shop: Shop) -> None:
    session = open_session(engine)
    found = evaluated(engine, session, "select * from orders")
    reads = shop.reads
    shop.orders = [(1, "shipped")]
    assert evaluated(engine, session, "select * from orders", found) is found
    assert shop.reads == reads
    shop.version += 1
    assert evaluated(engine, session, "select * from orders", found).rows == {b'["1","shipped"]': 1}


def test_a_change_counter_that_fails_is_none(engine: DuckDbEngine, shop: Shop) -> None:
    session = open_session(engine)
    found = evaluated(engine, session, "select * from orders")
    shop.version = ValueError("secret")
    assert evaluated(engine, session, "select * from orders", found).stamp is None


def test_objects_that_change_their_meaning(engine: DuckDbEngine) -> None:
    write(engine, "create table t as select 1 as a")
    session = open_session(engine)
    found = evaluated(engine, session, "select * from t")
    write(engine, "drop table t")
    write(engine, "create view t as select random() as a")
    again = evaluated(engine, session, "select * from t", found)
    assert again.stamp is None
    write(engine, "drop view t")
    gone = evaluate(engine, session, "select * from t", again)
    assert isinstance(gone, SqlFailed)
    assert gone.error.code == "42P01"


def test_a_function_of_a_clients_makes_nothing_steady(engine: DuckDbEngine) -> None:
    write(engine, "create table t as select 1 as a")
    write(engine, "create macro abs(x) as random()")
    found = evaluated(engine, open_session(engine), "select abs(a) from t")
    assert found.stamp is None
    assert not evaluated(engine, open_session(engine), "select abs(1)").constant


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("select wibble from", "42601"),
        ("select * from nowhere", "42P01"),
        ("insert into t values (1)", "42601"),
        ("explain select 1", "42601"),
        ("with x as (insert into t values (1) returning a) select * from x", "25006"),
        ("select $1::integer", "XX000"),
        ("select * from read_csv('/etc/passwd')", "42501"),
        ("select * from generate_series(1, 1001)", "53200"),
        ("select repeat('x', 100001)", "53200"),
        ("select error('no')", "22023"),
    ],
)
def test_what_fails(engine: DuckDbEngine, text: str, code: str) -> None:
    write(engine, "create table t (a integer)")
    session = open_session(engine)
    failed = evaluate(engine, session, text)
    assert isinstance(failed, SqlFailed)
    assert failed.error.code == code
    assert session.connection is None or not session.connection.in_transaction
    assert evaluated(engine, session, "select 1").rows == {b'["1"]': 1}


def test_privileged_relations_stay_privileged(engine: DuckDbEngine, app: App) -> None:
    @app.relation(id=int, privileged=True, version=lambda: 0)
    def vault() -> list[tuple[int]]:
        return [(7,)]

    seen = evaluated(
        engine, perform(engine, effects.OpenSession(Identity("mz_system", internal=True))), "select * from vault"
    )
    assert seen.rows == {b'["7"]': 1}
    refused = evaluate(engine, open_session(engine), "select * from vault")
    assert isinstance(refused, SqlFailed)
    assert refused.error.code == "42501"


def test_sight_is_the_same_for_equals_only(engine: DuckDbEngine) -> None:
    ada, other, grace = (
        open_session(engine),
        open_session(engine),
        perform(engine, effects.OpenSession(Identity("grace"))),
    )
    system = perform(engine, effects.OpenSession(Identity("mz_system", internal=True)))
    assert ada.sight == other.sight
    assert len({ada.sight, grace.sight, system.sight}) == 3
    run(engine, ada, "create temp table own (a integer)")
    assert ada.sight != other.sight


def test_an_interrupt_ends_an_evaluation_and_gives_the_place_back(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    slow = "select count(*) from generate_series(1, 3000000) a(i), generate_series(1, 3000) b(j) where (i * j) % 7 = 3"
    work = Evaluate(session, slow, (), SETTINGS, 1000, 1000)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(perform(engine, work)))
    thread.start()
    while not engine.active_statements:
        time.sleep(0.001)
    engine.interrupts[Evaluate](work)
    thread.join(10)
    assert answers[0].error.code == "57014"
    assert engine.active_statements == 0
    assert perform(engine, effects.Settle(session, work)) is answers[0]


def test_compare(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    found = evaluated(engine, session, "select 1 as a")
    shape = Shape(Form(), found.columns)
    assert perform(engine, effects.Compare(shape, {}, found.rows)) == [b'"1","1"']
