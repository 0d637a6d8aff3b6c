"""A host program with fanlight inside: a loop with a heartbeat, and something big to look at.

`--loop` is the host's loop, with the server in it; `thread` is an asyncio host
whose server runs in a thread of its own.  `--naive` has no server: SIGUSR2 makes
the host render its registry on its loop, as a hand-written handler would.
"""

from __future__ import annotations

import argparse
import gc
import signal
import tracemalloc
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from bench.heartbeat import PERIOD, Heartbeat
from bench.servers.families import registry


def blocks(count: int, frames: int) -> list[Any]:
    """`count` live blocks that tracemalloc knows, about 40 % of them watched by the collector."""
    tracemalloc.start(frames)
    gc.disable()
    sites = [_site(index) for index in range(64)]
    kept = [sites[index % 64](index) for index in range(count // 5)]
    gc.enable()
    return kept


def _site(index: int) -> Any:
    """A function of its own file name: five blocks a call, two of them containers."""
    source = "\n".join(["def make(n):", *["    pass"] * index, "    return [bytes(40 + n % 9), (n * 1.5, f'{n} x')]"])
    space: dict[str, Any] = {}
    exec(compile(source, f"/srv/app/module_{index}.py", "exec"), space)
    return space["make"]


async def _asyncio_host(app: Any, beat: Heartbeat, threaded: bool) -> None:
    import asyncio

    if app is not None and threaded:
        from fanlight_asyncio import start_in_thread

        start_in_thread(app)
    elif app is not None:
        from fanlight_asyncio import serve

        serving = asyncio.create_task(serve(app))
        serving.add_done_callback(lambda task: task.result())
    while True:
        beat.before()
        await asyncio.sleep(PERIOD)
        beat.after()


async def _trio_host(app: Any, beat: Heartbeat) -> None:
    import trio

    from fanlight_trio import serve

    async with trio.open_nursery() as nursery:
        await nursery.start(serve, app)
        while True:
            beat.before()
            await trio.sleep(PERIOD)
            beat.after()


def on_loop(options: argparse.Namespace, app: Any, beat: Heartbeat) -> None:
    if options.loop == "trio":
        import trio

        trio.run(_trio_host, app, beat)
    elif options.loop == "uvloop":
        import uvloop

        uvloop.run(_asyncio_host(app, beat, False))
    else:
        import asyncio

        asyncio.run(_asyncio_host(app, beat, options.loop == "thread"))


def _naive(found: CollectorRegistry) -> None:
    signal.signal(signal.SIGUSR2, lambda number, frame: generate_latest(found) and None)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--loop", choices=("asyncio", "uvloop", "trio", "thread"), default="asyncio")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sink", type=Path, required=True)
    parser.add_argument("--series", type=int, default=0)
    parser.add_argument("--objects", type=int, default=0)
    parser.add_argument("--blocks", type=int, default=0)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--naive", action="store_true")
    options = parser.parse_args()
    found = registry(options.series)
    app = None
    if options.naive:
        _naive(found)
    else:
        from bench.servers.fanlight_server import application

        app = application(options.port, found, objects=options.objects)
    kept = blocks(options.blocks, options.frames) if options.blocks else []
    gc.collect()  # a host that has run for a while has seen its objects survive collections
    on_loop(options, app, Heartbeat(options.sink))
    del kept


if __name__ == "__main__":
    main()
