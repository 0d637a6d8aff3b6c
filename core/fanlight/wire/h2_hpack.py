"""HPACK with a memory: blocks that were coded before, under the same table, are not coded again.

Coding a header list that recurs is a third of what a small HTTP/2 request
costs.  An HPACK block means the same as long as the dynamic table is the same,
so a block, or a list, is remembered together with the newest entry of the table
at that time; whatever adds to the table makes what was remembered worthless.
Lists that carry credentials are never remembered.  hpack stays the only coder.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hpack import Decoder, Encoder, HeaderTuple
from hpack.table import HeaderTable

from .h2_head import LENGTH, UNSEEN_LENGTH

_MOST = 32
_LONGEST = 2048
"""Blocks that are remembered at one time, and the bytes of the longest."""
_TABLE_BYTES = 4096
_SECRET = frozenset({b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"})
"""Fields whose lists are never remembered: a credential must not outlive its request."""


class _Memory:
    """What was coded under one state of a dynamic table.

    An entry is recognised by identity: the table makes a new object for each
    that is added.  Its size counts as well, since shrinking it drops old
    entries only.
    """

    __slots__ = ("_known", "_newest", "_size")

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}
        self._newest: object = None
        self._size = 0

    def recall(self, key: Any, table: HeaderTable) -> Any:
        """What `key` was coded to, if the table has not changed since; else None."""
        return self._known.get(key) if self._same(table) else None

    def keep(self, key: Any, coded: Any, before: object, table: HeaderTable) -> None:
        """Remember, unless coding changed the table: `before` is its newest entry from before."""
        if newest_of(table) is not before:
            return
        if not self._same(table) or len(self._known) >= _MOST:
            self._known.clear()
            self._newest, self._size = before, table.maxsize
        self._known[key] = coded

    def _same(self, table: HeaderTable) -> bool:
        """Whether the table is as it was when the memory was begun."""
        return newest_of(table) is self._newest and table.maxsize == self._size


def newest_of(table: HeaderTable) -> object:
    """The newest entry of the dynamic table; a new object whenever something is added."""
    entries = table.dynamic_entries
    return entries[0] if entries else None


class RememberingEncoder(Encoder):
    """An encoder that writes the same list the same way while it may."""

    def __init__(self) -> None:
        super().__init__()
        self._memory = _Memory()

    @property
    def header_table_size(self) -> int:
        """The size of the table, which stays small whatever the peer offers: it is ours to hold (RFC 7541 4.2)."""
        return self.header_table.maxsize

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        size = min(value, _TABLE_BYTES)
        if size != self.header_table.maxsize:  # hpack forgets a change that is said twice before the next block
            self.header_table.maxsize = size
            self.table_size_changes.append(size)

    def encode(self, headers: Any, huffman: bool = True) -> bytes:
        """As `Encoder.encode`, for plain pairs of bytes: the only ones that this server sends.

        While a change of size waits to be told, hpack codes by itself: the
        block then begins with it, and must not come twice.
        """
        table = self.header_table
        if table.resized:
            return super().encode(headers, huffman)
        key = tuple(headers)
        known: bytes | None = self._memory.recall(key, table)
        if known is not None:
            return known
        before = newest_of(table)
        block = super().encode(key, huffman)
        if not any(name in _SECRET for name, _ in key):
            self._memory.keep(key, block, before, table)
        return block


class RememberingDecoder(Decoder):
    """A decoder that reads the same block the same way while it may, and hides lengths from h2."""

    def __init__(self) -> None:
        super().__init__()
        self._memory = _Memory()

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:
        """As `Decoder.decode`, with `content-length` renamed to the object `UNSEEN_LENGTH`.

        Bounds are those of the first reading, which must have kept to them.
        """
        table = self.header_table
        if not raw or len(data) > _LONGEST or table.maxsize > self.max_allowed_table_size:
            return _hide_lengths(super().decode(data, raw))
        known: list[HeaderTuple] | None = self._memory.recall(data, table)
        if known is not None:
            return list(known)
        before = newest_of(table)
        headers = _hide_lengths(super().decode(data, raw))
        # A first byte of 001xxxxx changes the size of the table: it says more than its headers.
        resizes = bool(data) and data[0] & 0xE0 == 0x20
        if not resizes and not any(name in _SECRET for name, _ in headers):
            self._memory.keep(bytes(data), headers, before, table)
        return headers


def _hide_lengths(headers: Iterable[HeaderTuple]) -> list[HeaderTuple]:
    return [HeaderTuple(UNSEEN_LENGTH, field[1]) if field[0] == LENGTH else field for field in headers]
