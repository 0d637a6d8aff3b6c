"""`process.log_records`: the last records that the program logged.

Records are taken where they are made, by the record factory, and not by a
handler: a handler at the root would keep the host's `logging.basicConfig` from
doing anything and silence Python's handler of last resort.  Whatever passes its
logger's level is kept, as text, cut and escaped; the record itself goes on
untouched.  What the host logs is the host's: the relation is for privileged
users.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from attrs import evolve, frozen

from fanlight.jsontext import printable
from fanlight.relations import Column, Relation

from .process_pace import line, polite, visible
from .process_server import unserved

KEPT = 1000
LONGEST_MESSAGE = 1024
"""Bytes kept of a message."""

Factory = Callable[..., logging.LogRecord]


@frozen
class Logged:
    """What is kept of a record."""

    wall: float
    level: str
    logger: str
    message: str
    file: str
    line: int
    function: str | None
    thread: str | None
    exception: str | None


class RecentLogs:
    """A ring of the last records, filled from `open` (at once) to `close`.

    Several may be open; each passes records on to the factory it found.  One
    that cannot take itself out, because the program put a factory of its own on
    top, stays as a link that keeps nothing.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._records: deque[Logged] = deque(maxlen=kept)
        self._before: Factory = logging.getLogRecordFactory()
        self._closed = False
        self._count = 0
        self._link: Factory = self._make
        logging.setLogRecordFactory(self._link)

    def close(self) -> None:
        """Take no more records and forget those there are."""
        self._closed = True
        self._records.clear()
        if logging.getLogRecordFactory() is self._link:
            logging.setLogRecordFactory(self._before)

    def records(self) -> list[Logged]:
        """The records, oldest first."""
        return list(self._records)

    def relation(self) -> Relation:
        """`process.log_records` over this ring."""
        return evolve(LOG_RECORDS, rows=self._rows, version=lambda: self._count)

    def _make(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._before(*args, **kwargs)
        # `logging.makeLogRecord` makes nameless ones, to be filled in later: those were logged elsewhere.
        if not self._closed and getattr(record, "name", None) is not None:
            try:
                self._records.append(_logged(record))
                self._count += 1  # behind it: an increment that another thread's overwrites still counts its record
            except Exception:  # noqa: BLE001 - the program's logging must work whatever its arguments do to us
                pass
        return record

    def _rows(self) -> Iterator[tuple[object, ...]]:
        for record in polite(self.records()):
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


def _logged(record: logging.LogRecord) -> Logged:
    exception = record.exc_info[0] if record.exc_info else None
    return Logged(
        wall=record.created,
        level=line(record.levelname, 32),
        logger=line(record.name),
        message=message_text(record),
        file=record.pathname,
        line=record.lineno,
        function=record.funcName,
        thread=line(record.threadName) if record.threadName is not None else None,
        exception=None if exception is None else exception.__qualname__,
    )


def message_text(record: logging.LogRecord) -> str:
    """The message on one line, escaped, at most `LONGEST_MESSAGE` bytes; `<unprintable>` when it cannot be made."""
    try:
        message: object = record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit the message, or whose `str` raises
        return "<unprintable>"
    text = printable(message, LONGEST_MESSAGE + 1)
    if text.isprintable() and (len(text) * 4 <= LONGEST_MESSAGE or len(text.encode()) <= LONGEST_MESSAGE):
        return text
    return _cut(map(visible, text))


def _cut(characters: Iterable[str]) -> str:
    """As many of the escaped characters as fit, none of them in part, then `...` if some did not."""
    kept: list[str] = []
    size = fitting = 0
    for character in characters:
        size += len(character.encode())
        if size > LONGEST_MESSAGE:
            return "".join(kept[:fitting]) + "..."
        kept.append(character)
        if size <= LONGEST_MESSAGE - 3:
            fitting = len(kept)
    return "".join(kept)


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
    cost="A microsecond for each record; keeping one costs the program some microseconds when it logs.",
    privileged=True,
)
