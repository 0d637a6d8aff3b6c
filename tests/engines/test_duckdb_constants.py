"""Answers that are kept: those of literals alone, told without a thread and without DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve

from fanlight.app import App
from fanlight.sql import effects
from fanlight_engines.duckdb.constants import KEPT, is_constant
from fanlight_engines.duckdb.engine import DuckDbEngine
from tests.engines.test_duckdb import execute, open_session, perform, rows, run


@pytest.fixture
def engine() -> Iterator[DuckDbEngine]:
    engine = DuckDbEngine(App(sql_writers="everybody"))
    perform(engine, effects.StartEngine())
    yield engine
    engine.close()


def promptly(engine: DuckDbEngine, session: Any, text: str, **changes: Any) -> Any:
    """What the engine answers at once."""
    return engine.prompt[effects.Execute](evolve(execute(session, text), **changes))


def test_a_known_constant_is_told_at_once(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    assert promptly(engine, session, "select 1 as a, 'ü'") is None
    long_way = evolve(run(engine, session, "select 1 as a, 'ü'"), elapsed=0.0)
    other = open_session(engine)
    assert promptly(engine, other, "select 1 as a, 'ü'") == long_way
    assert rows(long_way) == '["1","ü"]'.encode()
    with session.lock:
        assert engine.gate.enter(effects.Interrupt())
        assert promptly(engine, session, "select 1 as a, 'ü'") == long_way  # nobody is waited for
        engine.gate.leave()


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("select a from range(3) t(a)", {}),
        ("select 1 / 0", {}),
        ("select current_user", {}),
        ("insert into x values (1)", {}),
        ("explain select 1", {}),
        ("select $1", {"params": ("x",)}),
        ("selekt 1", {}),
    ],
)
def test_what_may_be_another_is_never_kept(engine: DuckDbEngine, text: str, changes: dict[str, Any]) -> None:
    session = open_session(engine)
    run(engine, session, "create table x (a integer)")
    run(engine, session, text, **changes)
    assert promptly(engine, session, text, **changes) is None


@pytest.mark.parametrize("changes", [{"commit": False}, {"begin": ""}, {"limit": 4}, {"params": ("1",)}])
def test_what_is_asked_otherwise_goes_the_long_way(engine: DuckDbEngine, changes: dict[str, Any]) -> None:
    session = open_session(engine)
    run(engine, session, "select 1")
    assert promptly(engine, session, "select 1") is not None
    assert promptly(engine, session, "select 1", **changes) is None


def test_what_was_stopped_is_not_answered(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    run(engine, session, "select 1")
    work = execute(session, "select 1")
    work.interrupt.asked = True
    assert engine.prompt[effects.Execute](work) is None
    assert isinstance(perform(engine, work), effects.SqlFailed)


def test_the_number_of_kept_answers_is_bounded(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    for number in range(KEPT + 1):
        run(engine, session, f"select {number}")
    assert promptly(engine, session, "select 0") is None
    assert promptly(engine, session, "select 1") is not None


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ("select 1", True),
        ("SELECT 1 AS a, 'x' \"b\", null, true as t -- all of it", True),
        ("select", False),
        ("select 1,", False),
        ("select a", False),
        ("select $1", False),
        ("select -1", False),
        ("select 1 + 1", False),
        ("select (1)", False),
        ("select 1 from t", False),
        ("select now()", False),
        ("select 1 where pg_sleep", False),
        ("values (1)", False),
        ("", False),
        ("select '" + "x" * 256 + "'", False),
    ],
)
def test_constants(text: str, constant: bool) -> None:
    assert is_constant(text) is constant
