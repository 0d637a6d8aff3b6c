"""`fanlight.observe.text`: the bytes of `generate_latest`, whatever is in the registry."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from fanlight.observe.exposition import Memory
from fanlight.observe.negotiation import TEXT
from tests.core.observe.registries import Fixed


def written(registry: Any, memory: Memory | None = None) -> bytes:
    return b"".join((memory or Memory()).slices(TEXT, registry))


@pytest.fixture(params=[True, False], ids=["created", "no created"])
def created(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(metrics, "_use_created", request.param)
    return bool(request.param)


def test_the_setting_for_created_is_followed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, memory = CollectorRegistry(), Memory()
    Counter("plain", "", registry=registry).inc()
    Counter("labelled", "", ["a"], registry=registry).labels("1").inc()
    for setting in (True, False, True):
        monkeypatch.setattr(metrics, "_use_created", setting)
        text = written(registry, memory)
        assert text == generate_latest(registry)
        assert text.count(b"_created") == (6 if setting else 0)


def test_families_of_many_blocks(created: bool) -> None:
    registry, memory = CollectorRegistry(), Memory()
    counter = Counter("c", "doc", ["a", "b"], registry=registry)
    for index in range(2500):
        counter.labels(str(index), "x").inc(index)
    assert written(registry, memory) == generate_latest(registry)
    counter.remove("3", "x")
    counter.labels("2000", "x").reset()
    assert written(registry, memory) == generate_latest(registry)
    counter.clear()
    counter.labels("only", "one")
    assert written(registry, memory) == generate_latest(registry)


def test_restricted_registries() -> None:
    registry = CollectorRegistry(target_info={"a": "b"})
    Gauge("g", "", registry=registry).set(1)
    Counter("c", "", registry=registry).inc()
    for names in (["g"], ["c_total", "target_info"], ["none"]):
        restricted = registry.restricted_registry(names)
        assert written(restricted) == generate_latest(restricted)


def test_many_samples_of_one_collector() -> None:
    family = GaugeMetricFamily("big", "doc", labels=["i"])
    for index in range(1000):
        family.add_metric([str(index)], index)
        family.samples.append(family.samples[-1]._replace(name="big_created"))
    registry = CollectorRegistry()
    registry.register(Fixed([family]))
    assert written(registry) == generate_latest(registry)


def test_a_family_without_samples_keeps_its_heading() -> None:
    registry = CollectorRegistry()
    registry.register(Fixed([Metric("empty", "nothing here", "gauge")]))
    Gauge("none", "no child yet", ["a"], registry=registry)
    assert written(registry) == generate_latest(registry)
    assert written(registry).count(b"# TYPE") == 2


@pytest.mark.parametrize("value", ["no number", None])
def test_what_cannot_be_written_raises(value: object) -> None:
    family = Metric("broken", "doc", "gauge")
    family.add_sample("broken", {}, value)  # type: ignore[arg-type]
    registry = CollectorRegistry()
    registry.register(Fixed([family]))
    with pytest.raises((ValueError, TypeError)):
        written(registry)


def test_labels_that_are_no_unicode_raise() -> None:
    registry = CollectorRegistry()
    Gauge("g", "", ["a"], registry=registry).labels("\ud800").set(1)
    with pytest.raises(UnicodeEncodeError):
        written(registry)
