"""The walk through the host's prometheus_client registry.

The exact metric types of prometheus_client are read directly, without the
samples, dictionaries and locks of `collect()`: that is what makes a scrape
cheap.  Everything else (subclasses, custom collectors, gauges that call a
function, multiprocess mode, restricted registries) is asked by `collect()`.
Nothing here writes text, changes a metric or holds a lock while a scrape
rests.  Whoever imports this module imports prometheus_client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen
from prometheus_client import metrics, values
from prometheus_client.metrics import Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import CollectorRegistry
from prometheus_client.samples import Sample
from prometheus_client.values import MutexValue

from .gathering import Gathered, is_blocking
from .runs import LARGEST, LONGEST, SMALL, HostRun, children_of
from .shapes import REST, Found, Shape

Failed = Callable[[str, Exception], None]
"""Told about each collector that raised: its name and what it raised."""

_LOOK = 1024
"""Gauges that are looked at for functions before the walk rests."""


class _Children:
    """What the four kinds share; `type` is the format's word.

    See `shapes.Kind` for what each method answers.  They read private
    attributes of prometheus_client, without its locks: one attribute of one
    object is read in one step, which is all that a lock would give a reader of
    a float.  Whether the attributes are there is checked once, by `_readable`.
    """

    type = ""

    def shape(self, family: Any, created: bool) -> Shape:
        """The family's shape; a gauge never tells when it was created, whatever the setting."""
        return Shape(
            self.type,
            family._name,
            family._documentation,
            family._labelnames,
            family._unit,
            tuple(getattr(family, "_upper_bounds", ())),
            created and self.type != "gauge",
        )

    def keys(self, children: list[Any]) -> list[tuple[str, ...]]:
        return [child._labelvalues for child in children]

    def values(self, children: list[Any]) -> list[Any]:
        """The numbers of all children in a row; each kind has its own number of them."""
        raise NotImplementedError

    def created(self, children: list[Any]) -> list[float]:
        return [child._created for child in children]

    def exemplars(self, children: list[Any]) -> list[Any]:
        """None at all: summaries and gauges have no exemplars."""
        return []

    def cells(self, child: Any) -> list[Any]:
        """The one cell of counters and gauges; the other kinds have more."""
        return [child._value]


class _Counters(_Children):
    type = "counter"

    def values(self, children: list[Any]) -> list[Any]:
        return [child._value._value for child in children]

    def exemplars(self, children: list[Any]) -> list[Any]:
        return [child._value._exemplar for child in children]


class _Gauges(_Children):
    type = "gauge"

    def values(self, children: list[Any]) -> list[Any]:
        return [child._value._value for child in children]


class _Summaries(_Children):
    """Count and sum; prometheus_client's summaries know no quantiles."""

    type = "summary"

    def values(self, children: list[Any]) -> list[Any]:
        return [cell._value for child in children for cell in (child._count, child._sum)]

    def cells(self, child: Any) -> list[Any]:
        return [child._count, child._sum]


class _Histograms(_Children):
    """Buckets (not cumulative in memory, +Inf last) and the sum."""

    type = "histogram"

    def values(self, children: list[Any]) -> list[Any]:
        found: list[Any] = []
        for child in children:
            found += [cell._value for cell in child._buckets]
            found.append(child._sum._value)
        return found

    def exemplars(self, children: list[Any]) -> list[Any]:
        return [cell._exemplar for child in children for cell in child._buckets]

    def cells(self, child: Any) -> list[Any]:
        return [*child._buckets, child._sum]


def _readable(kind: _Children, sample: Any) -> bool:
    """Whether this prometheus_client keeps its numbers where `kind` looks for them.

    Tried on a metric of our own, outside every registry.  If a new release
    moves its numbers, the answer is False and its types are asked by
    `collect()`: slower and still right.
    """
    try:
        child = sample.labels("x")
        found = (kind.keys([child]), len(kind.values([child])), len(kind.exemplars([child])), kind.cells(child)[-1])
        if kind.shape(sample, created=True).created:
            kind.created([child])
    except AttributeError:
        return False
    # Fifteen buckets and a sum are what a histogram has by default; (values, exemplars) of one child.
    widths = {"counter": (1, 1), "gauge": (1, 0), "summary": (2, 0), "histogram": (16, 15)}
    return found[0] == [("x",)] and found[1:3] == widths[kind.type] and type(found[3]) is MutexValue


def _kinds() -> dict[type, _Children]:
    """The types that can be read directly: none in multiprocess mode, where a child is a file."""
    if values.ValueClass is not MutexValue:
        return {}
    kinds: dict[Any, _Children] = {
        Counter: _Counters(),
        Gauge: _Gauges(),
        Summary: _Summaries(),
        Histogram: _Histograms(),
    }
    return {type_: kind for type_, kind in kinds.items() if _readable(kind, type_("x", "x", ["x"], registry=None))}


KINDS: Mapping[type, _Children] = _kinds()
"""The types that are read directly, by exact type: a subclass may answer `collect` differently."""
_PLAIN = getattr(Gauge, "_child_samples", None)
"""What makes the sample of an ordinary gauge; `set_function` puts another function over it."""


@frozen
class Sampled:
    """An Info or an Enum: its samples are made one by one while they are written."""

    name: str
    documentation: str
    type: str
    unit: str
    samples: Iterator[Sample]


def _samples(metric: Any) -> Iterator[Sample]:
    """The samples of an Info or Enum.  Labels of the child and of the sample (an Enum's state) are joined."""
    for child in children_of(metric):
        labels = dict(zip(metric._labelnames, child._labelvalues, strict=True))
        for suffix, more, value, *_ in child._child_samples():
            yield Sample(metric._name + suffix, {**labels, **more}, value)


def _functions(gauges: list[Any]) -> bool:
    """Whether any of these gauges got a function: it then answers samples of its own.

    Such a function is the host's and may take its time, so the gauge goes the
    way of a custom collector.
    """
    return [gauge._child_samples.__func__ for gauge in gauges].count(_PLAIN) != len(gauges)


def _sound(kind: _Children, children: list[Any]) -> bool:
    """Whether the numbers of these children are in memory: the first one's tells.

    A value class is chosen once for a process, so children cannot differ.
    """
    return not children or type(kind.cells(children[0])[-1]) is MutexValue


class Group:
    """Some collectors of a registry, and the runs among them as (start, end, run or None).

    `stale` says that a gauge among them got a function since: the group is then
    made anew at the next scrape.  `size` guards against reading the steps of
    one list over another.
    """

    def __init__(self, collectors: list[Any]) -> None:
        self.size = len(collectors)
        self.stale = False
        self.steps: list[tuple[int, int, HostRun | None]] = []
        start = 0
        for fits, members in _cut(collectors):
            run = HostRun([KINDS[type(member)] for member in members], members) if fits else None
            self.steps.append((start, start + len(members), run))
            start += len(members)

    def children(self, collectors: list[Any]) -> list[list[Any]] | None:
        """The children of each run (of other steps nothing); None when the runs are no longer what they were."""
        if self.stale or self.size != len(collectors):
            return None
        found: list[list[Any]] = []
        for start, end, run in self.steps:
            children = [] if run is None else run.children(collectors[start:end])
            if children is None:
                return None
            found.append(children)
        return found


def _cut(collectors: list[Any]) -> Iterator[tuple[bool, list[Any]]]:
    """Neighbours that may be a run together (True), or may not (False), in the registry's order."""
    members: list[Any] = []
    held, fitted = 0, False
    for collector in collectors:
        size = _size_in_a_run(collector)
        fits = size is not None
        if members and (fits is not fitted or held + (size or 0) > LARGEST):
            yield fitted, members
            members, held = [], 0
        members.append(collector)
        held += size or 0
        fitted = fits
    if members:
        yield fitted, members


def _size_in_a_run(collector: Any) -> int | None:
    """The series of a collector that may be part of a run (small and in memory); None for any other.

    A family with labels may hold thousands of children, so its size is asked
    before the list of them is made.
    """
    kind = KINDS.get(type(collector))
    if kind is None or is_blocking(collector):
        return None
    width = len(collector._upper_bounds) + 2 if kind.type == "histogram" else 1
    if (len(collector._metrics) if collector._labelnames else 1) * width > SMALL:
        return None
    children = children_of(collector)
    if not _sound(kind, children) or (kind.type == "gauge" and _functions(children)):
        return None
    return len(children) * width


def name_of(collector: Any) -> str:
    """The name of a collector in records: a metric's own name, else the name of its class.

    A custom collector's own names are not known before it is asked, and it may
    raise before it tells one.
    """
    known = type(collector).__module__ == metrics.__name__
    return str(collector._name) if known else type(collector).__name__


def collectors(registry: Any) -> list[Any]:
    """What `registry` is made of; one that is no plain registry is a collector itself.

    For a plain registry the list is copied in one step, so that a host may
    register from another thread meanwhile.  A restricted registry, or one of
    the host's making, chooses by `collect()` what it shows, and nobody may pass
    it by.
    """
    return list(registry._collector_to_names) if type(registry) is CollectorRegistry else [registry]


def _target(registry: Any) -> Iterator[Metric]:
    """The family `target_info`, if the host set one."""
    labels = registry._target_info if type(registry) is CollectorRegistry else None
    if labels:
        family = Metric("target", "Target metadata", "info")
        family.add_sample("target_info", labels, 1)
        yield family


def _collected(collector: Any, gathered: Gathered | None, failed: Failed) -> Iterator[Any]:
    """Family by family, as far as the collector comes."""
    try:
        yield from collector.collect() if gathered is None else gathered.families
    # Told once the generator is left: what came before the failure has been yielded and stands.
    except Exception as error:  # noqa: BLE001  a host's collector may raise anything
        failed(name_of(collector), error)
    # Gathered by an engine: what it gave first, then why it gave no more.
    if gathered is not None and gathered.failure is not None:
        failed(name_of(collector), gathered.failure)


class _Walk:
    """One walk: what it has seen, who is told of failures, what was gathered before."""

    def __init__(self, seen: set[str], failed: Failed, gathered: Mapping[Any, Gathered]) -> None:
        self.seen = seen
        self.failed = failed
        self.gathered = gathered

    def group(self, group: Group, collectors: list[Any], found: list[list[Any]]) -> Iterator[Found]:
        """All collectors of a group, in their order; `found` are the children of its runs.

        A run whose gauges got a function since it was made is taken apart here,
        and its collectors are looked at one by one.
        """
        for (start, end, run), children in zip(group.steps, found, strict=True):
            if run is not None:
                if not _functions([children[place] for place in run.layout.gauges]):
                    self.seen |= run.names
                    yield run.layout.kinds[0], run, children
                    continue
                group.stale = True
            for collector in collectors[start:end]:
                yield from self.one(collector)

    def one(self, collector: Any) -> Iterator[Found]:
        """One collector: read directly where that can be, else asked.

        One that was gathered is never asked again: its answer, however small,
        is what this scrape knows of it.
        """
        given = self.gathered.get(collector) if self.gathered else None
        kind = KINDS.get(type(collector)) if given is None else None
        if kind is not None:
            children = children_of(collector)
            found = _sound(kind, children)
            if found and kind.type == "gauge":
                # A family of a million gauges must not be looked through without giving way.
                for start in range(0, len(children), _LOOK):
                    if start:
                        yield REST
                    found = found and not _functions(children[start : start + _LOOK])
            if found:
                self.seen.add(collector._name)
                yield kind, collector, children
                return
        elif given is None and type(collector) in (Info, Enum):
            self.seen.add(collector._name)
            args = collector._name, collector._documentation, collector._type, collector._unit
            yield None, Sampled(*args, _samples(collector)), []
            return
        for family in _collected(collector, given, self.failed):
            self.seen.add(family.name)
            yield None, family, []


def walk(
    registry: Any, seen: set[str], failed: Failed, gathered: Mapping[Any, Gathered], groups: list[Group]
) -> Iterator[Found]:
    """All families of `registry`, in the order of `registry.collect()`.

    Adds their names to `seen`.  `gathered` holds what blocking collectors have
    already given.  A collector that raises is told to `failed`, its families
    so far stand, and the walk goes on.  `groups` is remembered between walks.
    """
    for family in _target(registry):
        seen.add(family.name)
        yield None, family, []
    current = _Walk(seen, failed, gathered)
    every = collectors(registry)
    # The registry has shrunk: groups behind its end are forgotten.
    del groups[-(-len(every) // LONGEST) :]
    for index, start in enumerate(range(0, len(every), LONGEST)):
        part = every[start : start + LONGEST]
        group = groups[index] if index < len(groups) else None
        found = group.children(part) if group is not None else None
        if group is None or found is None:
            group = Group(part)
            groups[index : index + 1] = [group]
            found = group.children(part)
        if found is not None:
            yield from current.group(group, part, found)
            continue
        for collector in part:  # a child came or went this very moment
            yield from current.one(collector)


def created_shown() -> bool:
    """prometheus_client's own setting for `_created` series.

    Read for each scrape, since a host may switch it at any time; a release
    without the switch shows them.
    """
    return bool(getattr(metrics, "_use_created", True))


def collected(registry: Any, seen: set[str]) -> Iterator[Any]:
    """Every family of `registry` by `collect()`; collectors that raise are left out.  Adds names to `seen`.

    For readers that want values and not text.  Asks every collector on the
    calling thread, blocking ones too.
    """

    def forget(collector: str, error: Exception) -> None:
        """A reading that is not a scrape counts no errors."""

    yield from _target(registry)
    for collector in collectors(registry):
        for family in _collected(collector, None, forget):
            seen.add(family.name)
            yield family
