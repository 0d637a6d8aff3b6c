"""The bench's ASGI application, served by uvicorn, hypercorn and granian alike.

Bare ASGI with a table of paths: no framework, so that the servers themselves
are compared.  The registry's size comes from `BENCH_SERIES`, since granian
imports the application in a process of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from prometheus_client import make_asgi_app

from bench.servers.families import registry

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handler = Callable[[Message, Receive, Send], Awaitable[None]]

LIVE = b"Liveness check successful!"


async def livez(scope: Message, receive: Receive, send: Send) -> None:
    await _answer(send, b"text/plain; charset=utf-8", LIVE)


async def echo_json(scope: Message, receive: Receive, send: Send) -> None:
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    await _answer(send, b"application/json", json.dumps(json.loads(b"".join(parts))).encode())


async def _answer(send: Send, kind: bytes, body: bytes) -> None:
    fields = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def not_found(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] != "websocket.receive":
            return
        if message.get("bytes") is not None:
            await send({"type": "websocket.send", "bytes": message["bytes"]})
        else:
            await send({"type": "websocket.send", "text": message["text"]})


async def lifespan(scope: Message, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


_routes: dict[tuple[str, str], Handler] = {
    ("GET", "/api/livez"): livez,
    ("POST", "/echo-json"): echo_json,
    ("GET", "/metrics"): make_asgi_app(registry(int(os.environ.get("BENCH_SERIES", "100")))),
}


async def app(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await _routes.get((scope["method"], scope["path"]), not_found)(scope, receive, send)
    elif scope["type"] == "websocket":
        await echo(scope, receive, send)
    else:
        await lifespan(scope, receive, send)
