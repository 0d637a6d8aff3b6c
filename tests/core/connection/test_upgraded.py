"""Upgraded streams: messages in order, how far is read ahead, and every way they end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from fanlight import App, Limits, Refused, Request
from fanlight.http.response import text
from fanlight.http.websocket import AcceptWebSocket, NextMessage, PeerClosed, SendMessage
from fanlight.observe.records import Failure
from tests.clients.blocking import HttpConnection, WebSocket
from tests.clients.http1 import serialise
from tests.clients.messages import Outgoing
from tests.clients.websocket import CLOSE, PING, TEXT, Binary, Closed, Ponged, Text, fragments, frame, handshake
from tests.core.connection.connecting import OPENING, SIMS, connect
from tests.sim import Sim, never
from tests.stateful.world import LIMITS, SECRET, Release, Work

VERSIONS = pytest.mark.parametrize("version", ["1.1", "2"])
HANDSHAKE = serialise(handshake("/it", "1.1"))


def upgrading(talk: Callable[[], Awaitable[None]], limits: Limits = LIMITS) -> Sim:
    """A server whose WebSocket `/it` accepts and then does `talk`."""
    app = App(pages=False, limits=limits)

    @app.route("GET", "/it", group="ws", websocket=True)
    async def handler(request: Request) -> None:
        await AcceptWebSocket(limit=64 * 1024, fields=(("x-it", "yes"),))
        await talk()

    sim = Sim(app, answering=never)
    SIMS.append(sim)
    return sim


def dial(sim: Sim, version: str, target: str = "/it") -> WebSocket:
    """An open WebSocket."""
    answer, socket = HttpConnection(sim.connect(), version).websocket(target)
    assert answer.status == (200 if version == "2" else 101)
    assert socket is not None
    return socket


async def echo() -> None:
    while not isinstance(message := await NextMessage(), PeerClosed):
        await SendMessage(message)


async def slow_echo() -> None:
    while not isinstance(message := await NextMessage(), PeerClosed):
        await Work("/it")
        await SendMessage(message)


async def busy() -> None:
    await Work("/it")


async def bug() -> None:
    raise ValueError(SECRET)


async def refusal() -> None:
    raise Refused(text(403, SECRET))


@VERSIONS
def test_messages_come_back_in_order_and_kind(version: str) -> None:
    socket = dial(upgrading(echo), version)
    socket.send("one")
    socket.send(b"two")
    socket.raw(b"".join(fragments(TEXT, "drei€".encode(), 3)))
    assert [socket.receive() for _ in range(3)] == [Text("one"), Binary(b"two"), Text("drei€")]


@VERSIONS
def test_the_answer_has_the_fields_of_the_handler_and_those_of_every_answer(version: str) -> None:
    answer, _ = HttpConnection(upgrading(echo).connect(), version).websocket("/it")
    assert answer.get("x-it") == "yes"
    assert answer.get("x-content-type-options") == "nosniff"
    assert answer.get("date")


@pytest.mark.parametrize(("version", "status"), [("1.1", 101), ("2", 200)])
def test_an_upgrade_has_one_record_when_it_ends(version: str, status: int) -> None:
    sim = upgrading(echo)
    socket = dial(sim, version)
    assert list(sim.server.recent) == []
    socket.close(1000)
    assert socket.closed() == Closed(1000, "")
    (record,) = sim.server.recent
    assert (record.path, record.status, record.version) == ("/it", status, version)


def test_a_connection_that_is_upgraded_counts_as_a_websocket() -> None:
    sim = upgrading(echo)
    wire = sim.connect()
    assert wire.connection.spoken == ""
    wire.send(HANDSHAKE)
    assert wire.connection.spoken == "websocket"
    wire.abort()
    family = sim.server.metrics._connections
    assert set(family.kind.values(family.children)) == {0.0}


def test_frames_that_come_with_the_handshake_are_not_lost() -> None:
    wire = upgrading(echo).connect()
    wire.send(HANDSHAKE + frame(TEXT, b"early"))
    assert bytes(wire.received).endswith(b"\x81\x05early")


@VERSIONS
def test_a_ping_is_answered_while_the_routine_is_busy(version: str) -> None:
    socket = dial(upgrading(busy), version)
    socket.raw(frame(PING, b"there?"))
    assert socket.receive() == Ponged(b"there?")


def test_on_http2_many_share_a_connection() -> None:
    client = HttpConnection(upgrading(echo).connect(), "2")
    sockets = [socket for _ in range(5) if (socket := client.websocket("/it")[1])]
    for number, socket in enumerate(sockets):
        socket.send(f"{number}")
    assert [socket.receive() for socket in sockets] == [Text(f"{number}") for number in range(5)]


# ---- how far is read ahead ---------------------------------------------------


def test_while_the_routine_works_a_bounded_number_of_messages_waits() -> None:
    sim = upgrading(slow_echo)
    wire = sim.connect()
    wire.send(HANDSHAKE)
    for number in range(5_000):
        wire.send(frame(TEXT, b"%06d" % number))
    (conversation,) = wire.connection.conversations()
    assert len(conversation.inbox) <= LIMITS.waiting_messages
    assert not wire.connection.wants_read
    assert wire.connection.wire.held <= LIMITS.input_bytes + 12
    while sim.pending:
        sim.reply(sim.pending[0])
        sim.advance(0)
    assert bytes(wire.received).count(b"\x81\x06") == 5_000


def test_nothing_is_read_past_replies_that_the_socket_does_not_take() -> None:
    sim = upgrading(echo)
    wire = sim.connect(credit=False)
    wire.send(HANDSHAKE)
    wire.take()
    for _ in range(20):
        wire.send(frame(TEXT, b"x" * 10_000))
    assert wire.connection.backlog <= LIMITS.high_water + 20_000
    assert not wire.connection.wants_read
    for _ in range(30):
        sim.advance(0)
        wire.take()
    assert bytes(wire.received).count(b"x" * 10_000) == 20


def test_replies_come_before_the_close_that_followed_their_messages() -> None:
    wire = upgrading(echo).connect()
    wire.send(HANDSHAKE + frame(TEXT, b"one") + frame(TEXT, b"two") + frame(CLOSE, b"\x03\xe8"))
    assert bytes(wire.received).endswith(b"\x81\x03one\x81\x03two\x88\x02\x03\xe8")


def test_a_close_is_read_while_the_routine_works_and_nothing_is_sent_after_it() -> None:
    sim = upgrading(slow_echo)
    wire = sim.connect()
    wire.send(HANDSHAKE + frame(TEXT, b"one") + frame(CLOSE, b"\x03\xe8"))
    (conversation,) = wire.connection.conversations()
    assert list(conversation.inbox) == [PeerClosed(1000)]
    sim.reply(sim.pending[0])
    assert bytes(wire.received).partition(b"\r\n\r\n")[2] == b"\x88\x02\x03\xe8"


# ---- endings -----------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999, None])
def test_a_close_of_the_client_is_answered_with_its_code(code: int | None, version: str) -> None:
    socket = dial(upgrading(echo), version)
    socket.close(code)
    assert socket.closed() == Closed(code, "")


@VERSIONS
@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"x", masked=False), 1002),
        (frame(TEXT, b"x", rsv=4), 1002),
        (frame(0x3, b"x"), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(TEXT, b"", length=64 * 1024 + 1), 1009),
    ],
)
def test_a_client_that_breaks_the_rules_is_told_by_a_code(broken: bytes, code: int, version: str) -> None:
    sim = upgrading(echo)
    socket = dial(sim, version)
    socket.raw(broken)
    closed = socket.closed()
    assert closed is not None
    assert closed.code == code
    assert [record.path for record in sim.server.recent] == ["/it"]


@VERSIONS
@pytest.mark.parametrize(("talk", "code"), [(bug, 1011), (refusal, 1000)])
def test_a_routine_that_fails_closes_without_a_word(
    talk: Callable[[], Awaitable[None]], code: int, version: str
) -> None:
    sim = upgrading(talk)
    socket = dial(sim, version)
    assert socket.closed() == Closed(code, "")
    assert [type(note) for note in sim.notes] == ([Failure] if code == 1011 else [])
    assert len(sim.server.recent) == 1


def test_the_connection_closes_when_the_routine_is_done() -> None:
    sim = upgrading(busy)
    wire = sim.connect()
    wire.send(HANDSHAKE)
    sim.reply(sim.pending[0])
    assert bytes(wire.received).endswith(b"\x88\x02\x03\xe8")
    assert wire.half_closed
    sim.advance(LIMITS.linger)
    assert sim.server.drained


@pytest.mark.parametrize(("end", "told"), [("finish", [PeerClosed(1006)]), ("abort", [])])
def test_an_end_without_a_close_is_told_to_one_that_listens(end: str, told: list[PeerClosed]) -> None:
    seen: list[object] = []

    async def listening() -> None:
        try:
            seen.append(await NextMessage())
        finally:
            seen.append("over")

    sim = upgrading(listening)
    wire = sim.connect()
    wire.send(HANDSHAKE)
    getattr(wire, end)()
    assert seen == [*told, "over"]
    assert sim.server.drained


@pytest.mark.parametrize("end", ["finish", "abort"])
def test_an_end_interrupts_one_that_works(end: str) -> None:
    sim = upgrading(busy)
    wire = sim.connect()
    wire.send(HANDSHAKE)
    getattr(wire, end)()
    assert [item.effect for item in sim.cancelled] == [Work("/it")]
    assert sim.server.drained


def test_what_was_acquired_is_released_after_the_close() -> None:
    sim, wire = connect(OPENING)
    wire.send(frame(CLOSE, b"\x03\xe8"))
    (release,) = sim.pending
    assert release.effect == Release(1)
    sim.reply(release)
    assert bytes(wire.received).endswith(b"\x88\x02\x03\xe8")


def test_a_reset_of_one_stream_leaves_the_others() -> None:
    sim = upgrading(echo)
    client = HttpConnection(sim.connect(), "2")
    first, second = client.websocket("/it")[1], client.websocket("/it")[1]
    assert first is not None
    assert second is not None
    client.client.reset(first.stream)  # type: ignore[union-attr]
    client.flush()
    second.send("still here")
    assert second.receive() == Text("still here")
    assert len(sim.server.recent) == 1


@VERSIONS
def test_without_an_upgrade_the_answer_is_a_refusal_and_the_connection_goes_on(version: str) -> None:
    client = HttpConnection(upgrading(echo).connect(), version)
    statuses = [client.exchange(Outgoing(target="/it")).status for _ in range(2)]
    assert statuses == [405 if version == "2" else 400] * 2
