"""`fanlight.observe.runs`: many small families at a time, told apart again when one changes."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary
from prometheus_client.exposition import generate_latest

from fanlight.observe.exposition import Memory
from fanlight.observe.families import KINDS
from fanlight.observe.negotiation import OPENMETRICS, TEXT
from fanlight.observe.runs import SMALL, Buckets, HostRun, Numbers, RunColumns, children_of
from fanlight.observe.text import PlainText
from tests.core.observe.registries import openmetrics


def some() -> list[Any]:
    counter = Counter("c", "100%", registry=None)
    gauge = Gauge("g", "", ["a"], registry=None)
    gauge.labels("50%")
    gauge.labels("x")
    summary = Summary("s", "", registry=None)
    empty = Gauge("e", "", ["a"], registry=None)
    histogram = Histogram("h", "%s", ["a"], buckets=(0.1, 1), registry=None)
    histogram.labels("%").observe(0.5)
    histogram.labels("x")
    last = Gauge("l", "", registry=None)
    return [counter, gauge, summary, empty, histogram, last]


def run_of(metrics: list[Any]) -> HostRun:
    return HostRun([KINDS[type(metric)] for metric in metrics], metrics)


def test_places() -> None:
    metrics = some()
    run = run_of(metrics)
    layout = run.layout
    numbers, buckets, behind = layout.spans
    assert isinstance(numbers, Numbers)
    assert (len(numbers.cells), numbers.counters) == (5, [0])
    assert isinstance(buckets, Buckets)
    assert isinstance(behind, Numbers)
    assert (len(behind.cells), behind.counters) == (1, [])
    assert (layout.gauges, layout.born) == ([1, 2, 6], [0, 3, 4, 5])
    assert run.names == {"c", "g", "s", "e", "h", "l"}
    children = run.children(metrics)
    assert children is not None
    assert [len(part) for part in layout.apart(children)] == [1, 2, 1, 0, 2, 1]
    assert [metric for _, metric, _ in run.families(children)] == metrics


@pytest.mark.parametrize("change", ["new", "gone", "replaced", "other", "fewer"])
def test_a_change_is_noticed(change: str) -> None:
    metrics = some()
    run = run_of(metrics)
    gauge = metrics[1]
    match change:
        case "new":
            gauge.labels("new")
        case "gone":
            gauge.remove("x")
        case "replaced":
            gauge.remove("x")
            gauge.labels("x")
        case "other":
            metrics[0] = Counter("c", "100%", registry=None)
        case _:
            del metrics[2]
    assert run.children(metrics) is None


def test_a_run_is_written_in_one_piece() -> None:
    metrics = some()
    run = run_of(metrics)
    made = RunColumns(run.layout, PlainText(), True)
    children = run.children(metrics)
    assert children is not None
    registry = CollectorRegistry()
    for metric in metrics:
        registry.register(metric)
    text, cold = made.whole(children)
    assert text == generate_latest(registry)
    again, warm = made.whole(children)
    assert (again, warm < cold) == (text, True)
    assert list(made.sliced(children)) == [(text, warm)]


def test_children_of_a_metric() -> None:
    counter, gauge, *_ = some()
    assert children_of(counter) == [counter]
    assert children_of(gauge) == list(gauge._metrics.values())


def test_families_that_grow_out_of_a_run_and_back() -> None:
    registry, memory = CollectorRegistry(), Memory()
    gauge = Gauge("g", "", ["a"], registry=registry)
    histogram = Histogram("h", "", ["a"], registry=registry)
    Counter("c", "", registry=registry).inc(2, {"trace": "1"})
    for size in (0, 1, SMALL, SMALL + 1, SMALL, 0):
        while len(gauge._metrics) > size:
            gauge.remove(*list(gauge._metrics)[-1])
        for index in range(len(gauge._metrics), size):
            gauge.labels(str(index)).set(index)
            histogram.labels(str(index % 4)).observe(index, {"trace": str(index)})
        assert b"".join(memory.slices(TEXT, registry)) == generate_latest(registry)
        assert b"".join(memory.slices(OPENMETRICS, registry)) == openmetrics(registry)
