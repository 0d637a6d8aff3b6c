"""Requests to other servers, over real sockets: what is fetched, and what is not."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fanlight.auth.effects import FetchDocument, Fetched, FetchFailed
from fanlight_engines import outbound
from fanlight_engines.outbound import Outbound, is_private
from tests.engines.certificates import Files


class Handler(BaseHTTPRequestHandler):
    """A provider that does what the path says."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.seen.append((self.command, self.path, dict(self.headers.items())))
        word, _, rest = self.path.removeprefix("/").partition("?")[0].partition("/")
        if word == "redirect":
            self._answer(302, b"", ("location", rest))
        elif word == "long":
            self._answer(200, b"x" * 5000)
        elif word == "slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)
        elif word == "silent":
            time.sleep(3)
        else:
            self._answer(int(word or 200), b'{"a": 1}', ("frontegg-trace-id", "t-1"))

    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        server.seen.append((self.command, self.path, dict(self.headers.items())))
        self._answer(*((307, b"", ("location", "/")) if self.path == "/redirect" else (200, body)))

    def _answer(self, status: int, body: bytes, *fields: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("content-length", str(len(body))), *fields):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class Quiet(ThreadingHTTPServer):
    """Clients that leave are no news."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[Handler]) -> None:
        super().__init__(address, handler)
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


class Server:
    """One on loopback, plain or over TLS."""

    def __init__(self, files: Files | None = None) -> None:
        self.http = Quiet(("127.0.0.1", 0), Handler)
        if files is not None:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*files.paths)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        scheme = "http" if files is None else "https"
        self.url = f"{scheme}://localhost:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def fetch(url: str, seconds: float = 5.0, limit: int = 1000, **more: Any) -> Any:
    return Outbound().handlers[FetchDocument](FetchDocument(url, seconds, limit, **more))


def test_a_document(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    answer = fetch(f"{server.url}/?x=1")
    assert answer == Fetched(200, b'{"a": 1}', '"t-1"')
    _, path, fields = server.http.seen[0]
    assert path == "/?x=1"
    assert fields["Host"] == urlsplit(server.url).netloc
    assert not {"Cookie", "Authorization"} & fields.keys()
    assert fetch(f"{server.url}/404").status == 404


def test_a_post(server: Server) -> None:
    body = json.dumps({"clientId": "x"}).encode()
    assert fetch(f"{server.url}/post", body=body).body == body
    assert server.http.seen[0][2]["Content-Type"] == "application/json"
    assert fetch(f"{server.url}/redirect", body=body) == FetchFailed("redirected")


def test_redirects(server: Server) -> None:
    assert fetch(f"{server.url}/redirect/{server.url}/redirect//redirect//200").status == 200
    chain = "/redirect/" * 4
    assert fetch(f"{server.url}{chain}200") == FetchFailed("redirected")
    assert fetch(f"{server.url}/redirect/https://localhost/x") == FetchFailed("redirected")
    assert fetch(f"{server.url}/redirect/file:///etc/passwd") == FetchFailed("redirected")
    elsewhere = server.url.replace("localhost", "127.0.0.1")
    assert fetch(f"{server.url}/redirect/{elsewhere}/200").status == 200
    assert fetch(f"{server.url}/redirect/{elsewhere}/200", same_host=True) == FetchFailed("redirected")
    assert fetch(f"{server.url}/redirect//200", same_host=True).status == 200


def test_bounds(server: Server) -> None:
    assert fetch(f"{server.url}/long", limit=4999) == FetchFailed("too large")
    assert len(fetch(f"{server.url}/long", limit=5000).body) == 5000
    began = time.monotonic()
    assert fetch(f"{server.url}/slow", 0.3) == FetchFailed("timeout")
    assert fetch(f"{server.url}/silent", 0.3) == FetchFailed("timeout")
    assert time.monotonic() - began < 2.5


def test_nobody_there(server: Server) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert fetch(f"http://127.0.0.1:{held.getsockname()[1]}/") == FetchFailed("refused")
    assert fetch("http://no-such-host.invalid/") == FetchFailed("unreachable")
    assert fetch("ftp://localhost/") == FetchFailed("unreachable")


def test_a_provider_cannot_point_inside(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    real = outbound.resolve
    public = [ip_address("93.184.216.34")]
    monkeypatch.setattr(
        outbound, "resolve", lambda parts, until: public if parts.hostname == "idp.example" else real(parts, until)
    )
    assert fetch(server.url, unless_private="https://idp.example") == FetchFailed("address not allowed")
    assert server.http.seen == []
    assert fetch(server.url, unless_private="http://127.0.0.1:1").status == 200


@pytest.mark.parametrize(
    ("address", "private"),
    [("127.0.0.1", True), ("10.1.2.3", True), ("169.254.169.254", True), ("::1", True), ("fe80::1", True),
     ("fc00::1", True), ("::ffff:127.0.0.1", True), ("0.0.0.0", True), ("224.0.0.1", True), ("100.64.0.1", True),
     ("93.184.216.34", False), ("2606:2800:220:1::1", False), ("::ffff:93.184.216.34", False)],
)  # fmt: skip
def test_private_addresses(address: str, private: bool) -> None:
    assert is_private(ip_address(address)) is private


def test_over_tls_the_name_must_be_right(tmp_path: Path) -> None:
    files = Files(tmp_path, "localhost")
    authority = tmp_path / "ca.pem"
    files.authority.cert_pem.write_to_path(str(authority))
    server = Server(files)
    effect = FetchDocument(f"{server.url}/200", 5.0, 1000)
    handler = Outbound(str(authority)).handlers[FetchDocument]
    assert handler(effect).status == 200
    wrong = FetchDocument(f"{server.url.replace('localhost', '127.0.0.1')}/200", 5.0, 1000)
    assert handler(wrong) == FetchFailed("unreachable")
    assert Outbound().handlers[FetchDocument](effect) == FetchFailed("unreachable")
    server.close()


def test_a_name_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()

    def stuck(*args: Any, **more: Any) -> list[Any]:
        let_go.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    monkeypatch.setattr(outbound, "LOOKUP_SECONDS", 0.2)
    engine = Outbound()
    try:
        began = time.monotonic()
        for _ in range(outbound.MOST_LOOKUPS + 2):
            answer = engine.handlers[FetchDocument](FetchDocument("https://idp.example/", 10.0, 1000))
            assert answer == FetchFailed("timeout")
        assert time.monotonic() - began < 5.0
        lookups = [thread for thread in threading.enumerate() if thread.name == "fanlight-lookup"]
        assert len(lookups) == outbound.MOST_LOOKUPS
    finally:
        let_go.set()
    for thread in lookups:
        thread.join(5)
    monkeypatch.undo()
    assert engine.handlers[FetchDocument](FetchDocument("http://127.0.0.1:1/", 5.0, 10)) == FetchFailed("refused")


@pytest.mark.parametrize("host", ["a..example", "x" * 70 + ".example", "no-such-host.invalid"])
def test_names_that_nobody_knows(host: str) -> None:
    answer = Outbound().handlers[FetchDocument](FetchDocument(f"https://{host}/", 10.0, 1000))
    assert answer in (FetchFailed("unreachable"), FetchFailed("timeout"))
