"""The rows of a statement that runs, in batches of JSON texts.

Three ways to the same bytes: encoded here from Python's values, written by DuckDB
row by row, or written by DuckDB and taken as they are, which is the quickest and
only pays for many rows.  Which one, the connection decides.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fanlight.sql.effects import Batch, Interrupt
from fanlight.sql.errors import Unreadable, result_too_large

from .rows import MARK, Around, Habit, tidy
from .types import descriptor, is_lossy
from .values import column_encoder

if TYPE_CHECKING:
    from .arrow import TextStream

FIRST_ROWS = 8
CHUNK_ROWS = 500
"""Rows that are fetched and encoded before other threads get their turn; fewer until it is known how long they are."""
WRITTEN_ROWS = 2048
"""The same for rows that need no encoding."""


class Interrupted(Exception):
    """The work was asked to stop, and did, between two calls into DuckDB."""


Column = tuple[str, Any]
"""A result column: its name and DuckDB's type."""


class Shape:
    """The columns of a result: as clients are told of them, how they are encoded, and whether fetching loses a part."""

    __slots__ = ("columns", "described", "encoders", "lossy")

    def __init__(self, columns: list[Column]) -> None:
        self.described = columns
        self.columns = tuple(descriptor(name, type_) for name, type_ in columns)
        self.encoders = [column_encoder(type_) for _, type_ in columns]
        self.lossy = any(is_lossy(type_) for _, type_ in columns)


class Result:
    """What a statement that runs returns: `changed` rows, or rows that `batch` encodes.

    `columns` are the names and types as the client is told them; `changed` is
    None where rows are returned.
    """

    most_rows = CHUNK_ROWS

    def __init__(self, ran: Any, shape: Shape, habit: Habit | None = None) -> None:
        self.columns = shape.columns
        self.changed: int | None = ran.rowcount if ran is not None and ran.rowcount >= 0 else None
        self._ran: Any = ran
        self._encoders = shape.encoders
        self._habit = habit
        self._total = self._count = 0
        self._chunk = FIRST_ROWS
        self.last = False

    def batch(self, separator: bytes, most: int, limit: int, interrupt: Interrupt) -> Batch:
        """About `most` bytes of rows.  Raises `Unreadable` when all rows are more than `limit` bytes."""
        started = time.monotonic()
        pieces: list[bytes] = []
        count = size = 0
        while size < most and not self.last:
            if interrupt.asked:
                raise Interrupted
            data, rows = self._next(most, separator)
            if rows:
                pieces.append(data)
                count += rows
                size += len(data) - (rows - 1) * len(separator)
                if self._total + size > limit:
                    raise Unreadable(result_too_large(limit))
            if not self.last:
                time.sleep(0)
        self._total += size
        self._count += count
        self._ended()
        return Batch(separator.join(pieces), count, size, self.last, time.monotonic() - started)

    def _ended(self) -> None:
        """A batch is full: remember what is known of the result so far."""
        if self._habit is not None:
            self._habit.rows = self._count

    def _next(self, most: int, separator: bytes) -> tuple[bytes, int]:
        """The next rows, joined, and how many: so many that `most` bytes are not much exceeded."""
        rows = self._ran.fetchmany(self._chunk)
        self.last = len(rows) < self._chunk
        if not rows:
            return b"", 0
        data = self._encode(rows, separator)
        self._chunk = max(1, min(self.most_rows, self._chunk * 8, most * len(rows) // len(data)))
        return data, len(rows)

    def _encode(self, rows: list[tuple[Any, ...]], separator: bytes) -> bytes:
        texts = [encode(values) for encode, values in zip(self._encoders, zip(*rows, strict=True), strict=True)]
        between = f"]{separator.decode()}["
        return f"[{between.join(map(','.join, zip(*texts, strict=True)))}]".encode(errors="replace")


class WrittenResult(Result):
    """Rows that come from DuckDB as JSON, but for a few."""

    most_rows = WRITTEN_ROWS
    _short = True

    def _encode(self, rows: list[tuple[Any, ...]], separator: bytes) -> bytes:
        between = separator.decode()
        try:
            data = between.join([text for text, _ in rows])
        except TypeError:  # a row that was not written
            self._short = False
            return between.join([self._text(*row) for row in rows]).encode(errors="replace")
        return tidy(data.encode())

    def _text(self, text: str | None, values: Sequence[Any]) -> str:
        if text is not None:
            return tidy(text.encode()).decode()
        cells = [next(iter(encode([value]))) for encode, value in zip(self._encoders, values, strict=True)]
        return f"[{','.join(cells)}]"

    def _ended(self) -> None:
        super()._ended()
        if self._habit is not None:
            self._habit.short = self._short


class StreamedResult(Result):
    """Rows that come from DuckDB as JSON with the separators between them, many at a time."""

    def __init__(self, stream: TextStream, around: Around, separator: bytes, shape: Shape, habit: Habit) -> None:
        super().__init__(None, shape, habit)
        self._stream = stream
        self._around = around
        self._separator = separator

    def _next(self, most: int, separator: bytes) -> tuple[bytes, int]:
        if separator != self._separator:
            raise ValueError("DuckDB was told of another separator")
        data, count = self._stream.next(len(separator))
        self.last = not count
        if _MARK in data:
            # Every other piece is a row that was between two marks.
            pieces = data.split(_MARK)
            pieces[1::2] = map(self._around.rewritten, pieces[1::2])
            data = b"".join(pieces)
        return data, count


_MARK = MARK.encode()
