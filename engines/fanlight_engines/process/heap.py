"""`process.gc_generations`, `gc_objects` and `gc_sizes`: what the garbage collector keeps.

Counting starts from the collector's own list of objects, which is one call of
some twenty milliseconds for a million of them; the rest is done in slices that
give way.  No collection is started, no method of an object is called.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from fanlight.relations import Column, Relation

from .pace import line, polite

_SLICE = 2000
_TYPE: Any = type.__dict__


def type_name(kind: type) -> tuple[str, str]:
    """Module and qualified name of a type, asked of `type` itself and never of a metaclass."""
    try:
        module = _TYPE["__module__"].__get__(kind)
    except AttributeError:
        module = None
    name = _TYPE["__qualname__"].__get__(kind)
    return line(module) if isinstance(module, str) else "", line(name)


def _slices() -> Iterator[list[object]]:
    """All objects that the collector knows, a slice at a time; what was looked at is let go."""
    objects = gc.get_objects()
    while objects:
        part = objects[-_SLICE:]
        del objects[-_SLICE:]
        yield part
        time.sleep(0)


def count_types() -> list[tuple[type, int]]:
    """Types with the number of their objects.  Types are told apart by identity: not all can be hashed."""
    counts: Counter[int] = Counter()
    types: dict[int, type] = {}
    for part in _slices():
        kinds = list(map(type, part))
        identities = list(map(id, kinds))
        counts.update(identities)
        types.update(zip(identities, kinds, strict=True))
    return [(types[identity], count) for identity, count in counts.items()]


def size_types() -> list[tuple[type, int, int]]:
    """Types with the number of their objects and the bytes of these, without what they refer to."""
    sizers: dict[int, tuple[type, Callable[[object], int], list[int]]] = {}
    for part in _slices():
        for item in part:
            kind = type(item)
            entry = sizers.get(id(kind))
            if entry is None:
                entry = sizers[id(kind)] = (kind, _sizer(kind), [0, 0])
            totals = entry[2]
            totals[0] += 1
            totals[1] += entry[1](item)
    return [(kind, count, size) for kind, _, (count, size) in sizers.values()]


def _sizer(kind: type) -> Callable[[object], int]:
    """`sys.getsizeof`, but for types that answer it with code of their own."""
    for ancestor in _TYPE["__mro__"].__get__(kind):
        method = _TYPE["__dict__"].__get__(ancestor).get("__sizeof__")
        if method is not None:
            return sys.getsizeof if type(method) is type(object.__sizeof__) else object.__sizeof__
    return object.__sizeof__


def _generations() -> Iterator[tuple[object, ...]]:
    counts, thresholds = gc.get_count(), gc.get_threshold()
    for number, stats in enumerate(gc.get_stats()):
        yield (
            number,
            counts[number] if number < len(counts) else None,
            thresholds[number] if number < len(thresholds) else None,
            stats["collections"],
            stats["collected"],
            stats["uncollectable"],
            gc.isenabled(),
        )


def _objects() -> Iterator[tuple[object, ...]]:
    for kind, count in polite(count_types()):
        module, name = type_name(kind)
        yield name, module, count


def _sizes() -> Iterator[tuple[object, ...]]:
    for kind, count, size in polite(size_types()):
        module, name = type_name(kind)
        yield name, module, count, size


_TYPE_COLUMNS = (
    Column("type", "text", "The type's qualified name."),
    Column("module", "text", "The module of the type."),
    Column("count", "bigint", "How many objects of exactly this type there are."),
)

GC_GENERATIONS = Relation(
    name="gc_generations",
    columns=(
        Column("generation", "integer", "0 is the youngest."),
        Column("count", "bigint", "What has been counted towards the next collection."),
        Column("threshold", "bigint", "Above this count the generation is collected."),
        Column("collections", "bigint", "Collections so far."),
        Column("collected", "bigint", "Objects freed by them."),
        Column("uncollectable", "bigint", "Objects found to be garbage that could not be freed."),
        Column("enabled", "boolean", "Whether the collector runs by itself."),
    ),
    rows=_generations,
    doc="The generations of the garbage collector.",
    cost="A few microseconds.",
)

GC_OBJECTS = Relation(
    name="gc_objects",
    columns=_TYPE_COLUMNS,
    rows=_objects,
    doc="Live objects by type, of the types that the garbage collector follows (no strings, no numbers).",
    cost="300 nanoseconds for each object, 30 of them in one call that holds up the whole process.",
)

GC_SIZES = Relation(
    name="gc_sizes",
    columns=(*_TYPE_COLUMNS, Column("bytes", "bigint", "Their own sizes, without what they refer to.", "bytes")),
    rows=_sizes,
    doc="Live objects by type, with their sizes.",
    cost="500 nanoseconds for each object, 30 of them in one call that holds up the whole process.",
)
