"""Metrics as protobuf: a stream of `io.prometheus.client.MetricFamily`, each behind its length.

A family's length comes before its first metric, so one family is held as a
whole; everything else goes out slice by slice.  Families read directly are
written here, those with samples by `grouping`, messages by `messages`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from struct import Struct
from typing import Any
from weakref import WeakKeyDictionary

from attrs import frozen

from .grouping import collected
from .messages import (
    COUNTER,
    GAUGE,
    HISTOGRAM,
    SUMMARY,
    counter,
    family_head,
    gauge,
    histogram,
    labels,
    message,
    metric,
    moment,
    summary,
)
from .runs import Run
from .shapes import Found, Kind, Piece, Shape

_TYPES = {"counter": COUNTER, "gauge": GAUGE, "summary": SUMMARY, "histogram": HISTOGRAM}
"""The MetricType of each type that is read directly."""
_REST = 400
"""What a rest of the walk counts for, so that it ends a slice soon (see `exposition.SLICE`)."""
_GRAIN = 64
"""Series in a block: encoding their labels for the first time takes about half a millisecond."""
_COLD = 40
"""Making a block anew costs this many times a series rendered from memory."""
_NEW = 100
"""What it costs to meet a family for the first time."""
_FAMILY = 20
"""What a family costs by itself, in series."""

_DOUBLE = Struct("<d").pack
_GAUGE = gauge(0.0)
_COUNTER = counter(0.0)
"""An empty gauge and counter as encoded: only the double differs, and it is always eight bytes."""


@frozen(eq=False)
class _Block:
    """What is remembered of some children: their label values, moments of creation, labels as encoded.

    Counters and gauges are of one length whatever their value, so theirs is a
    whole `template` with a hole for each double.
    """

    keys: list[tuple[str, ...]]
    born: list[float]
    pairs: list[bytes]
    template: bytes


class _Family:
    """What is remembered of a family that is read directly: its head, and its children's labels by block.

    `head` and `tail` enclose its metrics.  `setting` tells whether it was made
    to tell moments of creation; with another setting it must be made anew.
    """

    def __init__(self, kind: Kind, shape: Shape, setting: bool) -> None:
        self.kind = kind
        self.shape = shape
        self.setting = setting
        name = shape.name + "_total" if shape.type == "counter" else shape.name
        self.head, self.tail = family_head(name, shape.doc, _TYPES[shape.type], shape.unit)
        self.grain = max(1, _GRAIN // len(shape.slots()))
        self._known: list[_Block] = []

    def parts(self, children: list[Any]) -> Iterator[Piece]:
        """The metrics of `children`, block by block.

        Each comes with its work.  Nothing may go out before all are made: the
        length of the message stands in front of it.
        """
        width = max(1, len(self.shape.bounds))
        for index, start in enumerate(range(0, len(children), self.grain)):
            part = children[start : start + self.grain]
            keys = self.kind.keys(part)
            born = self.kind.created(part) if self.shape.created else []
            block = self._known[index] if index < len(self._known) else None
            cold = block is None or block.keys != keys or block.born != born
            if block is None or cold:
                block = self._make(keys, born)
                self._known[index : index + 1] = [block]
            yield self._metrics(block, part), len(part) * width * (_COLD if cold else 2)
        del self._known[-(-len(children) // self.grain) :]

    def _make(self, keys: list[tuple[str, ...]], born: list[float]) -> _Block:
        """A block for children with these label values and moments of creation (empty: none are told)."""
        pairs = [labels(dict(zip(self.shape.labels, key, strict=True)).items()) for key in keys]
        return _Block(keys, born, pairs, self._template(pairs, born))

    def _template(self, pairs: list[bytes], born: list[float]) -> bytes:
        """The metrics of counters and gauges with a hole for each double; nothing for other types.

        A double is the last thing in a counter or gauge but for the moment of
        creation, so the eight bytes before that are cut out.
        """
        if self.shape.type not in {"counter", "gauge"}:
            return b""
        pieces: list[bytes] = []
        for pair, when in zip(pairs, self._moments(pairs, born), strict=True):
            tail = moment(3, when)
            whole = metric(pair, _GAUGE if self.shape.type == "gauge" else counter(0.0, when) if tail else _COUNTER)
            edge = len(whole) - len(tail)
            pieces += [whole[: edge - 8].replace(b"%", b"%%"), b"%b", tail.replace(b"%", b"%%")]
        return b"".join(pieces)

    def _moments(self, pairs: list[bytes], born: list[float]) -> Sequence[float | None]:
        """The moment of creation of each child, None throughout where none is told."""
        return born if self.shape.created else [None] * len(pairs)

    def _metrics(self, block: _Block, children: list[Any]) -> bytes:
        """The metrics of one block, with the numbers that they have now."""
        values = self.kind.values(children)
        exemplars = self.kind.exemplars(children)
        # An exemplar changes the length of its message, so with one everything is encoded in full.
        if block.template and not any(exemplars):
            return block.template % tuple([_DOUBLE(value) for value in values])
        found = zip(block.pairs, self._moments(block.pairs, block.born), self._bodies(values, exemplars), strict=True)
        return b"".join([metric(pair, self._body(when, body)) for pair, when, body in found])

    def _bodies(self, values: list[Any], exemplars: list[Any]) -> Iterator[tuple[list[Any], list[Any]]]:
        """For each child its own numbers and exemplars."""
        each = {"summary": 2, "histogram": len(self.shape.bounds) + 1}.get(self.shape.type, 1)
        marks = max(1, each - 1)
        for index in range(len(values) // each):
            yield values[index * each : (index + 1) * each], exemplars[index * marks : (index + 1) * marks]

    def _body(self, born: float | None, body: tuple[list[Any], list[Any]]) -> bytes:
        """The typed half of one Metric: `body` holds the numbers and exemplars of one child, as `Kind` gives them."""
        values, exemplars = body
        if self.shape.type == "counter":
            return counter(values[0], born, exemplars[0])
        if self.shape.type == "summary":
            return summary(values[0], values[1], (), born)
        # Kinds count buckets one by one, the schema wants running totals.
        totals = list(accumulate(values[:-1], initial=0.0))[1:]
        marks = exemplars or [None] * len(totals)
        buckets = zip(self.shape.bounds, totals, marks, strict=True)
        return histogram(totals[-1], values[-1] if self.shape.summed else None, buckets, born)


def _single(walk: Iterable[Found]) -> Iterator[Found]:
    """The walk with its runs taken apart: a message is one family's."""
    for kind, family, children in walk:
        if isinstance(family, Run):
            yield from family.families(children)
        else:
            yield kind, family, children


class Delimited:
    """Writes the families of a walk as delimited protobuf; see `text.Renderer`.

    What it remembers between scrapes is keyed weakly by family, as there.  It
    has no end mark: a stream of messages ends with its bytes.
    """

    def __init__(self) -> None:
        self._memory: WeakKeyDictionary[Any, _Family] = WeakKeyDictionary()

    def pieces(self, walk: Iterable[Found], created: bool) -> Iterator[Piece]:
        """The whole exposition; `created` says whether moments of creation are told.

        Raises what a broken family makes it raise; nothing of that family has
        gone out then.
        """
        for kind, family, children in _single(walk):
            if kind is not None:
                known = self._memory.get(family)
                if known is None or known.setting != created:
                    known = self._memory[family] = _Family(kind, kind.shape(family, created), created)
                    yield b"", _NEW
                parts: list[bytes] = []
                for data, work in known.parts(children):
                    parts.append(data)
                    # The bytes are held, but the work was done: the host's loop must have its turn all the same.
                    yield b"", work
                if parts:
                    yield b"", _FAMILY
                    yield from message(known.head, parts, known.tail)
            elif family is not None:
                yield from collected(family)
            else:
                yield b"", _REST
