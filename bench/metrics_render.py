"""Rendering alone: CPU time of one scrape's text against prometheus_client's `generate_latest`.

Run as `python bench/metrics_render.py [--counts 100,1000,…]`.  The registry is that of an
ordinary service: of its series 30 % are counters, 20 % gauges, 50 % histograms
with 15 buckets, each with `_created`.  Columns: microseconds a series and the
ratio to `generate_latest` of the same format and run (higher is better), when
no number has changed since the last scrape, when a tenth has, when all have.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "core"))

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import exposition as plain
from prometheus_client.openmetrics import exposition as openmetrics

from fanlight.observe import exposition
from fanlight.observe.negotiation import OPENMETRICS, PROTOBUF, TEXT, Format

ROUTES = 97


class Service:
    """A registry with about `series` series, and a way to move a share of them."""

    def __init__(self, series: int) -> None:
        self.registry = CollectorRegistry()
        self._random = random.Random(7)
        labels = ["method", "route", "status"]
        counters = Counter("app_requests", "Requests handled.", labels, registry=self.registry)
        gauges = Gauge("app_queue_length", "Jobs waiting.", labels, registry=self.registry)
        histograms = Histogram("app_latency_seconds", "Time to answer.", labels, registry=self.registry)
        keys = [("GET", f"/api/v1/things/{index % ROUTES}", f"tenant-{index:06d}") for index in range(series)]
        self.children: list[Callable[[], None]] = [
            self._counter(counters.labels(*key)) for key in keys[: series * 3 // 20]
        ]
        self.children += [self._gauge(gauges.labels(*key)) for key in keys[: series // 5]]
        self.children += [self._histogram(histograms.labels(*key)) for key in keys[: max(1, series // 36)]]
        self.move(1.0)

    def _counter(self, child: Counter) -> Callable[[], None]:
        return lambda: child.inc(self._random.randrange(1, 1000))

    def _gauge(self, child: Gauge) -> Callable[[], None]:
        return lambda: child.set(self._random.random() * 1000)

    def _histogram(self, child: Histogram) -> Callable[[], None]:
        return lambda: child.observe(self._random.random() * 3)

    def move(self, share: float) -> None:
        """Change the numbers of `share` of the children."""
        for child in self.children:
            if share == 1.0 or self._random.random() < share:
                child()


def cpu(run: Callable[[], object], before: Callable[[], None], rounds: int) -> float:
    """The least CPU seconds of `run` over `rounds`, with `before` called ahead of each."""
    best = float("inf")
    for _ in range(rounds):
        before()
        started = time.process_time_ns()
        run()
        best = min(best, (time.process_time_ns() - started) / 1e9)
    return best


def nothing() -> None:
    """No change."""


def measure(series: int) -> Iterator[dict[str, object]]:
    """One row for each format."""
    service = Service(series)
    count = sum(1 for line in plain.generate_latest(service.registry).splitlines() if not line.startswith(b"#"))
    rounds = max(3, min(200, 200_000 // count))
    memory = exposition.Memory()

    def render(form: Format) -> Callable[[], bytes]:
        return lambda: b"".join(exposition.slices(form, service.registry, memory=memory))

    peers: dict[Format, Callable[[], bytes]] = {
        TEXT: lambda: plain.generate_latest(service.registry),
        OPENMETRICS: lambda: openmetrics.generate_latest(service.registry),
        PROTOBUF: lambda: plain.generate_latest(service.registry),
    }
    for form, peer in peers.items():
        if form is not PROTOBUF and render(form)() != peer():
            raise SystemExit(f"{form.name}: not the bytes of generate_latest")
        slow = cpu(peer, nothing, max(3, rounds // 10))
        row: dict[str, object] = {
            "series": count,
            "format": form.name,
            "generate_latest_us": round(slow / count * 1e6, 3),
        }
        for name, share in (("same", 0.0), ("tenth", 0.1), ("all", 1.0)):
            mine = cpu(render(form), lambda share=share: service.move(share) if share else None, rounds)  # type: ignore[misc]
            row[f"{name}_us"] = round(mine / count * 1e6, 3)
            row[f"{name}_ratio"] = round(slow / mine, 1)
        yield row
