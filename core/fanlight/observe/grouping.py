"""Collected families as protobuf: flat samples put together again into metrics.

A collector gives samples (`x_bucket`, `x_sum`, …); protobuf wants one message
for each set of labels.  Samples whose names are not of their family's type
follow as untyped families, so nothing is lost.  Used by `delimited` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..protobuf import field_varint
from . import messages
from .shapes import Piece
from .text import BATCH, SAMPLE, batches

Key = tuple[tuple[tuple[str, str], ...], int | None]
"""Labels (without `le` and `quantile`) and the time of a sample, in milliseconds."""

_KINDS = {
    "counter": messages.COUNTER,
    "summary": messages.SUMMARY,
    "histogram": messages.HISTOGRAM,
    "gaugehistogram": messages.GAUGE_HISTOGRAM,
    "unknown": messages.UNTYPED,
}
"""The MetricType of a collected family; all others (info, stateset) are shown as gauges."""
_ROLES: Mapping[str, Mapping[str, str]] = {
    "counter": {"_total": "value", "_created": "created"},
    "info": {"_info": "value"},
    "summary": {"": "quantile", "_count": "count", "_sum": "sum", "_created": "created"},
    "histogram": {"_bucket": "bucket", "_count": "count", "_sum": "sum", "_created": "created"},
    "gaugehistogram": {"_bucket": "bucket", "_gcount": "count", "_gsum": "sum"},
}
"""By type and suffix: what a sample is to its metric.  A suffix that is not here makes a stranger."""
_SHOWN = {"counter": "_total", "info": "_info"}
"""The suffix that belongs to a family's name in this format, which knows no suffixes of samples."""
_LATEST = 1 << 63
"""Times of samples are signed 64-bit milliseconds; one beyond them is left out."""
_EXTRA = {"bucket": "le", "quantile": "quantile"}
"""The label that a role turns into a field of the message, and takes from its labels."""


class _Group:
    """The samples of one metric.

    `parts` holds the single numbers by role, `buckets` (upper bound, cumulative
    count, exemplar) and `quantiles` (quantile, value) in the collector's order.
    """

    __slots__ = ("buckets", "exemplar", "parts", "quantiles")

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self.exemplar: Any = None
        self.buckets: list[tuple[float, float, Any]] = []
        self.quantiles: list[tuple[float, float]] = []

    def add(self, role: str, sample: Any) -> None:
        """Take in one sample; a later one of the same role replaces the earlier.  Raises ValueError for a bad bound."""
        if role == "bucket":
            self.buckets.append((float(sample.labels["le"]), sample.value, sample.exemplar))
        elif role == "quantile":
            self.quantiles.append((float(sample.labels["quantile"]), sample.value))
        else:
            self.parts[role] = sample.value
            if role == "value":
                self.exemplar = sample.exemplar

    def body(self, kind: str) -> bytes:
        """The typed half of Metric.

        A histogram without `_count` has as many observations as its last
        bucket; one without either has no count at all.
        """
        value, born = self.parts.get("value", 0.0), self.parts.get("created")
        if kind == "counter":
            return messages.counter(value, born, self.exemplar)
        if kind == "summary":
            return messages.summary(self.parts.get("count"), self.parts.get("sum"), self.quantiles, born)
        if kind in {"histogram", "gaugehistogram"}:
            total = self.parts.get("count", self.buckets[-1][1] if self.buckets else None)
            return messages.histogram(total, self.parts.get("sum"), self.buckets, born)
        return messages.untyped(value) if kind == "unknown" else messages.gauge(value)


def _key(role: str, sample: Any) -> Key:
    """What tells the sample's metric from others of its family; order of labels does not matter."""
    extra = _EXTRA.get(role)
    moment = None if sample.timestamp is None else int(float(sample.timestamp) * 1000)
    return tuple(sorted([pair for pair in sample.labels.items() if pair[0] != extra])), moment


def _role(roles: Mapping[str, str], sample: Any) -> str | None:
    """What `sample` is to its family; None for a stranger.

    A bucket without `le`, or a quantile without its label, is a stranger too:
    it has no place among the others.
    """
    role = roles.get(sample.name)
    return role if role not in _EXTRA or _EXTRA[role] in sample.labels else None


def _metric(kind: str, key: Key, group: _Group) -> bytes:
    """One Metric: labels, numbers, and the time where the collector gave one that fits."""
    pairs, moment = key
    when = b"" if moment is None or not -_LATEST <= moment < _LATEST else field_varint(6, moment)
    return messages.metric(messages.labels(pairs), group.body(kind) + when)


def _family(name: str, family: Any, kind: str, groups: dict[Key, _Group]) -> Iterator[Piece]:
    """One MetricFamily under `name`, made batch by batch and passed on once its length is known."""
    head, tail = messages.family_head(name, family.documentation, _KINDS.get(kind, messages.GAUGE), family.unit)
    parts: list[bytes] = []
    for batch in batches(groups.items()):
        parts.append(b"".join([_metric(kind, key, group) for key, group in batch]))
        if len(groups) > BATCH:
            yield b"", SAMPLE * len(batch)
    yield from messages.message(head, parts, tail)


def collected(family: Any) -> Iterator[Piece]:
    """A family with samples as one MetricFamily, and its strange samples as untyped ones; nothing without samples.

    The samples are gathered first, since a metric's samples need not stand
    together.  Native histograms have no numbers in samples and are passed over.
    """
    kind = family.type
    roles = {family.name + suffix: role for suffix, role in _ROLES.get(kind, {"": "value"}).items()}
    groups: dict[Key, _Group] = {}
    strangers: dict[str, dict[Key, _Group]] = {}
    for batch in batches(family.samples):
        for sample in batch:
            if getattr(sample, "native_histogram", None):
                continue
            role = _role(roles, sample)
            place = groups if role is not None else strangers.setdefault(sample.name, {})
            role = role or "value"
            place.setdefault(_key(role, sample), _Group()).add(role, sample)
        yield b"", SAMPLE * len(batch)
    if groups:
        yield from _family(family.name + _SHOWN.get(kind, ""), family, kind, groups)
    for name, samples in strangers.items():
        yield from _family(name, family, "unknown", samples)
