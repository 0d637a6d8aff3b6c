"""HTTP/2 flow control, frame sizes and ends: what a row of frames cannot show, because it takes turns."""

from __future__ import annotations

import pytest

from fanlight.observe.records import AccessRecord
from tests.protocol.application import BIG, application
from tests.protocol.frames import (
    CANCEL,
    DATA,
    FLOW_CONTROL_ERROR,
    GOAWAY,
    LARGEST_FRAME,
    NO_ERROR,
    PREFACE,
    PROTOCOL_ERROR,
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
from tests.sim import Sim, SimWire

WINDOW = 65_535


class Peer:
    """A client that says what it is told to and remembers everything it hears."""

    def __init__(self, start: bytes = START, sim: Sim | None = None) -> None:
        self.sim = sim or Sim(application())
        self.wire: SimWire = self.sim.connect()
        self.told = Told()
        self.say(start)

    def say(self, *frames: bytes) -> Told:
        """Send frames, then read."""
        self.wire.send(b"".join(frames))
        self.sim.advance(0)  # as many turns of the host's loop as it takes
        data = bytes(self.wire.received)
        self.wire.received.clear()
        return self.told.take(data)

    def body(self, stream: int = 1) -> bytes:
        """What has come of a body."""
        return self.told.bodies.get(stream, b"")


def test_the_server_says_what_it_offers() -> None:
    told = Peer().told
    assert told.settings[8] == 1  # extended CONNECT (RFC 8441)
    assert told.settings[3] == 100
    assert told.settings[6] == 65_536
    assert told.settings.get(2, 0) == 0
    assert told.acknowledged == 1
    assert told.windows == {0: 1 << 20}


def test_a_body_waits_for_the_window_of_its_stream() -> None:
    peer = Peer(PREFACE + setting((4, 1)))
    peer.say(get())
    assert (peer.told.answers, peer.body()) == ({1: 200}, b"h")
    peer.say(window(1, 2))
    assert peer.body() == b"her"
    assert 1 not in peer.told.ended
    peer.say(window(1, 100))
    assert peer.body() == b"here"
    assert 1 in peer.told.ended


def test_a_body_waits_for_the_window_of_the_connection() -> None:
    peer = Peer(PREFACE + setting((4, 1 << 20)))
    peer.say(get(path=b"/big"))
    assert len(peer.body()) == WINDOW
    peer.say(window(0, 10))
    assert len(peer.body()) == WINDOW + 10
    peer.say(window(0, BIG), window(1, BIG))
    assert len(peer.body()) == BIG
    assert 1 in peer.told.ended


def test_the_last_of_several_settings_counts() -> None:
    peer = Peer(PREFACE + setting((4, 100), (4, 1)))
    peer.say(get())
    assert peer.body() == b"h"


def test_a_window_that_shrinks_below_nothing() -> None:
    peer = Peer(PREFACE + setting((4, 3)))
    peer.say(get())
    assert peer.body() == b"her"
    peer.say(setting((4, 1)))  # now two less than nothing
    peer.say(window(1, 2))
    assert peer.body() == b"her"
    peer.say(window(1, 1))
    assert peer.body() == b"here"


def test_a_window_that_settings_open() -> None:
    peer = Peer(PREFACE + setting((4, 0)))
    peer.say(get())
    assert peer.body() == b""
    assert peer.told.answers == {1: 200}
    peer.say(setting((4, 100)))
    assert peer.body() == b"here"


def test_many_streams_without_a_window_hold_little() -> None:
    peer = Peer(PREFACE + setting((4, 0)))
    peer.say(*(get(2 * n + 1, path=b"/big") for n in range(100)))
    held = sum(len(conversation.pending) for conversation in peer.wire.connection.conversations())
    assert len(peer.told.answers) == 100
    assert held <= 100 * 64 * 1024
    assert peer.body() == b""


@pytest.mark.parametrize("size", [LARGEST_FRAME, 20_000, (1 << 24) - 1])
def test_frames_are_no_larger_than_the_peer_likes(size: int) -> None:
    peer = Peer(PREFACE + setting((5, size)) + window(0, 1 << 22))
    peer.say(get(path=b"/big"))
    assert 0 < peer.told.largest <= size


def test_an_upload_larger_than_the_windows() -> None:
    peer = Peer()
    peer.say(post())
    sent = 0
    while sent < BIG:
        room = min(peer.told.windows[0] + WINDOW, peer.told.windows.get(1, 0) + WINDOW) - sent
        assert room > 0, "no window was opened for what was taken"
        piece = min(room, LARGEST_FRAME, BIG - sent)
        sent += piece
        peer.say(data(1, b"u" * piece, end=sent == BIG))
    assert peer.told.answers == {1: 200}


def test_what_nobody_takes_opens_no_window() -> None:
    peer = Peer()
    peer.say(headers(1, *pseudo(b"POST", b"/late"), flags=4))
    for _ in range(WINDOW // LARGEST_FRAME):
        peer.say(data(1, b"u" * LARGEST_FRAME, end=False))
    assert peer.told.windows.get(1, 0) == 0
    peer.say(data(1, b"u" * LARGEST_FRAME, end=False))
    assert peer.told.resets == {1: FLOW_CONTROL_ERROR} or peer.told.goaway == FLOW_CONTROL_ERROR


def test_padding_counts_for_the_window_and_is_given_back() -> None:
    peer = Peer()
    peer.say(post())
    for _ in range(300):
        peer.say(frame(DATA, 8, 1, b"\xff" + b"x" + bytes(255)))
    given = peer.told.windows[1]
    assert given > WINDOW // 2
    peer.say(data(1))
    assert peer.body() == b"x" * 300


def test_data_for_a_stream_that_is_gone_gives_the_connection_its_window_back() -> None:
    peer = Peer()
    for n in range(80):
        stream = 2 * n + 1
        peer.say(headers(stream, *pseudo(b"POST", b"/late"), flags=4), reset(stream))
        peer.say(data(stream, b"x" * LARGEST_FRAME, end=False))
    assert peer.told.goaway is None
    assert peer.told.windows[0] > (1 << 20)
    assert 101 not in peer.told.answers
    peer.say(get(201))
    assert peer.told.answers == {201: 200}


def test_an_early_answer_ends_the_upload() -> None:
    peer = Peer()
    peer.say(headers(1, *pseudo(b"POST", b"/nowhere"), flags=4))
    assert peer.told.answers == {1: 404}
    assert peer.told.resets == {1: NO_ERROR}
    peer.say(data(1, b"x" * 1000), get(3))
    assert peer.told.answers == {1: 404, 3: 200}


def test_the_server_asks_for_the_body_that_waits() -> None:
    peer = Peer()
    peer.say(post(1, (b"expect", b"100-continue")))
    assert (peer.told.informational, peer.told.answers) == ({1: [100]}, {})
    peer.say(data(1, b"four"))
    assert (peer.told.informational, peer.body()) == ({1: [100]}, b"four")


def test_no_100_for_a_body_that_is_there() -> None:
    peer = Peer()
    peer.say(post(1, (b"expect", b"100-continue")) + data(1, b"four"))
    assert peer.body() == b"four"


def test_a_client_that_says_farewell_still_gets_its_answers() -> None:
    peer = Peer(PREFACE + setting((4, 0)))
    peer.say(get(), frame(GOAWAY, 0, 0, bytes(8)))
    assert not peer.wire.half_closed
    peer.say(window(1, 100))
    assert peer.body() == b"here"
    assert peer.wire.half_closed


def test_a_farewell_with_nothing_in_hand_ends_the_connection() -> None:
    peer = Peer()
    peer.say(frame(GOAWAY, 0, 0, bytes(8)))
    assert peer.wire.half_closed


def test_no_request_is_begun_after_a_farewell_of_ours() -> None:
    peer = Peer()
    peer.say(get(1, path=b"/late"))
    peer.sim.shutdown(10)
    told = peer.say(get(3))
    assert (told.goaway, told.last_stream, told.goaways) == (NO_ERROR, 1, 1)
    assert told.answers == {}
    assert told.resets == {3: 7}
    peer.sim.advance(11)
    assert peer.wire.closed


def test_a_shutdown_finishes_what_is_in_hand() -> None:
    peer = Peer(PREFACE + setting((4, 0)))
    peer.say(get())
    peer.sim.shutdown(10)
    peer.say(window(1, 100))
    assert peer.body() == b"here"
    assert peer.wire.half_closed
    assert peer.told.goaway == NO_ERROR


def test_a_reset_ends_the_routine_and_leaves_a_record() -> None:
    peer = Peer()
    peer.say(get(path=b"/late"), reset(1, CANCEL))
    assert peer.wire.connection.streams == 0
    record = peer.sim.server.recent[-1]
    assert isinstance(record, AccessRecord)
    assert (record.path, record.status) == ("/late", 0)


def test_goaway_names_the_last_stream_that_was_begun() -> None:
    peer = Peer()
    told = peer.say(get(1), get(7), get(2))
    assert (told.goaway, told.last_stream) == (PROTOCOL_ERROR, 7)


def test_a_large_table_offer_is_not_taken_up() -> None:
    peer = Peer(PREFACE + setting((1, 1 << 30)))
    for n in range(50):
        peer.say(get(2 * n + 1))
    assert len(peer.told.answers) == 50  # read with a table of 4 KiB
