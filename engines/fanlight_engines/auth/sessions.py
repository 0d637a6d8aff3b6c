"""Sessions that outlive the process: a store behind two effects, and one in SQLite.

A store has the hash of each session's id, never the id: who reads its file
cannot use what it holds.  All calls come from one thread of its own.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fanlight.auth.effects import KeepSessions, KeptSession, LoadSessions, SessionStore
from fanlight.auth.session_table import IDLE_SECONDS

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger("fanlight")

_TABLE = """
create table if not exists sessions (
    listener text not null, key blob not null, user text not null,
    created real not null, active real not null, mark text not null,
    primary key (listener, key)
) without rowid
"""


class SqliteSessions:
    """Sessions in an SQLite file, made with mode 0600 when it is not there.

    The file is opened when it is first asked.  Raises OSError and
    `sqlite3.Error`.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            import sqlite3  # a megabyte that only those with a session file need

            made = sqlite3.connect(self._path, timeout=5.0, isolation_level=None, check_same_thread=False)
            try:
                # A crash of the machine may cost the last few seconds: those users log in again.
                made.execute("pragma journal_mode = wal")
                made.execute("pragma synchronous = normal")
                made.execute(_TABLE)
            except BaseException:
                made.close()
                raise
            self._connection = made
        return self._connection

    def load(self, listener: str) -> Sequence[KeptSession]:
        """Those of a listener that were in use within the idle time, longest idle first."""
        connection = self._open()
        connection.execute("delete from sessions where active < ?", (time.time() - IDLE_SECONDS,))
        rows = connection.execute(
            "select key, user, created, active, mark from sessions where listener = ? order by active", (listener,)
        )
        return [KeptSession(*row) for row in rows]

    def keep(self, listener: str, saved: Sequence[KeptSession], dropped: Sequence[bytes]) -> None:
        """All of it or nothing."""
        connection = self._open()
        connection.execute("begin immediate")
        try:
            connection.executemany(
                "delete from sessions where listener = ? and key = ?", [(listener, key) for key in dropped]
            )
            connection.executemany(
                "insert or replace into sessions values (?, ?, ?, ?, ?, ?)",
                [(listener, kept.key, kept.user, kept.created, kept.active, kept.mark) for kept in saved],
            )
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise

    def close(self) -> None:
        """Close the file.  A later call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class StoredSessions:
    """The engine between the effects and a store.  What the store raises is reported by type, and fails the effect."""

    interrupts: Mapping[type, Callable[[Any], None]] = {}
    own_effects: frozenset[type] = frozenset({LoadSessions, KeepSessions})
    own_threads = 1

    def __init__(self, store: SessionStore | None) -> None:
        self._store = store
        self.handlers: Mapping[type, Callable[[Any], Any]] = {LoadSessions: self._load, KeepSessions: self._keep}

    def _load(self, effect: LoadSessions) -> tuple[KeptSession, ...] | None:
        """A store that cannot be read is not an empty one: nobody is let in, and nobody loses a session by it."""
        try:
            return tuple(self._store.load(effect.listener)) if self._store is not None else ()
        except Exception as error:  # noqa: BLE001  a store may be anybody's
            log.warning("stored sessions cannot be read: %s", type(error).__name__)
            return None

    def _keep(self, effect: KeepSessions) -> bool:
        try:
            if self._store is not None:
                self._store.keep(effect.listener, effect.saved, effect.dropped)
        except Exception as error:  # noqa: BLE001  a store may be anybody's
            log.warning("sessions cannot be stored: %s", type(error).__name__)
            return False
        return True

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
