"""A SQL session: transactions, variables and prepared statements, one statement at a time.

A `Session` decides what a statement means and asks the engine for the rest.
It never speaks JSON or HTTP: results go to a `Sink`.  The rules are those of
PostgreSQL's simple protocol: a group of statements without BEGIN is one
implicit transaction, undone as a whole by an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from json import dumps
from typing import Any, Literal, Protocol

from attrs import evolve, frozen

from ..asks import Ask, Moment, Sleep
from ..http.websocket import StopWork
from . import errors, statements
from .clock import Clock
from .effects import (
    Batch,
    Begin,
    CheckSyntax,
    Configure,
    EndTransaction,
    Execute,
    Executed,
    FetchRows,
    Forget,
    SqlFailed,
    SqlSession,
)
from .errors import Notice, SqlError
from .prepared import PreparedStatements
from .sink import Sink
from .statements import Statement
from .system import ALONE, DENIED, SystemAccess
from .values import BOOL_OID, Descriptor, text_column
from .variables import Parameter, Variables, lookup, rows

State = Literal["idle", "implicit", "explicit", "failed"]


@frozen
class Done:
    """A statement ended well; `parameters` are the reported variables that it changed."""

    tag: str
    parameters: tuple[Parameter, ...] = ()


@frozen
class Failure:
    """A statement failed.  `harmless`: it did not even begin, so an open transaction block goes on."""

    error: SqlError
    harmless: bool = False


Outcome = Done | Failure

TURN = 8
"""Statements after which the host's loop has a turn: the shortest run on it, for tenths of a millisecond each."""


class Subscriber(Protocol):
    """What a transport that can stream gives a session, for SUBSCRIBE."""

    async def run(self, statement: Statement, params: Sequence[str | None], /) -> SqlError | None:
        """Tell the client of changes until there can be no more; returns why it ended, None for well."""
        ...


class Session:
    """The session layer over one session of an engine.

    `state` is the transaction's: `implicit` only while a group runs.
    `result_limit` is in bytes.  `watch` stops a statement when it is answered
    before the engine is done; `subscriber` carries SUBSCRIBE where there is one,
    `system` what the client may do with system variables.
    The owner ends `handle`, whatever happens.
    """

    def __init__(
        self, handle: SqlSession, variables: Variables, result_limit: int, watch: Ask[Any] | None = None
    ) -> None:
        self.handle = handle
        self.variables = variables
        self.result_limit = result_limit
        self.watch = watch
        self.subscriber: Subscriber | None = None
        self.system: SystemAccess | None = None
        self.state: State = "idle"
        self.notices: list[Notice] = []
        self._opened = False  # the engine has a transaction open
        self._read_only = False  # the client asked for a read-only transaction
        self._subscribed = False  # the transaction is a SUBSCRIBE's
        self._alone = False  # the statement is all of its transaction
        self._prepared = PreparedStatements()

    @property
    def status(self) -> Literal["I", "T", "E"]:
        """The transaction between requests: none, a block, or one that has failed."""
        return "E" if self.state == "failed" else "T" if self.state == "explicit" else "I"

    async def roll_back(self) -> None:
        """End an open transaction block from outside: it has been idle for too long."""
        await self._end(commit=False)

    async def start(self, options: Sequence[tuple[str, str]]) -> None:
        """Apply startup options; one that is refused becomes a notice."""
        for name, value in options:
            refused = await self._assign(name, value, start=True)
            if refused is not None:
                self.notices.append(Notice(f"startup setting {name} not set: {refused.message}"))

    async def run_group(self, group: Sequence[tuple[Statement, Sequence[str | None]]], sink: Sink) -> bool:
        """Run a group of statements, each with its parameters; False if one failed.

        An implicit transaction is committed with the last of them, before its
        result is told; a commit that fails is told instead of it.
        """
        for index, (statement, params) in enumerate(group):
            last = index == len(group) - 1
            if index and not index % TURN:
                await Sleep(0)
            outcome = await self._run(statement, params, sink, last=last)
            if isinstance(outcome, Failure):
                await self._fail(outcome)
                await sink.failed(outcome.error, self.take_notices())
                return False
            await sink.done(outcome.tag, self.take_notices(), outcome.parameters)
        return True

    def take_notices(self) -> list[Notice]:
        """The notices raised since the last call that the client wants to see."""
        taken, self.notices = self.notices, []
        return [notice for notice in taken if self.variables.wants(notice.severity)]

    async def _run(self, statement: Statement, params: Sequence[str | None], sink: Sink, *, last: bool) -> Outcome:
        action = statement.action
        if self.state == "failed" and not isinstance(action, statements.Commit | statements.Rollback):
            return Failure(errors.ABORTED)
        self._alone = last and self.state == "idle"
        if self.state == "idle":
            self.state = "implicit"
            self.variables.begin()
        if isinstance(action, statements.Run):
            outcome = await self._execute(statement, params, sink, last=last)
        elif params and not isinstance(action, _WITH_PARAMETERS):
            outcome = Failure(errors.wrong_parameters(len(params), statement.text, 0))
        else:
            outcome = await self._carry_out(statement, params, sink, last=last)
        if last and self.state == "implicit" and isinstance(outcome, Done):
            return await self._commit_implicit(outcome)
        return outcome

    async def _carry_out(
        self, statement: Statement, params: Sequence[str | None], sink: Sink, *, last: bool
    ) -> Outcome:
        """A statement of the session layer itself."""
        match statement.action:
            case statements.Begin(read_only):
                return self._begin(read_only)
            case statements.Commit():
                return await self._commit()
            case statements.Rollback():
                return await self._rollback()
            case statements.SetTransaction(read_only):
                return self._set_transaction(read_only)
            case statements.Set(name, value, local):
                return await self._set(name, value, local=local)
            case statements.AlterSystem(name, value):
                return await self._alter_system(name, value)
            case statements.Reset(name):
                return await self._reset(name)
            case statements.Show(name):
                return await self._show(name, sink)
            case statements.Discard(what):
                return await self._discard(what)
            case statements.Prepare() as action:
                return await self._prepare(statement, action)
            case statements.Execute() as action:
                return await self._execute_prepared(action, params, sink, last=last)
            case statements.Deallocate(name):
                return self._deallocate(name)
            case statements.CancelBackend(number, column):
                return await _cancel_backend(statement, number, column, params, sink)
            case statements.Subscribe():
                return await self._subscribe(statement, params)
            case _:
                raise TypeError(statement)

    # --- Transactions. ---

    def _begin(self, read_only: bool | None) -> Outcome:
        if self.state == "explicit":
            self.notices.append(errors.ALREADY_BEGUN)
        self.state = "explicit"
        return Done("BEGIN") if self._access(read_only) else _TOO_LATE

    def _set_transaction(self, read_only: bool | None) -> Outcome:
        return Done("SET") if self._access(read_only) else _TOO_LATE

    def _access(self, read_only: bool | None) -> bool:
        """Take the access mode; False if statements have run that the mode would come too late for."""
        if read_only is not None:
            if self._opened and self._read_only and not read_only:
                return False
            self._read_only = read_only
        return True

    async def _commit(self) -> Outcome:
        if self.state == "failed":
            return await self._rollback()
        if self.state == "implicit":
            self.notices.append(errors.NOT_BEGUN)
        before = self.variables.reported()
        refused = await self._end(commit=True)
        return Failure(refused) if refused else Done("COMMIT", self.variables.changes(before))

    async def _rollback(self) -> Outcome:
        if self.state == "implicit":
            self.notices.append(errors.NOT_BEGUN)
        before = self.variables.reported()
        await self._end(commit=False)
        return Done("ROLLBACK", self.variables.changes(before))

    async def _commit_implicit(self, outcome: Done) -> Outcome:
        """The end of a group: what its statements did stays, what was local to it reverts."""
        before = self.variables.reported() if self.variables.any_local else None
        refused = await self._end(commit=True)
        if refused:
            return Failure(refused)
        if before is None:
            return outcome
        return evolve(outcome, parameters=outcome.parameters + self.variables.changes(before))

    async def _end(self, *, commit: bool) -> SqlError | None:
        """End the transaction, here and in the engine; returns why a commit failed."""
        refused = None
        if self._opened:
            self._opened = False
            refused = await EndTransaction(self.handle, commit)
        if commit and refused is None:
            self.variables.commit()
        else:
            self.variables.rollback()
        self.state = "idle"
        self._read_only = self._subscribed = False
        return refused

    async def _fail(self, failure: Failure) -> None:
        """An error undoes an implicit transaction and fails an explicit one."""
        if self.state == "implicit":
            await self._end(commit=False)
        elif self.state == "explicit" and not failure.harmless:
            self.state = "failed"
            if self._opened:
                self._opened = False
                await EndTransaction(self.handle, False)

    async def _subscribe(self, statement: Statement, params: Sequence[str | None]) -> Outcome:
        """A SUBSCRIBE reads in transactions of its own, so it stands alone in the client's."""
        if self.subscriber is None:
            return Failure(errors.SUBSCRIBE_NEEDS_SOCKET)
        if self._opened or self._subscribed:
            return Failure(errors.ONLY_READ)
        self._subscribed = True
        failed = await self.subscriber.run(statement, params)
        if failed is None:
            return Done("SUBSCRIBE")
        harmless = failed.code == "42601"
        self._subscribed = not harmless
        query = statements.subscribed_query(statement)
        return Failure(_placed(failed, query or statement), harmless)

    # --- Statements of the engine. ---

    async def _execute(self, statement: Statement, params: Sequence[str | None], sink: Sink, *, last: bool) -> Outcome:
        if self._subscribed:
            return Failure(errors.ONLY_READ)
        commit = last and self.state == "implicit"
        read_only = self._read_only or not self.handle.may_write
        begin: Begin = "" if self._opened else "read only" if read_only else "read write"
        clock = Clock(self.variables.micros("statement_timeout") / 1e6, self.watch)
        answer = await clock.timed(
            Execute(
                self.handle,
                statement.text,
                params,
                begin,
                commit,
                read_only,
                self.variables.engine_settings(),
                sink.separator,
                sink.first,
                self.result_limit,
            )
        )
        if isinstance(answer, Executed):
            if answer.columns is None or answer.batch is None:
                self._opened = not commit
                return Done(statements.tag_of(statement, answer.command, answer.count))
            await sink.columns(answer.columns)
            ended = await self._rows(answer.batch, sink, clock, commit=commit)
            if isinstance(ended, int):
                return Done(f"SELECT {ended}")
            answer = ended
        if not isinstance(answer, SqlFailed):
            raise TypeError(answer)
        self._opened = self._opened and not answer.aborted
        return Failure(_placed(answer.error, statement), harmless=_harmless(answer))

    async def _rows(self, batch: Batch, sink: Sink, clock: Clock, *, commit: bool) -> int | SqlFailed:
        """Pass all rows on; returns how many there were."""
        count = 0
        while True:
            count += batch.count
            self._opened = not (commit and batch.last)
            if batch.count:
                try:
                    await sink.rows(batch)
                except errors.Unreadable as refusal:
                    return SqlFailed(refusal.error, aborted=False)
            if batch.last:
                return count
            answer = await clock.timed(FetchRows(self.handle, sink.separator, sink.most))
            if not isinstance(answer, Batch):
                return answer if isinstance(answer, SqlFailed) else SqlFailed(errors.CANCELLED, aborted=False)
            batch = answer

    # --- Variables. ---

    async def _set(self, name: str, value: str | None, *, local: bool) -> Outcome:
        before = self.variables.reported()
        refused = self.system.refusal(name) if self.system is not None else None
        refused = refused or await self._assign(name, value, local=local)
        return Failure(refused) if refused else Done("SET", self.variables.told(name, before))

    async def _alter_system(self, name: str | None, value: str | None) -> Outcome:
        """It cannot be undone, so it stands alone."""
        if self.system is None:
            return Failure(DENIED)
        if not self._alone:
            return Failure(ALONE)
        refused = self.system.alter(name, value, (await Moment()).wall)
        return Failure(refused) if refused else Done("ALTER SYSTEM")

    async def _assign(
        self, name: str, value: str | None, *, local: bool = False, start: bool = False
    ) -> SqlError | None:
        """Set a variable here and, where engines act on it, in the engine; returns the refusal."""
        mark = self.variables.mark()
        before = self.variables.engine_settings()
        if start and value is not None:
            refused = self.variables.start_with(name, value)
        else:
            refused = self.variables.set(name, value, local=local)
        return refused or await self._configure(before, mark)

    async def _configure(
        self, before: tuple[Parameter, ...], mark: tuple[dict[str, str], dict[str, str], dict[str, str]]
    ) -> SqlError | None:
        settings = self.variables.engine_settings()
        if settings == before:
            return None
        refused = await Configure(self.handle, settings, before)
        if refused:
            self.variables.restore(mark)
        return refused

    async def _reset(self, name: str | None) -> Outcome:
        before = self.variables.reported()
        if name is not None:
            refused = self.system.refusal(name) if self.system is not None else None
            refused = refused or await self._assign(name, None)
            return Failure(refused) if refused else Done("RESET", self.variables.told(name, before))
        self.variables.reset(None)
        return Done("RESET", self.variables.changes(before))

    async def _show(self, name: str | None, sink: Sink) -> Outcome:
        if name is None:
            listed = [(each.name, self.variables.get(each.name), each.doc) for each in rows()]
            listed += self.system.rows() if self.system is not None else []
            return await _listing(("name", "setting", "description"), listed, sink)
        variable = lookup(name)
        if variable is None:
            shown = self.system.show(name) if self.system is not None else None
            if isinstance(shown, str):
                return await _listing((name.lower(),), [(shown,)], sink)
            return Failure(shown or errors.unknown_variable(name))
        return await _listing((variable.name,), [(self.variables.get(variable.name),)], sink)

    async def _discard(self, what: str) -> Outcome:
        before = self.variables.reported()
        if what == "ALL":
            if self.state == "explicit" or self._opened:
                return Failure(SqlError("DISCARD ALL cannot run inside a transaction block", "25001"))
            self._prepared.drop(None)
            self.variables.reset(None)
        if what in ("ALL", "TEMP"):
            await Forget(self.handle)
        return Done(f"DISCARD {what}", self.variables.changes(before))

    # --- Prepared statements. ---

    async def _prepare(self, statement: Statement, action: statements.Prepare) -> Outcome:
        taken = self._prepared.taken(action.name)
        if taken:
            return Failure(taken)
        kept = statements.prepared_body(statement, action)
        body = statements.subscribed_query(kept) or kept
        if body.engine:
            (refused,) = await CheckSyntax(self.handle, (body.text,))
            if refused:
                return Failure(_placed(refused, body))
        self._prepared.keep(action)
        return Done("PREPARE")

    async def _execute_prepared(
        self, action: statements.Execute, params: Sequence[str | None], sink: Sink, *, last: bool
    ) -> Outcome:
        body = self._prepared.filled(action)
        if isinstance(body, SqlError):
            return Failure(body)
        if not body.engine:
            return await self._subscribe(body, params)
        return await self._execute(body, params, sink, last=last)

    def _deallocate(self, name: str | None) -> Outcome:
        refused = self._prepared.drop(name)
        if refused:
            return Failure(refused)
        return Done("DEALLOCATE ALL" if name is None else "DEALLOCATE")


_WITH_PARAMETERS = statements.Execute | statements.Subscribe | statements.CancelBackend
_NUMBER = re.compile("[0-9]{1,18}", re.ASCII)
_TOO_LATE = Failure(SqlError("transaction read-write mode must be set before any query", "25001"))


def _harmless(failed: SqlFailed) -> bool:
    return not failed.aborted and failed.error.code == "42601"


def _placed(error: SqlError, statement: Statement) -> SqlError:
    """An engine's error in terms of the query string: only syntax errors keep a position."""
    if error.position is None:
        return error
    if error.code != "42601" or statement.offset is None:
        return evolve(error, position=None)
    return evolve(error, position=error.position + statement.offset)


async def _cancel_backend(
    statement: Statement, number: int | None, column: str, params: Sequence[str | None], sink: Sink
) -> Outcome:
    if len(params) != (number is None):
        return Failure(errors.wrong_parameters(len(params), statement.text, int(number is None)))
    if number is None:
        (text,) = params
        number = int(text) if text is not None and _NUMBER.fullmatch(text) else None
        if number is None:
            return Failure(SqlError(f"unable to decode parameter: {text!r} is no session's number", "22P02"))
    answer = await StopWork(number)
    if answer == "forbidden":
        return Failure(errors.NOT_YOURS)
    await sink.columns([Descriptor(column, BOOL_OID, 1)])
    data = b"[true]" if answer == "stopped" else b"[false]"
    await sink.rows(Batch(data, 1, len(data), True))
    return Done("SELECT 1")


async def _listing(names: Sequence[str], listed: Sequence[Sequence[str]], sink: Sink) -> Outcome:
    """Rows of text that the session layer makes itself."""
    texts = [dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in listed]
    await sink.columns([text_column(name) for name in names])
    await sink.rows(Batch(sink.separator.join(texts), len(texts), sum(map(len, texts)), True))
    return Done(f"SELECT {len(listed)}")
