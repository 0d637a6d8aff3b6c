"""Rows as they are sent, taken apart into cells, and cells put in order.

A row is the JSON array that a client gets; a cell is the JSON text of one
value.  Nothing is decoded but what is sorted by, so that no value changes on
its way.  Which order a type has is that of SQL; where its text does not tell,
sorting is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from heapq import merge
from itertools import islice
from typing import Any

from .errors import Unreadable, not_supported
from .values import Descriptor

Cells = tuple[bytes, ...]
"""The values of one row."""

NULL = b"null"

_FLAT = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[^,"]++')
_EDGE = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},]')
_CHUNK = 500


def cells_of(row: bytes) -> Cells:
    """The cells of a row of compact JSON."""
    if b"[" not in row[1:] and b"{" not in row:
        return tuple(_FLAT.findall(row, 1, len(row) - 1))
    return tuple(_nested(row))


def _nested(row: bytes) -> Iterator[bytes]:
    """The same where a cell may be an array or an object."""
    depth, start = 0, 1
    for edge in _EDGE.finditer(row):
        mark = edge[0]
        if mark == b"," and depth == 1:
            yield row[start : edge.start()]
            start = edge.end()
        elif len(mark) == 1:
            depth += (mark in b"[{") - (mark in b"]}")
    yield row[start:-1]


# --- Order. ---

Key = Callable[[bytes], Any]
"""What a cell that is not NULL is compared by."""


class _Descending:
    """A value that comes after those that it is greater than."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Descending) -> bool:
        less: bool = other.value < self.value
        return less

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


class Order:
    """An order of rows: (position, descending, NULLs first) of each column, the most important first.

    Raises `Unreadable` (0A000) for a column whose type has no order here.
    """

    def __init__(self, columns: Sequence[Descriptor], items: Iterable[tuple[int, bool, bool]]) -> None:
        self._items = [(at, descending, 0 if first else 2, key_of(columns[at])) for at, descending, first in items]

    def __call__(self, rows: Iterable[Cells], pause: Callable[[], object]) -> list[Cells]:
        """The rows in order; equal ones keep theirs.  `pause` is called between pieces of work."""
        source = iter(rows)
        runs: list[list[tuple[Any, Cells]]] = []
        while run := [(self._key(row), row) for row in islice(source, _CHUNK)]:
            run.sort(key=_first)
            runs.append(run)
            pause()
        return [row for _, row in merge(*runs, key=_first)]

    def _key(self, row: Cells) -> tuple[Any, ...]:
        parts: list[Any] = []
        for at, descending, nulls, key in self._items:
            cell = row[at]
            value = 0 if cell == NULL else key(cell)
            parts.append((nulls if cell == NULL else 1, _Descending(value) if descending else value))
        return tuple(parts)


def _first(pair: tuple[Any, Cells]) -> Any:
    return pair[0]


def key_of(column: Descriptor) -> Key:
    """How cells of a column are compared; `Unreadable` (0A000) where that is not known."""
    key = _KEYS.get(column.type_oid)
    if key is None:
        raise Unreadable(not_supported(f"WITHIN TIMESTAMP ORDER BY of column {column.name}, for its type,"))
    return key


def _number(cell: bytes) -> tuple[bool, Decimal | int]:
    """A number; NaN is above all."""
    value = Decimal(cell.strip(b'"').decode())
    return (True, 0) if value.is_nan() else (False, value)


def _boolean(cell: bytes) -> bool:
    return cell == b"true"


def _text(cell: bytes) -> Any:
    return json.loads(cell)


_DATE = re.compile(r"([0-9]+)-([0-9-]+)(.*)")


def _date(cell: bytes) -> tuple[int, str]:
    """Year and the rest; years before the first are told by what stands behind or before them."""
    text: str = json.loads(cell)
    found = _DATE.fullmatch(text.lstrip("-"))
    if found is None:
        return (-(10**9) if text.startswith("-") else 10**9, "")
    before = text.startswith("-") or "BC" in found[3]
    return (-int(found[1]) if before else int(found[1]), found[2])


def _moment(cell: bytes) -> tuple[float, str]:
    """Milliseconds, rounded down, and the rest: so are timestamps written."""
    millis, _, rest = cell.strip(b'"').decode().partition(".")
    return (float(millis) if "inf" in millis else int(millis), rest)


_KEYS: dict[int, Key] = {
    16: _boolean,
    **dict.fromkeys((20, 21, 23, 26, 700, 701, 1700, 16460, 16462, 16464), _number),
    **dict.fromkeys((17, 18, 19, 25, 1042, 1043, 1083, 1562, 2950), _text),
    1082: _date,
    1114: _moment,
    1184: _moment,
}
