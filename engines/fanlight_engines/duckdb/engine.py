"""The embedded engine: SQL over the live process, done by DuckDB.

One in-memory instance for a server, opened at the first session; until then
nothing is imported.  Statements run in the threads that ask, two at a time.
This module keeps sessions, connections and interrupts; what may run is decided
in `duckdb_instance`, how in `duckdb_session`.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from fanlight.relations import Relation
from fanlight.sql import effects
from fanlight.sql.effects import Evaluate, Execute, FetchRows, Interrupt, SessionRefused
from fanlight.sql.errors import SqlError, Unreadable
from fanlight.sql.grammar import read_script
from fanlight.sql.lexer import words
from fanlight.sql.request import read_text
from fanlight.sql.statements import Statement

from . import spool as duckdb_spool
from .constants import Constants
from .gate import Gate
from .instance import available, open_instance
from .readings import Readings
from .relations import Catalogue, Source, live_name, view_script

if TYPE_CHECKING:
    from .connection import Connection
    from .session import Session

log = logging.getLogger("fanlight")

RUNNING = 2
"""Statements that run at once; more only get in each other's and the host's way."""

SPARE = 8
"""Idle connections that are kept for the next session."""

_LIMIT_HINT = "Drop an existing connection or contact support to request a limit increase."
_CLOSE_SECONDS = 5.0


class SqlSettings(Protocol):
    """What is read of an `App`."""

    @property
    def relations(self) -> Mapping[str, Relation]:
        """The live relations, by name; may grow at any time."""
        ...

    @property
    def sql_writers(self) -> str:
        """`everybody`, or `privileged`: internal users and superusers only."""
        ...

    @property
    def sql_connections(self) -> int:
        """How many sessions may be open at once."""
        ...


class DuckDbEngine:
    """Answers the effects of `fanlight.sql.effects`.  Any thread may call any of its methods.

    `active_statements` is how many statements run right now.  `writes` and
    `definitions` count what was committed, `macros` says that a client has
    defined functions.  `process` are the relations that are there beside the
    app's, and stay as they are.
    """

    def __init__(self, app: SqlSettings, process: Sequence[Relation] = ()) -> None:
        self._app = app
        self._process = process
        self.gate = Gate(RUNNING)
        self.catalogue = Catalogue(app.relations, process)
        self.readings = Readings(self)
        self.constants = Constants()
        self.definitions = self.writes = 0
        self.macros = False
        self._numbers = count(1)
        self._sessions: set[Session] = set()
        self._spare: dict[bool, list[Connection]] = {True: [], False: []}
        self._instance: Any = None
        self._lock = threading.RLock()
        self._closed = False
        self._persistence = _Persistence()
        self.handlers: Mapping[type, Callable[[Any], Any]] = {
            effects.OpenSession: self._open_session,
            effects.StartEngine: self._start,
            effects.ReadRequest: lambda effect: read_text(effect.data),
            effects.ReadScript: _read_script,
            effects.CheckSyntax: lambda effect: effect.session.check(effect.texts),
            effects.Configure: lambda effect: effect.session.configure(effect.settings, effect.before),
            effects.Execute: lambda effect: effect.session.execute(effect),
            effects.FetchRows: lambda effect: effect.session.fetch(effect),
            effects.Evaluate: lambda effect: effect.session.evaluate(effect),
            effects.Compare: _compare,
            effects.Settle: lambda effect: effect.session.settle(effect.work.interrupt),
            effects.EndTransaction: lambda effect: effect.session.end(commit=effect.commit),
            effects.Forget: lambda effect: effect.session.forget(),
            effects.Release: self._release,
            effects.CloseSession: self._close_session,
            effects.OpenSpool: duckdb_spool.open_spool,
            effects.WriteSpool: duckdb_spool.write_spool,
            effects.ReadSpool: duckdb_spool.read_spool,
            effects.CloseSpool: duckdb_spool.close_spool,
        }
        self.prompt: Mapping[type, Callable[[Any], Any]] = {
            effects.Execute: self.constants.answer,
        }
        # These may wait long for their turn: a performer that gives them `own_threads`
        # threads of their own keeps the others free for everything else.
        self.own_threads = RUNNING
        self.own_effects: frozenset[type] = frozenset({effects.Execute, effects.FetchRows, effects.Evaluate})
        self.interrupts: Mapping[type, Callable[[Any], None]] = {
            effects.Execute: self._interrupt,
            effects.FetchRows: self._interrupt,
            effects.Evaluate: self._interrupt,
        }

    @property
    def active_statements(self) -> int:
        """How many statements run right now."""
        return self.gate.inside

    @property
    def open_sessions(self) -> int:
        """How many sessions are open."""
        return len(self._sessions)

    # Sessions.

    def _open_session(self, effect: effects.OpenSession) -> Session | SessionRefused | None:
        if self._instance is None:
            return None
        limit, current = self._app.sql_connections, len(self._sessions)
        if current >= limit:
            numbers = f"(desired: {current + 1}, limit: {limit}, current: {current})"
            message = f"creating connection would violate max_connections limit {numbers}"
            return SessionRefused(500, SqlError(message, "53000", hint=_LIMIT_HINT))
        privileged = effect.identity.privileged
        from .session import Session  # with DuckDB, which comes now as well

        session = Session(
            self,
            next(self._numbers),
            effect.identity.user,
            may_write=privileged or self._app.sql_writers == "everybody",
            sees_all=privileged or effect.open_relations,
        )
        self._sessions.add(session)
        return session

    def _release(self, effect: effects.Release) -> bool:
        session: Any = effect.session
        released: bool = session.release()
        if released:
            self._sessions.discard(session)
        return released

    def _close_session(self, effect: effects.CloseSession) -> None:
        session: Any = effect.session
        running = session.running
        if running is not None:
            self._stop(session, running)
        session.close()
        self._sessions.discard(session)

    # Interrupts.

    def _interrupt(self, effect: Execute | FetchRows | Evaluate) -> None:
        self._stop(effect.session, effect.interrupt)

    def _stop(self, session: Any, interrupt: Interrupt) -> None:
        """Ask for an interrupt, and go on asking DuckDB until the work has ended.

        DuckDB forgets an interrupt that comes when it is between two calls, so
        one is not enough.
        """
        interrupt.asked = True
        self.gate.send_away(interrupt)
        if session.running is interrupt:
            self._persistence.insist(session, interrupt)

    # The instance.

    def _start(self, effect: effects.StartEngine) -> bool:
        with self._lock:
            if self._instance is None and not self._closed and available():
                try:
                    self._instance = open_instance()
                    self.publish()
                    _prepare()
                except Exception:
                    log.exception("the SQL engine did not start")
                    self._instance = None
                else:
                    _at_exit(self.close)
            return self._instance is not None

    def publish(self) -> None:
        """Make the views of relations that came since the last call."""
        if not self.catalogue.missing():
            return
        with self._lock:
            instance = self._instance
            for relation in self.catalogue.missing():
                instance.register(live_name(relation), Source(relation))
                instance.execute(view_script(relation))
                self.catalogue.added(relation)
                self.definitions += 1

    def lend(self, *, sees_all: bool) -> Connection:
        """A connection for a session; those that saw privileged relations never go to one that may not."""
        with self._lock:
            spare = self._spare[sees_all]
            if spare:
                return spare.pop()
            from .connection import Connection

            return Connection(self._instance.cursor(), self.catalogue)

    def commit(self, connection: Connection) -> None:
        """Commit, and count what was changed: after it, so that nobody has the number without the change."""
        wrote = connection.wrote
        connection.commit()
        if wrote:
            with self._lock:
                self.writes += 1
                self.definitions += wrote == "definitions"

    def take_back(self, connection: Connection, *, sees_all: bool) -> bool:
        """Keep an idle, clean connection for the next session; False if there are enough."""
        spare = self._spare[sees_all]
        if self._closed or len(spare) >= SPARE:
            return False
        spare.append(connection)
        return True

    def broken(self) -> None:
        """The instance has failed for good: the next session gets a new one."""
        with self._lock:
            self._instance = None
            self._spare = {True: [], False: []}
            self.definitions += 1
            self.catalogue = Catalogue(self._app.relations, self._process)

    def close(self) -> None:
        """Stop every statement, close every session, end the instance.  Does nothing the second time.

        A thread that is inside DuckDB when the interpreter ends aborts the
        process, so this runs at exit too.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
        deadline = time.monotonic() + _CLOSE_SECONDS
        sessions = list(self._sessions)
        for session in sessions:
            session.closed = True
            if session.running is not None:
                self._stop(session, session.running)
        for session in sessions:
            if session.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                session.lock.release()
                session.close()
        for connections in self._spare.values():
            while connections:
                connections.pop().close()
        self._sessions.clear()
        instance, self._instance = self._instance, None
        if instance is not None:
            instance.close()


def _prepare() -> None:
    """Have done here what the first statement would do on the loop."""
    from . import session  # noqa: F401  # pyright: ignore[reportUnusedImport]

    words("")  # compiles the lexer's pattern


def _read_script(effect: effects.ReadScript) -> tuple[Statement, ...] | SqlError:
    try:
        return read_script(effect.text)
    except Unreadable as refused:
        return refused.error


def _compare(effect: effects.Compare) -> list[bytes]:
    return effect.shape.payloads(effect.before, effect.after, lambda: time.sleep(0))


def _at_exit(close: Callable[[], None]) -> None:
    """Have `close` called before the interpreter waits for its threads, where it lets us, else after."""
    early = getattr(threading, "_register_atexit", None)
    if early is not None:
        try:
            early(close)
            return
        except RuntimeError:  # it is ending already
            pass
    atexit.register(close)


class _Persistence:
    """Repeats interrupts until they are heeded: one thread, there only while there is something to repeat."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[tuple[Any, Interrupt]] = []
        self._thread: threading.Thread | None = None

    def insist(self, session: Any, interrupt: Interrupt) -> None:
        """Interrupt `session` until it no longer runs the work of `interrupt`."""
        if not session.press(interrupt):
            return
        with self._lock:
            self._open.append((session, interrupt))
            if self._thread is None:
                self._thread = threading.Thread(target=self._repeat, name="fanlight-interrupt", daemon=True)
                self._thread.start()

    def _repeat(self) -> None:
        while True:
            time.sleep(0.005)
            with self._lock:
                self._open = [(session, interrupt) for session, interrupt in self._open if session.press(interrupt)]
                if not self._open:
                    self._thread = None
                    return
