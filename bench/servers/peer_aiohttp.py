"""aiohttp with handlers of its own kind and prometheus_client's aiohttp exposition."""

from __future__ import annotations

import json

from aiohttp import WSMsgType, web
from prometheus_client.aiohttp import make_aiohttp_handler

from bench.servers.families import registry
from bench.servers.options import parse


async def livez(request: web.Request) -> web.Response:
    return web.Response(text="Liveness check successful!")


async def echo_json(request: web.Request) -> web.Response:
    return web.Response(body=json.dumps(json.loads(await request.read())), content_type="application/json")


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


def main() -> None:
    options = parse()
    app = web.Application()
    app.router.add_get("/api/livez", livez)
    app.router.add_post("/echo-json", echo_json)
    app.router.add_get("/echo", echo)
    app.router.add_get("/metrics", make_aiohttp_handler(registry(options.series)))
    web.run_app(app, host="127.0.0.1", port=options.port, access_log=None, print=None, keepalive_timeout=75)


if __name__ == "__main__":
    main()
