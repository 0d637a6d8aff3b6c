"""Sessions on DuckDB: each statement in turn, through the gate, to an answer.

A session borrows a connection when it first needs one.  Whatever fails leaves
it without a transaction.  A session never waits for anything that an interrupt
cannot end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from attrs import evolve

from fanlight.sql.changes import Rows, same
from fanlight.sql.effects import Batch, Evaluate, Evaluated, Execute, Executed, FetchRows, Interrupt, SqlFailed
from fanlight.sql.errors import CANCELLED, SqlError, Unreadable, wrong_parameters

from .connection import Connection, Parsed
from .errors import missing_table, sql_error
from .guard import DEFINING, REFUSED, guarded
from .readings import Stamp
from .relations import PREFIX
from .results import Interrupted, Result

if TYPE_CHECKING:
    from .engine import DuckDbEngine

Answer = TypeVar("Answer")
Outcome = Executed | Batch | Evaluated | SqlFailed
Work = Execute | FetchRows | Evaluate

EVALUATED = 64 * 1024
"""About how many bytes of rows are taken at once where all are kept."""

_NEVER_RAN = SqlFailed(CANCELLED, aborted=False)
_ROWS = frozenset({"SELECT", "EXPLAIN", "MULTI"})
# What a statement of these types leaves in the connection, others must not find.
_LEAVING = frozenset({"CREATE", "CREATE_FUNC", "DROP", "ALTER", "MULTI"})


class Session:
    """One session; any thread may call it, one at a time gets in.

    `sees_all`: it may read the privileged relations.
    """

    def __init__(self, engine: DuckDbEngine, number: int, user: str, *, may_write: bool, sees_all: bool) -> None:
        self.number = number
        self.user = user
        self.may_write = may_write
        self.sees_all = sees_all
        self.closed = False
        self.lock = Lock()
        self._guard = Lock()  # held for moments: while `running` changes and while DuckDB is interrupted
        self.connection: Connection | None = None
        self.running: Interrupt | None = None
        self._engine = engine
        self._result: Result | None = None
        self._commit = False
        self._limit = 0
        self._last: tuple[Interrupt, Outcome] | None = None

    @property
    def sight(self) -> Hashable:
        """Whose relations it reads; one that has made objects has its own."""
        connection = self.connection
        own = self.number if connection is not None and connection.dirty else 0
        return (self.user, self.sees_all, own)

    # Work that passes the gate.

    def perform(self, work: Work, run: Callable[[Connection], Outcome]) -> Outcome:
        """Do `work` when its turn comes; an interrupt before that ends the wait.

        Work that was interrupted before it began may come late, when the
        session is already at something else: it touches nothing.
        """
        if work.interrupt.asked:
            return _NEVER_RAN
        with self.lock:
            started = time.monotonic()
            self.running = work.interrupt
            try:
                outcome = self._admitted(work, run)
            except BaseException:
                self._fail(CANCELLED)
                raise
            finally:
                self._rest()
            outcome = evolve(outcome, elapsed=time.monotonic() - started)
            self._last = (work.interrupt, outcome)
        return outcome

    def press(self, interrupt: Interrupt) -> bool:
        """Interrupt DuckDB, if it still runs the work of `interrupt`; else False."""
        with self._guard:
            if self.running is not interrupt:
                return False
            if self.connection is not None:
                self.connection.cursor.interrupt()
            return True

    def _rest(self) -> None:
        """From here on no interrupt reaches the connection, which may soon be another session's."""
        with self._guard:
            self.running = None

    def _admitted(self, work: Work, run: Callable[[Connection], Outcome]) -> Outcome:
        if self.closed or not self._engine.gate.enter(work.interrupt):
            return _NEVER_RAN
        try:
            return self._guarded(work, run)
        finally:
            self._engine.gate.leave()

    def _guarded(self, work: Work, run: Callable[[Connection], Outcome]) -> Outcome:
        """Run, and turn what is raised into the failure that the client is told."""
        import duckdb

        try:
            return run(self.borrow())
        except Interrupted:
            return self._fail(CANCELLED)
        except Unreadable as refused:
            return self._fail(refused.error)
        except MemoryError:
            return self._fail(SqlError("out of memory", "53200"))
        except duckdb.Error as raised:
            if isinstance(raised, duckdb.FatalException):
                self._engine.broken()
            return self._fail(self._explained(raised, work.interrupt))

    def execute(self, work: Execute) -> Outcome:
        """Answers `Execute`."""
        return self.perform(work, lambda connection: self._execute(connection, work))

    def fetch(self, work: FetchRows) -> Outcome:
        """Answers `FetchRows`."""
        return self.perform(work, lambda connection: self._batch(connection, work.separator, work.most, work.interrupt))

    def evaluate(self, work: Evaluate) -> Outcome:
        """Answers `Evaluate`; without waiting for anything, if nothing that the query depends on has changed."""
        before = work.before
        if before is not None and isinstance(before.stamp, Stamp):
            self._engine.publish()
            if self._engine.readings.stamp(before.stamp.reading) == before.stamp:
                return before
        return self.perform(work, lambda connection: self._evaluate(connection, work))

    def _evaluate(self, connection: Connection, work: Evaluate) -> Outcome:
        asked = Execute(
            self, work.text, work.params, "read only", True, True, work.settings, b"\n", EVALUATED, work.most_bytes
        )
        asked = evolve(asked, interrupt=work.interrupt)
        connection.apply(work.settings)
        parsed = connection.parse(work.text)
        if isinstance(parsed, Parsed) and parsed.kind != "SELECT":
            return SqlFailed(SqlError("SUBSCRIBE takes a relation or a query", "42601"), aborted=False)
        readings = self._engine.readings
        self._engine.publish()
        reading = readings.of(connection.cursor, work.text, own=connection.dirty)
        stamp = readings.stamp(reading)
        first = self._execute(connection, asked)
        if not isinstance(first, Executed) or first.columns is None or first.batch is None:
            return first
        rows, size = self._all_rows(connection, first.batch, work)
        before = work.before
        if before is not None and before.columns == first.columns and same(before.rows, rows, _give_way):
            rows = before.rows
        return Evaluated(first.columns, rows, reading.constant, stamp, size=size)

    def _all_rows(self, connection: Connection, batch: Batch, work: Evaluate) -> tuple[Rows, int]:
        """The multiset of rows and their bytes.  Raises `Unreadable` when there are too many to keep."""
        rows: dict[bytes, int] = {}
        total = size = 0
        while True:
            total += batch.count
            size += batch.size
            if total > work.most_rows:
                raise Unreadable(SqlError(f"SUBSCRIBE keeps at most {work.most_rows} rows of a query", "53200"))
            for row in batch.data.split(b"\n") if batch.count else ():
                rows[row] = rows.get(row, 0) + 1
            if batch.last:
                return rows, size
            batch = self._batch(connection, b"\n", EVALUATED, work.interrupt)

    def _execute(self, connection: Connection, work: Execute) -> Outcome:
        connection.apply(work.settings)
        parsed = connection.parse(work.text)
        refused = parsed if isinstance(parsed, SqlError) else _refused(parsed, work)
        if isinstance(parsed, SqlError) or refused is not None:
            return SqlFailed(refused or CANCELLED, aborted=False)
        try:
            return self._run(connection, parsed, work)
        except Exception as raised:
            if not self._provide_missing(connection, raised) or not work.begin:
                raise
            connection.rollback()
        return self._run(connection, parsed, work)

    def _run(self, connection: Connection, parsed: Parsed, work: Execute) -> Outcome:
        connection.end_statement()
        alone = not self._provide(connection, parsed) and work.commit and bool(work.begin)
        if not alone or not connection.stands_alone(parsed, work.params, self._engine.definitions):
            connection.begin(work.begin)
        if work.interrupt.asked:
            raise Interrupted
        rows = parsed.kind in _ROWS and work.text[:6].upper() != "CREATE"
        defines = parsed.kind in DEFINING and not rows
        before = guarded(connection.cursor, work.text) if defines else None
        result = connection.execute(parsed, work.text, work.params, work.interrupt, work.separator)
        connection.dirty = connection.dirty or parsed.kind in _LEAVING
        if not work.read_only:
            connection.note(parsed.kind, work.text)
            self._engine.macros = self._engine.macros or connection.defines_functions(work.text)
        self._result, self._commit, self._limit = result, work.commit, work.limit
        if rows or (result.changed is None and parsed.kind not in _LEAVING):
            first = self._batch(connection, work.separator, work.most, work.interrupt)
            executed = Executed(result.columns, first, parsed.kind, 0, 0.0)
            if parsed.constant:
                self._engine.constants.keep(work, executed)
            return executed
        connection.complete()
        if defines and guarded(connection.cursor, work.text) != before:
            raise Unreadable(REFUSED)
        if parsed.kind.startswith("CREATE"):
            self._engine.catalogue.keep(work.text)
        self._finish(connection, work.interrupt)
        return Executed(None, None, parsed.kind.removesuffix("_INTO").removesuffix("_FUNC"), result.changed or 0, 0.0)

    def _batch(self, connection: Connection, separator: bytes, most: int, interrupt: Interrupt) -> Batch:
        if self._result is None:
            raise Interrupted
        batch = self._result.batch(separator, most, self._limit, interrupt)
        if batch.last:
            self._finish(connection, interrupt)
        return batch

    def _finish(self, connection: Connection, interrupt: Interrupt) -> None:
        """The statement is over: its snapshots go, and its transaction ends if it was to.

        An interrupt comes before the commit or not at all, so that nobody is
        told of a cancel whose statement was committed.
        """
        self._result = None
        connection.end_statement()
        if self._commit:
            self._rest()
            if interrupt.asked:
                raise Interrupted
            self._engine.commit(connection)

    def _fail(self, error: SqlError) -> SqlFailed:
        """Roll back, out of reach of the interrupt that may have been the cause."""
        self._rest()
        self._result = None
        connection = self.connection
        if connection is not None:
            connection.rollback()
            if connection.broken:
                self.connection = None
                connection.close()
        return SqlFailed(error, aborted=True)

    def _explained(self, raised: BaseException, interrupt: Interrupt) -> SqlError:
        """The error of a live relation is the relation's; one of DuckDB's is translated."""
        relation = self.connection.failed_relation() if self.connection else None
        if relation is not None:
            return SqlError(f'relation "{relation}" could not be read', "58000")
        name = missing_table(raised) or ""
        hidden = self._engine.catalogue.by_live(name) if name.startswith(PREFIX) else None
        if hidden is not None and hidden.privileged and not self.sees_all:
            return SqlError(f"permission denied for relation {hidden.name}", "42501")
        return CANCELLED if interrupt.asked else sql_error(raised)

    # Live relations.

    def _provide(self, connection: Connection, parsed: Parsed) -> bool:
        """Register what the statement may read, as far as this session may; whether that is anything."""
        self._engine.publish()
        relations = self._engine.catalogue.read_by(parsed.words)
        for relation in relations:
            if self.sees_all or not relation.privileged:
                connection.provide(relation)
        return bool(relations)

    def _provide_missing(self, connection: Connection, raised: BaseException) -> bool:
        """A view of the database needed a relation that its user did not name: have it registered."""
        relation = self._engine.catalogue.by_live(missing_table(raised) or "")
        if relation is None or (relation.privileged and not self.sees_all):
            return False
        connection.rollback()
        connection.provide(relation)
        return True

    # Work that never waits at the gate.

    def check(self, texts: Sequence[str]) -> tuple[SqlError | None, ...]:
        """What DuckDB's parser has against each text."""
        with self.lock:
            connection = self.borrow()
            found = [connection.parse(text) for text in texts]
        return tuple(parsed if isinstance(parsed, SqlError) else None for parsed in found)

    def configure(self, settings: tuple[tuple[str, str], ...], before: tuple[tuple[str, str], ...]) -> SqlError | None:
        """Try new settings; go back to `before` when one is refused."""
        import duckdb

        with self.lock:
            connection = self.borrow()
            try:
                connection.apply(settings)
            except duckdb.Error:
                name, value = next(pair for pair, old in zip(settings, before, strict=True) if pair != old)
                connection.rollback()
                connection.apply(before)
                code = "3F000" if name == "search_path" else "22023"
                return SqlError(f'invalid value for parameter "{name}": "{value}"', code)
        return None

    def settle(self, interrupt: Interrupt) -> Outcome | None:
        """The outcome of interrupted work, as soon as it has one."""
        with self.lock:
            last, self._last = self._last, None
        return last[1] if last is not None and last[0] is interrupt else None

    def end(self, *, commit: bool) -> SqlError | None:
        """End the transaction; why a commit failed."""
        import duckdb

        with self.lock:
            self._result = None
            connection = self.connection
            if connection is None:
                return None
            if not commit:
                connection.rollback()
                return None
            try:
                connection.complete()
                self._engine.commit(connection)
            except duckdb.Error as raised:
                connection.rollback()
                return sql_error(raised)
        return None

    def forget(self) -> None:
        """Drop the connection, and all that the session gathered in it, for a new one."""
        with self.lock:
            connection, self.connection = self.connection, None
            if connection is not None:
                connection.rollback()
                connection.close()

    def borrow(self) -> Connection:
        """The session's connection; taken from the engine when there is none yet."""
        if self.connection is None:
            self.connection = self._engine.lend(sees_all=self.sees_all)
            self.connection.identify(self.user)
        return self.connection

    def release(self) -> bool:
        """Close at once, if that takes no call into DuckDB; else False."""
        if not self.lock.acquire(blocking=False):
            return False
        try:
            connection = self.connection
            if connection is not None:
                if connection.in_transaction or self._result is not None or connection.dirty or connection.broken:
                    return False
                if not self._engine.take_back(connection, sees_all=self.sees_all):
                    return False
                self.connection = None
            self.closed = True
            return True
        finally:
            self.lock.release()

    def close(self) -> None:
        """Roll back and close; waits for what runs, so interrupt that first."""
        with self.lock:
            self.closed = True
            self._result = None
            connection, self.connection = self.connection, None
            if connection is None:
                return
            connection.rollback()
            if connection.dirty or connection.broken or not self._engine.take_back(connection, sees_all=self.sees_all):
                connection.close()


def _give_way() -> None:
    """Let other threads have their turn."""
    time.sleep(0)


def _refused(parsed: Parsed, work: Execute) -> SqlError | None:
    """Why a statement that parses does not run: the sandbox, or its parameters."""
    refused = parsed.refused[work.read_only]
    if refused is not None:
        return refused
    for name in parsed.parameters:
        if not name.isdigit() or name == "0":
            return SqlError(f"there is no parameter ${name}", "42P02")
    required = max(map(int, parsed.parameters), default=0)
    if required != len(work.params):
        return wrong_parameters(len(work.params), work.text, required)
    return None
