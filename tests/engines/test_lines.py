"""Connections to real workers on this machine: whole answers, broken ones, silence, tunnels, and the end."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from fanlight.config.listeners import Address, parse_address
from fanlight.federation.effects import NoReply
from fanlight.federation.lines import Dial, Drain, HangUp, Offer, ReceiveHead, ReceivePiece, Replying
from fanlight_engines import lines
from fanlight_engines.lines import Lines

SECONDS = 10.0
PLAIN = (("host", "x"), ("connection", "close"))
OPENING = (("host", "x"), ("connection", "upgrade"), ("upgrade", "websocket"))


class Driver:
    """Asks the engine, and waits."""

    def __init__(self) -> None:
        self.engine = Lines()

    def begin(self, effect: Any) -> SimpleQueue[Any]:
        answers: SimpleQueue[Any] = SimpleQueue()

        def done(answer: object, error: BaseException | None) -> None:
            assert error is None
            answers.put(answer)

        self.engine.begins[type(effect)](effect, done)
        return answers

    def ask(self, effect: Any) -> Any:
        return self.begin(effect).get(timeout=SECONDS)

    def tell(self, effect: Any) -> None:
        assert self.engine.handlers[type(effect)](effect) is None

    def request(
        self, address: Address, *, method: str = "GET", fields: Any = PLAIN, body: tuple[bytes, ...] = ()
    ) -> Dial:
        dial = Dial(address, method, "/a?b", fields)
        assert self.ask(dial) is None
        for piece in (*body, b""):
            self.tell(Offer(dial, piece))
            self.ask(Drain(dial))
        return dial

    def rest(self, dial: Dial) -> list[bytes | None]:
        pieces: list[bytes | None] = []
        while True:
            pieces.append(self.ask(ReceivePiece(dial, len(pieces))))
            if not pieces[-1]:
                return pieces


@pytest.fixture
def driver() -> Iterator[Driver]:
    made = Driver()
    yield made
    made.engine.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "fanlight-lines"]


Script = Callable[[socket.socket], None]
Serving = Callable[..., Address]


@pytest.fixture
def serve() -> Iterator[Serving]:
    """A server that follows a script on each connection."""
    servers: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(script: Script, path: str | None = None) -> Address:
        server = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        server.bind(path or ("127.0.0.1", 0))
        server.listen()
        servers.append(server)

        def run() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                script(connection)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return parse_address(f"unix:{path}" if path else f"127.0.0.1:{server.getsockname()[1]}")

    yield start
    for server in servers:
        try:
            server.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        server.close()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()


def until(connection: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        more = connection.recv(65536)
        assert more, data
        data += more
    return data


def saying(answer: bytes, seen: list[bytes] | None = None, end: bytes = b"\r\n\r\n") -> Script:
    def script(connection: socket.socket) -> None:
        data = until(connection, end)
        if seen is not None:
            seen.append(data)
        connection.sendall(answer)

    return script


def test_a_request_and_its_answer(driver: Driver, serve: Serving) -> None:
    seen: list[bytes] = []
    answer = b"HTTP/1.1 103 Early\r\nx: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Odd: \xe9\r\n\r\nhello"
    dial = driver.request(serve(saying(answer, seen)))
    assert driver.ask(ReceiveHead(dial)) == Replying(200, (("content-length", "5"), ("x-odd", "\xe9")))
    assert driver.rest(dial) == [b"hello", b""]
    assert driver.ask(ReceivePiece(dial, 1)) == b""  # asked again after a lost race
    driver.tell(HangUp(dial))
    driver.tell(HangUp(dial))
    assert seen == [b"GET /a?b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"]


def test_over_a_unix_socket(driver: Driver, serve: Serving) -> None:
    with tempfile.TemporaryDirectory(prefix="fl-") as folder:
        dial = driver.request(serve(saying(b"HTTP/1.1 204 No\r\n\r\n"), str(Path(folder) / "s")))
        assert driver.ask(ReceiveHead(dial)) == Replying(204, ())


@pytest.mark.parametrize(
    ("framing", "end"), [(("content-length", "6"), b"abcdef"), (("transfer-encoding", "chunked"), b"0\r\n\r\n")]
)
def test_bodies_are_sent_in_pieces(driver: Driver, serve: Serving, framing: tuple[str, str], end: bytes) -> None:
    seen: list[bytes] = []
    script = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", seen, end)
    dial = driver.request(serve(script), fields=(*PLAIN, framing), body=(b"abc", b"def"))
    assert driver.ask(ReceiveHead(dial)).status == 200
    assert driver.rest(dial) == [b""]
    body = seen[0].partition(b"\r\n\r\n")[2]
    assert body in (b"abcdef", b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")


def test_chunks_are_undone_and_a_body_without_length_ends_with_the_connection(driver: Driver, serve: Serving) -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nt: v\r\n\r\n"
    for answer in (chunked, b"HTTP/1.1 200 OK\r\n\r\nabcde"):
        dial = driver.request(serve(saying(answer)))
        assert driver.ask(ReceiveHead(dial)).status == 200
        assert b"".join(piece for piece in driver.rest(dial) if piece) == b"abcde"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    ],
)
def test_a_body_that_breaks_off_is_known_from_one_that_ends(driver: Driver, serve: Serving, answer: bytes) -> None:
    dial = driver.request(serve(saying(answer)))
    assert driver.ask(ReceiveHead(dial)).status == 200
    pieces = driver.rest(dial)
    assert pieces[-1] is None
    assert b"".join(piece for piece in pieces if piece) in (b"abc", b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\n\r\n",  # nobody asked
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 2_000_000,
    ],
)
def test_no_http_is_no_answer(driver: Driver, serve: Serving, answer: bytes) -> None:
    def script(connection: socket.socket) -> None:
        try:
            saying(answer)(connection)
        except OSError:
            pass

    dial = driver.request(serve(script))
    assert driver.ask(ReceiveHead(dial)) == NoReply("broken")
    assert driver.ask(ReceivePiece(dial, 0)) is None
    assert driver.ask(Drain(dial)) is False


def test_an_early_answer_is_read_though_the_body_is_not_taken(driver: Driver, serve: Serving) -> None:
    dial = Dial(
        serve(saying(b"HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n")), "POST", "/", (*PLAIN, ("content-length", "99"))
    )
    assert driver.ask(dial) is None
    assert driver.ask(ReceiveHead(dial)).status == 413


def test_nobody_listens(driver: Driver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert driver.ask(Dial(Address("127.0.0.1", port), "GET", "/", PLAIN)) == NoReply("refused")
    assert driver.ask(Dial(Address(path="/nowhere/x"), "GET", "/", PLAIN)) == NoReply("refused")


@pytest.mark.parametrize(("target", "fields"), [("/a b", PLAIN), ("/", (("host", "x"), ("x", "a\r\nb: c")))])
def test_what_cannot_be_sent_is_not(driver: Driver, serve: Serving, target: str, fields: Any) -> None:
    assert driver.ask(Dial(serve(lambda _: None), "GET", target, fields)) == NoReply("broken")


def test_hanging_up_tells_whoever_waits(driver: Driver, serve: Serving) -> None:
    gone = threading.Event()

    def script(connection: socket.socket) -> None:
        until(connection, b"\r\n\r\n")
        assert connection.recv(1) == b""
        gone.set()

    dial = driver.request(serve(script))
    waiting = driver.begin(ReceiveHead(dial))
    driver.tell(HangUp(dial))
    assert waiting.get(timeout=SECONDS) == NoReply("interrupted")
    assert gone.wait(SECONDS)


def test_a_connection_that_nobody_remembers_is_closed(driver: Driver, serve: Serving) -> None:
    gone = threading.Event()

    def script(connection: socket.socket) -> None:
        saying(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")(connection)
        assert connection.recv(1) == b""
        gone.set()

    dial = driver.request(serve(script))
    assert driver.ask(ReceiveHead(dial)).status == 200
    del dial
    assert gone.wait(SECONDS)


def test_nothing_is_read_ahead(driver: Driver, serve: Serving) -> None:
    taken = [0]

    def script(connection: socket.socket) -> None:
        until(connection, b"\r\n\r\n")
        connection.settimeout(0.3)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
        try:
            while True:
                taken[0] += connection.send(b"x" * 65536)
        except OSError:
            pass

    dial = driver.request(serve(script))
    assert driver.ask(ReceiveHead(dial)).status == 200
    time.sleep(0.6)
    assert 0 < taken[0] < 50_000_000  # what the kernel holds, and no more
    driver.tell(HangUp(dial))


def test_a_tunnel(driver: Driver, serve: Serving) -> None:
    def script(connection: socket.socket) -> None:
        saying(b"HTTP/1.1 101 Go\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nfirst")(connection)
        while data := connection.recv(65536):
            connection.sendall(data.upper())
            if data == b"end":
                return

    dial = driver.request(serve(script), fields=OPENING)
    assert driver.ask(ReceiveHead(dial)).status == 101
    assert driver.ask(ReceivePiece(dial, 0)) == b"first"
    lost = driver.begin(ReceivePiece(dial, 1))  # a race that the client wins
    driver.tell(Offer(dial, b"one"))
    assert driver.ask(Drain(dial)) is True
    again = driver.begin(ReceivePiece(dial, 1))
    found = [queue.get(timeout=SECONDS) for queue in (lost, again) if not queue.empty() or queue is again]
    assert b"ONE" in found or driver.ask(ReceivePiece(dial, 1)) == b"ONE"
    driver.tell(Offer(dial, b"end"))
    assert driver.ask(ReceivePiece(dial, 2)) == b"END"
    assert driver.ask(ReceivePiece(dial, 3)) == b""


def test_many_at_once_take_one_thread(driver: Driver, serve: Serving) -> None:
    go = threading.Event()

    def script(connection: socket.socket) -> None:
        until(connection, b"\r\n\r\n")
        assert go.wait(SECONDS)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    dials = [driver.request(serve(script)) for _ in range(40)]
    waiting = [driver.begin(ReceiveHead(dial)) for dial in dials]
    assert len([thread for thread in threading.enumerate() if thread.name == "fanlight-lines"]) == 1
    go.set()
    assert {each.get(timeout=SECONDS).status for each in waiting} == {200}


def test_only_so_many_at_once(driver: Driver, serve: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST", 2)
    addresses = [serve(saying(b"")) for _ in range(4)]
    dials = [Dial(address, "GET", "/", PLAIN) for address in addresses]
    assert [driver.ask(dial) for dial in dials[:3]] == [None, None, NoReply("crowded")]
    assert driver.ask(Dial(addresses[2], "GET", "/a b", PLAIN)) == NoReply("crowded")
    for dial in (dials[0], dials[0], dials[2]):
        driver.tell(HangUp(dial))
    for _ in range(3):  # one that fails gives its place back
        while (answer := driver.ask(Dial(Address(path="/nowhere/x"), "GET", "/", PLAIN))) == NoReply("crowded"):
            time.sleep(0.01)
        assert answer == NoReply("refused")
    while driver.ask(dials[3]) == NoReply("crowded"):
        time.sleep(0.01)
    assert driver.ask(Dial(addresses[2], "GET", "/", PLAIN)) == NoReply("crowded")


def test_after_the_end_nobody_is_dialled(serve: Serving) -> None:
    driver = Driver()
    dial = driver.request(serve(saying(b"")))
    driver.engine.close()
    assert driver.ask(Dial(dial.address, "GET", "/", PLAIN)) == NoReply("interrupted")
