"""Any order of streams, frames, windows, answers, time and ends on one HTTP/2 connection."""

from __future__ import annotations

import contextlib

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import H2Error
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.stateful.machine import ConnectionMachine
from tests.stateful.world import CREDENTIAL

paths = st.sampled_from(["/now", "/wait", "/race", "/stream", "/bug", "/nowhere", "/echo"])
streams = st.integers(0, 20)


def fields(method: str, path: str) -> list[tuple[str, str]]:
    return [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path)]


class Http2(ConnectionMachine):
    """What an HTTP/2 client may send: h2's client, and frames that it would never write."""

    def __init__(self) -> None:
        super().__init__()
        self.client = H2Connection(H2Configuration(client_side=True, validate_outbound_headers=False))
        self.client.initiate_connection()
        self.asked: list[int] = []
        self.flush()

    def flush(self) -> None:
        self.wire.send(self.client.data_to_send())

    def listen(self) -> None:
        """Let the client read what the server wrote (so that it may open windows)."""
        data = bytes(self.wire.received)
        self.wire.received.clear()
        with contextlib.suppress(H2Error, ValueError, KeyError):
            self.client.receive_data(data)

    def open(self, method: str, path: str, *, end: bool, more: tuple[tuple[str, str], ...] = ()) -> None:
        with contextlib.suppress(H2Error):
            stream = self.client.get_next_available_stream_id()
            self.client.send_headers(stream, [*fields(method, path), *more], end_stream=end)
            self.asked.append(stream)
        self.flush()

    @rule(path=paths, head=st.booleans())
    def ask(self, path: str, head: bool) -> None:
        self.open("HEAD" if head else "GET", path, end=True)

    @rule(path=paths)
    def ask_with_a_secret(self, path: str) -> None:
        self.open("GET", path, end=True, more=(("authorization", f"Bearer {CREDENTIAL}"),))

    @rule(path=st.sampled_from(["/echo", "/hold", "/now"]))
    def open_upload(self, path: str) -> None:
        self.open("POST", path, end=False)

    @rule()
    def open_websocket(self) -> None:
        with contextlib.suppress(H2Error):
            stream = self.client.get_next_available_stream_id()
            head = [*fields("CONNECT", "/ws"), (":protocol", "websocket")]
            head.sort(key=lambda field: field[0] != ":method")
            self.client.send_headers(stream, [*head, ("sec-websocket-version", "13")])
            self.asked.append(stream)
        self.flush()

    @precondition(lambda self: self.asked)
    @rule(pick=streams, size=st.integers(0, 9000), end=st.booleans())
    def send_data(self, pick: int, size: int, end: bool) -> None:
        with contextlib.suppress(H2Error, KeyError):
            self.client.send_data(self.asked[pick % len(self.asked)], b"d" * size, end_stream=end)
        self.flush()

    @precondition(lambda self: self.asked)
    @rule(pick=streams, payload=st.binary(max_size=100), opcode=st.sampled_from([0x81, 0x82, 0x89, 0x88]))
    def send_frame(self, pick: int, payload: bytes, opcode: int) -> None:
        with contextlib.suppress(H2Error, KeyError):
            data = bytes([opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload
            self.client.send_data(self.asked[pick % len(self.asked)], data)
        self.flush()

    @precondition(lambda self: self.asked)
    @rule(pick=streams)
    def reset(self, pick: int) -> None:
        with contextlib.suppress(H2Error, KeyError):
            self.client.reset_stream(self.asked[pick % len(self.asked)])
        self.flush()

    @rule()
    def read(self) -> None:
        self.listen()
        self.flush()

    @rule(size=st.integers(1, 100_000))
    def open_window(self, size: int) -> None:
        with contextlib.suppress(H2Error, ValueError):
            self.client.increment_flow_control_window(size)
            if self.asked:
                self.client.increment_flow_control_window(size, self.asked[-1])
        self.flush()

    @rule()
    def ping(self) -> None:
        with contextlib.suppress(H2Error):
            self.client.ping(b"12345678")
        self.flush()

    @rule()
    def say_farewell(self) -> None:
        self.wire.send(b"\0\0\x08\x07\0" + b"\0" * 12)

    @rule(kind=st.integers(0, 12), flags=st.integers(0, 255), stream=st.integers(0, 9), payload=st.binary(max_size=30))
    def odd_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self.wire.send(len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload)

    @rule(data=st.binary(min_size=1, max_size=30))
    def noise(self, data: bytes) -> None:
        self.wire.send(data)


TestHttp2 = Http2.TestCase
TestHttp2.settings = settings(max_examples=150, stateful_step_count=30)
