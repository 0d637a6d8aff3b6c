"""What a family of metrics looks like, whoever counts it and in whichever format it is shown.

A `Shape` is what stays the same from scrape to scrape; a `Kind` knows how to
read one kind of metric; a `Walk` is one scrape's way through all of them.
Declarations and the walk over fanlight's own families only: `families` walks
the host's registry, `text`, `openmetrics` and `delimited` write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from attrs import frozen

from .numbers import number


@frozen
class Slot:
    """One sample of a child: a suffix of the family's name, and `le` where it is a bucket."""

    suffix: str
    bound: str | None = None


_FIXED = {
    "counter": (Slot("_total"),),
    "gauge": (Slot(""),),
    "summary": (Slot("_count"), Slot("_sum")),
}


@frozen
class Shape:
    """The unchanging part of a family.

    `type` is `counter`, `gauge`, `summary` or `histogram`; `name` is without
    `_total`; `bounds` (of histograms, ascending, with +Inf) are the upper
    bounds of the buckets; `created` says that children tell when they began,
    in Unix seconds.
    """

    type: str
    name: str
    doc: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    bounds: tuple[float, ...] = ()
    created: bool = False

    @property
    def summed(self) -> bool:
        """A sum is shown.  With negative buckets it could go down, so it is not."""
        return not self.bounds or self.bounds[0] >= 0

    def slots(self) -> tuple[Slot, ...]:
        """The samples of one child, in order, without `_created`."""
        if self.type != "histogram":
            return _FIXED[self.type]
        buckets = tuple(Slot("_bucket", number(bound).decode()) for bound in self.bounds)
        return (*buckets, Slot("_count"), Slot("_sum")) if self.summed else (*buckets, Slot("_count"))


class Kind(Protocol):
    """How to read the children (series with one set of labels) of one kind of metric.

    All methods take a list of children and are cheap; none takes a lock.
    """

    def shape(self, family: Any, created: bool, /) -> Shape:
        """What `family` looks like; `created` is whether times of creation are shown."""
        ...

    def keys(self, children: list[Any], /) -> list[tuple[str, ...]]:
        """The label values of each child, in the order of `Shape.labels`."""
        ...

    def values(self, children: list[Any], /) -> list[Any]:
        """The numbers of all children in a row.

        Counters and gauges have one each, summaries count and sum, histograms
        the counts of their buckets (not cumulative) and the sum.
        """
        ...

    def cells(self, child: Any, /) -> list[Any]:
        """Where the numbers of one child are, in the order of `values`: objects with a `_value`
        (and, for counters, an `_exemplar`) that stay the same for the life of the child."""
        ...

    def created(self, children: list[Any], /) -> list[float]:
        """When each child began; asked only where `Shape.created` says so."""
        ...

    def exemplars(self, children: list[Any], /) -> list[Any]:
        """An exemplar or None for each slot that may have one: a counter's total, a
        histogram's buckets; nothing for other kinds."""
        ...


Found = tuple["Kind | None", Any, list[Any]]
"""One step of a walk: `(kind, family, children)` is a family that is read directly,
`(None, family, [])` one with samples (as prometheus_client's `Metric`), and
`(None, None, [])` a rest: work was done, nothing is to be written."""

REST: Found = (None, None, [])

Piece = tuple[bytes, int]
"""Bytes of an exposition and what they cost, in series rendered from memory (0.2 µs each)."""


BYTES_OF_WORK = 128
"""Bytes made before that cost as much to pass on as a series costs to render."""


class OwnFamily(Protocol):
    """A family that fanlight itself counts, or several that are written together.

    It knows its kind, all names that it takes and its children; `subject` is
    what a walk finds.  `parts` are the families that it is made of, if it is.
    """

    @property
    def kind(self) -> Kind: ...
    @property
    def subject(self) -> Any: ...
    @property
    def children(self) -> list[Any]: ...
    @property
    def names(self) -> frozenset[str]: ...
    @property
    def parts(self) -> tuple[OwnFamily, ...]: ...


_SUFFIXES = {"counter": ("", "_total"), "gauge": ("",), "histogram": ("", "_bucket", "_count", "_sum")}


def names_of(shape: Shape) -> frozenset[str]:
    """The names that an own family of this shape takes."""
    return frozenset([shape.name + suffix for suffix in _SUFFIXES[shape.type]])


def walk_own(families: Iterable[OwnFamily], seen: set[str]) -> Iterator[Found]:
    """fanlight's own families, without those whose names the host has taken (`seen`)."""
    for family in families:
        if seen.isdisjoint(family.names):
            children = family.children
            yield family.kind, family.subject, children
        elif family.parts:
            yield from walk_own(family.parts, seen)
