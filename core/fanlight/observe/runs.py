"""Small families, read and written many at a time.

A program has dozens of metrics with one number or a few, and what a family
costs by itself would be most of a small scrape.  A `Run` is a row of such
counters, gauges and summaries as they stand in the registry; it refers to
where their numbers are, and only weakly to the metrics.  Histograms and
families of many children go the ordinary way (`columns`).  Nothing here
imports prometheus_client.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import call, is_
from typing import Any
from weakref import ref

from attrs import evolve

from .columns import COLD, Columns, Dialect
from .numbers import texts
from .shapes import Found, Kind, Piece

LONGEST = 32
"""Families in a run: making one anew is then about a millisecond."""
SMALL = 8
"""Children that a family in a run has at most."""
_NEW = 150
"""What it costs to meet a family for the first time, in series."""


def children_of(metric: Any) -> list[Any]:
    """The children as they are now; `list` of a dict's values is one step for other threads."""
    return list(metric._metrics.values()) if metric._labelnames else [metric]


class Layout:
    """What is in a run and where, without the metrics themselves.

    `kinds`, `shapes` and `sizes` (numbers of children) are those of the
    families.  `cells` are where the numbers of all children are, in the order
    of the text; `counters` are the places of counters among them.  `gauges`
    and `born` are places among the children: gauges, and those that know when
    they were created.
    """

    def __init__(self, kinds: Sequence[Kind], metrics: Sequence[Any], children: Sequence[Sequence[Any]]) -> None:
        self.kinds = list(kinds)
        self.shapes = [kind.shape(metric, True) for kind, metric in zip(kinds, metrics, strict=True)]
        self.sizes = [len(part) for part in children]
        self.cells: list[Any] = []
        self.counters: list[int] = []
        self.gauges: list[int] = []
        self.born: list[int] = []
        place = 0
        for kind, shape, part in zip(kinds, self.shapes, children, strict=True):
            for child in part:
                if shape.type == "counter":
                    self.counters.append(len(self.cells))
                if shape.type == "gauge":
                    self.gauges.append(place)
                if shape.created:
                    self.born.append(place)
                self.cells += kind.cells(child)
                place += 1

    def apart(self, children: list[Any]) -> Iterator[list[Any]]:
        """The children of each family."""
        rest = iter(children)
        for size in self.sizes:
            yield list(islice(rest, size))


class Run:
    """Families that follow each other, none of them a histogram.

    `names` are those of the families.  Weakly referred to, so that a metric
    which the host lets go is not kept by what was remembered of it.
    """

    def __init__(self, kinds: Sequence[Kind], families: Sequence[Any], children: Sequence[Sequence[Any]]) -> None:
        self.layout = Layout(kinds, families, children)
        self.names = {shape.name for shape in self.layout.shapes}
        self._families: list[ref[Any]] = [ref(family) for family in families]

    def families(self, children: list[Any]) -> Iterator[Found]:
        """The run taken apart, for those who write family by family."""
        layout = self.layout
        for kind, family, part in zip(layout.kinds, self._families, layout.apart(children), strict=True):
            yield kind, family(), part


class HostRun(Run):
    """A run of metrics of the host's, each with at most `SMALL` children."""

    def __init__(self, kinds: Sequence[Kind], metrics: Sequence[Any]) -> None:
        children = [children_of(metric) for metric in metrics]
        super().__init__(kinds, metrics, children)
        self._children: list[ref[Any]] = [ref(child) for part in children for child in part]

    def children(self, metrics: Sequence[Any]) -> list[Any] | None:
        """The children of `metrics` in a row; None when they are not those that the run was made of.

        Compared one by one and by identity: a child that was removed and made
        anew has other cells, though its labels are the same.  None also means:
        make a new run.
        """
        found: list[Any] = []
        for metric in metrics:
            if metric._labelnames:
                found += metric._metrics.values()
            else:
                found.append(metric)
        # Lengths first, since `map` would stop at the shorter list and miss what was added.
        same = len(found) == len(self._children) and all(map(is_, map(call, self._children), found))
        return found if same else None


class RunColumns:
    """What is remembered of a run in one dialect, by the run: see `columns.Columns`.  Does not keep the run alive.

    `setting` tells whether it was made to show `_created`.  The template is
    made at the first use, and whenever moments of creation differ from last
    time.
    """

    grain = LONGEST * SMALL
    """More children than any run has: see `sliced`."""

    def __init__(self, layout: Layout, dialect: Dialect, setting: bool) -> None:
        self.setting = setting
        self._layout = layout
        self._dialect = dialect
        self._created: list[float] | None = None
        self._template = b""
        self._memo: tuple[list[Any], list[bytes]] = ([None] * len(layout.cells), [b""] * len(layout.cells))

    def _make(self, children: list[Any]) -> bytes:
        """Headings, names, labels and moments of creation, with a hole for each number."""
        pieces: list[bytes] = []
        layout = self._layout
        for kind, shape, part in zip(layout.kinds, layout.shapes, layout.apart(children), strict=True):
            shown = shape if self.setting else evolve(shape, created=False)
            pieces.append(Columns(kind, shown, self._dialect, self.setting).template(part))
        return b"".join(pieces)

    def whole(self, children: list[Any]) -> Piece:
        """All families of the run in one piece.

        `children` must be those of the run, in its order.  Numbers are read
        from the cells and not from the children: that spares a look-up for
        each.
        """
        layout, work = self._layout, len(children)
        created = [children[place]._created for place in layout.born] if self.setting else []
        template = self._template
        if created != self._created:
            template = self._make(children)
            self._template, self._created = template, created
            work = _NEW * len(layout.kinds) + COLD * work
        values = [cell._value for cell in layout.cells]
        found = texts(values, *self._memo)
        self._memo = (values, found)
        exemplar_text = self._dialect.exemplar
        if exemplar_text is not None:
            exemplars = [layout.cells[place]._exemplar for place in layout.counters]
            if any(exemplars):
                # A copy: the remembered texts are of numbers alone.
                found = list(found)
                for place, exemplar in zip(layout.counters, exemplars, strict=True):
                    if exemplar is not None:
                        found[place] += exemplar_text(exemplar)
        return template % tuple(found), work

    def sliced(self, children: list[Any]) -> Iterator[Piece]:
        """A run is never long enough for more than one piece."""
        yield self.whole(children)
