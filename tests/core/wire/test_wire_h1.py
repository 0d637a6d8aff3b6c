"""The HTTP/1.1 machine by itself: bytes in, events out, answers written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.config.limits import Limits
from fanlight.wire.body import BrokenBody
from fanlight.wire.events import Arrived, Event, Finished, Refused, Reset, Started
from fanlight.wire.h1 import H1Wire
from fanlight.wire.head import HeadReader
from fanlight.wire.heads import CONTINUE

HOST = b"Host: localhost\r\n"
GET = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
DATE = b"date: now\r\n"
LIMITS = Limits(unread_body_bytes=100)


def machine(received: bytes = b"", reader: HeadReader | None = None) -> H1Wire:
    wire = H1Wire(reader or HeadReader(LIMITS), LIMITS)
    if received:
        wire.receive(received)
    return wire


def post(fields: bytes, body: bytes = b"") -> bytes:
    return b"POST /a HTTP/1.1\r\n" + HOST + fields + b"\r\n" + body


def started(wire: H1Wire) -> Started:
    event = wire.next_event()
    assert isinstance(event, Started)
    return event


def answer(wire: H1Wire, status: int = 200, body: bytes = b"hi") -> bytes:
    wire.respond(1, status, (), body, DATE)
    return wire.written()


def test_a_request_and_its_answer() -> None:
    wire = machine(GET)
    event = started(wire)
    assert (event.stream, event.head.path) == (1, "/a")
    assert wire.next_event() is None
    assert wire.take_body(1) == (b"", True)
    assert answer(wire) == b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 2\r\n\r\nhi"
    assert wire.recycle(1)
    assert wire.next_event() is None
    assert wire.written() == b""


def test_the_next_request_waits_for_the_answer() -> None:
    wire = machine(GET + GET)
    started(wire)
    assert isinstance(wire.next_event(), Arrived)  # there is more, which is not of this exchange
    assert wire.next_event() is None
    assert wire.held == len(GET)
    answer(wire)
    assert wire.recycle(1)
    assert started(wire).stream == 2


def test_a_head_from_memory_is_the_head_that_was_read() -> None:
    reader = HeadReader(LIMITS)
    first = started(machine(GET, reader)).head
    wire = machine(GET + GET, reader)
    assert started(wire).head is first
    answer(wire)
    wire.recycle(1)
    assert started(wire).head is first


@pytest.mark.parametrize("cut", range(1, len(GET)))
def test_a_head_in_two_pieces(cut: int) -> None:
    wire = machine(GET[:cut])
    assert wire.next_event() is None
    wire.receive(GET[cut:])
    assert started(wire).head.path == "/a"


def test_a_body_by_length() -> None:
    wire = machine(post(b"Content-Length: 5\r\n", b"abc"))
    started(wire)
    assert wire.take_body(1) == (b"abc", False)
    assert wire.body_left == 2
    wire.receive(b"deGET")
    assert isinstance(wire.next_event(), Arrived)
    assert wire.take_body(1) == (b"de", True)
    assert (wire.body_left, wire.held) == (0, 3)


def test_a_chunked_body() -> None:
    wire = machine(post(b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n"))
    started(wire)
    assert wire.take_body(1) == (b"abc", False)
    assert wire.body_left is None
    wire.receive(b"0\r\n\r\n")
    assert isinstance(wire.next_event(), Arrived)
    assert wire.take_body(1) == (b"", True)


def test_a_broken_body_ends_the_connection() -> None:
    wire = machine(post(b"Transfer-Encoding: chunked\r\n", b"nonsense\r\n"))
    started(wire)
    with pytest.raises(BrokenBody):
        wire.take_body(1)
    assert wire.over
    assert b"connection: close\r\n" in answer(wire, 400)
    assert not wire.recycle(1)


def test_a_long_chunked_body_comes_in_bounded_pieces() -> None:
    wire = machine(post(b"Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n" * 500 + b"0\r\n\r\n"))
    started(wire)
    data, ended = wire.take_body(1)
    assert 0 < len(data) < 100
    events = 0
    while not ended:
        assert isinstance(wire.next_event(), Arrived)
        events += 1
        more, ended = wire.take_body(1)
        data += more
    assert data == b"x" * 500
    assert events > 10


def test_100_continue_is_sent_once_when_the_body_is_asked_for() -> None:
    wire = machine(post(b"Content-Length: 2\r\nExpect: 100-continue\r\n"))
    started(wire)
    assert wire.written() == b""
    assert wire.take_body(1) == (b"", False)
    assert wire.written() == CONTINUE
    wire.take_body(1)
    assert wire.written() == b""


def test_no_100_for_a_body_that_is_there_or_after_the_answer() -> None:
    wire = machine(post(b"Content-Length: 2\r\nExpect: 100-continue\r\n", b"ab"))
    started(wire)
    assert wire.take_body(1) == (b"ab", True)
    assert wire.written() == b""
    wire = machine(post(b"Content-Length: 2\r\nExpect: 100-continue\r\n"))
    started(wire)
    assert b"connection: close" in answer(wire, 413)
    wire.take_body(1)
    assert wire.written() == b""


def test_a_body_too_long_to_throw_away_closes() -> None:
    wire = machine(post(b"Content-Length: 1000\r\n", b"x" * 10))
    started(wire)
    assert b"connection: close\r\n" in answer(wire)
    assert not wire.recycle(1)
    wire = machine(post(b"Content-Length: 50\r\n"))
    started(wire)
    assert b"connection" not in answer(wire)


@pytest.mark.parametrize(("status", "length"), [(200, b"content-length: 0\r\n"), (204, b""), (304, b"")])
def test_the_length_of_nothing(status: int, length: bytes) -> None:
    wire = machine(GET)
    started(wire)
    head = answer(wire, status, b"")
    assert head.endswith(b"date: now\r\n" + length + b"\r\n")


def test_304_has_no_body_whatever_is_given() -> None:
    wire = machine(GET)
    started(wire)
    assert answer(wire, 304, b"body").endswith(b"\r\n\r\n")


def test_head_has_the_length_of_get_and_no_body() -> None:
    wire = machine(GET.replace(b"GET", b"HEAD"))
    started(wire)
    assert answer(wire).endswith(b"content-length: 2\r\n\r\n")


def test_a_streamed_answer_is_chunked() -> None:
    wire = machine(GET)
    started(wire)
    wire.start(1, 200, (), DATE)
    assert wire.written() == b"HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n"
    wire.send(1, b"a" * 20, False)
    wire.send(1, b"", False)
    assert wire.written() == b"14\r\n" + b"a" * 20 + b"\r\n"
    wire.end(1)
    assert wire.written() == b"0\r\n\r\n"
    wire.end(1)
    assert wire.written() == b""
    assert wire.recycle(1)


def test_a_streamed_answer_of_known_length_is_not() -> None:
    wire = machine(GET)
    started(wire)
    wire.start(1, 200, (("content-length", "3"),), DATE)
    wire.send(1, b"abc", True)
    assert wire.written() == b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ndate: now\r\n\r\nabc"


def test_http_1_0_reads_until_the_end() -> None:
    wire = machine(GET.replace(b"HTTP/1.1", b"HTTP/1.0"))
    started(wire)
    wire.start(1, 200, (), DATE)
    wire.send(1, b"abc", True)
    assert wire.written() == b"HTTP/1.1 200 OK\r\ndate: now\r\nconnection: close\r\n\r\nabc"
    assert not wire.recycle(1)


def test_connection_close_is_the_last_exchange() -> None:
    wire = machine(GET.replace(HOST, HOST + b"Connection: close\r\n") + GET)
    started(wire)
    assert b"connection: close\r\n" in answer(wire)
    assert not wire.recycle(1)
    assert wire.next_event() is None


def test_an_upgrade_passes_bytes_untouched() -> None:
    wire = machine(GET.replace(HOST, HOST + b"Connection: upgrade\r\n") + b"\x81\x00")
    started(wire)
    wire.upgrade(1, (("upgrade", "websocket"),), DATE)
    assert wire.written() == b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\ndate: now\r\n\r\n"
    assert isinstance(wire.next_event(), Arrived)
    assert wire.take_body(1) == (b"\x81\x00", False)
    wire.send(1, b"raw", False)
    assert wire.written() == b"raw"
    wire.receive(b"more")
    wire.receive(b"")
    assert isinstance(wire.next_event(), Arrived)
    assert wire.take_body(1) == (b"more", True)
    assert not wire.recycle(1)


def last(wire: H1Wire) -> Event | None:
    event: Event | None = None
    while (more := wire.next_event()) is not None:
        event = more
    return event


@pytest.mark.parametrize("received", [b"", b"\r\n", b"\r", b"GET / HT"])
def test_the_end_between_requests(received: bytes) -> None:
    wire = machine(received)
    wire.receive(b"")
    assert last(wire) == Finished()
    assert wire.over


def test_the_end_during_a_request_is_a_reset() -> None:
    wire = machine(post(b"Content-Length: 5\r\n", b"ab"))
    started(wire)
    wire.take_body(1)
    wire.receive(b"")
    assert wire.next_event() == Reset(1)
    assert wire.over


def test_a_refusal_is_the_end() -> None:
    wire = machine(b"NONSENSE\r\n\r\n" + GET)
    event = wire.next_event()
    assert isinstance(event, Refused)
    assert event.response.status == 400
    assert b"connection: close\r\n" in answer(wire, 400)
    assert not wire.recycle(1)
    assert wire.next_event() is None


@pytest.mark.parametrize("hello", [b"\x16\x03\x01\x02\x00\x01\x00", b"\x16\x03\x01\r\n\r\n"])
def test_a_tls_hello_is_not_answered(hello: bytes) -> None:
    wire = machine(hello)
    assert wire.next_event() == Finished(abort=True)


def test_a_head_that_is_late() -> None:
    wire = machine(b"GET /")
    wire.next_event()
    event = wire.refuse_late()
    assert isinstance(event, Refused)
    assert event.response.status == 408
    assert machine().refuse_late() == Finished()


def test_goodbye_lets_the_exchange_in_hand_finish() -> None:
    wire = machine(GET)
    assert wire.goodbye()
    wire = machine(GET)
    started(wire)
    assert not wire.goodbye()
    assert b"connection: close\r\n" in answer(wire)
    assert not wire.recycle(1)


def test_a_reset_of_ours_ends_the_connection() -> None:
    wire = machine(GET)
    started(wire)
    wire.start(1, 200, (), DATE)
    wire.reset(1)
    assert wire.over
    assert not wire.recycle(1)


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=20))
def test_any_bytes_become_events(pieces: list[bytes]) -> None:
    wire = machine()
    for piece in pieces:
        wire.receive(piece)
        for _ in range(100):
            event = wire.next_event()
            if event is None:
                break
            if isinstance(event, Started | Refused):
                wire.respond(event.stream, 400, (), b"", DATE)
                wire.recycle(event.stream)
        else:
            raise AssertionError("it never stops")
    assert wire.held <= sum(map(len, pieces))
