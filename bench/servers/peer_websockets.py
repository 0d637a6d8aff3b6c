"""The websockets library's asyncio server, for the WebSocket rows only."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from bench.servers.options import parse


async def echo(connection: Any) -> None:
    async for message in connection:
        await connection.send(message)


async def serving(port: int) -> None:
    # By name: the library is part of the bench's environment only, and types are checked without it.
    server: Any = importlib.import_module("websockets.asyncio.server")
    async with server.serve(echo, "127.0.0.1", port, compression=None):
        await asyncio.get_running_loop().create_future()


def main() -> None:
    asyncio.run(serving(parse().port))


if __name__ == "__main__":
    main()
