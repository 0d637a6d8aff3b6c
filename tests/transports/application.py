"""The app and the clients of the transports' tests: all kinds of things that can be under way at some moment."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from fanlight import App, Effect, Limits, Listener, Request, Response, SendBody, Settings, Sleep
from fanlight.background import Begin
from fanlight.http.websocket import AcceptWebSocket, NextMessage, PeerClosed, SendMessage
from tests.hosts import Served

PLAIN = (("content-type", "text/plain"),)
CHUNK = b"x" * 65_536
GET = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
LIMITS = Limits(grace=0.6, linger=0.2)
PATIENCE = 5.0


@frozen
class Nap(Effect[str]):
    """Blocks a worker's thread for `seconds`, or until somebody interrupts it."""

    seconds: float = 30.0
    woken: threading.Event = field(factory=threading.Event, eq=False, repr=False)


class Naps:
    """The engine of `Nap`."""

    def __init__(self) -> None:
        self.handlers: Mapping[type, Callable[[Any], Any]] = {Nap: self._nap}
        self.interrupts: Mapping[type, Callable[[Any], None]] = {Nap: lambda effect: effect.woken.set()}

    def _nap(self, effect: Nap) -> str:
        return "woken" if effect.woken.wait(effect.seconds) else "slept"

    def close(self) -> None:
        """Nothing is held."""


def application(*listeners: Listener, limits: Limits = LIMITS, settings: Settings | None = None) -> App:
    """`/` and `/peer` answer at once, `/soon` after a moment, `/nap` never, `/big` without end.

    `/begin` begins a task in the background, `/ended` tells what has come of it.
    `/count` tells the size of a body, `/block` holds the loop, `/ws` echoes.
    """
    app = App(listeners=listeners or (Listener("main", "127.0.0.1:0"),), pages=False, limits=limits, settings=settings)

    @app.route("GET", "/")
    async def index(request: Request) -> Response:
        return Response(200, PLAIN, request.listener.name.encode())

    @app.route("GET", "/peer")
    async def peer(request: Request) -> Response:
        return Response(200, PLAIN, request.peer.encode() or b"-")

    @app.route("POST", "/count")
    async def count(request: Request) -> Response:
        return Response(200, PLAIN, b"%d" % len(await request.body()))

    @app.route("GET", "/soon")
    async def soon(request: Request) -> Response:
        await Sleep(0.3)
        return Response(200, PLAIN, b"soon")

    @app.route("GET", "/block")
    async def block(request: Request) -> Response:
        time.sleep(0.7)  # noqa: ASYNC251  the whole loop is meant
        return Response(200, PLAIN, b"blocked")

    ended: list[str] = []

    @app.route("GET", "/begin")
    async def begin(request: Request) -> Response:
        async def task() -> None:
            await Sleep(0.05)
            ended.append(await Nap(0.05))
            await Nap()

        await Begin(task)
        return Response(200, PLAIN, b"begun")

    @app.route("GET", "/ended")
    async def tell(request: Request) -> Response:
        return Response(200, PLAIN, " ".join(ended).encode() or b"-")

    @app.route("GET", "/nap")
    async def nap(request: Request) -> Response:
        return Response(200, PLAIN, (await Nap()).encode())

    @app.route("GET", "/big")
    async def big(request: Request) -> Response:
        async def produce() -> None:
            while True:
                await SendBody(CHUNK)

        return Response(200, PLAIN, produce)

    @app.route("GET", "/ws", websocket=True)
    async def ws(request: Request) -> None:
        await AcceptWebSocket(limit=1024)
        while not isinstance(message := await NextMessage(), PeerClosed):
            await SendMessage(message)

    return app


def connect(served: Served, listener: str = "main", *, receive_buffer: int | None = None) -> socket.socket:
    """A client's socket."""
    address = served.address(listener)
    sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    sock.settimeout(PATIENCE)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def get(sock: socket.socket, path: bytes = b"/") -> bytes:
    """The body of an answer with a length; "" when the connection ended instead."""
    sock.sendall(GET % path)
    return answer(sock)


def answer(sock: socket.socket) -> bytes:
    """Read one answer with a length."""
    data = until(sock, b"\r\n\r\n")
    if not data:
        return b""
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += sock.recv(length - len(body))
    return body


def until(sock: socket.socket, mark: bytes) -> bytes:
    """Read until `mark` has come; "" when the connection ended before."""
    data = b""
    while mark not in data:
        try:
            piece = sock.recv(65_536)
        except ConnectionError:
            piece = b""
        if not piece:
            return b""
        data += piece
    return data


def ended(sock: socket.socket) -> bool:
    """Whether the connection ends (in order or not) within the patience; what still comes is thrown away."""
    until_then = time.monotonic() + PATIENCE
    try:
        while sock.recv(1 << 20):
            if time.monotonic() > until_then:
                return False
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def issue(folder: Path, name: str) -> tuple[Settings, Path]:
    """Settings with a fresh certificate for `name` in `folder`, and the authority that a client trusts."""
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("localhost", common_name=name)
    chain, key, trusted = folder / "chain.pem", folder / "key.pem", folder / f"{name}.pem"
    issued.private_key_pem.write_to_path(str(key))
    issued.cert_chain_pems[0].write_to_path(str(chain))
    authority.cert_pem.write_to_path(str(trusted))
    return Settings(tls_certificate=str(chain), tls_key=str(key)), trusted


def secure(sock: socket.socket, trusted: Path, *protocols: str) -> ssl.SSLSocket:
    """TLS over `sock`, offering `protocols`."""
    context = ssl.create_default_context(cafile=str(trusted))
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(sock, server_hostname="localhost")


def common_name(sock: ssl.SSLSocket) -> str:
    """Whose certificate the server has shown."""
    certificate = sock.getpeercert()
    assert certificate is not None
    subject: Any = certificate["subject"]
    return str(dict(pair[0] for pair in subject)["commonName"])
