"""The HTTP/2 machine by itself: frames in, events out, answers and windows.

What a whole server says to each kind of frame is in `tests/protocol`; here the
machine is asked what nobody outside can see.
"""

from __future__ import annotations

import pytest
from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

from fanlight.config.limits import Limits
from fanlight.wire import h2 as h2_module
from fanlight.wire.body import BrokenBody
from fanlight.wire.events import Arrived, Event, Finished, Refused, Reset, Started, Writable
from fanlight.wire.h2 import H2Wire
from fanlight.wire.h2_head import H2HeadReader
from tests.protocol.frames import (
    CANCEL,
    ENHANCE_YOUR_CALM,
    GOAWAY,
    HEADERS,
    INTERNAL_ERROR,
    NO_ERROR,
    PREFACE,
    PRIORITY,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    SETTINGS,
    START,
    Told,
    data,
    frame,
    get,
    headers,
    post,
    pseudo,
    reset,
    setting,
    window,
)

LIMITS = Limits()
PLAIN = (("content-type", "text/plain"),)
DATE = b"now"


class Machine:
    """A machine and what it said."""

    def __init__(self, *received: bytes, start: bytes = START) -> None:
        self.wire = H2Wire(H2HeadReader(LIMITS), LIMITS)
        self.wire.at(1000.0)
        self.told = Told()
        self.events: list[Event] = []
        self.receive(start)
        self.events.clear()
        self.receive(*received)

    def receive(self, *pieces: bytes) -> list[Event]:
        """Bytes in, every event out; events of no stream are left out."""
        fresh: list[Event] = []
        for piece in pieces:
            self.wire.receive(piece)
            while (event := self.wire.next_event()) is not None:
                if event != Arrived(0):
                    fresh.append(event)
        self.events += fresh
        return fresh

    def said(self) -> Told:
        """Everything written so far."""
        return self.told.take(self.wire.written())


def test_a_request_and_its_answer() -> None:
    machine = Machine(get())
    (event,) = machine.events
    assert isinstance(event, Started)
    assert (event.stream, event.head.path) == (1, "/api/livez")
    rest = machine.wire.respond(1, 200, PLAIN, b"hi", DATE)
    assert rest == b"hi"
    machine.wire.send(1, rest, True)
    assert machine.wire.recycle(1)
    told = machine.said()
    assert (told.answers, told.bodies, told.ended) == ({1: 200}, {1: b"hi"}, {1})
    assert told.fields[1] == [(b"content-type", b"text/plain"), (b"date", b"now"), (b"content-length", b"2")]


@pytest.mark.parametrize(("method", "body", "length"), [("GET", b"", b"0"), ("HEAD", b"hi", b"2")])
def test_an_answer_without_a_body_ends_with_its_head(method: str, body: bytes, length: bytes) -> None:
    machine = Machine(get(method=method.encode()))
    assert machine.wire.respond(1, 200, (), body, DATE) == b""
    told = machine.said()
    assert told.ended == {1}
    assert dict(told.fields[1])[b"content-length"] == length


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_never_has_a_body_has_no_length(status: int) -> None:
    machine = Machine(get())
    machine.wire.respond(1, status, (), b"", DATE)
    assert b"content-length" not in dict(machine.said().fields[1])


def test_a_body_is_kept_until_it_is_taken_and_only_then_given_back() -> None:
    machine = Machine(post(), *(data(1, bytes(16_000), end=False) for _ in range(3)))
    assert machine.said().windows.get(1) is None
    assert machine.wire.take_body(1) == (bytes(48_000), False)
    assert machine.said().windows[1] == 48_000
    assert machine.wire.take_body(1) == (b"", False)
    machine.receive(data(1))
    assert machine.wire.take_body(1) == (b"", True)


def test_a_body_is_held_as_bytes_not_as_pieces() -> None:
    machine = Machine(post(), *(data(1, b"xx", end=False) for _ in range(100)))
    assert machine.wire._inbound[1].data == b"xx" * 100


def test_a_body_of_nobody() -> None:
    with pytest.raises(BrokenBody):
        Machine().wire.take_body(1)


def test_events_of_a_body() -> None:
    machine = Machine(post(), data(1, b"ab", end=False), data(1, b"", end=True))
    assert machine.events[1:] == [Arrived(1), Arrived(1)]


def test_a_streamed_answer_keeps_to_the_windows() -> None:
    machine = Machine(get(), start=PREFACE + setting((4, 5)))
    machine.wire.start(1, 200, PLAIN, DATE)
    assert machine.wire.writable(1) == 5
    machine.wire.send(1, b"hello", False)
    assert machine.wire.writable(1) == 0
    assert machine.receive(window(1, 3)) == [Writable()]
    assert machine.wire.writable(1) == 3
    machine.wire.end(1)
    told = machine.said()
    assert (told.bodies, told.ended) == ({1: b"hello"}, {1})


def test_a_long_piece_goes_out_in_frames_of_the_peers_size() -> None:
    machine = Machine(get(), window(0, 1 << 20), start=PREFACE + setting((4, 1 << 20)))
    machine.wire.start(1, 200, (), DATE)
    machine.wire.send(1, bytes(50_000), True)
    told = machine.said()
    assert (len(told.bodies[1]), told.largest, told.ended) == (50_000, 16_384, {1})


def test_an_upgrade_is_a_200_without_the_fields_of_http1() -> None:
    machine = Machine(headers(1, (b":method", b"CONNECT"), (b":protocol", b"websocket"), *pseudo()[1:], flags=4))
    machine.wire.upgrade(1, (("connection", "upgrade"), ("upgrade", "websocket"), ("x", "y")), DATE)
    told = machine.said()
    assert told.answers == {1: 200}
    assert told.fields[1] == [(b"x", b"y"), (b"date", b"now")]
    assert 1 not in told.ended


def test_100_continue_when_the_body_is_asked_for() -> None:
    machine = Machine(post(1, (b"expect", b"100-continue")))
    assert machine.said().informational == {}
    machine.wire.take_body(1)
    machine.wire.take_body(1)
    assert machine.said().informational == {1: [100]}


def test_a_reset_of_the_peers() -> None:
    machine = Machine(post(), reset(1, CANCEL))
    assert machine.events[1:] == [Reset(1)]
    machine.wire.send(1, b"too late", True)
    machine.wire.end(1)
    machine.wire.reset(1)
    assert machine.said().resets == {}
    assert machine.receive(reset(1)) == []


def test_a_reset_of_ours_has_the_code_of_a_bug() -> None:
    machine = Machine(get())
    machine.wire.start(1, 200, (), DATE)
    machine.wire.reset(1)
    assert machine.said().resets == {1: INTERNAL_ERROR}
    assert not machine.wire.over


def test_an_answer_before_the_body_refuses_the_rest() -> None:
    machine = Machine(post(), data(1, bytes(1000), end=False))
    machine.wire.respond(1, 404, (), b"", DATE)
    assert machine.wire.recycle(1)
    told = machine.said()
    assert (told.answers, told.resets) == ({1: 404}, {1: NO_ERROR})
    assert machine.receive(data(1, bytes(1000))) == []


def test_a_refused_request_is_answered_on_its_stream() -> None:
    machine = Machine(get(path=b"nonsense"))
    (event,) = machine.events
    assert isinstance(event, Refused)
    assert (event.stream, event.response.status) == (1, 400)


def test_a_malformed_request_is_reset_and_told_to_nobody() -> None:
    machine = Machine(headers(1, *pseudo(), (b"X", b"y")), get(3))
    assert [event.stream for event in machine.events if isinstance(event, Started)] == [3]
    assert machine.said().resets == {1: PROTOCOL_ERROR}


def test_malformed_trailers_end_the_exchange() -> None:
    machine = Machine(post(), data(1, b"x", end=False), headers(1, (b":path", b"/")))
    assert machine.events[-1] == Reset(1)
    assert machine.said().resets == {1: PROTOCOL_ERROR}


def test_events_before_a_fault_are_not_lost() -> None:
    machine = Machine(get() + data(0, b"x"))
    assert isinstance(machine.events[0], Started)
    assert machine.events[-1] == Finished()
    assert machine.wire.over
    assert machine.receive(get(3)) == []


def test_a_fault_is_told_once() -> None:
    machine = Machine(data(0, b"x"))
    machine.receive(data(0, b"x"))
    told = machine.said()
    assert (told.goaway, told.goaways) == (PROTOCOL_ERROR, 1)


def test_the_end_is_the_end_of_everything() -> None:
    machine = Machine(get())
    assert machine.receive(b"") == [Finished(abort=True)]
    assert machine.wire.over
    assert machine.wire.eof


def test_goodbye_lets_streams_finish_and_takes_no_more() -> None:
    machine = Machine(get())
    assert not machine.wire.goodbye()
    assert not machine.wire.goodbye()
    machine.receive(get(3))
    told = machine.said()
    assert (told.goaway, told.goaways, told.last_stream) == (NO_ERROR, 1, 1)
    assert told.resets == {3: REFUSED_STREAM}
    machine.wire.respond(1, 200, (), b"", DATE)
    assert not machine.wire.recycle(1)
    assert machine.said().answers == {1: 200}


def test_goodbye_with_nothing_in_hand() -> None:
    assert Machine().wire.goodbye()


def test_a_farewell_of_the_peers_lets_our_answers_out() -> None:
    machine = Machine(get(), frame(GOAWAY, 0, 0, bytes(8)))
    machine.wire.respond(1, 200, (), b"", DATE)
    assert not machine.wire.recycle(1)
    assert machine.said().answers == {1: 200}


def test_what_is_announced_is_what_a_peer_is_held_to() -> None:
    machine = Machine(*(get(2 * n + 1) for n in range(103)))
    told = machine.said()
    assert told.settings[3] == LIMITS.streams == 100
    assert told.resets == {201: REFUSED_STREAM, 203: REFUSED_STREAM, 205: REFUSED_STREAM}
    assert len(machine.events) == 100
    machine.wire.respond(1, 200, (), b"", DATE)
    machine.wire.recycle(1)
    assert [type(event) for event in machine.receive(get(207), get(209))] == [Started]
    assert machine.said().resets[209] == REFUSED_STREAM


def test_streams_that_are_refused_without_end_are_a_flood() -> None:
    machine = Machine(*(get(2 * n + 1) for n in range(100 + LIMITS.resets + 1)))
    told = machine.said()
    assert told.goaway == ENHANCE_YOUR_CALM
    assert len(told.resets) == LIMITS.resets + 1


@pytest.mark.parametrize("ends", ["reset", "less", "more", "given up"])
def test_a_stream_that_ends_badly_gives_the_connection_s_window_back(ends: str) -> None:
    machine = Machine()
    for stream in range(1, 81, 2):  # nearly twice the window, never taken
        head = post(stream, (b"content-length", b"48010"))
        machine.receive(head, *[data(stream, bytes(16_000), end=False)] * 3)
        if ends == "given up":
            machine.wire.reset(stream)
        else:
            last = {"reset": reset(stream), "less": data(stream, b"x"), "more": data(stream, b"x" * 11, end=False)}
            assert machine.receive(last[ends])[-1] == Reset(stream)
    assert machine.said().goaway is None
    assert machine.receive(get(81)) != []


def test_a_peer_that_goes_away_in_anger() -> None:
    machine = Machine(frame(GOAWAY, 0, 0, bytes(7) + b"\x01"))
    assert machine.events == [Finished(abort=True)]


def test_silence_ends_with_no_error() -> None:
    machine = Machine()
    assert machine.wire.refuse_late() == Finished()
    assert machine.said().goaway == NO_ERROR


def test_streams_that_have_ended_are_forgotten_in_time() -> None:
    machine = Machine()
    for n in range(3000):
        machine.wire.at(1000.0 + n)
        machine.receive(get(2 * n + 1))
        machine.wire.respond(2 * n + 1, 204, (), b"", DATE)
        machine.wire.recycle(2 * n + 1)
    assert len(machine.wire._h2._closed_streams) <= 1024
    assert len(machine.said().answers) == 3000
    machine.receive(get(1))
    assert machine.said().goaway == PROTOCOL_ERROR


def test_frames_that_tell_nothing_are_events_of_no_stream() -> None:
    machine = Machine()
    machine.wire.receive(frame(PRIORITY, 0, 1, b"\0\0\0\0\0") * 20)
    events = 0
    while (event := machine.wire.next_event()) is not None:
        assert event == Arrived(0)
        events += 1
    assert 1 < events <= 20


def test_heads_are_encoded_once() -> None:
    fields = (("x-encoded", "once"),)
    assert h2_module._encoded(200, fields) is h2_module._encoded(200, fields)
    for n in range(2000):
        h2_module._encoded(200, (("x-n", str(n)),))
    assert len(h2_module._HEADS) <= 512
    assert h2_module._encoded(200, (("set-cookie", "a"),)) is not h2_module._encoded(200, (("set-cookie", "a"),))


@pytest.mark.parametrize(
    ("offers", "limit"),
    [((0,), 0), ((64,), 64), ((64, 64), 64), ((0, 4096), 4096), ((1 << 31,), 4096), ((64, 1 << 31), 4096)],
)
def test_the_peers_table_is_never_outgrown(offers: tuple[int, ...], limit: int) -> None:
    machine = Machine(*(setting((1, size)) for size in offers), *(get(2 * n + 1) for n in range(3)))
    for stream in (1, 3, 5):
        machine.wire.respond(stream, 200, PLAIN, b"", DATE)
    decoder = Decoder()
    decoder.max_allowed_table_size = limit
    written = machine.wire.written()
    blocks = 0
    while written:
        length, kind = int.from_bytes(written[:3], "big"), written[3]
        if kind == HEADERS:
            decoder.decode(written[9 : 9 + length])
            blocks += 1
        written = written[9 + length :]
    assert blocks == 3
    assert decoder.header_table_size <= limit


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_any_bytes_after_the_preface(pieces: list[bytes]) -> None:
    machine = Machine(*pieces)
    for event in machine.events:
        if isinstance(event, Started | Refused):
            machine.wire.respond(event.stream, 400, (), b"", DATE)
            machine.wire.recycle(event.stream)
    machine.said()


@given(
    st.lists(
        st.builds(
            frame, st.integers(0, 12), st.integers(0, 255), st.sampled_from([0, 1, 1, 2, 3]), st.binary(max_size=40)
        ),
        max_size=12,
    )
)
def test_any_frames(frames: list[bytes]) -> None:
    machine = Machine(get(), *frames)
    told = machine.said()
    assert machine.wire.over or told.goaway is None
    assert not machine.wire.over or isinstance(machine.events[-1], Finished)
    assert told.order[0] == (SETTINGS, 0)
