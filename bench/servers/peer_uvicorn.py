"""uvicorn with the bench's ASGI application."""

from __future__ import annotations

import uvicorn

from bench.servers.options import parse


def main() -> None:
    options = parse(http=("h11", "httptools"), ws=("wsproto", "websockets-sansio"), loop=("asyncio", "uvloop"))
    uvicorn.run(
        "bench.servers.asgi:app",
        host="127.0.0.1",
        port=options.port,
        http=options.http,
        ws=options.ws,
        loop=options.loop,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
        ws_per_message_deflate=False,
    )


if __name__ == "__main__":
    main()
