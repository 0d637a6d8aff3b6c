"""Asking worker processes over real sockets: what they answer, and what those that do not cost the others."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from fanlight.config.listeners import Address, parse_address
from fanlight.federation.effects import AskWorkers, Call, NoReply, Replied, Reply, Steps, WorkOut
from fanlight_engines import replicas
from fanlight_engines.replicas import Replicas

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
Behaviour = Callable[[socket.socket, bytes], None]


class Worker:
    """Accepts, reads a request head and what its length says, and does as it is told; keeps what it has read."""

    def __init__(self, listening: socket.socket, behaviour: Behaviour) -> None:
        self.seen: list[bytes] = []
        self.open = 0
        self.most = 0
        self._socket = listening
        self._behaviour = behaviour
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            data = b""
            while b"\r\n\r\n" not in data:
                data += client.recv(65536)
            head, _, body = data.partition(b"\r\n\r\n")
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15] == b"content-length:"), 0)
            while len(body) < length:
                body += client.recv(65536)
            self.seen.append(head + b"\r\n\r\n" + body)
            self._behaviour(client, data)
        except OSError:
            pass
        finally:
            self.open -= 1
            client.close()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for client in self._clients:
            client.close()


def answers(data: bytes) -> Behaviour:
    return lambda client, _: client.sendall(data)


def hangs(client: socket.socket, request: bytes) -> None:
    time.sleep(5)


def drips(client: socket.socket, request: bytes) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        client.sendall(b"1\r\nx\r\n")
        time.sleep(0.01)


Starting = Callable[..., tuple[Address, Worker]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starting]:
    """Starts workers on TCP, or on a Unix socket."""
    with ExitStack() as stack:

        def starting(behaviour: Behaviour, unix: bool = False) -> tuple[Address, Worker]:
            if unix:
                listening = socket.socket(socket.AF_UNIX)
                path = str(tmp_path / f"{len(list(tmp_path.iterdir()))}.sock")
                listening.bind(path)
                listening.listen(300)
                address = Address(path=path)
            else:
                listening = socket.create_server(("127.0.0.1", 0), backlog=300)
                address = Address("127.0.0.1", listening.getsockname()[1])
            worker = Worker(listening, behaviour)
            stack.callback(worker.close)
            return address, worker

        yield starting


def ask(
    *calls: Call, seconds: float = 2.0, patience: float = 4.0, limit: int = 1000, memory: int = 10_000
) -> list[Reply]:
    engine = Replicas()
    try:
        return list(engine.handlers[AskWorkers](AskWorkers(calls, seconds, patience, limit, memory)))
    finally:
        engine.close()


def get(address: Address) -> Call:
    return Call(address, "GET", "/metrics", (("accept", "text/plain"),))


@pytest.mark.parametrize("unix", [False, True])
def test_a_request_and_its_reply(start: Starting, unix: bool) -> None:
    address, worker = start(answers(OK), unix)
    (reply,) = ask(get(address))
    assert reply == Replied(200, (("content-type", "text/plain"), ("content-length", "2")), b"ok")
    host = b"localhost" if unix else b"127.0.0.1"
    assert worker.seen == [
        b"GET /metrics HTTP/1.1\r\nhost: " + host + b"\r\naccept: text/plain\r\nconnection: close\r\n\r\n"
    ]


def test_a_body_is_sent_with_its_length(start: Starting) -> None:
    address, worker = start(answers(OK), True)
    body = b"x" * 3_000_000
    ask(Call(address, "POST", "/api/sql", (("content-type", "application/json"),), body))
    (seen,) = worker.seen
    assert b"\r\ncontent-length: 3000000\r\n" in seen
    assert seen.endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
    ],
)
def test_every_framing(start: Starting, data: bytes, body: bytes) -> None:
    (reply,) = ask(get(start(answers(data))[0]))
    assert isinstance(reply, Replied)
    assert (reply.status, reply.body) == (200, body)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (answers(b""), "broken"),
        (answers(b"junk\r\n\r\n"), "broken"),
        (answers(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), "broken"),
        (answers(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n"), "broken"),
        (answers(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + b"x" * 9999), "too large"),
        (answers(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 2_000_000), "broken"),
        (hangs, "timeout"),
        (drips, "timeout"),
    ],
)
def test_what_is_no_reply(start: Starting, behaviour: Behaviour, reason: str) -> None:
    began = time.monotonic()
    assert ask(get(start(behaviour)[0]), seconds=0.5) == [NoReply(reason)]  # type: ignore[arg-type]
    assert time.monotonic() - began < 2


def test_nobody_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        gone = Address("127.0.0.1", taken.getsockname()[1])
    assert ask(get(gone), get(Address(path=str(tmp_path / "none")))) == [NoReply("refused"), NoReply("refused")]
    (tmp_path / "file").write_text("")
    assert ask(get(Address(path=str(tmp_path / "file")))) == [NoReply("refused")]
    assert ask(get(Address(path=str(tmp_path)))) == [NoReply("refused")]


def test_one_that_hangs_costs_the_others_nothing(start: Starting) -> None:
    slow, good = start(hangs)[0], start(answers(OK))[0]
    began = time.monotonic()
    replies = ask(get(slow), *[get(good)] * 5, get(slow), seconds=0.5)
    assert [isinstance(reply, Replied) for reply in replies] == [False, *[True] * 5, False]
    assert 0.4 < time.monotonic() - began < 1.5


def test_only_so_many_at_once(start: Starting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "TOGETHER", 3)

    def naps(client: socket.socket, request: bytes) -> None:
        time.sleep(0.02)
        client.sendall(OK)

    address, worker = start(naps)
    replies = ask(*[get(address)] * 20)
    assert all(isinstance(reply, Replied) for reply in replies)
    assert worker.most <= 3 + 1  # one may be closing


def test_more_than_there_are_places(start: Starting) -> None:
    replies = ask(*[get(start(answers(OK))[0])] * 150)
    assert all(isinstance(reply, Replied) for reply in replies)


def test_all_together_have_a_limit(start: Starting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "TOGETHER", 1)
    address = start(hangs)[0]
    began = time.monotonic()
    assert ask(*[get(address)] * 5, seconds=0.4, patience=0.6) == [NoReply("timeout")] * 5
    assert time.monotonic() - began < 1.2


def test_replies_together_have_a_limit(start: Starting) -> None:
    large = b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n" + b"x" * 900
    address = start(answers(large))[0]
    replies = ask(*[get(address)] * 5, memory=2000)
    assert sorted(type(reply).__name__ for reply in replies) == ["NoReply"] * 3 + ["Replied"] * 2
    assert NoReply("too large") in replies


def test_an_interrupt_ends_the_round(start: Starting) -> None:
    engine = Replicas()
    effect = AskWorkers((get(start(hangs)[0]),), 4.0, 4.0, 1000, 1000)
    threading.Timer(0.2, engine.interrupts[AskWorkers], (effect,)).start()
    began = time.monotonic()
    assert engine.handlers[AskWorkers](effect) == (NoReply("interrupted"),)
    assert time.monotonic() - began < 1
    assert engine.handlers[AskWorkers](effect) == (NoReply("interrupted"),)
    engine.close()


def test_after_the_end_nobody_is_asked(start: Starting) -> None:
    engine = Replicas()
    engine.close()
    address, worker = start(answers(OK))
    assert engine.handlers[AskWorkers](AskWorkers((get(address),), 1.0, 1.0, 9, 9)) == (NoReply("interrupted"),)
    assert worker.seen == []


def test_sockets_are_closed(start: Starting) -> None:
    before = len(os.listdir("/proc/self/fd"))
    address, worker = start(answers(OK))
    ask(*[get(address)] * 10, get(start(hangs)[0]), seconds=0.2)
    worker.close()
    time.sleep(0.1)
    assert len(os.listdir("/proc/self/fd")) <= before + 6


def test_an_early_answer_is_heard_though_nobody_reads(start: Starting) -> None:
    def refuses(client: socket.socket, request: bytes) -> None:
        client.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        time.sleep(1)

    address, _ = start(refuses)
    (reply,) = ask(Call(address, "GET", "/", (), b""))
    assert isinstance(reply, Replied)
    assert reply.status == 413


def test_work_gives_way_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("fanlight_engines.replicas.time.sleep", slept.append)

    def steps(most: int) -> Steps[int]:
        for _ in range(most):
            until = time.perf_counter() + 0.0005
            while time.perf_counter() < until:
                pass
            yield
        return most

    assert Replicas().handlers[WorkOut](WorkOut(steps, (4,))) == 4
    assert slept == [0, 0, 0, 0]


def test_ipv6(start: Starting) -> None:
    del start
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 loopback here")
    worker = Worker(listening, answers(OK))
    (reply,) = ask(get(parse_address(f"[::1]:{listening.getsockname()[1]}")))
    worker.close()
    assert isinstance(reply, Replied)
    assert b"\r\nhost: [::1]\r\n" in worker.seen[0]
