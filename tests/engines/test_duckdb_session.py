"""Sessions on DuckDB: settings, refusals, the order in which things are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve

from fanlight.app import App
from fanlight.sql import effects
from fanlight.sql.effects import Executed, SqlFailed
from fanlight.sql.errors import SqlError
from fanlight_engines.duckdb.connection import Connection
from fanlight_engines.duckdb.engine import DuckDbEngine
from tests.engines.test_duckdb import ADA, SETTINGS, execute, open_session, perform, rows, run


@pytest.fixture
def engine() -> Iterator[DuckDbEngine]:
    engine = DuckDbEngine(App(sql_writers="everybody"))
    perform(engine, effects.StartEngine())
    yield engine
    engine.close()


def test_syntax_is_checked_without_running_anything(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    texts = ("select 1", "selekt 1", "drop table nowhere", "select 1; select 2")
    found = perform(engine, effects.CheckSyntax(session, texts))
    assert [error.code if error else None for error in found] == [None, "42601", None, "42601"]
    assert found[1].position == 0


def test_a_syntax_error_leaves_the_transaction_alone(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    run(engine, session, "create table x (a integer)", commit=False)
    failed = run(engine, session, "selekt", begin="", commit=False)
    assert isinstance(failed, SqlFailed)
    assert not failed.aborted
    assert isinstance(run(engine, session, "insert into x values (1)", begin="", commit=True), Executed)


def test_any_other_error_leaves_no_transaction(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    run(engine, session, "create table x (a integer)", commit=False)
    failed = run(engine, session, "select * from nope", begin="", commit=False)
    assert isinstance(failed, SqlFailed)
    assert failed.aborted
    assert perform(engine, effects.EndTransaction(session, True)) is None
    assert isinstance(run(engine, session, "select * from x"), SqlFailed)


@pytest.mark.parametrize(
    ("text", "params", "message"),
    [
        ("select $1::integer as a", (), "request supplied 0 parameters, but select $1::integer as a requires 1"),
        ("select 8 as a", ("1",), "request supplied 1 parameters, but select 8 as a requires 0"),
        ("select $2::integer as a", ("1",), "request supplied 1 parameters, but select $2::integer as a requires 2"),
        ("select $name", (), "there is no parameter $name"),
    ],
)
def test_parameters_are_counted_before_anything_runs(
    engine: DuckDbEngine, text: str, params: tuple[str, ...], message: str
) -> None:
    failed = run(engine, open_session(engine), text, params=params)
    assert isinstance(failed, SqlFailed)
    assert failed.error.message == message


def test_parameters_may_be_left_out_in_the_middle(engine: DuckDbEngine) -> None:
    answer = run(engine, open_session(engine), "select $1::int + $3::int as a", params=("1", "unused", "2"))
    assert rows(answer) == b'["3"]'


def test_settings_are_in_force_for_each_statement(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    run(engine, session, "create schema other")
    paris = (("TimeZone", "Europe/Paris"), ("search_path", "other, public"))
    text = "select current_setting('TimeZone') as z, current_schema() as s"
    assert rows(perform(engine, evolve(execute(session, text), settings=paris))) == b'["Europe/Paris","other"]'
    assert rows(perform(engine, execute(session, text))) == b'["UTC","public"]'


def test_a_setting_that_is_refused_changes_nothing(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    bad_zone = (("TimeZone", "Nowhere"), SETTINGS[1])
    assert perform(engine, effects.Configure(session, bad_zone, SETTINGS)) == SqlError(
        'invalid value for parameter "TimeZone": "Nowhere"', "22023"
    )
    bad_path = (SETTINGS[0], ("search_path", 'it\'s "nowhere"'))
    refused = perform(engine, effects.Configure(session, bad_path, SETTINGS))
    assert refused.code == "3F000"
    assert rows(run(engine, session, "select current_schema() as s")) == b'["public"]'


def test_forgetting_drops_temporary_tables(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    run(engine, session, "create temp table x (a integer)")
    assert rows(run(engine, session, "select count(*) from x")) == b'["0"]'
    perform(engine, effects.Forget(session))
    assert isinstance(run(engine, session, "select * from x"), SqlFailed)


def test_time_is_told(engine: DuckDbEngine) -> None:
    answer = run(engine, open_session(engine), "select sleep_ms(50)")
    assert isinstance(answer, Executed)
    assert 0.04 < answer.elapsed < 5


def test_commands_and_counts(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    told: list[Any] = []
    for text in (
        "create table t (a integer)",
        "insert into t values (1), (2)",
        "update t set a = 3 where a = 1",
        "merge into t using (select 2 as a) s on t.a = s.a when matched then delete",
        "delete from t",
        "alter table t add column b integer",
        "drop table t",
    ):
        answer = run(engine, session, text)
        assert isinstance(answer, Executed), answer
        assert answer.columns is None
        told.append((answer.command, answer.count))
    assert told == [("CREATE", 0), ("INSERT", 2), ("UPDATE", 1), ("MERGE", 1), ("DELETE", 1), ("ALTER", 0), ("DROP", 0)]
    assert ADA.user == "ada"


def test_a_query_that_stands_alone_is_not_begun(engine: DuckDbEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that changes nothing: not by a view, either, nor by one that is made later or found elsewhere."""
    begun: list[str] = []
    begin = Connection.begin

    def noted(connection: Connection, access: effects.Begin) -> None:
        begun.append(access)
        begin(connection, access)

    monkeypatch.setattr(Connection, "begin", noted)
    reader, writer = open_session(engine), open_session(engine)
    looks: dict[str, Any] = {"begin": "read only", "read_only": True}
    for text in ("create schema other", "create sequence other.q", "create view v as select 1 as a"):
        run(engine, writer, text)
    begun.clear()
    assert rows(run(engine, reader, "select a from v where a > 0", **looks)) == b'["1"]'
    assert run(engine, reader, "select error('no') as a from v where a > 0", **looks).error.message == "no"
    assert rows(run(engine, reader, "select a from v where a > 0", **looks)) == b'["1"]'
    assert begun == []
    run(engine, writer, "create view other.v as select nextval('other.q') as a")
    begun.clear()
    elsewhere = (SETTINGS[0], ("search_path", "other"))
    assert (
        perform(engine, evolve(execute(reader, "select a from v where a > 0", **looks), settings=elsewhere)).error.code
        == "25006"
    )
    assert rows(run(engine, reader, "select a from v where a > 0", **looks)) == b'["1"]'
    assert begun == ["read only"]
    run(engine, writer, "create or replace view v as select nextval('other.q') as a")
    assert run(engine, reader, "select a from v where a > 0", **looks).error.code == "25006"
    assert run(engine, reader, "select a from v where a > 0", commit=False, **looks).error.code == "25006"
    assert rows(run(engine, writer, "select a from v where a > 0")) == b'["1"]'


def test_a_query_that_stands_alone_and_is_left_leaves_nothing(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    many = "select i as a from range(100000) t(i) where i >= 0"
    first = run(engine, session, many, most=10)
    assert not first.batch.last
    assert session.connection is not None
    assert not session.connection.in_transaction
    assert rows(run(engine, session, "select 1")) == b'["1"]'
    run(engine, session, many, most=10)
    perform(engine, effects.CloseSession(session))
    assert rows(run(engine, open_session(engine), "select 2")) == b'["2"]'
