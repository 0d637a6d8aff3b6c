"""`fanlight.observe.openmetrics`: the bytes of prometheus_client's OpenMetrics 1.0."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, metrics
from prometheus_client.core import Exemplar, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from fanlight.observe.exposition import Memory
from fanlight.observe.negotiation import OPENMETRICS
from tests.core.observe.registries import Fixed, current, openmetrics


def written(registry: Any, memory: Memory | None = None) -> bytes:
    return b"".join((memory or Memory()).slices(OPENMETRICS, registry))


def test_the_setting_for_created_is_followed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, memory = CollectorRegistry(), Memory()
    Counter("plain", "", registry=registry).inc()
    Histogram("labelled", "", ["a"], registry=registry).labels("1").observe(1)
    for setting in (True, False, True):
        monkeypatch.setattr(metrics, "_use_created", setting)
        assert written(registry, memory) == openmetrics(registry)


def test_exemplars_in_many_blocks() -> None:
    registry, memory = CollectorRegistry(), Memory()
    counter = Counter("c", "doc", ["a"], registry=registry)
    histogram = Histogram("h", "doc", ["a"], registry=registry)
    for index in range(1000):
        counter.labels(str(index)).inc(1, {"trace": f'"{index}"'} if index % 3 else None)
        histogram.labels(str(index)).observe(index / 100, {"trace": str(index)} if index % 5 else None)
    for _ in range(2):
        assert written(registry, memory) == openmetrics(registry)
    counter.labels("4").inc(1, {"trace": "newer"})
    assert b'# {trace="newer"} 1.0' in written(registry, memory)


def test_an_exemplar_where_none_may_be_raises() -> None:
    family = Metric("g", "doc", "gauge")
    family.add_sample("g", {}, 1.0, exemplar=Exemplar({"a": "b"}, 1.0))
    registry = CollectorRegistry()
    registry.register(Fixed([family]))
    with pytest.raises(ValueError, match="g has exemplars"):
        written(registry)


@current
def test_native_histograms_are_left_out() -> None:
    from prometheus_client.samples import NativeHistogram

    family = Metric("h", "doc", "histogram")
    family.add_sample("h", {}, 1.0, native_histogram=NativeHistogram(1, 1, 0, 0, 0))
    registry = CollectorRegistry()
    registry.register(Fixed([family]))
    assert written(registry) == openmetrics(registry) == b"# HELP h doc\n# TYPE h histogram\n# EOF\n"


def test_a_parser_reads_it_back() -> None:
    registry = CollectorRegistry()
    Counter("c", "help \\ \n", ["a"], registry=registry).labels('x"\n\\').inc(2, {"trace": "1"})
    (family,) = text_string_to_metric_families(written(registry).decode())  # type: ignore[no-untyped-call]
    total = family.samples[0]
    assert (total.name, total.labels, total.value) == ("c_total", {"a": 'x"\n\\'}, 2.0)
    assert total.exemplar is not None
    assert total.exemplar.labels == {"trace": "1"}
