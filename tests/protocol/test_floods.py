"""Hostile clients, in memory and without a clock: what they make us hold, and what one turn of a host's loop costs.

Each attack is something that made a well-known server fall over.  Memory is
what the interpreter allocated; work is counted in calls of Python functions in
one turn (one read of a socket, or one timeout, with all that follows from it),
so that nothing depends on the machine.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from fanlight import App, Limits
from tests.clients import websocket as ws
from tests.protocol.application import BIG, application
from tests.protocol.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    START,
    Told,
    data,
    frame,
    get,
    headers,
    literal,
    post,
    pseudo,
    reset,
    setting,
    window,
)
from tests.protocol.http2_rows import OPENING, VERSION
from tests.protocol.ws_rows import OPEN_HTTP1
from tests.sim import SEGMENT, Sim, SimWire

MIB = 1024 * 1024
MOST_GROWTH = 32 * MIB
MOST_CALLS = 25_000
"""About 5 ms on the machines of today."""

HOST = b"host: localhost\r\n"
GET = b"GET /api/livez HTTP/1.1\r\n" + HOST + b"\r\n"
PIECE = 60_000


class QuietSim(Sim):
    """A simulation that remembers nothing of what passes, so that only the server's memory grows."""

    def write(self, wire: int, what: str, detail: Any = None) -> None:
        """Keep no transcript."""


class Attacker:
    """One hostile connection.  `reads` False: it takes nothing of what is sent to it."""

    def __init__(self, *start: bytes, app: App | None = None, sim: Sim | None = None, reads: bool = True) -> None:
        self.sim = sim or QuietSim(app or application())
        self.wire: SimWire = self.sim.connect(credit=reads)
        self.heard = bytearray()
        self.most_calls = 0
        self.taken = 0
        for piece in start:
            self.turn(piece)

    def dropped(self) -> bool:
        """Whether the server has closed the socket."""
        return self.wire.closed

    def hung_up(self) -> bool:
        """Whether the server will write no more."""
        return self.wire.half_closed

    @property
    def connection(self) -> Any:
        """The server's side."""
        return self.wire.connection

    def turn(self, piece: bytes) -> bool:
        """One read of the server's socket; False when the server does not want to read, or has closed."""
        if self.wire.closed or not self.connection.wants_read:
            return False
        assert len(piece) <= SEGMENT
        self.taken += len(piece)
        self._counted(lambda: self.wire.send(piece))
        return True

    def idle(self, turns: int = 1_000_000) -> None:
        """The turns that the server asks for without any time passing."""
        while turns and self.sim.deadline <= self.sim.now.mono:
            self._counted(self.sim.fire)
            turns -= 1

    def flood(self, pieces: Iterator[bytes] | list[bytes], *, patient: bool = True) -> int:
        """Send `pieces` until the server takes no more; returns how many it took."""
        count = 0
        for piece in pieces:
            if not self.turn(piece):
                self.idle()
                if not self.turn(piece):
                    break
            if patient:
                self.idle()
            count += 1
        self.idle()
        return count

    def _counted(self, act: Callable[[], object]) -> None:
        calls = 0

        def count(frame: FrameType, event: str, arg: object) -> None:
            nonlocal calls
            calls += event == "call"

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            act()
        finally:
            sys.setprofile(before)
        self.most_calls = max(self.most_calls, calls)
        self.heard += self.wire.received
        self.wire.received.clear()

    def told(self) -> Told:
        """What was heard, as HTTP/2."""
        return Told().take(bytes(self.heard + self.wire.received))


def growth(attack: Callable[[], object]) -> int:
    """The most memory that `attack` made the interpreter hold at once; what it returns is kept until then."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = attack()
        peak = tracemalloc.get_traced_memory()[1]
        del kept
    finally:
        tracemalloc.stop()
    return peak - before


def filled(unit: bytes, size: int = PIECE) -> bytes:
    """As many whole `unit`s as fit in one read."""
    return unit * (size // len(unit))


def neighbour_is_served(sim: Sim) -> bool:
    """Whether somebody else gets an answer at once."""
    wire = sim.connect()
    wire.send(GET)
    return bytes(wire.received).startswith(b"HTTP/1.1 200 OK")


def chat(reads: bool = True) -> Attacker:
    """An open WebSocket over HTTP/1.1."""
    return Attacker(OPEN_HTTP1, reads=reads)


def chat_http2(reads: bool = True) -> Attacker:
    """An open WebSocket over HTTP/2."""
    return Attacker(START + headers(1, *OPENING, VERSION, flags=END_HEADERS), reads=reads)


# ---- work in one turn -------------------------------------------------------------------------------------------

BUSY: dict[str, tuple[Callable[[], Attacker], bytes]] = {
    "pipelined requests": (Attacker, filled(GET)),
    "empty lines": (Attacker, filled(b"\r\n")),
    "chunks of one byte": (
        lambda: Attacker(b"POST /echo HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n"),
        filled(b"1\r\nx\r\n"),
    ),
    "chunks of one byte that nobody wants": (
        lambda: Attacker(b"POST /nowhere HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n"),
        filled(b"1\r\nx\r\n"),
    ),
    "WebSocket pings": (chat, filled(ws.frame(ws.PING, b""))),
    "WebSocket pongs": (chat, filled(ws.frame(ws.PONG, b""))),
    "empty messages": (chat, filled(ws.frame(ws.TEXT, b""))),
    "empty fragments": (
        lambda: Attacker(OPEN_HTTP1, ws.frame(ws.TEXT, b"", fin=False)),
        filled(ws.frame(ws.CONTINUATION, b"", fin=False)),
    ),
    "fragments of one byte": (
        lambda: Attacker(OPEN_HTTP1, ws.frame(ws.BINARY, b"", fin=False)),
        filled(ws.frame(ws.CONTINUATION, b"x", fin=False)),
    ),
    "requests on streams": (
        lambda: Attacker(START),
        b"".join(get(2 * n + 1) for n in range(800)),
    ),
    "window updates": (lambda: Attacker(START), filled(window(0, 1))),
    "DATA of one byte": (lambda: Attacker(START + post()), filled(data(1, b"x", end=False))),
    "unknown frames": (lambda: Attacker(START), filled(frame(0x50, 0, 0))),
    "window updates for a stream that has ended": (lambda: Attacker(START + get()), filled(window(1, 1))),
    "DATA for a stream that was reset": (
        lambda: Attacker(START + post() + reset(1)),
        filled(data(1, b"x", end=False)),
    ),
    "SETTINGS": (lambda: Attacker(START), filled(setting((4, 1)))),
    "a head of many fields": (Attacker, b"GET / HTTP/1.1\r\n" + filled(b"a: b\r\n", 64_000)),
    "a head in tiny pieces": (lambda: Attacker(*[b"G"] + [b"a"] * 50), b"a"),
    "WebSocket pings on a stream": (chat_http2, data(1, filled(ws.frame(ws.PING, b""), 16_000), end=False) * 3),
    "small DATA for a WebSocket": (chat_http2, filled(data(1, ws.frame(ws.PING, b""), end=False))),
}


@pytest.mark.parametrize("name", BUSY)
def test_one_read_is_bounded_work(name: str) -> None:
    begin, piece = BUSY[name]
    attacker = begin()
    for _ in range(3):
        attacker.turn(piece)
        attacker.idle(turns=20)
    assert attacker.most_calls < MOST_CALLS
    assert neighbour_is_served(attacker.sim)


# ---- memory -----------------------------------------------------------------------------------------------------


def big_on_every_stream() -> object:
    sim = QuietSim(application())
    asked = PREFACE + setting((4, 0)) + b"".join(get(2 * n + 1, path=b"/big") for n in range(90))
    attackers = [Attacker(asked, sim=sim) for _ in range(5)]
    for attacker in attackers:
        attacker.idle()
        assert len(attacker.told().answers) == 90
    return attackers


def a_head_without_end() -> object:
    attacker = Attacker(b"GET / HTTP/1.1\r\n")
    assert attacker.flood([filled(b"a: b\r\n")] * 1000) < 10  # what comes while it lingers is thrown away
    assert attacker.heard.startswith(b"HTTP/1.1 431 ")
    return attacker


def answers_that_nobody_reads() -> object:
    attacker = Attacker(reads=False)
    assert attacker.flood([filled(GET)] * 1000) < 10
    assert attacker.taken < MIB
    return attacker


def big_answers_that_nobody_reads() -> object:
    attacker = Attacker(reads=False)
    assert attacker.flood([filled(GET.replace(b"/api/livez", b"/big"))] * 1000) < 10
    assert len(attacker.heard) < MIB
    return attacker


def pongs_that_nobody_reads() -> object:
    attacker = chat(reads=False)
    assert attacker.flood([filled(ws.frame(ws.PING, b"x" * 125))] * 1000) < 10
    assert len(attacker.heard) < MIB
    return attacker


def echoes_that_nobody_reads() -> object:
    attacker = chat(reads=False)
    message = ws.frame(ws.BINARY, bytes(200_000))
    pieces = [message[at : at + PIECE] for at in range(0, len(message), PIECE)]
    attacker.flood(pieces * 100)
    assert attacker.taken < 2 * MIB
    return attacker


def echoes_that_nobody_reads_on_a_stream() -> object:
    attacker = chat_http2(reads=False)
    attacker.flood([data(1, ws.frame(ws.BINARY, bytes(16_000)), end=False)] * 500)
    assert attacker.taken < 2 * MIB
    return attacker


def pings_faster_than_turns() -> object:
    attacker = chat()
    for _ in range(200):
        attacker.turn(filled(ws.frame(ws.PING, b"")))
    return attacker


def _short_messages() -> App:
    return application(limits=Limits(message_overhead_bytes=64 * 1024))


def fragments_without_end() -> object:
    attacker = Attacker(OPEN_HTTP1, ws.frame(ws.TEXT, b"", fin=False), app=_short_messages())
    attacker.flood([filled(ws.frame(ws.CONTINUATION, "é".encode(), fin=False))] * 100)
    assert bytes(attacker.heard).endswith(b"\x88\x02\x03\xf1")  # Close 1009
    return attacker


def empty_fragments_without_end() -> object:
    attacker = Attacker(OPEN_HTTP1, ws.frame(ws.TEXT, b"", fin=False), app=_short_messages())
    attacker.flood([filled(ws.frame(ws.CONTINUATION, b"", fin=False))] * 100)
    assert bytes(attacker.heard).endswith(b"\x88\x02\x03\xf1")  # Close 1009
    return attacker


def a_frame_of_a_tebibyte() -> object:
    attacker = chat()
    attacker.turn(ws.frame(ws.BINARY, b"", length=1 << 40))
    assert attacker.flood([bytes(PIECE)] * 1000) < 10
    assert bytes(attacker.heard).endswith(b"\x88\x02\x03\xf1")
    return attacker


def a_body_in_pieces_of_two_bytes() -> object:
    attacker = Attacker(b"POST /echo HTTP/1.1\r\n" + HOST + b"content-length: 400000\r\n\r\n")
    for _ in range(20_000):
        attacker.wire.send(b"xx")
    return attacker


def bodies_on_streams_that_nobody_takes() -> object:
    attacker = Attacker(START)
    for n in range(20):
        attacker.turn(headers(2 * n + 1, *pseudo(b"POST", b"/late"), flags=END_HEADERS))
        attacker.flood([data(2 * n + 1, bytes(16_000), end=False) * 3])
    held = sum(len(inbound.data) for inbound in attacker.connection.wire._inbound.values())
    assert 900_000 < held <= MIB + SEGMENT
    return attacker


def chunk_extensions() -> object:
    attacker = Attacker(b"POST /echo HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n1;a=")
    assert attacker.flood([b"x" * PIECE] * 1000) < 10
    assert attacker.heard.startswith(b"HTTP/1.1 400 ")
    return attacker


def trailers_without_end() -> object:
    attacker = Attacker(b"POST /echo HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n0\r\n")
    assert attacker.flood([filled(b"a: b\r\n")] * 1000) < 10
    assert attacker.heard.startswith(b"HTTP/1.1 400 ")
    return attacker


def a_body_that_nobody_wants() -> object:
    attacker = Attacker(b"POST /nowhere HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n%b\r\n" % (50_000, bytes(50_000))
    assert attacker.flood([chunk] * 1000) < 20
    assert attacker.heard.startswith(b"HTTP/1.1 404 ")
    return attacker


def headers_without_an_end() -> object:
    attacker = Attacker(START + headers(1, *pseudo(), flags=0))
    attacker.flood([frame(CONTINUATION, 0, 1, bytes(PIECE // 4))] * 1000)
    assert attacker.told().goaway == ENHANCE_YOUR_CALM
    return attacker


def a_small_block_that_becomes_large() -> object:
    field = b"\x40\x01a\x7f\xa1\x1e" + b"v" * 4000  # 4,000 bytes, then one byte for each repetition
    attacker = Attacker(START + frame(HEADERS, 5, 1, field + b"\xbe" * 12_000))
    assert attacker.told().goaway == ENHANCE_YOUR_CALM
    return attacker


MEMORY = (
    big_on_every_stream,
    a_head_without_end,
    answers_that_nobody_reads,
    big_answers_that_nobody_reads,
    pongs_that_nobody_reads,
    echoes_that_nobody_reads,
    echoes_that_nobody_reads_on_a_stream,
    pings_faster_than_turns,
    fragments_without_end,
    empty_fragments_without_end,
    a_frame_of_a_tebibyte,
    bodies_on_streams_that_nobody_takes,
    chunk_extensions,
    trailers_without_end,
    a_body_that_nobody_wants,
    headers_without_an_end,
    a_small_block_that_becomes_large,
)


@pytest.mark.parametrize("attack", MEMORY, ids=lambda attack: attack.__name__)
def test_memory_stays_bounded(attack: Callable[[], object]) -> None:
    application()  # whatever is loaded at first use
    assert growth(attack) < MOST_GROWTH / 4


def test_small_pieces_weigh_what_they_are() -> None:
    a_body_in_pieces_of_two_bytes()
    assert growth(a_body_in_pieces_of_two_bytes) < 500_000


def test_an_idle_connection_is_small() -> None:
    count = 300

    def connect() -> object:
        sim = QuietSim(application())
        wires = [sim.connect() for _ in range(count)]
        for wire in wires:
            wire.send(GET)
            wire.received.clear()
        return wires

    connect()
    assert growth(connect) / count < 6 * 1024


def test_an_upload_is_held_once() -> None:
    size = 4 * MIB

    def upload() -> object:
        attacker = Attacker(b"POST /echo HTTP/1.1\r\n%bcontent-length: %d\r\n\r\n" % (HOST, size), reads=False)
        for _ in range(size // 4096 - 1):
            attacker.wire.send(bytes(4096))
        return attacker

    assert growth(upload) < size + 4 * MIB


# ---- floods of cheap frames -------------------------------------------------------------------------------------

FLOODS: dict[str, tuple[bytes, bytes]] = {
    "PING": (b"", frame(PING, 0, 0, b"12345678")),
    "SETTINGS": (b"", setting((4, 65_535))),
    "empty SETTINGS": (b"", setting()),
    "PRIORITY": (b"", frame(PRIORITY, 0, 1, b"\0\0\0\0\x10")),
    "unknown frames": (b"", frame(0x50, 0, 0, b"what")),
    "empty DATA": (post(), data(1, end=False)),
    "padding without data": (post(), frame(DATA, 8, 1, b"\0")),
    "window updates": (b"", window(0, 1)),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_with_enhance_your_calm(name: str) -> None:
    start, unit = FLOODS[name]
    few = (
        Limits(control_frames=50) if name == "window updates" else Limits()
    )  # of these a hundred times as many may come
    attacker = Attacker(START + start, app=application(limits=few))
    taken = attacker.flood([filled(unit)] * 100)
    told = attacker.told()
    assert told.goaway == ENHANCE_YOUR_CALM
    assert told.goaways == 1
    assert taken < 100
    assert len(told.pongs) <= 500
    assert attacker.most_calls < MOST_CALLS
    assert neighbour_is_served(attacker.sim)


def test_rapid_reset_ends_with_enhance_your_calm() -> None:
    attacker = Attacker(START)
    pairs = [get(2 * n + 1, path=b"/late") + reset(2 * n + 1) for n in range(3000)]
    attacker.flood([b"".join(pairs[at : at + 100]) for at in range(0, len(pairs), 100)])
    assert attacker.told().goaway == ENHANCE_YOUR_CALM
    assert attacker.connection.requests <= 250
    assert attacker.most_calls < MOST_CALLS


def test_resets_that_the_client_makes_us_send_are_counted_too() -> None:
    attacker = Attacker(START)
    broken = [headers(2 * n + 1, *pseudo(), (b"X", b"y")) for n in range(3000)]
    attacker.flood([b"".join(broken[at : at + 100]) for at in range(0, len(broken), 100)])
    assert attacker.told().goaway == ENHANCE_YOUR_CALM
    assert len(attacker.told().resets) <= 250


def test_honest_traffic_is_no_flood() -> None:
    attacker = Attacker(START)
    for n in range(1000):
        attacker.turn(get(2 * n + 1) + window(0, 4))
        if n % 50 == 0:
            attacker.turn(frame(PING, 0, 0, b"12345678"))
        attacker.idle()
        attacker.sim.advance(0.01)
    told = attacker.told()
    assert told.goaway is None
    assert len(told.answers) == 1000


def test_a_large_upload_in_small_frames_is_no_flood() -> None:
    attacker = Attacker(START + post())
    for _ in range(BIG // 4096):
        attacker.turn(data(1, bytes(4096), end=False))
        attacker.idle()
    attacker.turn(data(1))
    attacker.idle()
    assert attacker.told().answers == {1: 200}
    assert attacker.told().goaway is None


def test_a_flood_that_is_slow_enough_is_none() -> None:
    attacker = Attacker(START)
    for _ in range(30):
        attacker.turn(frame(PING, 0, 0, b"12345678") * 100)
        attacker.idle()
        attacker.sim.advance(3)
    assert attacker.told().goaway is None
    assert len(attacker.told().pongs) == 3000


# ---- clients that do nothing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "seconds", "answer"),
    [
        (b"", 75, b""),
        (b"GET / HT", 10, b"HTTP/1.1 408 "),
        (b"PRI * HTTP", 75, b""),
        (b"POST /echo HTTP/1.1\r\n" + HOST + b"content-length: 5\r\n\r\nabc", 30, b"HTTP/1.1 408 "),
        (b"POST /nowhere HTTP/1.1\r\n" + HOST + b"content-length: 5\r\n\r\nabc", 30, b"HTTP/1.1 404 "),
        (GET, 75, b"HTTP/1.1 200 "),
    ],
)
def test_silence_has_an_end(sent: bytes, seconds: float, answer: bytes) -> None:
    attacker = Attacker(sent)
    attacker.sim.advance(seconds - 0.5)
    assert not attacker.hung_up()
    attacker.sim.advance(1)
    assert attacker.hung_up()
    assert bytes(attacker.heard + attacker.wire.received).startswith(answer)
    attacker.sim.advance(5)
    assert attacker.connection.finished


def test_a_reader_that_stops_is_dropped() -> None:
    attacker = Attacker(GET.replace(b"/api/livez", b"/big"), reads=False)
    attacker.sim.advance(29)
    assert not attacker.dropped()
    attacker.sim.advance(2)
    assert attacker.dropped()
    assert attacker.connection.finished


def test_a_window_that_stays_shut_holds_nothing() -> None:
    attacker = Attacker(PREFACE + setting((4, 0)) + get())
    attacker.sim.advance(29)
    assert attacker.told().resets == {}
    attacker.sim.advance(2)
    assert set(attacker.told().resets) == {1}
    assert attacker.connection.streams == 0
    attacker.sim.advance(76)
    assert attacker.dropped()


def test_one_byte_now_and_then_does_not_hold_a_head_open() -> None:
    attacker = Attacker(b"GET / HTTP/1.1\r\n")
    for _ in range(12):
        attacker.sim.advance(1)
        attacker.turn(b"a")
    assert bytes(attacker.heard).startswith(b"HTTP/1.1 408 ")


def test_connections_of_one_peer_are_counted() -> None:
    sim = QuietSim(application(limits=Limits(connections_per_peer=3)))
    kept = [sim.connect(peer="192.0.2.1") for _ in range(3)]
    with pytest.raises(ConnectionRefusedError):
        sim.connect(peer="192.0.2.1")
    sim.connect(peer="192.0.2.2")
    kept[0].abort()
    sim.connect(peer="192.0.2.1")


def test_literals_of_a_block_are_what_they_seem() -> None:
    # The large block above is built by hand; this holds the hand to the format.
    assert literal(b"a", b"b") == b"\x00\x01a\x01b"
    attacker = Attacker(START + frame(HEADERS, 5, 1, b"\x40\x01a\x7f\xa1\x1e" + b"v" * 4000 + b"\x82"))
    assert attacker.told().goaway is None
    assert set(attacker.told().resets) == {1}
