"""An advisory lock of PostgreSQL: for processes that share a database.

The lock belongs to the session, so it is ours as long as the connection lives,
and PostgreSQL gives it back when that ends.  It is tried again and again and
not waited for: a statement that waits holds a snapshot, and the database could
clean up nothing meanwhile.  Whether the session is still there is asked without
blocking, so that the thread can always be ended, and a server that does not
answer in time counts as gone.
"""

from __future__ import annotations

import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from .leaders import Lock, Pause

if TYPE_CHECKING:
    import psycopg

    from fanlight.health.leadership import PostgresAdvisoryLockLeader

CONNECT_SECONDS = 4
"""Less than what the end of a server waits for the thread."""


def key_number(key: int | str) -> int:
    """The 64-bit number of a lock: the number itself, or the first eight bytes of the SHA-256 of the name."""
    if isinstance(key, int):
        return key
    return int.from_bytes(sha256(key.encode()).digest()[:8], "big", signed=True)


class AdvisoryLock(Lock):
    """The lock `key` of the database that `conninfo` names."""

    def __init__(self, leader: PostgresAdvisoryLockLeader) -> None:
        self._leader = leader
        self._key = key_number(leader.key)
        self._connection: psycopg.Connection[Any] | None = None

    def take(self, pause: Pause) -> bool:
        """Raises what psycopg raises when there is no connection to be had."""
        if self._connection is None:
            self._connection = self._connect()
        answer = self._ask(b"select pg_try_advisory_lock(%d)" % self._key, pause)
        if answer is None:
            self.give_back()
            if not pause.ended:
                raise ConnectionError("no answer")
        if answer == b"t":
            # Numbers of transactions only grow, over all databases and restarts of a server; a standby has none.
            epoch = self._ask(b"select txid_current()", pause)
            self.epoch = int(epoch) if epoch is not None else None
        return answer == b"t"

    def hold(self, pause: Pause) -> str:
        """Waits on the socket: a session that PostgreSQL ends is noticed at once."""
        assert self._connection is not None
        if not pause(self._leader.check_seconds, self._connection.fileno()):
            return ""
        if self._ask(b"select 1", pause) == b"1" or pause.ended:
            return ""
        return "the connection to PostgreSQL is gone"

    def give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> psycopg.Connection[Any]:
        import psycopg

        connection = psycopg.connect(
            self._leader.conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name="fanlight leader"
        )
        connection.pgconn.nonblocking = 1
        return connection

    def _ask(self, query: bytes, pause: Pause) -> bytes | None:
        """The one value that a query answers; None when there is no answer in `check_seconds`, or never will be."""
        import psycopg

        assert self._connection is not None
        pgconn = self._connection.pgconn
        until = time.monotonic() + self._leader.check_seconds
        try:
            pgconn.send_query(query)
            while pgconn.flush() or pgconn.is_busy():
                left = until - time.monotonic()
                if left <= 0 or not pause(left, pgconn.socket):
                    return None
                pgconn.consume_input()
            result, value = pgconn.get_result(), None
            while result is not None:
                if result.status == psycopg.pq.ExecStatus.TUPLES_OK:
                    value = result.get_value(0, 0)
                result = pgconn.get_result()
        except psycopg.Error:
            return None
        return value
