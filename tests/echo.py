"""`python -m tests.echo --over asyncio|trio --listen HOST:PORT [--tls]`: a server for protocol suites.

The routes are the ones that suites such as Autobahn and h2spec need, on the
same core and transports as the product: WebSocket `/echo` (messages up to
16 MiB inclusive), `POST /echo`, `GET /` (a short text), `GET /big` (streams
64 MiB) and `OPTIONS *`.  None of the product's pages is served.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fanlight import App, Listener, Settings
from fanlight.config.limits import Limits
from fanlight.http.request import Request
from fanlight.http.response import BINARY, Response, SendBody, text
from fanlight.http.router import Route
from fanlight.http.websocket import AcceptWebSocket, NextMessage, PeerClosed, SendMessage

MIB = 1024 * 1024
MESSAGE_LIMIT = 16 * MIB
BIG = 64 * MIB
CHUNK = bytes(range(256)) * 256


async def index(request: Request) -> Response:
    """`GET /`: a short text."""
    del request
    return text(200, "echo\n")


async def big(request: Request) -> Response:
    """`GET /big`: 64 MiB, a chunk at a time as the client takes them."""
    del request

    async def produce() -> None:
        for _ in range(BIG // len(CHUNK)):
            await SendBody(CHUNK)

    return Response(200, (BINARY,), produce)


async def echo(request: Request) -> Response:
    """`POST /echo`: the body comes back with its content type."""
    body = await request.body(MESSAGE_LIMIT)
    kind = request.field("content-type") or BINARY[1]
    return Response(200, (("content-type", kind),), body)


async def echo_messages(request: Request) -> None:
    """WebSocket `/echo`: each message comes back as it came."""
    del request
    await AcceptWebSocket(limit=MESSAGE_LIMIT)
    while not isinstance(message := await NextMessage(), PeerClosed):
        await SendMessage(message)


ROUTES = (
    Route("GET", "/", "base", index),
    Route("GET", "/big", "base", big),
    Route("POST", "/echo", "base", echo),
    Route("GET", "/echo", "base", echo_messages, websocket=True),
)


def application(address: str, *, tls: bool = False, limits: Limits | None = None, **settings: Any) -> App:
    """The echo application on one listener called `main`."""
    listener = Listener(
        name="main",
        address=address,
        tls=tls,
        groups={"base": "Normal"},
        allowed_hosts=("*",),
        max_connections=20_000,
    )
    return App(
        listeners=(listener,),
        routes=ROUTES,
        pages=False,
        limits=limits or Limits(connections_per_peer=20_000, message_bytes=MESSAGE_LIMIT),
        **settings,
    )


def certificates(folder: Path, host: str) -> dict[str, str]:
    """A certificate of a fresh authority for `host` and `localhost`, as settings of an app."""
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert(host, "localhost")
    chain, key = folder / "chain.pem", folder / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    return {"tls_certificate": str(chain), "tls_key": str(key)}


def announce(bounds: Iterable[Any]) -> None:
    """Say where we listen, for whoever started us."""
    for bound in bounds:
        print(f"listening on {bound.url}", flush=True)


def over_asyncio(app: App) -> None:
    """Serve under asyncio until SIGINT or SIGTERM."""
    import asyncio

    import fanlight_asyncio

    async def main() -> None:
        serving = asyncio.ensure_future(fanlight_asyncio.serve(app, ready=announce))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    asyncio.run(main())


def over_trio(app: App) -> None:
    """Serve under trio until SIGINT or SIGTERM."""
    import trio

    import fanlight_trio

    async def main() -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                announce(await nursery.start(fanlight_trio.serve, app))
                async for _ in signals:
                    nursery.cancel_scope.cancel()
                    break

    trio.run(main)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.echo", description=__doc__)
    parser.add_argument("--over", choices=("asyncio", "trio"), default="asyncio", help="what carries the bytes")
    parser.add_argument("--listen", default="127.0.0.1:9001", metavar="HOST:PORT", help="an IP address and a port")
    parser.add_argument("--tls", action="store_true", help="with a certificate made on the spot")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        host = given.listen.rpartition(":")[0].strip("[]")
        files: dict[str, Any] = certificates(Path(folder), host) if given.tls else {}
        settings = Settings(**files)
        app = application(given.listen, tls=given.tls, settings=settings)
        (over_trio if given.over == "trio" else over_asyncio)(app)


if __name__ == "__main__":
    main()
