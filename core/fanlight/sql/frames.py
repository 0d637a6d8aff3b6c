"""What a SQL socket says: the JSON texts of its messages, and the sink that sends results as they come.

Each text is one message, `{"type":…,"payload":…}`.  A batch of rows is cut into
slices, so that making and sending them never keeps the host's loop for long,
and the next slice waits until the client has read enough of this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..http.websocket import SendTexts
from .effects import Batch
from .errors import Notice, SqlError
from .reply import columns_json, text_json
from .values import Descriptor
from .variables import Parameter

SLICE = 1024
"""Rows that are framed in one go: about half a millisecond."""

FEW = 64
"""Last rows that are not worth a turn of their own."""

FIRST = 16 * 1024
"""About how many bytes of rows make up the first batch, so that a client sees something soon."""

_STARTING = b'{"type":"CommandStarting","payload":{"has_rows":%b,"is_streaming":%b}}'
_FLAGS = {False: b"false", True: b"true"}


def parameter_status(name: str, value: str) -> bytes:
    """A variable and its value."""
    return b'{"type":"ParameterStatus","payload":{"name":%b,"value":%b}}' % (text_json(name), text_json(value))


def backend_key(number: int, secret: int) -> bytes:
    """The number that `pg_cancel_backend` takes, and a secret that nothing here needs."""
    return b'{"type":"BackendKeyData","payload":{"conn_id":%d,"secret_key":%d}}' % (number, secret)


def ready(status: str) -> bytes:
    """The end of the answer to a request; `status` is that of the transaction: I, T or E."""
    return b'{"type":"ReadyForQuery","payload":"%b"}' % status.encode()


def starting(*, rows: bool, streaming: bool = False) -> bytes:
    """A statement begins to answer."""
    return _STARTING % (_FLAGS[rows], _FLAGS[streaming])


def rows_of(columns: Sequence[Descriptor]) -> bytes:
    """The columns of the rows that follow."""
    return b'{"type":"Rows","payload":{"columns":%b}}' % columns_json(columns)


def row(values: bytes) -> bytes:
    """A row; `values` is its JSON array."""
    return b'{"type":"Row","payload":' + values + b"}"


def complete(tag: str) -> bytes:
    """A statement ended well."""
    return b'{"type":"CommandComplete","payload":%b}' % text_json(tag)


def failure(error: SqlError) -> bytes:
    """A statement, or a request, failed."""
    return b'{"type":"Error","payload":%b}' % error.json()


def notice(given: Notice) -> bytes:
    """Something worth telling."""
    return b'{"type":"Notice","payload":%b}' % given.json()


class SocketSink:
    """Sends the results of statements as they come.

    What is followed by more at once waits for it: the beginning of an answer for
    its first rows, a few last rows for the end.  `take_notices` gives those that
    were raised before a statement's first row.
    """

    separator = b"\n"
    first = FIRST
    most = 256 * 1024

    def __init__(self, take_notices: Callable[[], Sequence[Notice]]) -> None:
        self._take_notices = take_notices
        self._columns: Sequence[Descriptor] | None = None
        self._started = False
        self._held: list[bytes] = []

    async def columns(self, columns: Sequence[Descriptor]) -> None:
        """The statement returns rows; their columns are told with the first row, or with the end of none."""
        self._columns = columns
        self._started = True
        self._held += [*map(notice, self._take_notices()), starting(rows=True)]

    async def rows(self, batch: Batch) -> None:
        """Send rows, a slice at a time, each as much as a turn of the host's loop allows."""
        self._held += self._head()
        rows = batch.data.split(self.separator)
        if batch.last and len(rows) <= FEW:
            self._held += map(row, rows)
            return
        for at in range(0, len(rows), SLICE):
            await self._send(map(row, rows[at : at + SLICE]))

    async def stream(self, columns: Sequence[Descriptor]) -> None:
        """The statement returns rows as they come; its columns are told at once."""
        self._started = True
        await SendTexts([*map(notice, self._take_notices()), starting(rows=True, streaming=True), rows_of(columns)])

    async def changes(self, timestamp: int, payloads: Sequence[bytes]) -> None:
        """Send rows of one timestamp, given what stands behind it, a slice at a time."""
        head = b'{"type":"Row","payload":["%d",' % timestamp
        for at in range(0, len(payloads), SLICE):
            await SendTexts([head + payload + b"]}" for payload in payloads[at : at + SLICE]])

    async def done(self, tag: str, notices: Sequence[Notice], parameters: Sequence[Parameter]) -> None:
        """The end of a statement, and what came of it."""
        told = list(map(notice, notices))
        changed = [parameter_status(name, value) for name, value in parameters]
        if self._ended():
            await self._send([*self._head(), complete(tag), *told, *changed])
        else:
            await self._send([*told, starting(rows=False), complete(tag), *changed])

    async def failed(self, error: SqlError, notices: Sequence[Notice]) -> None:
        """The end of a statement that failed, perhaps in the middle of its rows."""
        told = list(map(notice, notices))
        self._columns = None
        await self._send([failure(error), *told] if self._ended() else [*told, starting(rows=False), failure(error)])

    async def _send(self, texts: Iterable[bytes]) -> None:
        """Send what waits and then `texts`."""
        held, self._held = self._held, []
        held += texts
        await SendTexts(held)

    def _head(self) -> tuple[bytes, ...]:
        """The columns, unless they were told already."""
        columns, self._columns = self._columns, None
        return () if columns is None else (rows_of(columns),)

    def _ended(self) -> bool:
        """Whether the statement that ends had begun to answer."""
        started, self._started = self._started, False
        return started
