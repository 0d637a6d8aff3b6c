"""The ops: what each answers, in its place, out of its place, and to a routine whose client is gone."""

from __future__ import annotations

from typing import Any

import pytest

from fanlight import App, Ask, Race, Refused, Request, Response, SendBody, Sleep
from fanlight.asks import Moment
from fanlight.http.request import ReadBody, TakeBody
from fanlight.http.websocket import (
    AcceptWebSocket,
    Attend,
    CloseWebSocket,
    Enlist,
    HasLeft,
    NextMessage,
    OpenTunnel,
    PeerClosed,
    SendMessage,
    SendTexts,
    Signal,
    StopWork,
    Watch,
)
from tests.clients.blocking import HttpConnection
from tests.clients.http1 import serialise
from tests.clients.messages import Outgoing
from tests.clients.websocket import Closed, Text, handshake
from tests.core.connection.connecting import SIMS
from tests.sim import Sim, SimWire, never
from tests.stateful.world import LIMITS, PLAIN, Work

VERSIONS = pytest.mark.parametrize("version", ["1.1", "2"])
GET = serialise(Outgoing(target="/it"))


async def outcome(ask: Ask[Any]) -> Any:
    """The answer, or what was raised in its place."""
    try:
        return await ask
    except BaseException as error:  # noqa: BLE001  departures are outcomes, too
        return error.response.status if isinstance(error, Refused) else type(error)


class Trial:
    """A server whose routes try asks and remember what came back, and when."""

    def __init__(self, *asks: Ask[Any], streamed: bool = False, websocket: bool = False, leaving: bool = False) -> None:
        self.asks = asks
        self.seen: list[Any] = []
        self.times: list[float] = []
        self.leaving = leaving
        app = App(pages=False, limits=LIMITS)
        handler = self.upgraded if websocket else self.streaming if streamed else self.plain
        for method in ("POST", "GET"):
            if not (websocket and method == "POST"):
                app.route(method, "/it", group="ws" if websocket else "base", websocket=websocket)(handler)
        self.sim = Sim(app, answering=never)
        SIMS.append(self.sim)

    async def attempt(self) -> None:
        try:
            if self.leaving:
                await Work("/it")
        finally:
            for ask in self.asks:
                self.seen.append(await outcome(ask))
                self.times.append(self.sim.now.mono - self.sim.started)

    async def plain(self, request: Request) -> Response:
        await self.attempt()
        return Response(200, PLAIN, b"done")

    async def streaming(self, request: Request) -> Response:
        return Response(200, PLAIN, self.attempt)

    async def upgraded(self, request: Request) -> None:
        await AcceptWebSocket(limit=100)
        await self.attempt()

    def connect(self, sent: bytes = GET, *, credit: bool = True) -> SimWire:
        wire = self.sim.connect(credit=credit)
        wire.send(sent)
        return wire


# ---- clients that are gone ---------------------------------------------------


@pytest.mark.parametrize("websocket", [False, True])
@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (Sleep(0), None),
        (Sleep(5), None),
        (ReadBody(10), BaseException),
        (TakeBody(10), BaseException),
        (TakeBody(None), BaseException),
        (OpenTunnel(()), BaseException),
        (SendBody(b"late"), None),
        (AcceptWebSocket(10), BaseException),
        (NextMessage(), PeerClosed(1006)),
        (NextMessage(5), PeerClosed(1006)),
        (SendMessage("late"), None),
        (SendTexts([b"late"]), None),
        (Attend(1), "left"),
        (Watch(1, Signal()), "left"),
        (HasLeft(), True),
        (Enlist(7), None),
        (StopWork(7), "unknown"),
        (CloseWebSocket(), None),
        (Race((Work("/other"), Sleep(5))), (1, None)),
        (Race((NextMessage(), Work("/other"))), (0, PeerClosed(1006))),
    ],
    ids=str,
)
def test_for_a_client_that_is_gone_every_op_ends_at_once(ask: Ask[Any], answer: Any, websocket: bool) -> None:
    trial = Trial(ask, leaving=True, websocket=websocket)
    wire = trial.connect(serialise(handshake("/it", "1.1")) if websocket else GET)
    before = bytes(wire.received)
    wire.abort()
    trial.sim.advance(0)
    if answer is BaseException:
        assert [kind.__name__ for kind in trial.seen] == ["ClientGone"]
    else:
        assert trial.seen == [answer]
    assert wire.connection.finished
    assert wire.received == before


# ---- sleeping and racing -----------------------------------------------------


def test_sleep_wakes_at_its_time_and_not_before() -> None:
    trial = Trial(Sleep(2), Sleep(0.5), Sleep(0))
    trial.connect()
    trial.sim.wires[0].connection.handle_timeout(trial.sim.now)
    assert trial.seen == []
    trial.sim.advance(10)
    assert trial.times == [2.0, 2.5, 2.5]


def test_a_sleep_of_nothing_gives_the_loop_a_turn() -> None:
    trial = Trial(Sleep(0))
    wire = trial.connect()
    assert trial.seen == []
    wire.send(GET)
    assert trial.seen == [], "other input is no turn"
    trial.sim.advance(0)
    assert trial.seen == [None, None]


@pytest.mark.parametrize(
    ("asks", "winner", "when"),
    [
        ((Work("/it"), Sleep(3)), 1, 3.0),
        ((Sleep(1), Sleep(5)), 0, 1.0),
        ((Sleep(5), Sleep(1)), 1, 1.0),
        ((Sleep(4), Work("/it"), Sleep(2), Sleep(3)), 2, 2.0),
    ],
    ids=str,
)
def test_the_shortest_sleep_of_a_race_wins(asks: tuple[Ask[Any], ...], winner: int, when: float) -> None:
    trial = Trial(Race(asks), Sleep(1))
    trial.connect()
    trial.sim.advance(10)
    assert trial.seen == [(winner, None), None]
    assert trial.times == [when, when + 1]
    assert trial.sim.pending == []


def test_an_effect_that_wins_takes_the_sleep_with_it() -> None:
    trial = Trial(Race((Sleep(3), Work("/it"))), Work("/it"))
    trial.connect()
    trial.sim.advance(1)
    trial.sim.reply(trial.sim.pending[0], "done")
    trial.sim.advance(10)
    assert trial.seen == [(1, "done")]


# ---- bodies ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "chunked", "limit", "answer"),
    [
        (b"", False, 0, b""),
        (b"four", False, 4, b"four"),
        (b"four", False, 3, None),
        (b"four", True, 4, b"four"),
        (b"four", True, 3, None),
        (b"x" * 60_000, False, 60_000, b"x" * 60_000),
    ],
)
@VERSIONS
def test_reading_a_body(body: bytes, chunked: bool, limit: int, answer: bytes | None, version: str) -> None:
    trial = Trial(ReadBody(limit))
    client = HttpConnection(trial.sim.connect(), version)
    client.exchange(Outgoing(method="POST", target="/it", body=body, chunked=chunked))
    assert trial.seen == [answer]


def test_a_body_that_is_announced_as_too_long_is_not_awaited() -> None:
    trial = Trial(ReadBody(10))
    trial.connect(b"POST /it HTTP/1.1\r\nhost: localhost\r\ncontent-length: 11\r\n\r\n")
    assert trial.seen == [None]


def test_a_body_whose_framing_is_broken_is_a_refusal() -> None:
    trial = Trial(ReadBody(10))
    trial.connect(b"POST /it HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
    assert trial.seen == [400]


def test_a_body_read_twice_is_empty_the_second_time() -> None:
    trial = Trial(ReadBody(10), ReadBody(10))
    trial.connect(serialise(Outgoing(method="POST", target="/it", body=b"four")))
    assert trial.seen == [b"four", b""]


def test_sending_resumes_when_what_is_unwritten_is_below_the_mark() -> None:
    trial = Trial(SendBody(b"x" * LIMITS.high_water), SendBody(b""), SendBody(b"y"), streamed=True)
    wire = trial.connect(credit=False)
    assert trial.seen == []
    wire.take(1)
    assert trial.seen == []
    wire.take(1000)
    assert trial.seen == [None, None, None]


# ---- WebSockets --------------------------------------------------------------


@VERSIONS
def test_messages_come_and_go_in_order(version: str) -> None:
    trial = Trial(NextMessage(), SendMessage("back"), NextMessage(), CloseWebSocket(4000, "enough"), websocket=True)
    client = HttpConnection(trial.sim.connect(), version)
    _, socket = client.websocket("/it")
    assert socket is not None
    socket.send("one")
    socket.send(b"two")
    assert socket.receive() == Text("back")
    assert socket.receive() == Closed(4000, "enough")
    assert trial.seen == ["one", None, b"two", None]


@pytest.mark.parametrize(
    ("limit", "size", "whole"), [(None, 100, True), (None, 101, False), (5, 5, True), (5, 6, False)]
)
def test_a_message_has_the_limit_of_accept_or_of_next(limit: int | None, size: int, whole: bool) -> None:
    trial = Trial(NextMessage(limit), websocket=True)
    _, socket = HttpConnection(trial.sim.connect(), "1.1").websocket("/it")
    assert socket is not None
    socket.send("x" * size)
    assert trial.seen == ["x" * size if whole else PeerClosed(1009)]
    closed = socket.closed()
    assert closed is not None
    assert closed.code == (1000 if whole else 1009)


def test_sending_a_message_resumes_below_the_mark_too() -> None:
    trial = Trial(SendMessage(b"x" * 40_000), SendMessage(b"y"), websocket=True)
    wire = trial.connect(serialise(handshake("/it", "1.1")), credit=False)
    assert trial.seen == []
    wire.take()
    assert trial.seen == [None, None]


def test_a_close_is_sent_once() -> None:
    trial = Trial(CloseWebSocket(4000), CloseWebSocket(4001), SendMessage("late"), websocket=True)
    _, socket = HttpConnection(trial.sim.connect(), "1.1").websocket("/it")
    assert socket is not None
    assert socket.receive() == Closed(4000, "")
    assert trial.seen == [None, None, None]


# ---- out of place ------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("ask", [SendBody(b"x"), NextMessage(), SendMessage("x"), CloseWebSocket()], ids=str)
def test_before_the_head_these_are_bugs_and_write_nothing(ask: Ask[Any], version: str) -> None:
    trial = Trial(ask)
    answer = HttpConnection(trial.sim.connect(), version).exchange(Outgoing(target="/it"))
    assert (answer.status, answer.body) == (200, b"done")
    assert trial.seen == [RuntimeError]


@VERSIONS
@pytest.mark.parametrize("ask", [AcceptWebSocket(10), NextMessage(), SendMessage("x"), CloseWebSocket()], ids=str)
def test_in_a_producer_these_are_bugs(ask: Ask[Any], version: str) -> None:
    trial = Trial(ask, SendBody(b"on"), streamed=True)
    answer = HttpConnection(trial.sim.connect(), version).exchange(Outgoing(target="/it"))
    assert (answer.status, answer.body) == (200, b"on")
    assert trial.seen == [RuntimeError, None]


@VERSIONS
@pytest.mark.parametrize("ask", [AcceptWebSocket(10), SendBody(b"x"), ReadBody(10)], ids=str)
def test_on_a_websocket_these_are_bugs(ask: Ask[Any], version: str) -> None:
    trial = Trial(ask, SendMessage("on"), websocket=True)
    _, socket = HttpConnection(trial.sim.connect(), version).websocket("/it")
    assert socket is not None
    assert socket.receive() == Text("on")
    assert trial.seen == [RuntimeError, None]


_GOOD = serialise(handshake("/it", "1.1")).replace(b"HTTP/1.1", b"HTTP/1.0")


@pytest.mark.parametrize(("head", "status"), [(GET, 400), (_GOOD, 426)])
def test_accepting_what_is_no_handshake_is_a_refusal(head: bytes, status: int) -> None:
    trial = Trial(AcceptWebSocket(10))
    trial.connect(head)
    assert trial.seen == [status]


# ---- work that others may stop -------------------------------------------------


def test_whoever_attends_is_told_once_somebody_wants_it_to_stop() -> None:
    trial = Trial(Enlist(7), Race((Attend(1), Work("/it"))), Sleep(9))
    trial.connect()
    other = Trial(StopWork(7), StopWork(8))
    other.sim.server.enlisted.update(trial.sim.server.enlisted)
    other.connect()
    assert other.seen == ["stopped", "unknown"]
    trial.sim.advance(0)
    assert trial.seen == [None, (0, "stop")]
    assert [pending.effect for pending in trial.sim.cancelled] == [Work("/it")]


def test_who_is_enlisted_is_forgotten_with_the_exchange() -> None:
    trial = Trial(Enlist(7))
    trial.connect()
    assert trial.seen == [None]
    assert trial.sim.server.enlisted == {}


def test_a_stop_that_comes_between_two_waits_is_not_lost() -> None:
    trial = Trial(Enlist(7), StopWork(7), Attend(1))
    trial.connect()
    assert trial.seen == [None, "stopped", "stop"]


def test_attending_sends_no_ping_where_there_is_no_socket() -> None:
    trial = Trial(Race((Attend(1), Sleep(5))))
    wire = trial.connect()
    trial.sim.advance(4)
    assert wire.received == b""
    trial.sim.advance(2)
    assert trial.seen == [(1, None)]


def test_texts_outside_a_websocket_are_a_bug() -> None:
    trial = Trial(SendTexts([b"x"]))
    trial.connect()
    assert trial.seen == [RuntimeError]


# ---- signals -----------------------------------------------------------------


def test_a_watch_ends_at_the_moment_of_its_signal() -> None:
    signal = Signal()
    trial = Trial(Watch(9, signal), Moment())
    trial.connect()
    signal.set(trial.sim.now.mono + 5)
    trial.sim.advance(4)
    assert trial.seen == []
    trial.sim.advance(2)
    assert trial.seen[0] == "signal"
    assert trial.seen[1].mono == trial.sim.started + trial.times[1]
    assert trial.times == [5.0, 5.0]


def test_a_signal_may_be_moved_in_both_directions() -> None:
    signal = Signal()
    signal.set(0.0)
    trial = Trial(Watch(9, signal), Watch(9, signal))
    trial.connect()
    assert trial.seen == ["signal", "signal"]
    other = Signal()
    trial = Trial(Watch(9, other))
    trial.connect()
    other.set(trial.sim.now.mono + 1)
    other.set(trial.sim.now.mono + 3)
    trial.sim.advance(2)
    assert trial.seen == []
    other.set(trial.sim.now.mono)
    trial.sim.advance(0)
    assert trial.times == [2.0]


def test_who_wants_it_to_stop_comes_before_the_signal() -> None:
    signal = Signal()
    signal.set(0.0)
    trial = Trial(Enlist(7), StopWork(7), Watch(9, signal))
    trial.connect()
    assert trial.seen[2] == "stop"


def test_a_signal_that_nobody_waits_for_is_kept() -> None:
    signal = Signal()
    signal.set(5.0)
    assert signal.at == 5.0
    assert signal.arm is None


# ---- bodies in pieces, and tunnels -----------------------------------------------

POST = b"POST /it HTTP/1.1\r\nhost: localhost\r\ncontent-length: 6\r\n\r\n"


def test_a_body_is_taken_as_it_comes() -> None:
    trial = Trial(TakeBody(10), TakeBody(10), TakeBody(10), TakeBody(10))
    wire = trial.connect(POST)
    assert trial.seen == []
    wire.send(b"ab")
    assert trial.seen == [b"ab"]
    wire.send(b"cdef")
    assert trial.seen == [b"ab", b"cdef", b"", b""]


def test_too_much_of_a_body_is_known_before_it_comes() -> None:
    trial = Trial(TakeBody(5), TakeBody(6))
    trial.connect(POST).send(b"abcdef")
    assert trial.seen == [None, b"abcdef"]


def test_taking_a_body_has_its_time() -> None:
    trial = Trial(TakeBody(10))
    wire = trial.connect(POST)
    trial.sim.advance(LIMITS.body_progress + 1)
    assert trial.seen == [408]
    assert wire.half_closed


@pytest.mark.parametrize("ask", [TakeBody(None), SendBody(b"x")])
def test_there_is_no_tunnel_before_it_is_open(ask: Ask[Any]) -> None:
    trial = Trial(ask)
    trial.connect()
    assert trial.seen == [RuntimeError]


@pytest.mark.parametrize("ask", [TakeBody(10), OpenTunnel(())])
def test_there_is_no_request_after_its_answer_began(ask: Ask[Any]) -> None:
    for streamed in (True, False):
        trial = Trial(*(() if streamed else (OpenTunnel(()),)), ask, streamed=streamed)
        trial.connect()
        assert trial.seen[-1] is RuntimeError


def test_a_tunnel_is_silent_for_as_long_as_it_likes() -> None:
    trial = Trial(OpenTunnel((("x", "y"),)), TakeBody(None), SendBody(b"out"), TakeBody(None), TakeBody(None))
    wire = trial.connect()
    trial.sim.advance(100_000)
    assert wire.received.startswith(b"HTTP/1.1 101 ")
    wire.send(b"in")
    assert trial.seen == [None, b"in", None]
    assert wire.received.endswith(b"\r\n\r\nout")
    wire.finish()
    assert trial.seen[3:] == [b"", b""]


def test_small_pieces_do_not_win_time() -> None:
    trial = Trial(*[TakeBody(1000)] * 20)
    wire = trial.connect(b"POST /it HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\n")
    for _ in range(5):
        trial.sim.advance(LIMITS.body_progress / 4)
        wire.send(b"x")
    assert trial.seen[:4] == [b"x"] * 3 + [408]


@VERSIONS
def test_a_server_that_ends_does_not_wait_for_tunnels(version: str) -> None:
    trial = Trial(OpenTunnel(()), TakeBody(None), websocket=False)
    http = HttpConnection(trial.sim.connect(), version)
    http.begin(Outgoing(target="/it", finished=False))
    assert trial.seen == [None]
    trial.sim.shutdown(60)
    assert next(kind for kind in trial.seen if kind is not None).__name__ == "ClientGone"
    assert trial.sim.server.drained or trial.sim.wires[0].half_closed
