"""An engine out of a table, for tests of the session layer: it answers by statement text and notes what it was asked.

`steps` runs a routine against it, one ask after another, on this thread.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from attrs import define, field, frozen

from fanlight.asks import Race, Sleep
from fanlight.http.websocket import StopWork
from fanlight.sql import effects
from fanlight.sql.effects import Batch, Executed, SqlFailed
from fanlight.sql.errors import Notice, SqlError
from fanlight.sql.values import Descriptor, text_column
from tests.routines import driven

T = TypeVar("T")

ONE = Executed((text_column("a"),), Batch(b'["1"]', 1, 5, True), "SELECT", 0, 0.0)
BROKEN = SqlFailed(SqlError("broken", "22P02", position=3), aborted=True)
BAD_SYNTAX = SqlError("bad syntax", "42601", position=2)


@frozen
class Handle:
    """A session of the scripted engine."""

    number: int = 1
    may_write: bool = True
    sight: str = "ada"


@define
class Scripted:
    """`log` is one line for each thing the engine was asked to do; `turns` is how often the host's loop had one."""

    results: dict[str, Any] = field(factory=dict)
    log: list[str] = field(factory=list)
    commit_fails: SqlError | None = None
    refuses: SqlError | None = None
    timeouts: dict[str, Any] = field(factory=dict)
    fetches: list[Any] = field(factory=list)
    turns: int = 0

    def run(self, routine: Coroutine[Any, Any, T]) -> T:
        """Answer every ask of `routine`."""
        return driven(routine, self.answer)

    def answer(self, ask: Any) -> Any:
        """The answer to one ask."""
        match ask:
            case Race((work, _)):
                if isinstance(work, effects.Execute) and work.text in self.timeouts:
                    self.log.append(f"time is up: {work.text}")
                    return (1, None)
                return (0, self.answer(work))
            case effects.Execute():
                return self._execute(ask)
            case effects.FetchRows():
                self.log.append("fetch")
                return self.fetches.pop(0)
            case effects.Settle(_, work):
                self.log.append("settle")
                return self.timeouts[work.text] if isinstance(work, effects.Execute) else None
            case effects.EndTransaction(_, commit):
                self.log.append("commit" if commit else "rollback")
                return self.commit_fails if commit else None
            case effects.CheckSyntax(_, texts):
                self.log.append(f"check: {len(texts)}")
                return tuple(BAD_SYNTAX if text.startswith("bad") else None for text in texts)
            case effects.Configure(_, settings, _):
                self.log.append(f"configure: {dict(settings)}")
                return self.refuses
            case StopWork(number):
                self.log.append(f"stop {number}")
                return {1: "stopped", 2: "forbidden"}.get(number, "unknown")
            case Sleep(0):
                self.turns += 1
                return None
            case effects.Forget():
                self.log.append("forget")
                return None
        raise AssertionError(ask)

    def _execute(self, work: effects.Execute) -> Any:
        words = [work.text, f"[{work.begin}]" if work.begin else "", "+commit" if work.commit else ""]
        self.log.append(" ".join(word for word in words if word))
        if work.text.startswith("bad"):
            return SqlFailed(BAD_SYNTAX, aborted=False)
        if work.text.startswith("insert"):
            return self.results.get(work.text, Executed(None, None, "INSERT", 1, 0.0))
        return self.results.get(work.text, ONE)


@define
class Transcript:
    """A sink that writes down what it is told."""

    separator: bytes = b","
    first: int = 256 * 1024
    most: int = 256 * 1024
    lines: list[str] = field(factory=list)
    notices: list[list[Notice]] = field(factory=list)
    errors: list[SqlError] = field(factory=list)

    async def columns(self, columns: Sequence[Descriptor]) -> None:
        """A line with the names."""
        self.lines.append("columns " + ",".join(column.name for column in columns))

    async def rows(self, batch: Batch) -> None:
        """A line with the rows."""
        self.lines.append(batch.data.decode())

    async def done(self, tag: str, notices: Sequence[Notice], parameters: Sequence[tuple[str, str]]) -> None:
        """A line with the tag and the parameters."""
        self.lines.append(" ".join([tag, *(f"{name}={value}" for name, value in parameters)]))
        self.notices.append(list(notices))

    async def failed(self, error: SqlError, notices: Sequence[Notice]) -> None:
        """A line with the SQLSTATE."""
        self.lines.append(f"error {error.code}")
        self.errors.append(error)
        self.notices.append(list(notices))
