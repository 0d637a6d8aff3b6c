"""The rows of HTTP/1.1, HTTP/2 and WebSocket over real sockets: asyncio, uvloop and trio, and TLS with ALPN.

The server runs in a thread of this process; each row has a connection of its
own.  What a row says of the core must hold here to the letter.
"""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trustme

import fanlight_asyncio
from fanlight import App
from tests.clients.wires import SocketWire
from tests.hosts import TrioHost
from tests.protocol import http1_rows, http2_rows, ws_rows
from tests.protocol.application import application
from tests.protocol.frames import START, Told, get
from tests.protocol.test_http1_rows import answers
from tests.protocol.test_http2_rows import PROBE
from tests.protocol.test_http2_rows import check as check_http2
from tests.protocol.test_http2_rows import whole as whole_http2
from tests.protocol.test_ws_rows import PROBE as MESSAGE
from tests.protocol.test_ws_rows import check as check_ws
from tests.protocol.test_ws_rows import sent_by
from tests.protocol.ws_rows import OPEN_HTTP1, after_101

PATIENCE = 10.0
LOOPS = ["asyncio", "uvloop", "trio"]
Address = tuple[str, int]


@contextmanager
def served(over: str, app: App) -> Iterator[Address]:
    """Serve `app` in a thread on the loop called `over`."""
    if over == "trio":
        host = TrioHost()
        try:
            running = host.serve(app)
            yield running.bounds[0].host, running.bounds[0].port
            running.stop()
        finally:
            host.close()
        return
    factory = None
    if over == "uvloop":
        if importlib.util.find_spec("uvloop") is None:
            pytest.skip("uvloop is not installed")
        import uvloop

        factory = uvloop.new_event_loop
    with fanlight_asyncio.start_in_thread(app, loop_factory=factory) as handle:
        yield handle.addresses[0].host, handle.addresses[0].port


@pytest.fixture(scope="module", params=LOOPS)
def address(request: pytest.FixtureRequest) -> Iterator[Address]:
    """Where the application is served, on each loop in turn."""
    with served(request.param, application(address="127.0.0.1:0")) as where:
        yield where


def converse(wire: SocketWire, sent: bytes, done: Callable[[bytes], bool]) -> tuple[bytes, bool]:
    """Send, then read until `done` or the end; what came, and whether the end came."""
    received = b""
    with ExitStack() as stack:
        stack.callback(wire.abort)
        wire.send(sent)
        while not done(received):
            data = wire.receive(PATIENCE)
            assert data is not None, f"silence after {received[-200:]!r}"
            if not data:
                return received, True
            received += data
    return received, False


def play_http1(row: http1_rows.Row, wire: SocketWire) -> None:
    """One row, and one more request where the connection must still work."""
    wanted = len(row.statuses) + 1

    def done(received: bytes) -> bool:
        if row.closes or received.count(b"HTTP/1.1 ") < wanted:
            return False
        try:
            return len(answers(received)) == wanted
        except AssertionError:
            return False

    received, ended = converse(wire, row.sends + (b"" if row.closes else http1_rows.get()), done)
    found = answers(received)
    assert tuple(status for status, _ in found) == row.statuses + (() if row.closes else (200,))
    assert ended is row.closes
    if row.text is not None:
        assert found[len(row.statuses) - 1][1] == row.text


def play_http2(row: http2_rows.Row, wire: SocketWire) -> None:
    """One row, and one more request where the connection must still work."""
    told = Told()
    read = 0

    def done(received: bytes) -> bool:
        nonlocal read
        told.take(received[read:])
        read = len(received)
        return row.goaway is None and PROBE in told.ended

    received, ended = converse(wire, whole_http2(row), done)
    told.take(received[read:])
    check_http2(row, told, closed=ended)


@pytest.mark.parametrize("row", http1_rows.ROWS, ids=lambda row: row.name)
def test_http1(address: Address, row: http1_rows.Row) -> None:
    play_http1(row, SocketWire(address))


@pytest.mark.parametrize("row", http2_rows.ROWS, ids=lambda row: row.title)
def test_http2(address: Address, row: http2_rows.Row) -> None:
    play_http2(row, SocketWire(address))


@pytest.mark.parametrize("row", ws_rows.ROWS, ids=lambda row: row.title)
def test_websocket(address: Address, row: ws_rows.Row) -> None:
    def done(received: bytes) -> bool:
        return row.code is None and received.endswith(MESSAGE.encode())

    received, ended = converse(SocketWire(address), OPEN_HTTP1 + sent_by(row), done)
    check_ws(row, after_101(received), closed=ended)


# ---- TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the certificate."""
    return trustme.CA()


@pytest.fixture(scope="module", params=LOOPS)
def tls_address(
    request: pytest.FixtureRequest, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Address]:
    """The same application behind TLS."""
    folder: Path = tmp_path_factory.mktemp("tls")
    issued = authority.issue_cert("localhost")
    chain, key = folder / "chain.pem", folder / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    app = application(address="127.0.0.1:0", certificate=(str(chain), str(key)))
    with served(request.param, app) as where:
        yield where


def over_tls(address: Address, authority: trustme.CA, protocol: str) -> SocketWire:
    """A client that offers one protocol."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    context.set_alpn_protocols([protocol])
    wire = SocketWire(address, tls=context)
    assert wire.alpn() == protocol
    return wire


@pytest.mark.parametrize("row", http1_rows.ROWS[::9], ids=lambda row: row.name)
def test_http1_over_tls(tls_address: Address, authority: trustme.CA, row: http1_rows.Row) -> None:
    play_http1(row, over_tls(tls_address, authority, "http/1.1"))


@pytest.mark.parametrize("row", http2_rows.ROWS[::9], ids=lambda row: row.title)
def test_http2_over_tls(tls_address: Address, authority: trustme.CA, row: http2_rows.Row) -> None:
    play_http2(row, over_tls(tls_address, authority, "h2"))


def test_nothing_but_http2_after_alpn_h2(tls_address: Address, authority: trustme.CA) -> None:
    received, ended = converse(over_tls(tls_address, authority, "h2"), http1_rows.get(), lambda received: False)
    assert Told().take(received).goaway == 1
    assert ended


def test_http1_after_alpn_http1(tls_address: Address, authority: trustme.CA) -> None:
    received, ended = converse(
        over_tls(tls_address, authority, "http/1.1"), http1_rows.get(), lambda received: received.endswith(b"here")
    )
    assert answers(received) == [(200, "here")]
    assert not ended


def test_a_preface_behind_alpn_http1_is_no_request(tls_address: Address, authority: trustme.CA) -> None:
    received, ended = converse(over_tls(tls_address, authority, "http/1.1"), START + get(), lambda received: False)
    assert [status for status, _ in answers(received)] == [505]
    assert ended
