"""`process.metrics`: the samples of the host's metrics and of fanlight's own, one row each.

Known metric types are read child by child, everything else by `collect()`.  A
collector that fails is left out; nothing is counted or changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from attrs import evolve

from fanlight.observe.shapes import walk_own
from fanlight.relations import Column, Relation

from .pace import line, polite
from .server import unserved

if TYPE_CHECKING:
    from fanlight.observe.shapes import Kind, Shape
    from fanlight.server import Server

_CHILDREN = 100
"""Children of a family that are read at once."""


def _rows(server: Server) -> Iterator[tuple[object, ...]]:
    seen: set[str] = set()
    for collector in _collectors(server.registry):
        try:
            yield from _direct(collector, seen) if type(collector) in _known() else _collected(collector, seen)
        except Exception:  # noqa: BLE001 - a host's collector may raise anything; a scrape will tell, and count it
            continue
    for kind, family, children in walk_own(server.metrics.families, seen):
        if kind is not None:
            yield from _own(kind, kind.shape(family, False), children)


def _collectors(registry: Any) -> list[Any]:
    """What a registry is made of; one that keeps that to itself is a collector of its own."""
    found = getattr(registry, "_collector_to_names", None)
    return list(found) if isinstance(found, dict) else [registry]


@cache
def _known() -> frozenset[type]:
    from prometheus_client import Counter, Enum, Gauge, Histogram, Info, Summary

    return frozenset({Counter, Enum, Gauge, Histogram, Info, Summary})


def _direct(metric: Any, seen: set[str]) -> Iterator[tuple[object, ...]]:
    """One of prometheus_client's own metrics, child by child: `collect()` would make all samples in one go."""
    name, labelnames, doc = metric._name, metric._labelnames, line(metric._documentation, 1024)
    seen.add(name)
    for child in list(metric._metrics.values()) if labelnames else [metric]:
        labels = dict(zip(labelnames, child._labelvalues, strict=True))
        for suffix, more, value, *_ in child._child_samples():
            if suffix != "_created":
                yield name + suffix, _labels({**labels, **more}), _number(value), metric._type, doc


def _collected(collector: Any, seen: set[str]) -> Iterator[tuple[object, ...]]:
    for family in collector.collect():
        seen.add(family.name)
        doc = line(family.documentation, 1024)
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                yield line(sample.name), _labels(sample.labels), _number(sample.value), family.type, doc


def _own(kind: Kind, shape: Shape, children: list[Any]) -> Iterator[tuple[object, ...]]:
    """The samples of a family that fanlight counts."""
    doc = line(shape.doc, 1024)
    slots = [(shape.name + slot.suffix, slot.bound) for slot in shape.slots()]
    for start in range(0, len(children), _CHILDREN):
        part = children[start : start + _CHILDREN]
        numbers = kind.values(part)
        width = len(numbers) // len(part)
        for at, key in enumerate(kind.keys(part)):
            labels = dict(zip(shape.labels, key, strict=True))
            values = _values(shape, numbers[at * width : (at + 1) * width])
            for (name, bound), value in zip(slots, values, strict=True):
                text = _labels(labels if bound is None else {**labels, "le": bound})
                yield name, text, _number(value), shape.type, doc


def _values(shape: Shape, numbers: list[Any]) -> list[Any]:
    """The numbers in the order of the slots: a histogram's counts are added up on the way."""
    if shape.type != "histogram":
        return numbers
    counts = list(accumulate(numbers[:-1]))
    return [*counts, counts[-1], numbers[-1]] if shape.summed else [*counts, counts[-1]]


def _labels(labels: Any) -> str:
    """JSON text, made by hand: this is most of what a sample costs."""
    pairs = [
        f"{encode_basestring(line(name))}: {encode_basestring(line(value, 1024))}" for name, value in labels.items()
    ]
    return "{" + ", ".join(pairs) + "}"


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


METRICS = Relation(
    name="metrics",
    columns=(
        Column("name", "text", "The sample's name, `_total`, `_bucket` and the like included."),
        Column("labels", "json", "The labels and their values."),
        Column("value", "double", "The number; its unit is in the name."),
        Column("type", "text", "`counter`, `gauge`, `summary`, `histogram`, `info`, or what else a collector says."),
        Column("help", "text", "The description of its family."),
    ),
    rows=unserved,
    doc="The metrics of the host's registry, and then fanlight's own, as a scrape would see them; without `_created`.",
    cost="About 8 microseconds for each sample, and whatever the host's own collectors do.",
)


def bound(server: Server) -> Relation:
    """The relation over one server and its registry; prometheus_client is imported when it is first read."""
    return evolve(METRICS, rows=lambda: polite(_rows(server)))
