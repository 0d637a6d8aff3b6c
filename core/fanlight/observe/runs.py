"""Small families, read and written many at a time.

A program has dozens of metrics with one number or a few, and what a family
costs by itself would be most of a small scrape.  A `Run` is a row of such
families as they stand in the registry; it refers to where their numbers are,
and only weakly to the metrics.  Families of many series go the ordinary way
(`columns`).  Nothing here imports prometheus_client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from operator import call, is_
from typing import Any
from weakref import ref

from attrs import evolve

from .columns import COLD, Columns, Dialect
from .numbers import histogram_texts, texts
from .shapes import Found, Kind, Piece, Shape

LONGEST = 32
"""Families in a run."""
LARGEST = 384
"""Series in a run of several families: making one anew is then about a millisecond."""
SMALL = 40
"""Series that a family in a run has at most: two histograms, or a few numbers."""
_NEW = 150
"""What it costs to meet a family for the first time, in series."""

Memo = tuple[tuple[Any, ...], tuple[bytes, ...]]
"""The numbers of a span as they were, and their texts."""


def children_of(metric: Any) -> list[Any]:
    """The children as they are now; `list` of a dict's values is one step for other threads."""
    return list(metric._metrics.values()) if metric._labelnames else [metric]


class Numbers:
    """A span of a run: counters, gauges and summaries, each number from a cell of its own.

    `counters` are the places of counters among the numbers.
    """

    def __init__(self) -> None:
        self.cells: list[Any] = []
        self.counters: list[int] = []

    def add(self, kind: Kind, shape: Shape, children: Sequence[Any]) -> None:
        """Append the numbers of one family."""
        for child in children:
            if shape.type == "counter":
                self.counters.append(len(self.cells))
            self.cells += kind.cells(child)

    @property
    def empty(self) -> Memo:
        """What stands for "never written": None is the same object as no number."""
        return (None,) * len(self.cells), (b"",) * len(self.cells)

    def read(self, children: Sequence[Any]) -> tuple[Any, ...]:
        """From the cells and not from the children: that spares a look-up for each."""
        return tuple([cell._value for cell in self.cells])

    def texts(self, values: tuple[Any, ...], memo: Memo) -> tuple[bytes, ...]:
        return texts(values, *memo)

    def exemplars(self, children: Sequence[Any]) -> dict[int, Any]:
        """The exemplars that there are, by the places of their numbers."""
        found = {place: self.cells[place]._exemplar for place in self.counters}
        return {place: exemplar for place, exemplar in found.items() if exemplar is not None}


class Buckets:
    """A span of a run: one family of histograms, the children `first` to `last` of the run."""

    def __init__(self, kind: Kind, shape: Shape, first: int, last: int) -> None:
        self._kind = kind
        self._part = slice(first, last)
        self._buckets = len(shape.bounds)
        self._summed = shape.summed
        self._width = len(shape.slots())

    @property
    def empty(self) -> Memo:
        """As `Numbers.empty`: there is one more number than buckets in memory, and a count more in the text."""
        count = self._part.stop - self._part.start
        return (None,) * (count * (self._buckets + 1)), (b"",) * (count * self._width)

    def read(self, children: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(self._kind.values(list(children[self._part])))

    def texts(self, values: tuple[Any, ...], memo: Memo) -> tuple[bytes, ...]:
        return histogram_texts(values, self._buckets, self._summed, *memo)

    def exemplars(self, children: Sequence[Any]) -> dict[int, Any]:
        """As `Numbers.exemplars`; a histogram has one for each bucket, but more samples than those."""
        found = enumerate(self._kind.exemplars(list(children[self._part])))
        each, width = self._buckets, self._width
        return {place // each * width + place % each: exemplar for place, exemplar in found if exemplar is not None}


Span = Numbers | Buckets


class Layout:
    """What is in a run and where, without the metrics themselves.

    `kinds`, `shapes` and `sizes` (numbers of children) are those of the
    families; `spans` read and write their numbers, in the order of the text.
    `gauges` and `born` are places among the children: gauges, and those that
    know when they were created.
    """

    def __init__(self, kinds: Sequence[Kind], metrics: Sequence[Any], children: Sequence[Sequence[Any]]) -> None:
        self.kinds = list(kinds)
        self.shapes = [kind.shape(metric, True) for kind, metric in zip(kinds, metrics, strict=True)]
        self.sizes = [len(part) for part in children]
        self.spans: list[Span] = []
        self.gauges: list[int] = []
        self.born: list[int] = []
        first = 0
        for kind, shape, part in zip(kinds, self.shapes, children, strict=True):
            last = first + len(part)
            if shape.type == "gauge":
                self.gauges += range(first, last)
            if shape.created:
                self.born += range(first, last)
            self._add(kind, shape, part, first)
            first = last

    def _add(self, kind: Kind, shape: Shape, children: Sequence[Any], first: int) -> None:
        """Into the span that is open, or into one of its own."""
        if shape.type == "histogram":
            if children:
                self.spans.append(Buckets(kind, shape, first, first + len(children)))
            return
        if not self.spans or isinstance(self.spans[-1], Buckets):
            self.spans.append(Numbers())
        span = self.spans[-1]
        assert isinstance(span, Numbers)
        span.add(kind, shape, children)

    def apart(self, children: list[Any]) -> Iterator[list[Any]]:
        """The children of each family."""
        rest = iter(children)
        for size in self.sizes:
            yield list(islice(rest, size))


class Run:
    """Families that follow each other.

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
    """A run of metrics of the host's, each with at most `SMALL` series."""

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
        self._memo = tuple([span.empty for span in layout.spans])
        self._last: tuple[list[tuple[Any, ...]], bytes] = ([], b"")

    def _make(self, children: list[Any]) -> bytes:
        """Headings, names, labels and moments of creation, with a hole for each number."""
        pieces: list[bytes] = []
        layout = self._layout
        for kind, shape, part in zip(layout.kinds, layout.shapes, layout.apart(children), strict=True):
            shown = shape if self.setting else evolve(shape, created=False)
            pieces.append(Columns(kind, shown, self._dialect, self.setting).template(part))
        return b"".join(pieces)

    def whole(self, children: list[Any]) -> Piece:
        """All families of the run in one piece; `children` must be those of the run, in its order."""
        layout = self._layout
        created = [children[place]._created for place in layout.born] if self.setting else []
        template, cold = self._template, created != self._created
        if cold:
            template = self._make(children)
            self._template, self._created = template, created
        values = [span.read(children) for span in layout.spans]
        exemplar_text = self._dialect.exemplar
        before, text = self._last
        if exemplar_text is None and not cold and all(map(_same, values, before)):
            return text, len(layout.kinds)
        memo: list[Memo] = []
        found: list[bytes] = []
        for span, numbers, remembered in zip(layout.spans, values, self._memo, strict=True):
            known = span.texts(numbers, remembered)
            memo.append((numbers, known))
            found += known if exemplar_text is None else _with_exemplars(span, children, known, exemplar_text)
        text = template % tuple(found)
        self._memo, self._last = tuple(memo), (values, text)
        return text, _NEW * len(layout.kinds) + COLD * len(found) if cold else len(found)

    def sliced(self, children: list[Any]) -> Iterator[Piece]:
        """A run is never long enough for more than one piece."""
        yield self.whole(children)


def _same(values: tuple[Any, ...], before: tuple[Any, ...]) -> bool:
    """Whether these are the very same numbers.  Identity, not equality: 0.0 equals -0.0 but is not written like it."""
    return all(map(is_, values, before))


def _with_exemplars(
    span: Span, children: list[Any], known: tuple[bytes, ...], text: Callable[[Any], bytes]
) -> Sequence[bytes]:
    """A copy of `known` with the exemplars that there are: remembered texts are of numbers alone."""
    exemplars = span.exemplars(children)
    if not exemplars:
        return known
    shown = list(known)
    for place, exemplar in exemplars.items():
        shown[place] += text(exemplar)
    return shown
