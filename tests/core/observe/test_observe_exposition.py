"""`fanlight.observe.exposition`: a scrape in slices, with fanlight's own metrics behind the host's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from fanlight.observe.exposition import SLICE, Memory, Slices, ignore
from fanlight.observe.metrics import HttpMetrics
from fanlight.observe.negotiation import OPENMETRICS, PROTOBUF, TEXT, Format
from tests.core.observe.decoding import families
from tests.core.observe.registries import Fixed, changes, current, openmetrics, registries

FORMATS = pytest.mark.parametrize("form", [TEXT, OPENMETRICS, PROTOBUF], ids=lambda form: form.name)


LIKE = pytest.mark.parametrize(
    ("form", "like"), [(TEXT, generate_latest), (OPENMETRICS, openmetrics)], ids=["text", "openmetrics"]
)
"""Formats that prometheus_client writes too."""
Write = Callable[[CollectorRegistry], bytes]


class Raises:
    def collect(self) -> Iterator[Metric]:
        raise RuntimeError("no")


def large() -> CollectorRegistry:
    registry = CollectorRegistry()
    counter = Counter("c", "", ["i"], registry=registry)
    histogram = Histogram("h", "", ["i"], registry=registry)
    for index in range(5000):
        counter.labels(str(index)).inc(index)
    for index in range(200):
        histogram.labels(str(index)).observe(index)
    for index in range(300):
        Gauge(f"g{index}", "", registry=registry).set(index)
    family = GaugeMetricFamily("collected", "", labels=["i"])
    for index in range(2000):
        family.add_metric([str(index)], index)
    registry.register(Fixed([family]))
    return registry


@current
@LIKE
@given(registry=registries())
def test_any_registry_is_written_like_prometheus_client(form: Format, like: Write, registry: CollectorRegistry) -> None:
    assert b"".join(Memory().slices(form, registry)) == like(registry)


@current
@LIKE
@given(registry=registries(), happened=st.lists(changes(), max_size=5))
@settings(max_examples=150)
def test_what_is_remembered_never_shows(
    form: Format, like: Write, registry: CollectorRegistry, happened: list[Callable[[CollectorRegistry], None]]
) -> None:
    memory = Memory()
    for change in [lambda _: None, lambda _: None, *happened]:
        change(registry)
        assert b"".join(memory.slices(form, registry)) == like(registry)


def test_pieces_become_slices() -> None:
    body = Slices(iter([(b"a", 1), (b"b", SLICE), (b"", 2 * SLICE), (b"c", 5), (b"d", 5)]))
    assert next(body) == b"ab"
    assert (next(body), body.ended) == (b"", False)
    assert (next(body), body.ended) == (b"cd", True)
    assert list(body) == []


def test_an_empty_exposition_is_one_empty_slice() -> None:
    body = Slices(iter([]))
    assert list(body) == [b""]


@FORMATS
def test_no_slice_does_much_more_than_its_share(form: Format) -> None:
    registry, memory = large(), Memory()
    for _ in range(2):
        parts = list(memory.slices(form, registry))
        numbers = [sum(b"_created" not in line for line in part.splitlines()) for part in parts]
        assert max(numbers) < 2 * SLICE or form is PROTOBUF
        assert max(map(len, parts)) < 300_000
        assert len(parts) > 15
    assert form is not TEXT or b"".join(parts) == generate_latest(registry)
    assert form is not OPENMETRICS or b"".join(parts) == openmetrics(registry)


@FORMATS
def test_own_metrics_follow_those_of_the_host(form: Format) -> None:
    registry = CollectorRegistry()
    Gauge("host", "", registry=registry).set(1)
    own = HttpMetrics()
    own.started("/", "main")
    own.answered("/", "main", 200, 0.1)
    both = b"".join(Memory().slices(form, registry, own.families))
    host, mine = b"".join(Memory().slices(form, registry)), b"".join(Memory().slices(form, None, own.families))
    assert both == host.removesuffix(b"# EOF\n") + mine
    assert b"mz_http_requests" in mine


@FORMATS
def test_names_of_the_host_win(form: Format) -> None:
    registry = CollectorRegistry()
    Counter("mz_http_requests", "the host's own", registry=registry)
    registry.register(Fixed([GaugeMetricFamily("fanlight_connections_open", "", value=3)]))
    text = b"".join(Memory().slices(form, registry, HttpMetrics().families))
    assert b"the host's own" in text
    assert b"since process start" not in text
    assert b"Connections open now" not in text
    if form is not PROTOBUF:
        assert b"mz_http_requests_active" in text


def test_failures_are_told_and_counted_in_the_same_scrape() -> None:
    registry, own = CollectorRegistry(), HttpMetrics()
    registry.register(Raises())
    Gauge("after", "", registry=registry).set(1)
    told: list[tuple[str, str]] = []

    def failed(collector: str, error: Exception) -> None:
        own.collector_failed(collector)
        told.append((collector, str(error)))

    text = b"".join(Memory().slices(TEXT, registry, own.families, failed=failed))
    assert told == [("Raises", "no")]
    assert b"after 1.0" in text
    assert b'fanlight_metrics_collector_errors_total{collector="Raises"} 1.0' in text
    ignore(*("Raises", RuntimeError()))


def test_writers_are_kept_by_format() -> None:
    memory = Memory()
    assert memory.writer(TEXT) is memory.writer(TEXT)
    assert memory.writer(TEXT) is not memory.writer(OPENMETRICS)


def test_registries_without_weak_references() -> None:
    class Slotted:
        __slots__ = ()

        def collect(self) -> Iterator[Metric]:
            yield GaugeMetricFamily("slotted", "", value=1)

    registry = Slotted()
    assert Memory().groups(registry) == []
    assert b"slotted 1.0" in b"".join(Memory().slices(TEXT, registry))
    memory, plain = Memory(), CollectorRegistry()
    assert memory.groups(plain) is memory.groups(plain)


def test_protobuf_has_every_family() -> None:
    found = families(b"".join(Memory().slices(PROTOBUF, large())))
    assert len(found) == 303
    assert sum(len(family.metrics) for family in found) == 5000 + 200 + 300 + 2000
