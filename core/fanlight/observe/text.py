"""The Prometheus text format 0.0.4, byte for byte as prometheus_client's `generate_latest` writes it.

`Renderer` is the way through a walk that both text formats go; `PlainText` is
0.0.4.  Families come from a walk (`families`, `shapes`); nothing here asks a
registry or decides who gets which format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

from .columns import Columns
from .names import REMEMBERED, help_text, labels_text, metric_name
from .numbers import number_text
from .runs import Run, RunColumns
from .shapes import Found, Kind, Piece, Shape

BATCH = 64
"""Samples of a collected family in one piece."""
SAMPLE = 10
"""What a collected sample costs, in series rendered from memory."""
_REST = 400
"""What a rest of the walk counts for, so that it ends a slice soon (see `exposition.SLICE`)."""
_NEW = 150
"""What it costs to meet a family for the first time."""

_TYPES = {"info": "gauge", "stateset": "gauge", "gaugehistogram": "histogram", "unknown": "untyped"}
"""What types that 0.0.4 does not have are called in it."""
_SHOWN = {"counter": "_total", "info": "_info"}
"""The suffix that a family's name has in its comments, where it is the name of its samples."""
_BEHIND = ("_created", "_gsum", "_gcount")
"""Samples that 0.0.4 has no place for inside their family; each kind follows as a gauge of its own."""


class Renderer:
    """Writes the families of a walk, piece by piece.

    What it remembers between scrapes is keyed weakly by metric.  Its methods
    raise whatever a broken family makes them raise: the scrape has then failed
    (a collector that raises has not: the walk skips it).

    A format is a subclass: it spells (`columns.Dialect`) and writes families
    with samples.  `end` closes the exposition.
    """

    content_type: str
    created_inline: bool
    exemplar: Callable[[Any], bytes] | None = None
    end = b""

    def __init__(self) -> None:
        self._memory: WeakKeyDictionary[Any, Columns | RunColumns] = WeakKeyDictionary()

    def pieces(self, walk: Iterable[Found], created: bool) -> Iterator[Piece]:
        """The whole exposition; `created` says whether `_created` samples are shown.

        A rest, and meeting a family, are empty pieces that cost: whoever counts
        work gives way there.
        """
        known = self._memory.get
        for kind, family, children in walk:
            if kind is not None:
                columns = known(family)
                if columns is None or columns.setting != created:
                    # Two scrapes at once may both come here; either's is good, and the later one stays.
                    columns = self._memory[family] = self._columns(kind, family, created)
                    yield b"", _NEW
                if len(children) <= columns.grain:
                    yield columns.whole(children)
                else:
                    yield from columns.sliced(children)
            elif family is not None:
                yield from self.collected(family)
            else:
                yield b"", _REST
        yield self.end, 0

    def _columns(self, kind: Kind, family: Any, created: bool) -> Columns | RunColumns:
        """What is to be remembered of a family or of a run of them."""
        if isinstance(family, Run):
            return RunColumns(family.layout, self, created)
        return Columns(kind, kind.shape(family, created), self, created)

    def collected(self, family: Any) -> Iterator[Piece]:
        """A family with samples, as a collector gave it: a piece for each batch of them.

        Nothing is remembered of it: its samples are new objects each time.
        """
        raise NotImplementedError

    def heading(self, shape: Shape) -> bytes:
        raise NotImplementedError

    def created_heading(self, shape: Shape) -> bytes:
        raise NotImplementedError

    def sample_name(self, name: str) -> str:
        raise NotImplementedError


def batches(samples: Iterable[Any]) -> Iterable[list[Any]]:
    """`samples` in lists of at most `BATCH`.

    A generator of samples is read as far as one list at a time.
    """
    if isinstance(samples, list) and len(samples) <= BATCH:
        return (samples,) if samples else ()
    rest = iter(samples)
    return iter(lambda: list(islice(rest, BATCH)), [])


@lru_cache(REMEMBERED)
def _comments(name: str, doc: str, kind: str) -> str:
    """HELP and TYPE of the family `name`; remembered, since they recur from scrape to scrape."""
    shown = metric_name(name)
    return f"# HELP {shown} {help_text(doc)}\n# TYPE {shown} {kind}\n"


@lru_cache(REMEMBERED)
def _before_number(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    """A sample up to its number; remembered, since collectors give the same series each time."""
    return f"{metric_name(name)}{labels_text(labels)} "


class PlainText(Renderer):
    """Text 0.0.4: `_created` in a family of its own, no exemplars, no units."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"
    created_inline = False

    def heading(self, shape: Shape) -> bytes:
        """A counter is called by the name of its sample: 0.0.4 knows no `_total` of its own."""
        name = shape.name + "_total" if shape.type == "counter" else shape.name
        return _comments(name, shape.doc, shape.type).encode()

    def created_heading(self, shape: Shape) -> bytes:
        return _comments(shape.name + "_created", shape.doc, "gauge").encode()

    def sample_name(self, name: str) -> str:
        return metric_name(name)

    def collected(self, family: Any) -> Iterator[Piece]:
        """As `Renderer.collected`; what belongs `_BEHIND` is held until the family is through.

        The name must match exactly: a family that is itself called `x_created`
        keeps its samples.
        """
        name: str = family.name
        kind: str = family.type
        held = [_comments(name + _SHOWN.get(kind, ""), family.documentation, _TYPES.get(kind, kind))]
        behind: dict[str, list[str]] = {}
        for batch in batches(family.samples):
            for sample in batch:
                suffix = sample.name[len(name) :] if sample.name.endswith(_BEHIND) else ""
                if suffix in _BEHIND and sample.name == name + suffix:
                    behind.setdefault(suffix, []).append(_line(sample))
                else:
                    held.append(_line(sample))
            yield "".join(held).encode(), SAMPLE * len(batch)
            held.clear()
        for suffix, lines in sorted(behind.items()):
            held.append(_comments(name + suffix, family.documentation, "gauge"))
            for batch in batches(lines):
                yield "".join(held + batch).encode(), len(batch)
                held.clear()
        if held:
            yield "".join(held).encode(), 1


def _line(sample: Any) -> str:
    """One line, the time in whole milliseconds.  Raises TypeError or ValueError for a value that is no number."""
    moment = "" if sample.timestamp is None else f" {int(float(sample.timestamp) * 1000):d}"
    labels = tuple(sample.labels.items()) if sample.labels else ()
    return f"{_before_number(sample.name, labels)}{number_text(sample.value)}{moment}\n"
