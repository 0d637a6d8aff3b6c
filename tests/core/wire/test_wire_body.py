"""Request bodies of HTTP/1.1: what is taken from the buffer, what is refused, and how much one call reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.config.limits import Limits
from fanlight.wire.body import BrokenBody, ChunkedBody, LengthBody

LIMITS = Limits(chunk_extension_bytes=20, trailer_bytes=40)


def take_all(body: ChunkedBody, buffer: bytearray) -> bytes:
    found = body.take(buffer)
    while body.more:
        found += body.take(buffer)
    return found


def test_a_body_by_length_takes_what_is_its_own() -> None:
    body, buffer = LengthBody(5), bytearray(b"abc")
    assert (body.take(buffer), bytes(buffer), body.remaining) == (b"abc", b"", 2)
    buffer += b"deGET / "
    assert (body.take(buffer), bytes(buffer), body.done) == (b"de", b"GET / ", True)
    assert body.take(buffer) == b""


def test_a_body_of_nothing_is_done() -> None:
    assert LengthBody(0).done


def test_chunks_one_after_the_other() -> None:
    body, buffer = ChunkedBody(LIMITS), bytearray(b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nGET ")
    assert take_all(body, buffer) == b"abc0123456789"
    assert (body.done, bytes(buffer)) == (True, b"GET ")


@given(st.integers(1, 30))
def test_chunks_however_they_arrive(size: int) -> None:
    coded = b"3\r\nabc\r\n" * 5 + b"0;a\r\nX: y\r\n\r\n"
    body, buffer, found = ChunkedBody(LIMITS), bytearray(), b""
    for at in range(0, len(coded), size):
        assert not body.done
        buffer += coded[at : at + size]
        found += take_all(body, buffer)
    assert (found, body.done, bytes(buffer)) == (b"abc" * 5, True, b"")


def test_data_is_handed_out_before_its_chunk_is_whole() -> None:
    body, buffer = ChunkedBody(LIMITS), bytearray(b"ff\r\nabc")
    assert take_all(body, buffer) == b"abc"
    assert not body.more


@pytest.mark.parametrize(
    "coded",
    [
        b"\r\n",
        b"g\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b"1_0\r\n",
        b" 1\r\n",
        b"1 \r\n",
        b"1;\r\n",
        b"1;a=\r\n",
        b"1;a b\r\n",
        b"1;a=b c\r\n",
        b'1;a="\r\n',
        b"1;a=\x00\r\n",
        b"1;a=b\rc\r\n",
        b"1\n",
        b"1\rx\r\n",
        b"00000000000000001\r\n",
        b"1;" + b"a" * 40 + b"\r\n",
        b"1;" + b"a" * 40,
        b"1\r\nxx\r\n",
        b"1\r\nx\n\n",
        b"1\r\nx\rx",
        b"0\r\nbad trailer\r\n",
        b"0\r\n: x\r\n",
        b"0\r\na: b\x00\r\n",
        b"0\r\na: b\n\r\n",
        b"0\r\n" + b"a: b\r\n" * 20,
        b"0\r\na: " + b"b" * 60,
    ],
)
def test_faulty_framing(coded: bytes) -> None:
    with pytest.raises(BrokenBody):
        take_all(ChunkedBody(LIMITS), bytearray(coded))


@pytest.mark.parametrize(
    "coded", [b"1", b"1\r", b"1;a", b"1\r\nx", b"1\r\nx\r", b"0\r\n", b"0\r\na: b\r\n", b"0\r\n\r"]
)
def test_what_is_not_whole_waits(coded: bytes) -> None:
    body, buffer = ChunkedBody(LIMITS), bytearray(coded)
    take_all(body, buffer)
    assert not body.done
    assert not body.more


def test_the_largest_size_is_read_without_being_believed() -> None:
    body, buffer = ChunkedBody(LIMITS), bytearray(b"ffffffffffffffff\r\nab")
    assert take_all(body, buffer) == b"ab"
    assert not body.done


def test_one_call_reads_a_bounded_number_of_chunks() -> None:
    body, buffer = ChunkedBody(LIMITS), bytearray(b"1\r\nx\r\n" * 1000)
    first = body.take(buffer)
    assert 0 < len(first) < 100
    assert body.more
    assert first + take_all(body, buffer) == b"x" * 1000


def test_many_trailers_do_not_stall() -> None:
    body, buffer = ChunkedBody(Limits()), bytearray(b"0\r\n" + b"a: b\r\n" * 200 + b"\r\n")
    assert (body.take(buffer), body.more) == (b"", True)
    assert (take_all(body, buffer), body.done) == (b"", True)
