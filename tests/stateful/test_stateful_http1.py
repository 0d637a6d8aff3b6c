"""Any order of requests, pieces, answers, time and ends on one HTTP/1.1 connection."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.stateful.machine import ConnectionMachine
from tests.stateful.world import CREDENTIAL

HOST = b"Host: localhost\r\n"


def request(method: str, path: str, fields: bytes = b"", body: bytes = b"") -> bytes:
    return f"{method} {path} HTTP/1.1\r\n".encode() + HOST + fields + b"\r\n" + body


paths = st.sampled_from(["/now", "/wait", "/race", "/stream", "/bug", "/nowhere", "/echo"])
bodies = st.binary(max_size=300) | st.sampled_from([b"y" * 20_000, b"z" * 70_000])


class Http1(ConnectionMachine):
    """What an HTTP/1.1 client may send."""

    @rule(path=paths, count=st.integers(1, 6), head=st.booleans())
    def ask(self, path: str, count: int, head: bool) -> None:
        self.wire.send(request("HEAD" if head else "GET", path) * count)

    @rule(path=st.sampled_from(["/echo", "/hold", "/now"]), body=bodies, cut=st.integers(0, 400))
    def post(self, path: str, body: bytes, cut: int) -> None:
        data = request("POST", path, b"Content-Length: %d\r\n" % len(body), body)
        self.wire.send(data[:cut])
        self.wire.send(data[cut:])

    @rule(path=st.sampled_from(["/echo", "/hold"]), body=bodies, expects=st.booleans())
    def post_chunked(self, path: str, body: bytes, expects: bool) -> None:
        fields = b"Transfer-Encoding: chunked\r\n" + (b"Expect: 100-continue\r\n" if expects else b"")
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        self.wire.send(request("POST", path, fields))
        self.wire.send(chunks)

    @rule(path=st.sampled_from(["/echo", "/hold"]), length=st.integers(1, 100_000))
    def post_without_its_body(self, path: str, length: int) -> None:
        self.wire.send(request("POST", path, b"Content-Length: %d\r\n" % length))

    @rule(path=paths)
    def ask_with_a_secret(self, path: str) -> None:
        self.wire.send(request("GET", path, f"Authorization: Bearer {CREDENTIAL}\r\n".encode()))

    @rule(path=paths)
    def ask_for_the_last_time(self, path: str) -> None:
        self.wire.send(request("GET", path, b"Connection: close\r\n"))

    @rule()
    def upgrade(self) -> None:
        self.wire.send(
            request(
                "GET",
                "/ws",
                b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
            )
        )

    @rule(payload=st.binary(max_size=125), opcode=st.sampled_from([0x81, 0x82, 0x89, 0x8A, 0x88, 0x01, 0x80]))
    def frame(self, payload: bytes, opcode: int) -> None:
        self.wire.send(bytes([opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)

    @rule(data=st.binary(min_size=1, max_size=40))
    def noise(self, data: bytes) -> None:
        self.wire.send(data)


TestHttp1 = Http1.TestCase
TestHttp1.settings = settings(max_examples=150, stateful_step_count=30)
