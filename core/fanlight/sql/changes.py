"""The changes of a relation: the multiset difference of two evaluations, and the shapes in which it is told.

Pure functions.  `Rows` is a multiset of rows as they are sent, so that values
that equal nothing (NaN) or cannot be hashed need no thought.  What is long is
done in pieces, with a call of `pause` between them, so that a thread that does it
lets others have their turn.  No time, no transport, no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from attrs import frozen

from .cells import NULL, Cells, Order, cells_of
from .errors import SqlError, Unreadable
from .statements import Envelope, OrderItem, Subscribe
from .values import BOOL_OID, Descriptor, text_column

T = TypeVar("T")

Rows = Mapping[bytes, int]
"""A multiset of rows: how often each is there, at least once."""

Pause = Callable[[], object]

NOTHING: Rows = {}

TIMESTAMP = Descriptor("mz_timestamp", 1700, -1, 2555908)
PROGRESSED = Descriptor("mz_progressed", BOOL_OID, 1)
DIFF = Descriptor("mz_diff", 20, 8)
STATE = text_column("mz_state")

_CHUNK = 500


def at_once() -> None:
    """No pause: for what is short."""


def in_pieces(items: Iterable[T], pause: Pause) -> Iterator[T]:
    """The same items, with a pause after every few."""
    source = iter(items)
    while piece := list(islice(source, _CHUNK)):
        yield from piece
        pause()


def same(before: Rows, after: Rows, pause: Pause = at_once) -> bool:
    """Whether two multisets are equal."""
    if before is after or len(before) != len(after):
        return before is after
    return all(before.get(row) == count for row, count in in_pieces(after.items(), pause))


def difference(before: Rows, after: Rows, pause: Pause = at_once) -> list[tuple[bytes, int]]:
    """What is to be added to `before` to have `after`; what goes comes first."""
    gone: list[tuple[bytes, int]] = []
    come: list[tuple[bytes, int]] = []
    for row, count in in_pieces(before.items(), pause):
        left = after.get(row, 0)
        if left < count:
            gone.append((row, left - count))
    for row, count in in_pieces(after.items(), pause):
        more = count - before.get(row, 0)
        if more > 0:
            come.append((row, more))
    return gone + come


@frozen
class Form:
    """How a client wants changes told: the part of a SUBSCRIBE that shapes its rows."""

    envelope: Envelope | None = None
    order: tuple[OrderItem, ...] = ()
    progress: bool = False

    @classmethod
    def of(cls, action: Subscribe) -> Form:
        """The form that a statement asks for."""
        return cls(action.envelope, action.order, action.progress)


class Shape:
    """The rows of one form over a query with `source` columns.

    `columns` are those that the client is told.  Raises `Unreadable`: 42703 for
    a column that is not there, 42702 for one that is there twice, 0A000 for one
    that cannot be sorted by.
    """

    def __init__(self, form: Form, source: Sequence[Descriptor]) -> None:
        self._form = form
        told = (STATE, *self._enveloped(source)) if form.envelope else (DIFF, *source)
        head = (TIMESTAMP, PROGRESSED) if form.progress else (TIMESTAMP,)
        self.columns: tuple[Descriptor, ...] = (*head, *told)
        items = [(position(told, item.column), item.descending, item.nulls_first) for item in form.order]
        self._order = Order(told, items) if items else None
        self._mark = b"false," if form.progress else b""
        self.progressed = b"true" + b",null" * len(told)
        """The payload of a progress row, behind its timestamp."""

    def _enveloped(self, source: Sequence[Descriptor]) -> list[Descriptor]:
        envelope = self._form.envelope
        assert envelope is not None
        self._key = [position(source, name) for name in envelope.key]
        self._rest = [at for at in range(len(source)) if at not in self._key]
        keys, rest = [source[at] for at in self._key], [source[at] for at in self._rest]
        if envelope.kind == "upsert":
            return keys + rest
        return keys + [_renamed(column, side) for side in ("before_", "after_") for column in rest]

    def payloads(self, before: Rows, after: Rows, pause: Pause = at_once) -> list[bytes]:
        """The payloads of the rows that tell the change, each behind its timestamp, in order."""
        changes = difference(before, after, pause)
        if self._form.envelope is None and self._order is None:
            head = self._mark + b'"%d",'
            return [head % count + row[1:-1] for row, count in in_pieces(changes, pause)]
        if self._form.envelope is None:
            rows: Iterable[Cells] = ((b'"%d"' % count, *cells_of(row)) for row, count in changes)
        else:
            rows = self._states(changes, before, after, pause)
        ordered = rows if self._order is None else self._order(rows, pause)
        return [self._mark + b",".join(row) for row in in_pieces(ordered, pause)]

    # --- Envelopes: what became of each key. ---

    def _states(self, changes: Sequence[tuple[bytes, int]], before: Rows, after: Rows, pause: Pause) -> Iterator[Cells]:
        touched = {self._keys(cells_of(row)): None for row, _ in in_pieces(changes, pause)}
        old, new = self._live(before, touched, pause), self._live(after, touched, pause)
        for key in touched:
            yield self._state(key, old.get(key, ()), new.get(key, ()))

    def _keys(self, cells: Cells) -> Cells:
        return tuple([cells[at] for at in self._key])

    def _live(self, rows: Rows, touched: Mapping[Cells, None], pause: Pause) -> dict[Cells, list[Cells]]:
        """The rows of the keys that were touched; two are as good as more."""
        live: dict[Cells, list[Cells]] = {}
        for row, count in in_pieces(rows.items(), pause):
            cells = cells_of(row)
            key = self._keys(cells)
            if key in touched:
                live.setdefault(key, []).extend([cells] * min(count, 2))
        return live

    def _state(self, key: Cells, old: Sequence[Cells], new: Sequence[Cells]) -> Cells:
        """One row: the state, the key, its values; more than one live row violates the key."""
        assert self._form.envelope is not None
        debezium = self._form.envelope.kind == "debezium"
        nulls: Cells = (NULL,) * len(self._rest)
        was = self._values(old[0]) if len(old) == 1 else nulls
        now = self._values(new[0]) if len(new) == 1 else nulls
        if len(new) > 1:
            state, was = b'"key_violation"', nulls
        elif not new:
            state = b'"delete"'
        else:
            state = b'"insert"' if debezium and not old else b'"upsert"'
        return (state, *key, *was, *now) if debezium else (state, *key, *now)

    def _values(self, cells: Cells) -> Cells:
        return tuple([cells[at] for at in self._rest])


def _renamed(column: Descriptor, side: str) -> Descriptor:
    return Descriptor(side + column.name, column.type_oid, column.type_len, column.type_mod)


def position(columns: Sequence[Descriptor], name: str) -> int:
    """Where a column stands.  Case counts only where it tells two apart."""
    found = [at for at, column in enumerate(columns) if column.name == name]
    found = found or [at for at, column in enumerate(columns) if column.name.lower() == name.lower()]
    if not found:
        raise Unreadable(SqlError(f'column "{name}" does not exist', "42703"))
    if len(found) > 1:
        raise Unreadable(SqlError(f'column reference "{name}" is ambiguous', "42702"))
    return found[0]
