"""WebSocket conversations beyond an echo: routines that stop listening, limits that move, windows, ends of streams."""

from __future__ import annotations

import pytest

from fanlight import App, Limits, Listener, Request, Sleep
from fanlight.http.websocket import AcceptWebSocket, CloseWebSocket, NextMessage, PeerClosed, SendMessage
from fanlight.observe.records import AccessRecord, Failure
from tests.clients.blocking import HttpConnection, WebSocket
from tests.clients.messages import Outgoing
from tests.clients.websocket import BINARY, CONTINUATION, TEXT, Closed, Text, fragments, frame
from tests.protocol.frames import END_HEADERS, PREFACE, Told, data, headers, setting, window
from tests.protocol.http2_rows import OPENING, VERSION
from tests.protocol.ws_rows import close, text
from tests.sim import Sim

VERSIONS = pytest.mark.parametrize("version", ["1.1", "2"])
BIG = 200_000


def application(heard: list[object]) -> App:
    """`/once` answers one message, `/mute` closes at once, `/steps` raises its limit, `/flood` sends for ever."""
    app = App(listeners=(Listener("main", "127.0.0.1:6876"),), pages=False, limits=Limits(message_bytes=1 << 20))

    @app.route("GET", "/once", group="ws", websocket=True)
    async def once(request: Request) -> None:
        await AcceptWebSocket(limit=1000)
        await SendMessage(f"only {await NextMessage()!r}")

    @app.route("GET", "/mute", group="ws", websocket=True)
    async def mute(request: Request) -> None:
        await AcceptWebSocket(limit=1000)
        await CloseWebSocket(4000, "not today")

    @app.route("GET", "/steps", group="ws", websocket=True)
    async def steps(request: Request) -> None:
        await AcceptWebSocket(limit=10)
        limit = 10
        while not isinstance(message := await NextMessage(limit), PeerClosed):
            heard.append(message)
            await SendMessage(str(len(message)))
            limit *= 10
        heard.append(message)

    @app.route("GET", "/busy", group="ws", websocket=True)
    async def busy(request: Request) -> None:
        await AcceptWebSocket(limit=10)
        await Sleep(3600.0)

    @app.route("GET", "/flood", group="ws", websocket=True)
    async def flood(request: Request) -> None:
        await AcceptWebSocket(limit=10)
        while True:
            await SendMessage(b"f" * 10_000)

    return app


def opened(path: str, version: str) -> tuple[Sim, HttpConnection, WebSocket, list[object]]:
    heard: list[object] = []
    sim = Sim(application(heard))
    sim.server.notes_access = True
    http = HttpConnection(sim.connect(), version)
    answer, socket = http.websocket(path)
    assert socket is not None, answer
    return sim, http, socket, heard


def failures(sim: Sim) -> list[Failure]:
    return [note for note in sim.notes if isinstance(note, Failure)]


@VERSIONS
def test_messages_for_a_routine_that_is_done_are_dropped(version: str) -> None:
    sim, http, socket, _ = opened("/once", version)
    socket.raw(text("one") + text("two") + text("three"))
    assert socket.receive() == Text("only 'one'")
    assert socket.receive() == Closed(1000, "")
    assert failures(sim) == []
    if version == "2":
        assert http.exchange(Outgoing(target="/nowhere")).status == 404


@VERSIONS
def test_messages_in_later_frames_for_a_routine_that_is_done(version: str) -> None:
    sim, http, socket, _ = opened("/once", version)
    for number in range(5):
        socket.send(str(number))
    assert socket.receive() == Text("only '0'")
    assert socket.receive() == Closed(1000, "")
    assert failures(sim) == []
    if version == "2":
        assert http.exchange(Outgoing(target="/nowhere")).status == 404


@VERSIONS
def test_a_routine_may_close_with_a_reason_of_its_own(version: str) -> None:
    sim, _, socket, _ = opened("/mute", version)
    assert socket.receive() == Closed(4000, "not today")
    (record,) = [note for note in sim.notes if isinstance(note, AccessRecord)]
    assert record.status == (101 if version == "1.1" else 200)


@VERSIONS
def test_a_limit_that_grows_with_each_message(version: str) -> None:
    _, _, socket, heard = opened("/steps", version)
    for size in (10, 100, 1000):
        socket.send("x" * size)
        assert socket.receive() == Text(str(size))
    socket.send("x" * 10_001)
    assert socket.receive() == Closed(1009, "")
    assert heard[-1] == PeerClosed(1009)


@VERSIONS
def test_a_message_one_too_long_for_the_limit_of_its_turn(version: str) -> None:
    _, _, socket, heard = opened("/steps", version)
    socket.raw(b"".join(fragments(TEXT, b"x" * 11, 3)))
    assert socket.receive() == Closed(1009, "")
    assert heard == [PeerClosed(1009)]


@VERSIONS
def test_the_end_of_the_bytes_without_a_close(version: str) -> None:
    sim, http, socket, heard = opened("/steps", version)
    socket.send("x")
    assert socket.receive() == Text("1")
    if version == "2":
        http.client.send_data(socket.stream, b"", end=True)
        http.flush()
    else:
        http.wire.finish()
    assert heard[-1] == PeerClosed(1006)
    assert failures(sim) == []
    assert sim.wires[0].connection.streams == 0
    if version == "2":
        assert http.exchange(Outgoing(target="/nowhere")).status == 404


@VERSIONS
def test_the_end_of_the_bytes_for_a_routine_that_does_not_listen(version: str) -> None:
    sim, http, socket, _ = opened("/busy", version)
    if version == "2":
        http.client.send_data(socket.stream, b"", end=True)
        http.flush()
    else:
        http.wire.finish()
    assert sim.wires[0].connection.streams == 0
    assert failures(sim) == []
    if version == "2":
        assert sim.wires[0].connection.wire.held == 0
        assert http.exchange(Outgoing(target="/nowhere")).status == 404
    else:
        assert sim.wires[0].closed


@VERSIONS
def test_a_close_together_with_the_end_of_the_bytes(version: str) -> None:
    sim, http, socket, heard = opened("/steps", version)
    http.client.send_data(socket.stream, text("x") + close(1001), end=True)
    http.flush()
    assert socket.receive() == Text("1")
    assert socket.receive() == Closed(1001, "")
    assert heard == ["x", PeerClosed(1001)]
    assert failures(sim) == []


def test_a_message_larger_than_the_windows_of_a_stream() -> None:
    sim = Sim(application([]))
    wire, told = sim.connect(), Told()
    opening = tuple((n, b"/steps" if n == b":path" else v) for n, v in OPENING)
    wire.send(PREFACE + setting() + headers(1, *opening, VERSION, flags=END_HEADERS))
    for size in (10, 100, 1000, 10_000, 100_000):
        wire.send(data(1, frame(BINARY, bytes(min(size, 10_000))), end=False))
    sent = frame(BINARY, bytes(BIG))
    for at in range(0, len(sent), 16_000):
        told.take(bytes(wire.received))
        wire.received.clear()
        assert at - 60_000 < told.windows.get(1, 0), "the window of the stream stays shut"
        wire.send(data(1, sent[at : at + 16_000], end=False))
    told.take(bytes(wire.received))
    assert told.bodies[1].endswith(str(BIG).encode())


def test_a_stream_without_a_window_holds_one_message() -> None:
    sim = Sim(application([]))
    wire = sim.connect()
    opening = tuple((n, b"/flood" if n == b":path" else v) for n, v in OPENING)
    wire.send(PREFACE + setting((4, 0)) + headers(1, *opening, VERSION, flags=END_HEADERS))
    (conversation,) = wire.connection.conversations()
    assert 0 < len(conversation.pending) < 20_100
    wire.send(window(1, 5000))
    assert Told().take(bytes(wire.received)).bodies[1][:4] == b"\x82\x7e\x27\x10"
    assert len(conversation.pending) < 20_100


def test_a_frame_across_many_pieces_of_data() -> None:
    _, http, socket, heard = opened("/steps", "2")
    for byte in frame(TEXT, "ä€😀".encode(), fin=False) + frame(CONTINUATION, b""):
        http.client.send_data(socket.stream, bytes((byte,)))
        http.flush()
    assert socket.receive() == Text("3")
    assert heard == ["ä€😀"]


@VERSIONS
def test_binary_and_text_are_told_apart(version: str) -> None:
    _, _, socket, heard = opened("/steps", version)
    socket.send(b"x")
    assert socket.receive() == Text("1")
    socket.send("x")
    assert socket.receive() == Text("1")
    assert heard == [b"x", "x"]
