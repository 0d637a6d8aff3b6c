"""uvicorn with the bench's ASGI application."""

from __future__ import annotations

import uvicorn

from bench.servers.options import UVICORN, parse


def main() -> None:
    options = parse(http=("h11", "httptools"), ws=("wsproto", "websockets-sansio"), loop=("asyncio", "uvloop"))
    chosen = {"http": options.http, "ws": options.ws, "loop": options.loop, "ws_per_message_deflate": False}
    uvicorn.run("bench.servers.asgi:app", port=options.port, **UVICORN | chosen)


if __name__ == "__main__":
    main()
