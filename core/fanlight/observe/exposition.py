"""One scrape: from a registry and fanlight's own families to slices of bytes.

A slice is about a thousand series of work, well under a millisecond, so that
whoever sends it can let the host's loop run before the next one.  The choice
of a format is `negotiation`'s, compression `gzip`'s, HTTP the page's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

from .delimited import Delimited
from .families import collectors, created_shown
from .families import walk as walk_registry
from .gathering import Gathered, is_blocking
from .negotiation import OPENMETRICS, PROTOBUF, TEXT, Format
from .openmetrics import OpenMetrics
from .shapes import Found, OwnFamily, Piece, walk_own
from .text import PlainText

SLICE = 1000
"""Work in one slice, in series rendered from memory."""

Writer = PlainText | OpenMetrics | Delimited
Failed = Callable[[str, Exception], None]
"""Told about each collector that raised: its name and what it raised."""

_WRITERS: Mapping[Format, Callable[[], Writer]] = {TEXT: PlainText, OPENMETRICS: OpenMetrics, PROTOBUF: Delimited}
_NOTHING: Mapping[Any, Gathered] = {}


def ignore(collector: str, error: Exception) -> None:
    """Told of a collector that raised, and does nothing about it."""


class Slices:
    """An iterator over an exposition, slice by slice; `ended` is True once the last one is out.

    A slice may be empty: work was done, and the host's loop should have its turn.
    """

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self.ended = False
        self._pieces = pieces

    def __iter__(self) -> Slices:
        return self

    def __next__(self) -> bytes:
        if self.ended:
            raise StopIteration
        held: list[bytes] = []
        work = 0
        for data, cost in self._pieces:
            held.append(data)
            work += cost
            if work >= SLICE:
                break
        else:
            self.ended = True
        return b"".join(held)


class Memory:
    """What is remembered between scrapes, for each format that was asked for.

    About 150 to 250 bytes a series and format.  Metrics are held weakly.
    """

    def __init__(self) -> None:
        self._writers: dict[Format, Writer] = {}
        self._groups: WeakKeyDictionary[Any, list[Any]] = WeakKeyDictionary()

    def slices(
        self,
        form: Format,
        registry: Any,
        own: Iterable[OwnFamily] = (),
        *,
        failed: Failed = ignore,
        gathered: Mapping[Any, Gathered] = _NOTHING,
    ) -> Slices:
        """The exposition of `registry` (None: nothing) and behind it of `own`, in `form`.

        Each step does at most about `SLICE` of work, except that a collector of
        the host's is asked in one.  Own families whose names the registry has are
        left out.  `failed` is told of collectors that raise; anything else that
        raises while this is iterated is a family that cannot be written.
        """
        seen: set[str] = set()
        walk: Iterator[Found] = walk_own(own, seen)
        created = False
        if registry is not None:
            created = created_shown()
            walk = chain(walk_registry(registry, seen, failed, gathered, self.groups(registry)), walk)
        return Slices(self.writer(form).pieces(walk, created))

    def blocking(self, registry: Any) -> list[Any]:
        """The collectors of `registry` (None: there are none) that may block."""
        return [] if registry is None else list(filter(is_blocking, collectors(registry)))

    def writer(self, form: Format) -> Writer:
        """The writer of `form`, made when it is first asked for."""
        writer = self._writers.get(form)
        if writer is None:
            writer = self._writers.setdefault(form, _WRITERS[form]())
        return writer

    def groups(self, registry: Any) -> list[Any]:
        """What `families.walk` remembers of `registry`."""
        try:
            return self._groups.setdefault(registry, [])
        except TypeError:  # no weak references to it: a collector of the host's that poses as a registry
            return []
