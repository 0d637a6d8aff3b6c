"""Result documents: the JSON texts of entries, and the collector that puts an answer together.

An answer is whole before its first byte, since a statement's entry begins with
its row count and a late failure replaces it.  Rows stay what the engine made of
them, JSON texts; beyond `MEMORY` bytes they wait in a spool file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from json import dumps

from .effects import Batch, CloseSpool, OpenSpool, ReadSpool, SpoolFile, WriteSpool
from .errors import Notice, SqlError, Unreadable
from .values import Descriptor
from .variables import Parameter

MEMORY = 16 * 1024 * 1024
"""Bytes of one answer that are held in memory."""

BATCH = 1024 * 1024
"""About how many bytes of rows come at once: to fetch them takes turns of two threads, each as dear as 30 rows."""

PIECE = 256 * 1024
"""Bytes that are handed to the connection at once."""

_NO_ROOM = SqlError("could not write the result to a temporary file", "53100")


def text_json(text: str) -> bytes:
    """A JSON string; other characters than ASCII stay as they are."""
    return dumps(text, ensure_ascii=False).encode(errors="replace")


def columns_json(columns: Sequence[Descriptor]) -> bytes:
    """`[{"name":…,"type_oid":…,"type_len":…,"type_mod":…},…]`."""
    return b"[%b]" % b",".join(
        b'{"name":%b,"type_oid":%d,"type_len":%d,"type_mod":%d}'
        % (text_json(each.name), each.type_oid, each.type_len, each.type_mod)
        for each in columns
    )


def notices_json(notices: Sequence[Notice]) -> bytes:
    """The array of notice objects."""
    return b"[%b]" % b",".join(notice.json() for notice in notices)


def done_entry(tag: str, notices: Sequence[Notice], parameters: Sequence[Parameter]) -> bytes:
    """The entry of a statement without rows; `parameters` only when there are any."""
    entry = b'{"ok":%b,"notices":%b' % (text_json(tag), notices_json(notices))
    if not parameters:
        return entry + b"}"
    told = (b'{"name":%b,"value":%b}' % (text_json(name), text_json(value)) for name, value in parameters)
    return b'%b,"parameters":[%b]}' % (entry, b",".join(told))


def error_entry(error: SqlError, notices: Sequence[Notice]) -> bytes:
    """The entry of a statement that failed."""
    return b'{"error":%b,"notices":%b}' % (error.json(), notices_json(notices))


class Collector:
    """A sink that collects the entries of one request.

    Holds at most `MEMORY` bytes and a batch.  `close` must be called at the
    end, whatever happened.
    """

    separator = b","
    first = most = BATCH

    def __init__(self) -> None:
        self._pieces: list[bytes | tuple[int, int]] = []
        self._held = 0
        self._entry = 0  # where the pieces of the statement that runs begin
        self._columns: Sequence[Descriptor] | None = None
        self._spool: SpoolFile | None = None

    async def columns(self, columns: Sequence[Descriptor]) -> None:
        """The statement returns rows of this shape."""
        self._columns = columns

    async def rows(self, batch: Batch) -> None:
        """Keep a batch of rows.  Raises `Unreadable` when there is no room for it."""
        comma = b"," if len(self._pieces) > self._entry else b""
        if self._spool is not None:
            await self._write(self._spool, comma + batch.data)
            return
        if comma:  # by itself: to put it before the rows would copy them all
            self._hold(comma)
        self._hold(batch.data)
        if self._held > MEMORY:
            await self._move_out()

    async def done(self, tag: str, notices: Sequence[Notice], parameters: Sequence[Parameter]) -> None:
        """Complete the entry of the statement."""
        columns, self._columns = self._columns, None
        if columns is None:
            self._begin(done_entry(tag, notices, parameters))
        else:
            self._begin(b'{"tag":%b,"rows":[' % text_json(tag))
            self._hold(b'],"desc":{"columns":%b},"notices":%b}' % (columns_json(columns), notices_json(notices)))
        self._entry = len(self._pieces)

    async def failed(self, error: SqlError, notices: Sequence[Notice]) -> None:
        """Replace whatever the statement brought by its error."""
        self._columns = None
        self._held -= sum(len(piece) for piece in self._pieces[self._entry :] if isinstance(piece, bytes))
        del self._pieces[self._entry :]
        self._begin(error_entry(error, notices))
        self._entry = len(self._pieces)

    def whole(self) -> bytes | None:
        """The document, if it is small enough to be one piece."""
        if self._spool is not None or self._held > PIECE:
            return None
        return b'{"results":[%b]}' % b"".join(piece for piece in self._pieces if isinstance(piece, bytes))

    def parts(self) -> Iterator[bytes | ReadSpool]:
        """The document, as texts and as what is to be read back from the spool, none over `PIECE` bytes.

        Each piece is let go as soon as it was given out, so this is for once.
        """
        ahead = b'{"results":['
        self._pieces.reverse()
        while self._pieces:
            piece = self._pieces.pop()
            if not isinstance(piece, bytes):
                yield ahead
                yield from self._read_back(*piece)
                ahead = b""
            elif len(ahead) + len(piece) <= PIECE // 64:  # not worth a turn of its own
                ahead += piece
            else:
                view = memoryview(piece)
                while view:
                    cut = PIECE - len(ahead)
                    yield b"".join((ahead, view[:cut]))
                    view, ahead = view[cut:], b""
        yield ahead + b"]}"

    def _read_back(self, start: int, size: int) -> Iterator[ReadSpool]:
        """What the spool holds between `start` and `start + size`."""
        end = start + size
        if self._spool is not None:
            for at in range(start, end, PIECE):
                yield ReadSpool(self._spool, at, min(PIECE, end - at))

    async def close(self) -> None:
        """Give the spool's space back."""
        spool, self._spool = self._spool, None
        if spool is not None:
            await CloseSpool(spool)

    def _begin(self, head: bytes) -> None:
        """Put `head` where the entry begins, behind a comma if it is not the first."""
        text = b"," + head if self._entry else head
        self._pieces.insert(self._entry, text)
        self._held += len(text)

    def _hold(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held += len(data)

    async def _write(self, spool: SpoolFile, data: bytes) -> None:
        start = spool.size
        if not await WriteSpool(spool, data):
            raise Unreadable(_NO_ROOM)
        last = self._pieces[-1] if len(self._pieces) > self._entry else None
        if isinstance(last, tuple) and sum(last) == start:
            self._pieces[-1] = (last[0], last[1] + len(data))
        else:
            self._pieces.append((start, len(data)))

    async def _move_out(self) -> None:
        """Move the rows of the running statement to a spool file."""
        self._spool = spool = await OpenSpool()
        if spool is None:
            raise Unreadable(_NO_ROOM)
        rows = self._pieces[self._entry :]
        del self._pieces[self._entry :]
        rows.reverse()
        while rows:  # each piece is let go as soon as it is written
            piece = rows.pop()
            if isinstance(piece, bytes):
                self._held -= len(piece)
                await self._write(spool, piece)
