"""What belongs to the server stays, whatever those who write do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("duckdb")

from fanlight.app import App
from fanlight.auth.identity import Identity
from fanlight.relations import Column, Relation
from fanlight.sql import effects
from fanlight.sql.effects import Execute, Executed, SqlFailed
from fanlight_engines.duckdb.engine import DuckDbEngine

BIRDS = Relation("birds", (Column("name", "text"),), lambda: [("wren",)])
ORDINARY = (("TimeZone", "UTC"), ("search_path", "public"))
INSIDE = (("TimeZone", "UTC"), ("search_path", "process, public"))


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDbEngine]:
    app = App(sql_writers="everybody")
    app.relations["birds"] = BIRDS
    engine = DuckDbEngine(app)
    assert engine.handlers[effects.StartEngine](effects.StartEngine())
    yield engine
    engine.close()


def run(engine: DuckDbEngine, text: str, settings: tuple[tuple[str, str], ...] = ORDINARY) -> Any:
    session = engine.handlers[effects.OpenSession](effects.OpenSession(Identity("ada"), True))
    work = Execute(session, text, (), "read write", True, False, settings, b",", 10**6, 10**9)
    answer = engine.handlers[Execute](work)
    engine.handlers[effects.CloseSession](effects.CloseSession(session))
    return answer


def state(engine: DuckDbEngine) -> list[bytes]:
    texts = ("select name from process.birds", "select current_user as u", "select current_schema() as s")
    return [answer.batch.data for answer in (run(engine, text) for text in texts)]


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("drop schema process cascade", ORDINARY),
        ("drop schema if exists materialize.public cascade", ORDINARY),
        ("drop view process.birds", ORDINARY),
        ("drop view birds", INSIDE),
        ("create or replace view process.birds as select 'x' as name", ORDINARY),
        ("create or replace view birds as select 'x' as name", INSIDE),
        ("alter view process.birds rename to eagles", ORDINARY),
        ("comment on view process.birds is 'x'", ORDINARY),
        ("create table process.mine (a integer)", ORDINARY),
        ("create or replace table process.mine as pivot (select 1 as a) on a using count(*)", ORDINARY),
        ("create sequence mine", INSIDE),
        ("create type process.mine as enum ('a')", ORDINARY),
        ("create macro process.upper(x) as 'x'", ORDINARY),
        ("create macro upper(x) as 'x'", INSIDE),
        ("drop macro current_user", ORDINARY),
        ("create or replace macro current_user() as 'mz_system'", ORDINARY),
        ('create or replace function "Session_User"() as 1', ORDINARY),
        ("explain analyze create or replace table mine as select 1", ORDINARY),
    ],
)
def test_what_belongs_to_the_server_stays(
    engine: DuckDbEngine, text: str, settings: tuple[tuple[str, str], ...]
) -> None:
    answer = run(engine, text, settings)
    assert isinstance(answer, SqlFailed)
    assert answer.error.code == "42501"
    assert state(engine) == [b'["wren"]', b'["ada"]', b'["public"]']


@pytest.mark.parametrize(
    ("texts", "command"),
    [
        (("create schema mine", "create table mine.t (a integer)", "drop schema mine cascade"), "DROP"),
        (("create view robins as select name from process.birds", "drop view robins"), "DROP"),
        (("create macro theirs(x) as x", "create or replace macro theirs(x) as x + 1", "drop macro theirs"), "DROP"),
        (("create or replace temp view birds as select 7 as name",), "CREATE"),
        (("create or replace table counts as pivot (select 1 as a) on a using count(*)",), "MULTI"),
    ],
)
def test_everything_else_may_be_defined(engine: DuckDbEngine, texts: tuple[str, ...], command: str) -> None:
    answers = [run(engine, text) for text in texts]
    assert all(isinstance(answer, Executed) and answer.columns is None for answer in answers)
    assert answers[-1].command == command
    assert state(engine) == [b'["wren"]', b'["ada"]', b'["public"]']
