"""`fanlight.observe.delimited`: what a decoder finds in it is what the registry collects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, metrics
from prometheus_client.openmetrics.exposition import escape_label_name, escape_metric_name

from fanlight.observe.exposition import SLICE, Memory
from fanlight.observe.negotiation import PROTOBUF
from tests.core.observe.decoding import Family, families, labels, messages, moment
from tests.core.observe.registries import changes, current, registries
from tests.protobuf import decode


def written(registry: Any, memory: Memory | None = None) -> bytes:
    return b"".join((memory or Memory()).slices(PROTOBUF, registry))


def comparable(readings: Iterator[Any]) -> list[str]:
    """Numbers by their text (a NaN equals no other), in one order."""
    return sorted(
        repr((name, sorted((k, str(v)) for k, v in key), value if isinstance(value, str) else float(value)))
        for name, key, value in readings
    )


def expected(registry: CollectorRegistry) -> Iterator[Any]:
    """What `collect()` says, as a decoder would find it."""
    for family in registry.collect():
        for sample in family.samples:
            special = {"histogram": "le", "gaugehistogram": "le", "summary": "quantile"}.get(family.type)
            key = [(escape_label_name(k), str(float(v)) if k == special else v) for k, v in sample.labels.items()]
            name = escape_metric_name(sample.name)
            if sample.name == family.name + "_created" and family.type in {"counter", "histogram", "summary"}:
                if 0 <= sample.value < 253_402_300_800:
                    yield name, key, f"{round(sample.value * 1e9)} ns"
            else:
                yield name, key, sample.value


@current
@given(registries())
@settings(max_examples=150)
def test_every_number_is_there_once(registry: CollectorRegistry) -> None:
    found = families(written(registry))
    assert comparable(each for family in found for each in family.readings()) == comparable(expected(registry))


@given(registries(), st.lists(changes(), max_size=5))
@settings(max_examples=100)
def test_what_is_remembered_never_shows(
    registry: CollectorRegistry, happened: list[Callable[[CollectorRegistry], None]]
) -> None:
    memory = Memory()
    for change in [lambda _: None, *happened]:
        change(registry)
        assert written(registry, memory) == written(registry)


def only(registry: CollectorRegistry) -> Family:
    (family,) = families(written(registry))
    return family


def test_a_counter() -> None:
    registry = CollectorRegistry()
    counter = Counter("requests", "Requests.", ["zone", "path"], unit="ops", registry=registry)
    counter.labels("eu", "/100%").inc(2.5, {"trace": "abc"})
    family = only(registry)
    assert (family.name, family.doc, family.type, family.unit) == ("requests_ops_total", "Requests.", "counter", "ops")
    (metric,) = family.metrics
    assert labels(metric[1]) == (("path", "/100%"), ("zone", "eu"))
    body = decode(metric[3][0])
    assert body[1] == [2.5]
    mark = decode(body[2][0])
    assert labels(mark[1]) == (("trace", "abc"),)
    assert mark[2] == [2.5]
    assert moment(mark[3]) > 10**18
    assert moment(body[3]) == round(counter.labels("eu", "/100%")._created * 1e9)


def test_a_histogram_shows_its_last_bucket() -> None:
    registry = CollectorRegistry()
    histogram = Histogram("latency", "", buckets=[0.1, 1], registry=registry)
    for value in (0.05, 0.5, 5, 50):
        histogram.observe(value, {"id": str(value)})
    body = decode(only(registry).metrics[0][7][0])
    assert (body[1], body[2]) == ([4], [55.55])
    buckets = [decode(each) for each in body[3]]
    assert [(each[1][0], each[2][0]) for each in buckets] == [(1, 0.1), (2, 1.0), (4, float("inf"))]
    assert labels(decode(buckets[2][3][0])[1]) == (("id", "50"),)


def test_negative_buckets_hide_the_sum() -> None:
    registry = CollectorRegistry()
    Histogram("h", "", buckets=[-1, 1], registry=registry).observe(0)
    assert 2 not in decode(only(registry).metrics[0][7][0])


def test_a_summary_and_a_gauge() -> None:
    registry = CollectorRegistry()
    Summary("s", "", registry=registry).observe(3)
    Gauge("g", "", registry=registry).set(-1)
    first, second = families(written(registry))
    assert (first.type, decode(first.metrics[0][4][0])[1], decode(first.metrics[0][4][0])[2]) == ("summary", [1], [3.0])
    assert (second.type, second.metrics[0]) == ("gauge", {2: [b"\x09" + b"\0" * 6 + b"\xf0\xbf"]})


def test_created_follows_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, memory = CollectorRegistry(), Memory()
    Counter("c", "", ["a"], registry=registry).labels("1").inc()
    for setting in (True, False, True):
        monkeypatch.setattr(metrics, "_use_created", setting)
        (data,) = messages(written(registry, memory))
        assert (3 in decode(Family(data).metrics[0][3][0])) == setting


def test_families_without_samples_are_left_out() -> None:
    registry = CollectorRegistry()
    Gauge("none", "", ["a"], registry=registry)
    assert written(registry) == b""


def test_a_large_family_is_made_in_slices_and_is_one_message() -> None:
    registry, memory = CollectorRegistry(), Memory()
    gauge = Gauge("g", "", ["index"], registry=registry)
    for index in range(20_000):
        gauge.labels(str(index)).set(index)
    for _ in range(2):
        parts = list(memory.slices(PROTOBUF, registry))
        assert len(parts) > 20_000 / (2 * SLICE)
        assert max(map(len, parts)) < 400_000
        (family,) = families(b"".join(parts))
        assert [value for _, _, value in family.readings()] == list(range(20_000))
