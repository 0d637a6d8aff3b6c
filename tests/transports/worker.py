"""A worker process for tests: `python -m tests.transports.worker asyncio unix:/path name`; it ends with its stdin."""

from __future__ import annotations

import sys
import threading
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from fanlight import App, Listener


def application(address: str, name: str) -> App:
    """What a worker shows: two metrics, rules for one, and relations that SQL can read."""
    registry = CollectorRegistry()
    Counter("shop_orders", f"Orders of {name}.", ["shop"], registry=registry).labels(f'{name}"\\\n').inc(3)
    Histogram("shop_wait_seconds", "Wait.", registry=registry, buckets=(0.1, 1)).observe(0.5)
    rule = {"kind": "cluster_name_lookup", "cluster_id_label": "cluster_id", "output_label": "served_by"}
    app = App(listeners=[Listener(address=address)], registry=registry, metric_rules={"shop_orders_total": [rule]})

    @app.relation(name=str, amount=int)
    def stock() -> list[tuple[str, int]]:
        return [(name, len(name))]

    del stock
    return app


def main() -> None:
    """Serve until the standard input ends."""
    over, address, name = sys.argv[1:]
    app = application(address, name)
    if over == "asyncio":
        from fanlight_asyncio import start_in_thread

        with start_in_thread(app):
            sys.stdin.read()
        return
    import trio

    import fanlight_trio

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(_serving, fanlight_trio, app)
            await trio.to_thread.run_sync(sys.stdin.read)
            nursery.cancel_scope.cancel()

    trio.run(serve)


async def _serving(transport: Any, app: App, task_status: Any) -> None:
    await transport.serve(app, task_status=task_status)


if __name__ == "__main__":
    threading.current_thread().name = "worker"
    main()
