"""The last records that the program logged, kept from the start of the server for `process.log_records`.

Records are taken where they are made, by the record factory, and not by a
handler: a handler at the root would keep the host's `logging.basicConfig` from
doing anything and silence Python's handler of last resort.  Whatever passes its
logger's level is kept; the record itself goes on untouched.  What the host logs
is the host's.

A record is made into text, cut and escaped, when it is read, which for most is
never.  That is only for messages whose arguments cannot change and are small:
any other is made into text at once, for nothing of the host's may be kept alive
here, and it must be shown as it was.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from attrs import frozen

from fanlight.jsontext import printable

from .pace import line, visible

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
    """A ring of the last records, filled from when it is made to `close`.  As an engine it does no effect.

    Several may be open; each passes records on to the factory it found.  One
    that cannot take itself out, because the program put a factory of its own on
    top, stays as a link that keeps nothing.
    """

    handlers: Mapping[type, Callable[[Any], Any]] = {}
    interrupts: Mapping[type, Callable[[Any], None]] = {}

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

    def __iter__(self) -> Iterator[Logged]:
        """The records as they are now, oldest first; each is made into text when it is its turn."""
        return map(_logged, list(self._records))

    @property
    def count(self) -> int:
        """How many records have been kept so far: it changes when they do."""
        return self._count

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
