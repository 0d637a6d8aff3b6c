"""`fanlight.observe.columns`: blocks that are made once, fit in memory and die with their metric."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from fanlight.observe.columns import GRAIN, Columns, Labels
from fanlight.observe.exposition import Memory
from fanlight.observe.families import KINDS
from fanlight.observe.negotiation import OPENMETRICS, PROTOBUF, TEXT, Format
from fanlight.observe.openmetrics import OpenMetrics
from fanlight.observe.text import PlainText

FORMATS = pytest.mark.parametrize("form", [TEXT, OPENMETRICS, PROTOBUF], ids=lambda form: form.name)


def columns(metric: Any, dialect: PlainText | OpenMetrics) -> Columns:
    kind = KINDS[type(metric)]
    return Columns(kind, kind.shape(metric, True), dialect, True)


def many(registry: CollectorRegistry, children: int) -> Counter:
    counter = Counter("requests", "doc", ["method", "path"], registry=registry)
    for index in range(children):
        counter.labels("GET", f"/api/v1/things/{index:06d}").inc()
    return counter


@given(st.lists(st.sampled_from(["a", "le_", "z", "l", "m", "a.b"]), unique=True), st.booleans())
def test_labels_stand_in_order_with_le_among_them(names: list[str], bucket: bool) -> None:
    labels = Labels(tuple(names))
    filled = labels.pattern("0.5" if bucket else None) % labels.values(tuple(f"v{name}" for name in names))
    pairs = {name: f'{name.replace(".", "_")}="v{name}"' for name in names} | ({"le": 'le="0.5"'} if bucket else {})
    assert filled == ("{" + ",".join(pairs[name] for name in sorted(pairs)) + "}" if pairs else "")


def test_a_label_named_twice_has_its_last_value() -> None:
    labels = Labels(("a", "a"))
    assert labels.pattern() % labels.values(("first", "last")) == '{a="last"}'


def test_unchanged_children_are_not_made_again() -> None:
    counter = many(CollectorRegistry(), 10)
    made = columns(counter, OpenMetrics())
    children = list(counter._metrics.values())
    first, cold = made.whole(children)
    again, warm = made.whole(children)
    assert first == again
    assert cold > warm
    counter.labels("GET", "new")
    assert made.whole(list(counter._metrics.values()))[1] > warm


@pytest.mark.parametrize("dialect", [PlainText(), OpenMetrics()], ids=["text", "openmetrics"])
def test_a_counter_that_began_again_is_made_again(dialect: PlainText | OpenMetrics) -> None:
    counter = many(CollectorRegistry(), 100)
    made, children = columns(counter, dialect), list(counter._metrics.values())
    made.whole(children)
    counter.labels("GET", "/api/v1/things/000007")._created = 1234.5
    text, _ = made.whole(children)
    assert text == columns(counter, dialect).whole(children)[0]
    assert b" 1234.5\n" in text


def test_blocks_are_small() -> None:
    counter = many(CollectorRegistry(), 3000)
    made = columns(counter, PlainText())
    pieces = list(made.sliced(list(counter._metrics.values())))
    assert max(data.count(b"\n") for data, _ in pieces) <= GRAIN
    assert all(work <= GRAIN * 6 for _, work in pieces)


def test_blocks_that_are_no_longer_needed_are_let_go() -> None:
    counter = many(CollectorRegistry(), 3000)
    made = columns(counter, PlainText())
    list(made.sliced(list(counter._metrics.values())))
    assert len(made._blocks) > 1
    made.whole(list(counter._metrics.values())[:5])
    assert len(made._blocks) == 1
    made.whole([])
    assert made._blocks == []


@FORMATS
def test_what_is_remembered_dies_with_its_metric(form: Format) -> None:
    registry, memory = CollectorRegistry(), Memory()
    labelled = many(registry, 100)
    plain = Gauge("plain", "", registry=registry)
    few = Gauge("few", "", ["a"], registry=registry)
    few.labels("x")
    b"".join(memory.slices(form, registry))
    refs = [weakref.ref(each) for each in (labelled, plain, few, few.labels("x"), labelled.labels("GET", "1"))]
    for each in (labelled, plain, few):
        registry.unregister(each)
    del labelled, plain, few, each
    gc.collect()
    assert [ref() for ref in refs] == [None] * 5
    b"".join(memory.slices(form, registry))
    assert len(memory.writer(form)._memory) == 0


@FORMATS
def test_removed_children_die_at_once(form: Format) -> None:
    registry, memory = CollectorRegistry(), Memory()
    counter = many(registry, 100)
    b"".join(memory.slices(form, registry))
    ref = weakref.ref(counter.labels("GET", "/api/v1/things/000003"))
    counter.remove("GET", "/api/v1/things/000003")
    gc.collect()
    assert ref() is None


@FORMATS
@pytest.mark.parametrize("kind", ["counters", "gauges", "histograms"])
def test_memory_of_a_series(form: Format, kind: str) -> None:
    registry, memory = CollectorRegistry(), Memory()
    labels = ["method", "path"]
    keys = [("GET", f"/api/v1/things/{index:06d}") for index in range(2000)]
    if kind == "histograms":
        histogram = Histogram("latency_seconds", "", labels, registry=registry)
        for key in keys[:200]:
            histogram.labels(*key).observe(0.3)
        series = 200 * 18
    else:
        metric: Any = (Counter if kind == "counters" else Gauge)("requests", "", labels, registry=registry)
        for index, key in enumerate(keys):
            metric.labels(*key).inc(index + 0.5)
        series = 4000 if kind == "counters" else 2000
    gc.collect()
    tracemalloc.start()
    for _ in range(2):
        for _ in memory.slices(form, registry):
            pass
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / series <= 300
