"""No server at all: an asyncio protocol that answers whatever comes with the same bytes.

What is left is the loop and the kernel.  No server on asyncio can be below it.
"""

from __future__ import annotations

import asyncio
from typing import cast

from bench.servers.options import parse

ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\nx-content-type-options: nosniff\r\n"
    b"date: Mon, 23 Nov 2026 08:34:14 GMT\r\ncontent-length: 26\r\n\r\nLiveness check successful!"
)


class Floor(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = cast(asyncio.Transport, transport).write

    def data_received(self, data: bytes) -> None:
        self._write(ANSWER)


async def serving(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    asyncio.run(serving(parse().port))


if __name__ == "__main__":
    main()
