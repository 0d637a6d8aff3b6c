"""hypercorn with the bench's ASGI application, in one process, on asyncio or trio."""

from __future__ import annotations

from typing import Any

from hypercorn.config import Config

from bench.servers.options import parse


def main() -> None:
    options = parse(loop=("asyncio", "trio", "uvloop"))
    from bench.servers.asgi import app

    config = Config()
    config.bind = [f"127.0.0.1:{options.port}"]
    config.accesslog = None
    config.keep_alive_timeout = 75
    serving: Any = app
    if options.loop == "trio":
        import trio
        from hypercorn.trio import serve as serve_trio

        trio.run(serve_trio, serving, config)
    else:
        import asyncio

        from hypercorn.asyncio import serve

        asyncio.run(serve(serving, config))


if __name__ == "__main__":
    main()
