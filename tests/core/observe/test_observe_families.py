"""`fanlight.observe.families`: what is read directly, what is asked, and what is survived."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary, metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from fanlight.observe import families
from fanlight.observe.families import Group, collected, collectors, created_shown, name_of, walk
from fanlight.observe.gathering import Gathered
from fanlight.observe.runs import LONGEST, Run
from tests.core.observe.registries import Fixed


class Raises:
    """Gives one family, then raises."""

    def __init__(self, *, first: bool = False) -> None:
        self.first = first

    def collect(self) -> Iterator[Metric]:
        if not self.first:
            yield GaugeMetricFamily("before", "", value=1)
        raise RuntimeError("no")


class Steps:
    """A walk over a registry, written down."""

    def __init__(self, registry: Any, gathered: dict[Any, Gathered] | None = None) -> None:
        self.failed: list[tuple[str, str]] = []
        self.seen: set[str] = set()
        self.groups: list[Group] = []
        self.registry = registry
        self.gathered = gathered or {}

    def take(self) -> list[str]:
        """What was found: names of metrics, `?name` where it was collected."""

        def failed(name: str, error: Exception) -> None:
            self.failed.append((name, str(error)))

        found: list[str] = []
        for kind, family, children in walk(self.registry, self.seen, failed, self.gathered, self.groups):
            if isinstance(family, Run):
                found += [metric._name for _, metric, _ in family.families(children)]
            elif kind is not None:
                found.append(family._name)
            elif family is not None:
                list(family.samples)
                found.append("?" + family.name)
        return found


def test_exact_types_are_read_directly_and_all_else_is_asked() -> None:
    class Mine(Counter):
        """A subclass may do anything."""

    registry = CollectorRegistry(target_info={"a": "b"})
    Counter("counter", "", registry=registry)
    Gauge("gauge", "", ["a"], registry=registry)
    Histogram("histogram", "", registry=registry)
    Summary("summary", "", ["a"], registry=registry)
    Mine("mine", "", registry=registry)
    Info("info", "", registry=registry)
    Enum("enum", "", states=["a"], registry=registry)
    registry.register(Fixed([GaugeMetricFamily("fixed", "", value=1)]))
    steps = Steps(registry)
    assert steps.take() == ["?target", "counter", "gauge", "histogram", "summary", "?mine", "?info", "?enum", "?fixed"]
    assert steps.seen == {each.strip("?") for each in steps.take()}
    assert steps.failed == []


@pytest.mark.parametrize("labels", [[], ["a"]])
def test_a_gauge_that_calls_a_function_is_asked(labels: list[str]) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("g", "", labels, registry=registry)
    child = gauge.labels("x") if labels else gauge
    steps = Steps(registry)
    assert steps.take() == ["g"]
    child.set_function(lambda: 7)
    before = steps.groups[0]
    assert steps.take() == ["?g"]
    assert steps.take() == ["?g"]
    assert steps.groups[0] is not before
    assert [run for _, _, run in steps.groups[0].steps] == [None], "a run was made with it again"


def test_functions_are_found_behind_many_gauges() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("g", "", ["a"], registry=registry)
    for index in range(5000):
        gauge.labels(str(index))
    gauge.labels("4999").set_function(lambda: 7)
    assert Steps(registry).take() == ["?g"]


def test_a_collector_that_raises_is_skipped_and_told_of() -> None:
    registry = CollectorRegistry()
    Gauge("first", "", registry=registry)
    registry.register(Raises(first=True))
    registry.register(Raises())
    broken = Gauge("broken", "", registry=registry)
    broken.set_function(lambda: 1 / 0)
    Gauge("last", "", registry=registry)
    steps = Steps(registry)
    assert steps.take() == ["first", "?before", "last"]
    assert steps.failed == [("Raises", "no"), ("Raises", "no"), ("broken", "division by zero")]


def test_a_registry_of_another_class_is_one_collector() -> None:
    steps = Steps(Raises())
    assert steps.take() == ["?before"]
    assert steps.failed == [("Raises", "no")]
    assert collectors(steps.registry) == [steps.registry]


def test_what_was_gathered_stands_for_its_collector() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("g", "", registry=registry)
    gauge.fanlight_blocking = True  # type: ignore[attr-defined]
    other = Fixed([GaugeMetricFamily("other", "", value=1)])
    registry.register(other)
    given = {
        gauge: Gathered((GaugeMetricFamily("g", "", value=5),)),
        other: Gathered((GaugeMetricFamily("partly", "", value=1),), TimeoutError("slow")),
    }
    steps = Steps(registry, given)
    assert steps.take() == ["?g", "?partly"]
    assert steps.failed == [("Fixed", "slow")]


def test_multiprocess_values_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class InAFile:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._value = 0.0

        def get(self) -> float:
            return 3.0

    registry = CollectorRegistry()
    with monkeypatch.context() as patch:
        patch.setattr("prometheus_client.values.ValueClass", InAFile)
        assert families._kinds() == {}
        Gauge("plain", "", registry=registry)
        Summary("labelled", "", ["a"], registry=registry).labels("x")
    assert Steps(registry).take() == ["?plain", "?labelled"]


def test_a_client_with_other_attributes_is_asked() -> None:
    class Elsewhere(Counter):
        def _metric_init(self) -> None:
            self.number = 0

    kind = families.KINDS[Counter]
    assert families._readable(kind, Counter("c", "", ["a"], registry=None))
    assert not families._readable(kind, Elsewhere("c", "", ["a"], registry=None))


def test_names_of_collectors() -> None:
    assert name_of(Gauge("g", "", registry=None)) == "g"
    assert name_of(Raises()) == "Raises"


def test_groups_follow_the_registry() -> None:
    registry = CollectorRegistry()
    gauges = [Gauge(f"g{index}", "", registry=registry) for index in range(LONGEST * 2 + 1)]
    steps = Steps(registry)
    assert len(steps.take()) == LONGEST * 2 + 1
    assert len(steps.groups) == 3
    kept = steps.groups[0]
    for gauge in gauges[LONGEST + 1 :]:
        registry.unregister(gauge)
    assert len(steps.take()) == LONGEST + 1
    assert len(steps.groups) == 2
    assert steps.groups[0] is kept
    registry.unregister(gauges[0])
    assert len(steps.take()) == LONGEST
    assert steps.groups[0] is not kept


def test_created_follows_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_use_created", False)
    assert not created_shown()
    monkeypatch.setattr(metrics, "_use_created", True)
    assert created_shown()


def test_reading_everything_leaves_out_what_raises() -> None:
    registry = CollectorRegistry(target_info={"a": "b"})
    registry.register(Raises())
    Counter("c", "", registry=registry)
    seen: set[str] = set()
    assert [family.name for family in collected(registry, seen)] == ["target", "before", "c"]
    assert {"before", "c"} <= seen


def test_a_child_made_while_a_scrape_rests_waits_for_the_next_one() -> None:
    registry = CollectorRegistry()
    counter = Counter("c", "", ["a"], registry=registry)
    for index in range(100):
        counter.labels(str(index))
    steps = walk(registry, set(), lambda *_: None, {}, [])
    _, _, children = next(steps)
    counter.labels("late").inc()
    counter.remove("5")
    assert len(children) == 100
    assert list(steps) == []
    assert b'a="late"' in generate_latest(registry)
