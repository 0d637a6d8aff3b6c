"""Each session is its user's, also on a connection that another one has used before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fanlight.app import App
from fanlight.auth.identity import Identity
from fanlight.sql import effects
from fanlight.sql.effects import Execute, Executed
from fanlight_engines.duckdb.engine import DuckDbEngine

SETTINGS = (("TimeZone", "UTC"), ("search_path", "public"))


@pytest.fixture
def engine() -> Iterator[DuckDbEngine]:
    engine = DuckDbEngine(App())
    assert engine.handlers[effects.StartEngine](effects.StartEngine())
    yield engine
    engine.close()


def ask(engine: DuckDbEngine, user: str, text: str) -> Any:
    """The first column of the first row, for a session of `user` that ends afterwards."""
    session = engine.handlers[effects.OpenSession](effects.OpenSession(Identity(user)))
    work = Execute(
        session,
        text,
        settings=SETTINGS,
        separator=b"\n",
        limit=10**6,
        begin="read only",
        commit=True,
        read_only=True,
        most=10,
        params=(),
    )
    answer = engine.handlers[Execute](work)
    engine.handlers[effects.CloseSession](effects.CloseSession(session))
    assert isinstance(answer, Executed), answer
    assert answer.batch is not None
    return bytes(answer.batch.data)


@pytest.mark.parametrize("spelling", ["current_user", "current_user()", "session_user", "user"])
def test_a_session_knows_its_user(engine: DuckDbEngine, spelling: str) -> None:
    assert ask(engine, "ada", f"select {spelling} as u") == b'["ada"]'


def test_the_next_session_of_a_connection_is_its_own(engine: DuckDbEngine) -> None:
    users = ["ada", "bob", "o'neill", "mz_system", "ada"]
    assert [ask(engine, user, "select current_user as u") for user in users] == [
        f'["{user}"]'.encode() for user in users
    ]
