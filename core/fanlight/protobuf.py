"""The protobuf wire format, by hand: just enough to write messages, and to read those of others.

Pure functions from values to bytes and back; a message is the concatenation of
its fields.  Knows no schema: `profiling` (pprof), `observe` and `federation`
(Prometheus) bring their own field numbers.  Wire types are those of the
protobuf encoding guide: 0 varint, 1 fixed64, 2 length-delimited, 5 fixed32.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Any

_MASK = (1 << 64) - 1
_DOUBLE = Struct("<d")


def _encode(n: int) -> bytes:
    """Base 128, low group first, the top bit set on all groups but the last."""
    groups = bytearray()
    while n > 0x7F:
        groups.append(n & 0x7F | 0x80)
        n >>= 7
    groups.append(n)
    return bytes(groups)


_SMALL = tuple(_encode(n) for n in range(1 << 11))
"""Lengths, tags and most ids are among them; more would delay the host when this is imported."""


def varint(n: int) -> bytes:
    """Encode `n` as a base-128 varint of 1 to 10 bytes.

    Negative numbers are written as 64-bit two's complement (int64, int32 and
    enum fields; this is not the zigzag form of sint64).  Raises OverflowError
    for what 64 bits cannot hold.
    """
    if 0 <= n < 0x800:
        return _SMALL[n]
    if 0 <= n < 0x4000:
        return bytes((n & 0x7F | 0x80, n >> 7))
    if n < 0:
        if n < -(1 << 63):
            raise OverflowError("varint below the 64-bit range")
        n &= _MASK
    elif n > _MASK:
        raise OverflowError("varint above the 64-bit range")
    return _encode(n)


def field_varint(number: int, value: int) -> bytes:
    """A field of type int64, uint64, bool or enum; written even when it is 0."""
    return varint(number << 3) + varint(value)


def field_bytes(number: int, data: bytes) -> bytes:
    """A field of type bytes, string (UTF-8 already) or embedded message."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def field_double(number: int, value: float) -> bytes:
    """A field of type double: eight bytes, little endian."""
    return varint(number << 3 | 1) + _DOUBLE.pack(value)


def packed_varints(number: int, values: Iterable[int]) -> bytes:
    """A packed repeated field of integers; nothing at all for no values."""
    data = b"".join(map(varint, values))
    return field_bytes(number, data) if data else b""


def delimited(message: bytes) -> bytes:
    """`message` behind its length: one element of a stream of messages."""
    return varint(len(message)) + message


Fields = dict[int, list[Any]]
"""The fields of a message by number, in order: int (unsigned), float (fixed64 as a double) or bytes."""


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint at `at`, and where it ends.  Raises ValueError for one that is cut short or above 64 bits."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a broken varint")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value & _MASK, at


def fields_of(message: object) -> Iterator[tuple[int, Any]]:
    """The fields of one message in order: number and value.

    Raises ValueError for what is no message, TypeError for what is no bytes,
    where it comes to it.  A fixed32 field is passed over.
    """
    if not isinstance(message, bytes):
        raise TypeError("not a message")
    at, end = 0, len(message)
    while at < end:
        tag, at = read_varint(message, at)
        value, at = _read_value(message, tag & 7, at)
        if at > end:
            raise ValueError("cut short")
        if value is not None:
            yield tag >> 3, value


def read_fields(message: object) -> Fields:
    """All fields of one message by number; raises as `fields_of` does."""
    fields: Fields = {}
    for number, value in fields_of(message):
        fields.setdefault(number, []).append(value)
    return fields


def _read_value(message: bytes, wire: int, at: int) -> tuple[Any, int]:
    """The value at `at`, and where it ends, which is behind the message when it is cut short."""
    if wire == 0:
        return read_varint(message, at)
    if wire == 2:
        size, at = read_varint(message, at)
        return message[at : at + size], at + size
    if wire == 1:
        return _DOUBLE.unpack_from(message, at)[0] if at + 8 <= len(message) else None, at + 8
    if wire == 5:
        return None, at + 4
    raise ValueError("a wire type that nobody uses")


def read_messages(data: bytes) -> Iterator[bytes]:
    """The messages of a delimited stream.  Raises ValueError when it is cut short."""
    at = 0
    while at < len(data):
        size, at = read_varint(data, at)
        if at + size > len(data):
            raise ValueError("cut short")
        yield data[at : at + size]
        at += size
