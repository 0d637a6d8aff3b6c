"""Clients that hang up in the middle of a download, many at once: the server goes on."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from fanlight import App, Listener, Request, Response, SendBody
from tests import hosts

DOWNLOADS = 60
RESET = struct.pack("ii", 1, 0)
GET_BIG = b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET_SMALL = b"GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(params=["asyncio", "trio"])
def host(request: pytest.FixtureRequest) -> Iterator[hosts.Host]:
    made = hosts.host(request.param)
    yield made
    made.close()


def app() -> App:
    made = App(listeners=(Listener("main", "127.0.0.1:0"),), pages=False)

    @made.route("GET", "/small")
    async def small(request: Request) -> Response:
        return Response(200, (), b"small")

    @made.route("GET", "/big")
    async def big(request: Request) -> Response:
        async def produce() -> None:
            for _ in range(512):
                await SendBody(b"x" * 65_536)

        return Response(200, (), produce)

    return made


def download(address: tuple[str, int]) -> socket.socket:
    """A connection whose download has begun and is not read."""
    sock = socket.create_connection(address, timeout=5)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.sendall(GET_BIG)
    return sock


def test_downloads_hung_up_all_at_once(host: hosts.Host) -> None:
    served = host.serve(app())
    address = served.address()
    assert isinstance(address, tuple)
    for resets in (False, True, True):
        begun = [download(address) for _ in range(DOWNLOADS)]
        assert all(sock.recv(1000) for sock in begun)
        for sock in begun:
            if resets:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.close()
        with socket.create_connection(address, timeout=5) as sock:
            sock.sendall(GET_SMALL)
            assert sock.makefile("rb").read().endswith(b"small")
    served.stop()
