"""A small decoder of protobuf, independent of what encodes it."""

from __future__ import annotations

import struct
from typing import Any

Fields = dict[int, list[Any]]


def take_varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint at `at`, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            assert shift <= 70
            return value, at


def decode(data: bytes) -> Fields:
    """The fields of one message: integers, floats and bytes by number, in order."""
    fields: Fields = {}
    at = 0
    while at < len(data):
        tag, at = take_varint(data, at)
        value: Any
        match tag & 7:
            case 0:
                value, at = take_varint(data, at)
            case 1:
                (value,) = struct.unpack_from("<d", data, at)
                at += 8
            case 2:
                size, at = take_varint(data, at)
                value = data[at : at + size]
                assert len(value) == size, "cut short"
                at += size
            case other:
                raise AssertionError(f"wire type {other}")
        fields.setdefault(tag >> 3, []).append(value)
    return fields
