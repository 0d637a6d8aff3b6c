"""Stored sessions: SQLite, and what becomes of a store that fails."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path

import pytest

from fanlight.auth.effects import KeepSessions, KeptSession, LoadSessions
from fanlight_engines.auth.sessions import SqliteSessions, StoredSessions

NOW = time.time()


def kept(number: int, active: float = NOW) -> KeptSession:
    return KeptSession(bytes([number]) * 32, f"user {number}", active - 5, active, "0:mark")


def test_there_and_back(tmp_path: Path) -> None:
    path = str(tmp_path / "sessions.db")
    store = SqliteSessions(path)
    store.keep("main", [kept(1, NOW), kept(2, NOW - 100), kept(3)], [])
    store.keep("other", [kept(1)], [])
    store.keep("main", [kept(1, NOW + 1)], [kept(3).key, kept(9).key])
    store.close()
    assert os.stat(path).st_mode & 0o777 == 0o600
    again = SqliteSessions(path)
    assert again.load("main") == [kept(2, NOW - 100), kept(1, NOW + 1)]
    assert again.load("other") == [kept(1)]
    assert again.load("none") == []
    again.close()
    again.close()


def test_what_has_been_idle_for_too_long_is_not_kept(tmp_path: Path) -> None:
    store = SqliteSessions(str(tmp_path / "sessions.db"))
    store.keep("main", [kept(1), kept(2, NOW - 28_900)], [])
    assert store.load("main") == [kept(1)]
    store.close()


def test_all_or_nothing(tmp_path: Path) -> None:
    store = SqliteSessions(str(tmp_path / "sessions.db"))
    store.keep("main", [kept(1)], [])
    bad = KeptSession(kept(2).key, None, 0, NOW, "")  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        store.keep("main", [kept(3), bad], [kept(1).key])
    assert store.load("main") == [kept(1)]
    store.close()


def test_a_store_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "fanlight")
    (tmp_path / "sessions.db").write_text("this is no database, it is a poem of some length" * 10)
    for path in (tmp_path / "sessions.db", tmp_path / "none" / "sessions.db"):
        engine = StoredSessions(SqliteSessions(str(path)))
        assert engine.handlers[LoadSessions](LoadSessions("main")) is None
        assert engine.handlers[KeepSessions](KeepSessions("main", (kept(1),), ())) is False
        engine.close()
    assert "sessions cannot be stored: DatabaseError" in caplog.text
    assert "poem" not in caplog.text


def test_without_a_store() -> None:
    engine = StoredSessions(None)
    assert engine.handlers[LoadSessions](LoadSessions("main")) == ()
    assert engine.handlers[KeepSessions](KeepSessions("main", (), ())) is True
    engine.close()
