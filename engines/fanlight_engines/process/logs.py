"""`process.log_records`: what `recent_logs` has kept, as a relation for privileged users."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from attrs import evolve

from fanlight.relations import Column, Relation

from .pace import polite
from .recent_logs import RecentLogs
from .server import unserved


def bound(logs: RecentLogs) -> Relation:
    """The relation over `logs`."""
    return evolve(LOG_RECORDS, rows=partial(_rows, logs), version=lambda: logs.count)


def _rows(logs: RecentLogs) -> Iterator[tuple[object, ...]]:
    for record in polite(logs):
        yield (
            record.wall,
            record.level,
            record.logger,
            record.message,
            record.file,
            record.line,
            record.function,
            record.thread,
            record.exception,
        )


LOG_RECORDS = Relation(
    name="log_records",
    columns=(
        Column("logged_at", "timestamptz", "When it was logged."),
        Column("level", "text", "The level's name."),
        Column("logger", "text", "The logger's name."),
        Column("message", "text", "The message with its arguments, on one line, at most 1 KiB, controls escaped."),
        Column("file", "text", "The file of the call."),
        Column("line", "integer", "The line of the call."),
        Column("function", "text", "The function that logged."),
        Column("thread", "text", "The name of the thread."),
        Column("exception", "text", "The type of the exception that was logged with it."),
    ),
    rows=unserved,
    doc="The last 1,000 log records that passed their loggers' levels since the server started, oldest first.",
    cost="Some microseconds for each record; keeping one costs the program one or two when it logs.",
    privileged=True,
)
