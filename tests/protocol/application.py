"""The app that protocol rows talk to: small answers, an echo, a WebSocket, and a routine that waits for ever."""

from __future__ import annotations

from fanlight import App, Limits, Listener, Request, Response, SendBody, Settings, Sleep
from fanlight.http.websocket import AcceptWebSocket, NextMessage, PeerClosed, SendMessage

PLAIN = (("content-type", "text/plain"),)
BIG = 1024 * 1024
CHUNK = b"0123456789abcdef" * 512
MESSAGE_LIMIT = 256 * 1024
LIMITS = Limits(message_bytes=MESSAGE_LIMIT)


def application(
    *, address: str = "127.0.0.1:6876", limits: Limits = LIMITS, certificate: tuple[str, str] | None = None
) -> App:
    """`/` and `/api/livez` answer a text, `/echo` the body, `/big` a MiB, `/late` never; `/chat` echoes messages.

    No engine is needed.  `certificate` is the paths of a chain and its key, for TLS.
    """
    chain, key = certificate or (None, None)
    app = App(
        listeners=(Listener("main", address, tls=certificate is not None, groups={"metrics": "Normal"}),),
        settings=Settings(tls_certificate=chain, tls_key=key),
        pages=False,
        limits=limits,
    )

    @app.route("GET", "/", group="metrics")
    @app.route("GET", "/api/livez", group="metrics")
    async def here(request: Request) -> Response:
        return Response(200, PLAIN, b"here")

    @app.route("POST", "/echo", group="metrics")
    async def echo(request: Request) -> Response:
        return Response(200, PLAIN, await request.body())

    @app.route("GET", "/big", group="metrics")
    async def big(request: Request) -> Response:
        async def produce() -> None:
            for _ in range(BIG // len(CHUNK)):
                await SendBody(CHUNK)

        return Response(200, PLAIN, produce)

    @app.route("POST", "/late", group="metrics")
    @app.route("GET", "/late", group="metrics")
    async def late(request: Request) -> Response:
        await Sleep(3600.0)
        return Response(200, PLAIN, b"late")

    @app.route("GET", "/chat", group="metrics", websocket=True)
    async def chat(request: Request) -> None:
        await AcceptWebSocket(limit=MESSAGE_LIMIT)
        while not isinstance(message := await NextMessage(), PeerClosed):
            await SendMessage(message)

    return app
