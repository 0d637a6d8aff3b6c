"""fanlight on asyncio, uvloop or trio, all its pages on, with two routes of the bench's own.

Nothing is switched off for the measurement: routing, gates, request metrics
and access records are those of a program that embeds it.
"""

from __future__ import annotations

import json
from typing import Any

from prometheus_client import CollectorRegistry

from bench.servers.families import registry
from bench.servers.options import parse
from fanlight import App, Limits, Listener
from fanlight.http.request import Request
from fanlight.http.response import JSON, Response
from fanlight.http.websocket import AcceptWebSocket, NextMessage, PeerClosed, SendMessage

CONNECTIONS = 20_000


def application(port: int, found: CollectorRegistry | None, *, objects: int = 0) -> App:
    """The app: all groups, a registry, the bench's routes, and `objects` entries in the catalog."""
    listener = Listener(address=f"127.0.0.1:{port}", max_connections=CONNECTIONS)
    app = App(listeners=(listener,), registry=found, limits=Limits(connections_per_peer=CONNECTIONS))
    app.route("POST", "/echo-json")(echo_json)
    app.route("GET", "/echo", websocket=True)(echo)
    for index in range(objects):
        app.catalog.add("Table", f"table_{index}", definition=_definition(index), comment="One of many.")
    return app


def _definition(index: int) -> dict[str, Any]:
    columns = [{"name": f"column_{number}", "type": "text", "nullable": bool(number % 2)} for number in range(4)]
    return {"create_sql": f"CREATE TABLE table_{index} (a int, b text)", "columns": columns, "rows": index}


async def echo_json(request: Request) -> Response:
    return Response(200, (JSON,), json.dumps(json.loads(await request.body())).encode())


async def echo(request: Request) -> None:
    await AcceptWebSocket(limit=1024 * 1024)
    while not isinstance(message := await NextMessage(), PeerClosed):
        await SendMessage(message)


def main() -> None:
    options = parse(loop=("asyncio", "uvloop", "trio"))
    app = application(options.port, registry(options.series) if options.series else None)
    if options.loop == "trio":
        import trio

        import fanlight_trio

        trio.run(fanlight_trio.serve, app)
    elif options.loop == "uvloop":
        import uvloop

        import fanlight_asyncio

        uvloop.run(fanlight_asyncio.serve(app))
    else:
        import asyncio

        import fanlight_asyncio

        asyncio.run(fanlight_asyncio.serve(app))


if __name__ == "__main__":
    main()
