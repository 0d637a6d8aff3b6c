"""The protobuf wire format, written by hand: just enough to encode messages.

Pure functions from values to bytes; a message is the concatenation of its
fields.  Never reads a message and knows no schema: `profiling` (pprof) and
`observe` (Prometheus) bring their own field numbers.  Wire types are those of
the protobuf encoding guide: 0 varint, 1 fixed64, 2 length-delimited.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

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
