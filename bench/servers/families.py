"""A registry of a wanted size, the same for every server.

Of the series 30 % are counters with their `_created`, 20 % gauges and 50 %
histograms of 15 buckets, in families of at most 50 children with two labels.
The values are set once: no server gains from a text that it kept, unless it
checks every value first.
"""

from __future__ import annotations

import random

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CHILDREN = 50
PER_COUNTER = 2  # _total, _created
PER_HISTOGRAM = 18  # 15 buckets, _count, _sum, _created


def registry(series: int) -> CollectorRegistry:
    """A registry whose text has about `series` sample lines."""
    found = CollectorRegistry()
    rng = random.Random(7)
    _counters(found, rng, series * 3 // 10 // PER_COUNTER)
    _gauges(found, rng, series * 2 // 10)
    _histograms(found, rng, series * 5 // 10 // PER_HISTOGRAM)
    return found


def _labels(index: int) -> tuple[str, str]:
    return f"/api/v1/resource/{index % CHILDREN}", "GET" if index % 2 else "POST"


def _counters(found: CollectorRegistry, rng: random.Random, wanted: int) -> None:
    for start in range(0, wanted, CHILDREN):
        family = Counter(f"bench_requests_{start}", "Requests seen.", ("path", "method"), registry=found)
        for index in range(start, min(start + CHILDREN, wanted)):
            family.labels(*_labels(index)).inc(rng.randrange(1, 10_000_000))


def _gauges(found: CollectorRegistry, rng: random.Random, wanted: int) -> None:
    for start in range(0, wanted, CHILDREN):
        family = Gauge(f"bench_in_use_{start}", "Things in use.", ("path", "method"), registry=found)
        for index in range(start, min(start + CHILDREN, wanted)):
            family.labels(*_labels(index)).set(rng.random() * 1000)


def _histograms(found: CollectorRegistry, rng: random.Random, wanted: int) -> None:
    for start in range(0, wanted, CHILDREN):
        family = Histogram(f"bench_seconds_{start}", "Durations.", ("path", "method"), registry=found)
        for index in range(start, min(start + CHILDREN, wanted)):
            child = family.labels(*_labels(index))
            for _ in range(8):
                child.observe(rng.expovariate(1.0))
