"""`fanlight.protobuf`: what it writes, a decoder of its own reads back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.protobuf import (
    delimited,
    field_bytes,
    field_double,
    field_varint,
    packed_varints,
    read_fields,
    read_messages,
    read_varint,
    varint,
)
from tests.core.observe.decoding import messages
from tests.protobuf import decode, take_varint

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


values = st.integers(0, (1 << 64) - 1) | st.floats(allow_nan=False) | st.binary(max_size=40)


def field(number: int, value: int | float | bytes) -> bytes:
    if isinstance(value, bytes):
        return field_bytes(number, value)
    return field_double(number, value) if isinstance(value, float) else field_varint(number, value)


@given(st.lists(st.tuples(numbers, values)))
def test_what_is_written_is_read(given_fields: list[tuple[int, int | float | bytes]]) -> None:
    message = b"".join(field(number, value) for number, value in given_fields)
    expected: dict[int, list[int | float | bytes]] = {}
    for number, value in given_fields:
        expected.setdefault(number, []).append(value)
    assert read_fields(message) == expected == decode(message)
    assert list(read_messages(delimited(message) * 2)) == [message, message]


def test_a_field_of_four_bytes_is_passed_over() -> None:
    assert read_fields(b"\x0d\x01\x02\x03\x04" + field_varint(2, 7)) == {2: [7]}


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        b"\x08",
        b"\x08\x80",
        b"\x08" + b"\xff" * 10,
        b"\x0a\x02a",
        b"\x09\x00\x00",
        b"\x0d\x00",
        b"\x0b",
        b"\x0e",
        field_bytes(1, b"")[:-1] + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ],
)
def test_what_is_cut_short_or_strange_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"varint|cut short|wire type"):
        read_fields(data)


def test_a_number_is_no_message() -> None:
    with pytest.raises(TypeError):
        read_fields(7)
    with pytest.raises(ValueError, match="cut short"):
        list(read_messages(b"\x05abc"))
    assert read_varint(b"\x01\xac\x02", 1) == (300, 3)
