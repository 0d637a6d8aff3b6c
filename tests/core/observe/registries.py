"""Random prometheus_client registries, and what happens to them between two scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client.core import (
    CounterMetricFamily,
    Exemplar,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
    SummaryMetricFamily,
    Timestamp,
    UnknownMetricFamily,
)
from prometheus_client.openmetrics import exposition
from prometheus_client.utils import floatToGoString

# Names are spelt with underscores since prometheus_client 0.23, large exponents like Go's since 0.26.
current = pytest.mark.skipif(
    floatToGoString(1e10) != "1e+10",  # type: ignore[no-untyped-call]
    reason="prometheus_client before 0.26 spells large numbers otherwise",
)

BASES = ["m", "requests", "x_total", "a.b", "x:y", "größe", "0z", "sum", "a_created"]
LABELS = ["a", "le_", "method", "zone", "x.y", "größe", "_b", "z%s"]

texts = st.text(max_size=6) | st.sampled_from(
    ['say "hi"', "back\\slash", "two\nlines", "100%", "%s", "%%", "é\u2028", ""]
)
numbers = st.floats() | st.sampled_from(
    [0.0, -0.0, 1.0, 999999.0, 1e6, 1234567.0, 1e10, 123456789012.5, 1e15, 1e16, 1e21, 1e300, 5e-324, -1e7, -1e22]
)
positive = st.floats(min_value=0, allow_nan=False) | st.sampled_from([1.0, 1e6, 12345678.9, 1e10])
exemplars = st.none() | st.dictionaries(st.sampled_from(["trace", "span"]), st.text(max_size=10), min_size=1)
bounds = st.lists(st.floats(-1e7, 1e7), min_size=1, max_size=5, unique=True).map(sorted)
moments = (
    st.none() | st.floats(0, 2e9) | st.builds(Timestamp, st.integers(0, 2_000_000_000), st.integers(0, 999_999_999))
)


def openmetrics(registry: Any) -> bytes:
    """prometheus_client's OpenMetrics text."""
    return bytes(exposition.generate_latest(registry))  # type: ignore[no-untyped-call]


class Fixed:
    """A custom collector that always gives the same families."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families = list(families)

    def collect(self) -> Iterator[Metric]:
        yield from self.families


def children(draw: st.DrawFn, metric: Any, names: list[str]) -> list[Any]:
    """A few children of `metric`, or the metric itself where it has no labels."""
    if not names:
        return [metric]
    keys = draw(st.lists(st.tuples(*[texts] * len(names)), max_size=4))
    return [metric.labels(*key) for key in keys]


def fill(draw: st.DrawFn, child: Any) -> None:
    """Give `child` a number, or several."""
    match child:
        case Counter():
            child.inc(draw(positive), draw(exemplars))
        case Gauge():
            child.set(draw(numbers))
        case Histogram():
            for value in draw(st.lists(numbers, max_size=3)):
                child.observe(value, draw(exemplars))
        case Summary():
            child.observe(draw(numbers))
        case Info():
            child.info(draw(st.dictionaries(st.sampled_from(["version", "host", "k.v"]), texts)))
        case Enum():
            child.state(draw(st.sampled_from(["up", "down"])))


def metric(draw: st.DrawFn, registry: CollectorRegistry, name: str) -> tuple[Any, list[str]]:
    """One metric of an exact type."""
    type_ = draw(st.sampled_from([Counter, Gauge, Histogram, Summary, Info, Enum]))
    names = draw(st.lists(st.sampled_from(LABELS), max_size=3, unique=True))
    more: dict[str, Any] = {}
    if type_ is Histogram and draw(st.booleans()):
        more["buckets"] = draw(bounds)
    if type_ is Enum:
        more["states"] = ["up", "down"]
    elif type_ is not Info and draw(st.booleans()):
        more["unit"] = draw(st.sampled_from(["seconds", "bytes"]))
    return type_(name, draw(texts), names, registry=registry, **more), names


def family(draw: st.DrawFn, name: str) -> Metric:
    """One family as a custom collector gives it."""
    labels = draw(st.lists(st.sampled_from(LABELS), max_size=2, unique=True))
    values = [draw(texts) for _ in labels]
    when: Any = draw(moments)
    doc = draw(texts)
    number = draw(numbers)
    found: Any
    match draw(st.integers(0, 8)):
        case 0:
            found = CounterMetricFamily(name, doc, labels=labels)
            exemplar = draw(st.none() | st.builds(Exemplar, st.just({"id": "x"}), numbers, moments))
            found.add_metric(values, number, draw(st.none() | positive), when, exemplar)
        case 1:
            found = GaugeMetricFamily(name, doc, labels=labels, unit=draw(st.sampled_from(["", "bytes"])))
            found.add_metric(values, number, when)
        case 2:
            found = SummaryMetricFamily(name, doc, labels=labels)
            found.add_metric(values, 3, number, when)
        case 3:
            found = HistogramMetricFamily(name, doc, labels=labels)
            found.add_metric(values, [("0.5", 1), ("+Inf", 2, Exemplar({"t": "1"}, 0.7))], number, when)
        case 4:
            found = GaugeHistogramMetricFamily(name, doc, labels=labels)
            found.add_metric(values, [("0.5", 1), ("+Inf", 2)], number, when)
        case 5:
            found = InfoMetricFamily(name, doc, labels=labels)
            found.add_metric(values, {"version": draw(texts)}, when)
        case 6:
            found = StateSetMetricFamily(name, doc, labels=labels)
            found.add_metric(values, {"up": True, "down": False}, when)
        case 7:
            found = UnknownMetricFamily(name, doc, labels=labels)
            found.add_metric(values, number, when)
        case _:
            found = Metric(name, doc, "gauge")
            found.add_sample(name + "_created", dict(zip(labels, values, strict=True)), number)
            found.add_sample("stranger", {}, number)
            found.add_sample(name, {}, number)
    return found  # type: ignore[no-any-return]


@st.composite
def registries(draw: st.DrawFn) -> CollectorRegistry:
    """A registry of everything that can be in one."""
    registry = CollectorRegistry(target_info=draw(st.none() | st.just({"env": 'te"st'})))
    for index in range(draw(st.integers(0, 6))):
        name = f"{draw(st.sampled_from(BASES))}_{index}"
        match draw(st.integers(0, 5)):
            case 0:
                registry.register(Fixed([family(draw, name)]))
            case 1:
                Gauge(name, "calls", registry=registry).set_function(partial(float, draw(numbers)))
            case _:
                made, names = metric(draw, registry, name)
                for child in children(draw, made, names):
                    fill(draw, child)
    return registry


def labelled(registry: CollectorRegistry) -> list[Any]:
    """The metrics of `registry` that have labels."""
    return [each for each in registry._collector_to_names if getattr(each, "_labelnames", ())]


@st.composite
def changes(draw: st.DrawFn) -> Callable[[CollectorRegistry], None]:
    """Something that happens between two scrapes."""
    which = draw(st.integers(0, 5))
    pick = draw(st.integers(0, 100))
    value = draw(positive)
    text = draw(texts)

    def change(registry: CollectorRegistry) -> None:
        everything: list[Any] = list(registry._collector_to_names)
        families = labelled(registry)
        if which == 0 and families:
            chosen = families[pick % len(families)]
            chosen.labels(*[text] * len(chosen._labelnames))
        elif which == 1 and families:
            chosen = families[pick % len(families)]
            if keys := list(chosen._metrics):
                chosen.remove(*keys[pick % len(keys)])
        elif which == 2 and everything:
            registry.unregister(everything[pick % len(everything)])
        elif which == 3:
            free = next(index for index in count() if f"late_{index}" not in registry._names_to_collectors)
            Gauge(f"late_{free}", text, registry=registry).set(value)
        else:
            for each in everything:
                for child in list(each._metrics.values()) if getattr(each, "_labelnames", ()) else [each]:
                    if isinstance(child, Counter):
                        child.reset() if pick % 2 else child.inc(value)
                    elif isinstance(child, Gauge) and hasattr(child, "_value"):
                        child.set(-value)
                    elif isinstance(child, Histogram | Summary):
                        child.observe(value)

    return change
