"""Responses of real servers on this machine: whole, endless, broken off, never begun, and over TLS."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import trustme

from fanlight import App
from fanlight.config.settings import Settings
from fanlight.pages.upstream import CloseUpstream, OpenUpstream, ReadUpstream, Upstream
from fanlight.server import Server
from fanlight_engines import upstream
from fanlight_engines.engines import engines_for
from fanlight_engines.upstream import Upstreams
from tests.sim import START, Seeded


class Console(BaseHTTPRequestHandler):
    """Another console; paths say what it does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        getattr(self, f"_{path}", self._echo)()

    do_HEAD = do_GET  # noqa: N815 - the name in the base class

    def _echo(self) -> None:
        body = json.dumps({"method": self.command, "target": self.path, "fields": self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _redirected(self) -> None:
        self.send_response(302)
        self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def _endless(self) -> None:
        self._chunks(10_000, 0.005)

    def _chunked(self) -> None:
        self._chunks(3, 0)
        self.wfile.write(b"0\r\n\r\n")

    def _cut(self) -> None:
        self._chunks(1, 0)
        self.close_connection = True

    def _short(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "10")
        self.end_headers()
        self.wfile.write(b"abc")
        self.close_connection = True

    def _silent(self) -> None:
        time.sleep(5)
        self.close_connection = True

    def _chunks(self, count: int, pause: float) -> None:
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for _ in range(count):
                self.wfile.write(b"4\r\nabcd\r\n")
                time.sleep(pause)
        except OSError:
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Nothing."""


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Console)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as made:
        yield made


@pytest.fixture
def perform() -> Callable[[Any], Any]:
    engine = Upstreams()
    return lambda effect: engine.handlers[type(effect)](effect)


def opened(perform: Callable[[Any], Any], port: int, path: str, method: str = "GET", *fields: Any) -> Upstream:
    found = perform(OpenUpstream(method, f"http://127.0.0.1:{port}/{path}", fields))
    assert isinstance(found, Upstream)
    return found


def rest(perform: Callable[[Any], Any], found: Upstream) -> list[bytes | None]:
    pieces: list[bytes | None] = []
    while piece := perform(ReadUpstream(found.handle)):
        pieces.append(piece)
    perform(CloseUpstream(found.handle))
    perform(CloseUpstream(found.handle))
    return [*pieces, piece]


def test_a_request_is_what_was_asked_for(perform: Callable[[Any], Any], port: int) -> None:
    found = opened(perform, port, "a/b%20c?x=%2F", "GET", ("accept-language", "en"), ("x-odd", "\xe9"))
    assert found.status == 200
    assert ("content-type", "application/json") in found.fields
    *pieces, last = rest(perform, found)
    assert last == b""
    told = json.loads(b"".join(piece for piece in pieces if piece))
    assert (told["method"], told["target"]) == ("GET", "/a/b%20c?x=%2F")
    fields = {name.lower(): value for name, value in told["fields"]}
    assert fields == {
        "host": f"127.0.0.1:{port}",
        "accept-language": "en",
        "x-odd": "\xe9",
        "connection": "close",
    }


def test_chunks_are_undone(perform: Callable[[Any], Any], port: int) -> None:
    assert b"".join(piece for piece in rest(perform, opened(perform, port, "chunked")) if piece) == b"abcd" * 3


def test_head(perform: Callable[[Any], Any], port: int) -> None:
    found = opened(perform, port, "x", "HEAD")
    assert int(dict(found.fields)["content-length"]) > 0
    assert rest(perform, found) == [b""]


def test_redirects_are_the_browsers(perform: Callable[[Any], Any], port: int) -> None:
    found = opened(perform, port, "redirected")
    assert (found.status, dict(found.fields)["location"]) == (302, "/elsewhere")
    perform(CloseUpstream(found.handle))


@pytest.mark.parametrize("path", ["cut", "short"])
def test_a_body_that_breaks_off_is_known_from_one_that_ends(
    perform: Callable[[Any], Any], port: int, path: str
) -> None:
    assert rest(perform, opened(perform, port, path))[-1] is None


def test_nobody_listens(perform: Callable[[Any], Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    assert perform(OpenUpstream("GET", f"http://127.0.0.1:{free}/", ())) is None


@pytest.mark.parametrize("target", ["\r\nx", "a b", "\xe9"])
def test_a_target_that_cannot_be_sent_is_not(perform: Callable[[Any], Any], port: int, target: str) -> None:
    assert perform(OpenUpstream("GET", f"http://127.0.0.1:{port}/{target}", ())) is None


def test_a_field_that_cannot_be_sent_is_not(perform: Callable[[Any], Any], port: int) -> None:
    assert perform(OpenUpstream("GET", f"http://127.0.0.1:{port}/", (("x", "a\r\nb: c"),))) is None


def test_a_server_that_says_nothing(perform: Callable[[Any], Any], port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "SECONDS", 0.2)
    assert perform(OpenUpstream("GET", f"http://127.0.0.1:{port}/silent", ())) is None


def test_waiting_for_a_head_can_be_interrupted(port: int) -> None:
    engine = Upstreams()
    effect = OpenUpstream("GET", f"http://127.0.0.1:{port}/silent", ())
    later = threading.Timer(0.2, engine.interrupts[OpenUpstream], (effect,))
    later.start()
    began = time.monotonic()
    assert engine.handlers[OpenUpstream](effect) is None
    assert time.monotonic() - began < 4
    later.join()


def test_an_interrupt_may_come_first(port: int) -> None:
    engine = Upstreams()
    effect, other = (OpenUpstream("GET", f"http://127.0.0.1:{port}/", ()) for _ in range(2))
    engine.interrupts[OpenUpstream](effect)
    assert engine.handlers[OpenUpstream](effect) is None
    found = engine.handlers[OpenUpstream](other)  # the same request of somebody else
    assert isinstance(found, Upstream)
    found.handle.close()


def test_reading_can_be_interrupted(port: int) -> None:
    engine = Upstreams()
    found = engine.handlers[OpenUpstream](OpenUpstream("GET", f"http://127.0.0.1:{port}/endless", ()))
    reading = ReadUpstream(found.handle)
    later = threading.Timer(0.2, engine.interrupts[ReadUpstream], (reading,))
    later.start()
    while engine.handlers[ReadUpstream](reading):
        pass
    later.join()
    engine.handlers[CloseUpstream](CloseUpstream(found.handle))


def test_tls_is_sure_who_answers() -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)

    def trusting() -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    with serving(server) as port:
        known, strange = Upstreams(trusting), Upstreams()
        found = known.handlers[OpenUpstream](OpenUpstream("GET", f"https://localhost:{port}/x", ()))
        assert found.status == 200
        found.handle.close()
        assert strange.handlers[OpenUpstream](OpenUpstream("GET", f"https://localhost:{port}/x", ())) is None
        assert known.handlers[OpenUpstream](OpenUpstream("GET", f"https://127.0.0.1:{port}/x", ())) is None


def test_only_a_server_with_an_upstream_has_the_engine() -> None:
    def kinds(settings: Settings) -> set[str]:
        at_work, deferred = engines_for(Server(App(settings=settings), now=START, entropy=Seeded()))
        engines = [*at_work, *(engine for each in deferred for engine in each.engines)]
        for engine in engines:
            engine.close()
        return {type(engine).__name__ for engine in engines}

    assert "Upstreams" in kinds(Settings(console_upstream="https://console.example"))
    assert "Upstreams" not in kinds(Settings())
