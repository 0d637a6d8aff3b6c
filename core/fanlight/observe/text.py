"""The Prometheus text format 0.0.4, byte for byte as prometheus_client's `generate_latest` writes it.

`Renderer` is the way through a walk that both text formats go; `PlainText` is
0.0.4.  Families come from a walk (`families`, `shapes`); nothing here asks a
registry or decides who gets which format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

from .columns import Columns
from .names import help_text, labels_text, metric_name
from .numbers import number
from .shapes import Found, Kind, Piece, Shape

BATCH = 64
"""Samples of a collected family in one piece."""
SAMPLE = 10
"""What a collected sample costs, in series rendered from memory."""
_REST = 400

_TYPES = {"info": "gauge", "stateset": "gauge", "gaugehistogram": "histogram", "unknown": "untyped"}
_BEHIND = ("_created", "_gsum", "_gcount")


class Renderer:
    """Writes the families of a walk, piece by piece.

    What it remembers between scrapes is keyed weakly by metric.  Its methods
    raise whatever a broken family makes them raise: the scrape has then failed
    (a collector that raises has not: the walk skips it).
    """

    content_type: str
    created_inline: bool
    exemplars: bool
    end = b""

    def __init__(self) -> None:
        self._memory: WeakKeyDictionary[Any, Columns] = WeakKeyDictionary()

    def pieces(self, walk: Iterable[Found], created: bool) -> Iterator[Piece]:
        """The whole exposition; `created` says whether `_created` samples are shown."""
        for kind, family, children in walk:
            if kind is not None:
                columns = self._columns(kind, family, created)
                if len(children) <= columns.grain:
                    yield columns.whole(children)
                else:
                    yield from columns.sliced(children)
            elif family is not None:
                yield b"", SAMPLE
                yield from self.collected(family)
            else:
                yield b"", _REST
        yield self.end, 0

    def _columns(self, kind: Kind, family: Any, created: bool) -> Columns:
        columns = self._memory.get(family)
        if columns is None or columns.setting != created:
            columns = Columns(kind, kind.shape(family, created), self, created)
            self._memory[family] = columns
        return columns

    def collected(self, family: Any) -> Iterator[Piece]:
        """A family with samples, as a collector gave it."""
        raise NotImplementedError

    def heading(self, shape: Shape) -> bytes:
        raise NotImplementedError

    def created_heading(self, shape: Shape) -> bytes:
        raise NotImplementedError

    def sample_name(self, name: str) -> str:
        raise NotImplementedError

    def exemplar(self, exemplar: Any) -> bytes:
        raise NotImplementedError


def batches(samples: Iterable[Any]) -> Iterator[list[Any]]:
    """`samples` in lists of at most `BATCH`."""
    rest = iter(samples)
    while batch := list(islice(rest, BATCH)):
        yield batch


class PlainText(Renderer):
    """Text 0.0.4: `_created` in a family of its own, no exemplars, no units."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"
    created_inline = False
    exemplars = False

    def heading(self, shape: Shape) -> bytes:
        return self._comments(shape.name + "_total" if shape.type == "counter" else shape.name, shape.doc, shape.type)

    def created_heading(self, shape: Shape) -> bytes:
        return self._comments(shape.name + "_created", shape.doc, "gauge")

    def _comments(self, name: str, doc: str, kind: str) -> bytes:
        shown = metric_name(name)
        return f"# HELP {shown} {help_text(doc)}\n# TYPE {shown} {kind}\n".encode()

    def sample_name(self, name: str) -> str:
        return metric_name(name)

    def collected(self, family: Any) -> Iterator[Piece]:
        name: str = family.name
        kind: str = family.type
        shown = name + {"counter": "_total", "info": "_info"}.get(kind, "")
        yield self._comments(shown, family.documentation, _TYPES.get(kind, kind)), 1
        behind: dict[str, list[bytes]] = {}
        names = {name + suffix: suffix for suffix in _BEHIND}
        for batch in batches(family.samples):
            lines: list[bytes] = []
            for sample in batch:
                suffix = names.get(sample.name)
                target = lines if suffix is None else behind.setdefault(suffix, [])
                target.append(self._line(sample))
            yield b"".join(lines), SAMPLE * len(batch)
        for suffix, lines in sorted(behind.items()):
            yield self._comments(name + suffix, family.documentation, "gauge"), 1
            for batch in batches(lines):
                yield b"".join(batch), len(batch)

    def _line(self, sample: Any) -> bytes:
        moment = "" if sample.timestamp is None else f" {int(float(sample.timestamp) * 1000):d}"
        value = number(sample.value).decode()
        return f"{metric_name(sample.name)}{labels_text(sample.labels)} {value}{moment}\n".encode()
