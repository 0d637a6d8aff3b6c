"""`process.log_records`: the last records that the program logged.

Records are taken where they are made, by the record factory, and not by a
handler: a handler at the root would keep the host's `logging.basicConfig` from
doing anything and silence Python's handler of last resort.  Whatever passes its
logger's level is kept; the record itself goes on untouched.  What the host logs
is the host's: the relation is for privileged users.

A record is made into text, cut and escaped, when it is read, which for most is
never.  That is only for messages whose arguments cannot change and are small:
any other is made into text at once, for nothing of the host's may be kept alive
here, and it must be shown as it was.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from attrs import evolve, frozen

from fanlight.jsontext import printable
from fanlight.relations import Column, Relation

from .pace import line, polite, visible
from .server import unserved

KEPT = 1000
LONGEST_MESSAGE = 1024
"""Bytes kept of a message."""

_NAME = 256
"""Characters that are kept of a name."""
_SMALL_NUMBER = 1 << 64
_MOST_ARGUMENTS = 8
_PLAIN_MESSAGE = logging.LogRecord.getMessage

Factory = Callable[..., logging.LogRecord]
Unwritten = tuple[str, tuple[Any, ...]]
"""A message and its arguments, which `%` makes into text."""


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


class _Kept(NamedTuple):
    """A record as it is kept: names cut, nothing escaped; `message` is text, or what it will be made of."""

    wall: float
    level: str
    logger: str
    message: str | Unwritten
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
        self._records: deque[_Kept] = deque(maxlen=kept)
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
        return [_logged(kept) for kept in list(self._records)]

    def relation(self) -> Relation:
        """`process.log_records` over this ring."""
        return evolve(LOG_RECORDS, rows=self._rows, version=lambda: self._count)

    def _make(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._before(*args, **kwargs)
        # `logging.makeLogRecord` makes nameless ones, to be filled in later: those were logged elsewhere.
        if not self._closed and getattr(record, "name", None) is not None:
            try:
                self._records.append(_kept(record))
                self._count += 1  # behind it: an increment that another thread's overwrites still counts its record
            except Exception:  # noqa: BLE001 - the program's logging must work whatever its arguments do to us
                pass
        return record

    def _rows(self) -> Iterator[tuple[object, ...]]:
        for record in map(_logged, polite(list(self._records))):
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


def _kept(record: logging.LogRecord) -> _Kept:
    """`record` without anything that is the host's, in as few steps as can be: the host waits for it."""
    exception = record.exc_info[0] if record.exc_info else None
    message, arguments, thread = record.msg, record.args or (), record.threadName
    return _Kept(
        record.created,
        record.levelname[:_NAME],
        record.name[:_NAME],
        (message, arguments) if _lasts(record, message, arguments) else message_text(record.getMessage),  # type: ignore[arg-type]
        record.pathname,
        record.lineno,
        record.funcName,
        thread[:_NAME] if thread is not None else None,
        None if exception is None else exception.__qualname__,
    )


def _lasts(record: logging.LogRecord, message: object, arguments: object) -> bool:
    """Whether the text can be made later: it would be the same then, and what it is made of is small.

    Exact types only: a subclass of `str` may say something else tomorrow.
    """
    if type(message) is not str or type(record).getMessage is not _PLAIN_MESSAGE:
        return False
    if type(arguments) is not tuple or len(arguments) > _MOST_ARGUMENTS:
        return False
    room = LONGEST_MESSAGE - len(message)
    for each in arguments:
        kind = type(each)
        if kind is str:
            room -= len(each)
        elif kind is int:
            if not -_SMALL_NUMBER < each < _SMALL_NUMBER:
                return False
        elif kind is not float and kind is not bool and each is not None:
            return False
    return room >= 0


def _logged(kept: _Kept) -> Logged:
    """A record that is kept, made into text."""
    message = kept.message
    if not isinstance(message, str):
        text, arguments = message
        message = message_text(lambda: text % arguments if arguments else text)
    return Logged(
        wall=kept.wall,
        level=line(kept.level, 32),
        logger=line(kept.logger),
        message=message,
        file=kept.file,
        line=kept.line,
        function=kept.function,
        thread=line(kept.thread) if kept.thread is not None else None,
        exception=kept.exception,
    )


def message_text(made: Callable[[], object]) -> str:
    """The message on one line, escaped, at most `LONGEST_MESSAGE` bytes; `<unprintable>` when it cannot be made."""
    try:
        message = made()
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
    cost="Some microseconds for each record; keeping one costs the program one or two when it logs.",
    privileged=True,
)
