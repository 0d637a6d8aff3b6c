"""How much the dumps and the live relations disturb the program that they look into.

    python bench/catalog_disturbance.py [--objects N] [--tasks N] [--series N] [--heap N] [--json FILE]

First the dump of a catalog of N objects by itself: how long its slowest step
takes.  Then a host with an asyncio loop, a heartbeat of 1 ms, N waiting tasks,
N series of metrics and N objects for the collector, while it is looked into in
each way: the dump on its own loop, a slice for each turn, as the page does it;
relations and the coordinator's state in a thread.  Lateness is what the host
did to itself, without its run-queue wait.  Times in milliseconds.  Linux only.

The same over HTTP, and for `/metrics` and the heap: `python -m bench`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Gauge

from fanlight.app import App
from fanlight.catalog.catalog import Exposed
from fanlight.catalog.consistency import Inconsistencies, look_at_catalog
from fanlight.moment import Now
from fanlight.relations import Relation
from fanlight.server import Server
from fanlight_engines.performer import SystemEntropy
from fanlight_engines.process.introspection import coordinator
from fanlight_engines.process.recent_logs import RecentLogs
from fanlight_engines.process.relations import ProcessRelations
from fanlight_engines.profiling.heap import HeapProfiler

BEAT = 0.001
LOOKS = 3


class Heart:
    """A heartbeat on the running loop: the lateness of each beat since `begin`."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._stopped = False
        self._schedstat = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)

    def _waited(self) -> int:
        return int(os.pread(self._schedstat, 100, 0).split()[1])

    async def run(self) -> None:
        waited = self._waited()
        while not self._stopped:
            begun = time.perf_counter()
            await asyncio.sleep(BEAT)
            lateness = time.perf_counter() - begun - BEAT
            waited, before = self._waited(), waited
            self._late.append(max(0.0, lateness * 1e3 - (waited - before) / 1e6))

    def begin(self) -> None:
        self._late.clear()

    def stop(self) -> None:
        self._stopped = True

    def lateness(self) -> tuple[float, float, float]:
        """Median, 99th percentile, worst."""
        late = sorted(self._late)
        return late[len(late) // 2], late[len(late) * 99 // 100], late[-1]


def served(objects: int, series: int) -> Server:
    """A server over an app with so many objects in its catalog and series in its registry."""
    registry = CollectorRegistry()
    gauge = Gauge("load", "A number.", ["host", "disk"], registry=registry)
    for number in range(series):
        gauge.labels(f"host-{number // 100}", f"disk-{number % 100}").set(number)
    app = App(registry=registry)
    definition = {"columns": [{"name": f"column_{number}", "type": "bigint"} for number in range(4)]}
    for number in range(objects):
        app.catalog.add("Table", f"table_{number}", definition=definition, comment="One of many.")
    return Server(app, now=Now(time.monotonic(), time.time()), entropy=SystemEntropy())


def steps(server: Server) -> dict[str, float | str]:
    """The dump without anything around it: how long each of its pieces takes to make."""
    took: list[float] = []
    size = 0
    pieces = server.app.catalog.dump(Exposed())
    while True:
        begun = time.perf_counter()
        piece = next(pieces, None)
        took.append((time.perf_counter() - begun) * 1e3)
        if piece is None:
            break
        size += len(piece)
    took.sort()
    return {
        "way": f"catalog, {len(took)} steps, {size / 1e6:.1f} MB",
        "p50": took[len(took) // 2],
        "p99": took[len(took) * 99 // 100],
        "max": took[-1],
        "seconds": sum(took) / 1e3,
    }


async def dump_on_the_loop(server: Server) -> None:
    """What the page does, without the socket."""
    for _ in server.app.catalog.dump(Exposed()):
        await asyncio.sleep(0)


async def check_on_the_loop(server: Server) -> None:
    """What the page of the check does."""
    for _ in look_at_catalog(server, Inconsistencies()):
        await asyncio.sleep(0)


def in_thread(work: Callable[[], object]) -> Callable[[], Any]:
    """`work` as something to await."""
    return lambda: asyncio.to_thread(work)


def exhaust(relation: Relation) -> None:
    """Read every row and keep none."""
    deque(relation.rows(), maxlen=0)


def ways(server: Server, relations: ProcessRelations) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What is done to the host, by name."""
    thread = threading.get_ident()
    yield "idle", lambda: asyncio.sleep(0.5)
    yield "catalog dump", lambda: dump_on_the_loop(server)
    yield "catalog check", lambda: check_on_the_loop(server)
    yield "coordinator", in_thread(lambda: coordinator(server, thread))
    for relation in relations.relations:
        yield f"process.{relation.name}", in_thread(partial(exhaust, relation))


async def host(server: Server, tasks: int) -> list[dict[str, float | str]]:
    """Beat while being looked into."""
    waiting = [asyncio.create_task(asyncio.Event().wait()) for _ in range(tasks)]
    heart = Heart()
    beating = asyncio.create_task(heart.run())
    logs = RecentLogs()
    relations = ProcessRelations(server, HeapProfiler(server.app), logs)
    results: list[dict[str, float | str]] = []
    for name, look in ways(server, relations):
        heart.begin()
        took = 0.0
        for _ in range(LOOKS):
            await asyncio.sleep(0.1)
            begun = time.perf_counter()
            await look()
            took = max(took, time.perf_counter() - begun)
        median, most, worst = heart.lateness()
        results.append({"way": name, "p50": median, "p99": most, "max": worst, "seconds": took})
    logs.close()
    heart.stop()
    await beating
    for task in waiting:
        task.cancel()
    return results


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--heap", type=int, default=500_000)
    parser.add_argument("--json")
    chosen = parser.parse_args()
    server = served(chosen.objects, chosen.series)
    kept = [[number] for number in range(chosen.heap)]
    gc.collect()
    rows = [steps(server), *asyncio.run(host(server, chosen.tasks))]
    print(f"{len(kept):,} objects on the heap, {chosen.tasks:,} tasks, {chosen.series:,} series")
    print(f"{'way':40} {'p50':>8} {'p99':>8} {'max':>8} {'seconds':>8}")
    for row in rows:
        print(f"{row['way']:40} " + " ".join(f"{row[name]:8.2f}" for name in ("p50", "p99", "max", "seconds")))
    if chosen.json:
        with open(chosen.json, "w") as file:
            json.dump(rows, file, indent=2)


if __name__ == "__main__":
    main()
