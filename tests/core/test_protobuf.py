"""`fanlight.protobuf`: what it writes, a decoder of its own reads back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.protobuf import delimited, field_bytes, field_double, field_varint, packed_varints, varint
from tests.core.observe.decoding import decode, messages, take_varint

numbers = st.integers(1, (1 << 29) - 1)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (0, b"\x00"),
        (1, b"\x01"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (300, b"\xac\x02"),
        (16383, b"\xff\x7f"),
        (16384, b"\x80\x80\x01"),
        ((1 << 64) - 1, b"\xff" * 9 + b"\x01"),
        (-1, b"\xff" * 9 + b"\x01"),
        (-(1 << 63), b"\x80" * 9 + b"\x01"),
    ],
)
def test_known_varints(value: int, data: bytes) -> None:
    assert varint(value) == data


@given(st.integers(-(1 << 63), (1 << 64) - 1))
def test_varints_are_read_back(value: int) -> None:
    data = varint(value)
    assert take_varint(data, 0) == (value % (1 << 64), len(data))
    assert data[-1] != 0 or value == 0, "not the shortest form"


@pytest.mark.parametrize("value", [1 << 64, -(1 << 63) - 1])
def test_what_64_bits_cannot_hold_raises(value: int) -> None:
    with pytest.raises(OverflowError):
        varint(value)


@given(numbers, st.integers(0, (1 << 64) - 1), st.binary(max_size=300), st.floats())
def test_fields_are_read_back(number: int, whole: int, data: bytes, real: float) -> None:
    assert decode(field_varint(number, whole)) == {number: [whole]}
    assert decode(field_bytes(number, data)) == {number: [data]}
    (found,) = decode(field_double(number, real))[number]
    assert found == real or (math.isnan(found) and math.isnan(real))


@given(numbers, st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=20))
def test_packed_integers_are_read_back(number: int, values: list[int]) -> None:
    fields = decode(packed_varints(number, values))
    found: list[int] = []
    data, at = fields.get(number, [b""])[0], 0
    while at < len(data):
        value, at = take_varint(data, at)
        found.append(value - (1 << 64) if value >> 63 else value)
    assert found == values
    assert bool(fields) == bool(values)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_a_stream_of_messages(sent: list[bytes]) -> None:
    assert list(messages(b"".join(map(delimited, sent)))) == sent
