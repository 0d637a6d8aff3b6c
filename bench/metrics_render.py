"""Rendering alone: CPU time of one scrape's text against prometheus_client's `generate_latest`.

Run as `python bench/metrics_render.py [COUNT …] [--json FILE]`.  `mixed` is the
registry of an ordinary service: of its series 30 % are counters, 20 % gauges,
50 % histograms with 15 buckets, with `_created`; `plain` is as many gauges
without labels; `families` as many counters of one child each.  Shown are
microseconds a series, and by how much the same format of prometheus_client is
slower in the same run (higher is better; protobuf against the text): when no
number has changed since the last scrape, when a tenth has, when all have.
`step` is the longest slice of a first scrape and of a later one, in
milliseconds.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "core"))

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import exposition as plain
from prometheus_client.openmetrics import exposition as openmetrics

from fanlight.observe.exposition import Memory
from fanlight.observe.negotiation import OPENMETRICS, PROTOBUF, TEXT, Format

ROUTES = 97
FEW = 1000
"""Beyond so many series a registry of one series per family is nobody's."""

Row = dict[str, str | int | float]


class Service:
    """A registry with about `series` series, and a way to move a share of them."""

    def __init__(self, series: int, shape: str) -> None:
        self.registry = CollectorRegistry()
        self.moves: list[Callable[[], None]] = []
        self._random = random.Random(7)
        {"mixed": self._mixed, "plain": self._plain, "families": self._families}[shape](series)
        self.move(1.0)

    def _mixed(self, series: int) -> None:
        labels = ["method", "route", "tenant"]
        counters = Counter("app_requests", "Requests handled.", labels, registry=self.registry)
        gauges = Gauge("app_queue_length", "Jobs waiting.", labels, registry=self.registry)
        histograms = Histogram("app_latency_seconds", "Time to answer.", labels, registry=self.registry)
        keys = [("GET", f"/api/v1/things/{index % ROUTES}", f"tenant-{index:06d}") for index in range(series)]
        self.moves += [self._counter(counters.labels(*key)) for key in keys[: series * 3 // 20]]
        self.moves += [self._gauge(gauges.labels(*key)) for key in keys[: series // 5]]
        self.moves += [self._histogram(histograms.labels(*key)) for key in keys[: max(1, series // 36)]]

    def _plain(self, series: int) -> None:
        for index in range(series):
            self.moves.append(self._gauge(Gauge(f"app_gauge_{index}", "A number.", registry=self.registry)))

    def _families(self, series: int) -> None:
        for index in range(series // 2):
            counter = Counter(f"app_events_{index}", "Things that happened.", ["kind"], registry=self.registry)
            self.moves.append(self._counter(counter.labels("any")))

    def _counter(self, child: Counter) -> Callable[[], None]:
        return lambda: child.inc(self._random.randrange(1, 1000))

    def _gauge(self, child: Gauge) -> Callable[[], None]:
        return lambda: child.set(self._random.random() * 1000)

    def _histogram(self, child: Histogram) -> Callable[[], None]:
        return lambda: child.observe(self._random.random() * 3)

    def move(self, share: float) -> None:
        """Change the numbers of `share` of the children."""
        for move in self.moves:
            if share == 1.0 or self._random.random() < share:
                move()


def cpu(run: Callable[[], object], before: Callable[[], None], rounds: int) -> float:
    """The least CPU seconds of `run` over `rounds`, with `before` called ahead of each."""
    best = float("inf")
    for _ in range(rounds):
        before()
        started = time.thread_time_ns()
        run()
        best = min(best, (time.thread_time_ns() - started) / 1e9)
    return best


def longest_step(form: Format, registry: CollectorRegistry, memory: Memory) -> float:
    """CPU milliseconds of the longest slice of one scrape."""
    longest = 0
    body = memory.slices(form, registry)
    while not body.ended:
        started = time.thread_time_ns()
        next(body)
        longest = max(longest, time.thread_time_ns() - started)
    return longest / 1e6


def their_openmetrics(registry: CollectorRegistry) -> bytes:
    """prometheus_client's OpenMetrics text."""
    return bytes(openmetrics.generate_latest(registry))  # type: ignore[no-untyped-call]


PEERS: dict[Format, Callable[[CollectorRegistry], bytes]] = {
    TEXT: plain.generate_latest,
    OPENMETRICS: their_openmetrics,
    PROTOBUF: plain.generate_latest,
}


def measure(series: int, shape: str) -> Iterator[Row]:
    """One row for each format."""
    service = Service(series, shape)
    registry, memory = service.registry, Memory()
    count = sum(1 for line in plain.generate_latest(registry).splitlines() if not line.startswith(b"#"))
    rounds = max(3, min(300, 300_000 // count))
    for form, peer in PEERS.items():
        cold = longest_step(form, registry, memory)
        warm = longest_step(form, registry, memory)

        def render(form: Format = form) -> bytes:
            return b"".join(memory.slices(form, registry))

        def theirs(peer: Callable[[CollectorRegistry], bytes] = peer) -> bytes:
            return peer(registry)

        if form is not PROTOBUF and render() != theirs():
            raise SystemExit(f"{form.name}: not the bytes of generate_latest")
        slow = cpu(theirs, lambda: None, max(3, rounds // 10))
        row: Row = {"shape": shape, "series": count, "format": form.name, "theirs_us": round(slow / count * 1e6, 2)}
        for name, share in (("same", 0.0), ("tenth", 0.1), ("all", 1.0)):

            def move(share: float = share) -> None:
                service.move(share)

            mine = cpu(render, move, rounds)
            row[f"{name}_us"] = round(mine / count * 1e6, 3)
            row[f"{name}_x"] = round(slow / mine, 1)
        yield row | {"cold_step_ms": round(cold, 2), "warm_step_ms": round(warm, 2)}


def main() -> None:
    """Print a table, and write it as JSON where that was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("counts", nargs="*", type=int, default=[100, 1000, 10_000, 100_000], metavar="COUNT")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    args = parser.parse_args()
    rows: list[Row] = []
    for count in args.counts:
        for shape in ("mixed", "plain", "families") if count <= FEW else ("mixed",):
            for row in measure(count, shape):
                if not rows:
                    print("  ".join(f"{name:>12}" for name in row))
                print("  ".join(f"{value:>12}" for value in row.values()), flush=True)
                rows.append(row)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
