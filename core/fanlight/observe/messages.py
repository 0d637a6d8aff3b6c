"""The messages of Prometheus' `metrics.proto` (package io.prometheus.client), encoded.

Pure functions from numbers and labels to bytes; field numbers are those of
the published schema.  Nothing here knows a registry or decodes a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from ..protobuf import field_bytes, field_double, field_varint, varint
from .names import REMEMBERED, label_name, metric_name
from .shapes import BYTES_OF_WORK, Piece

COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM = range(6)
"""MetricType."""

_YEAR_1, _YEAR_10000 = -62_135_596_800.0, 253_402_300_800.0
"""The seconds that a Timestamp may hold: from 0001-01-01 to before 10000-01-01, UTC."""


@lru_cache(REMEMBERED)
def _label(name: str, value: str) -> bytes:
    """One LabelPair as a field of Metric; remembered, since names and values recur from scrape to scrape."""
    return field_bytes(1, field_bytes(1, label_name(name).encode()) + field_bytes(2, value.encode()))


def labels(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Metric.label, in the order of the names."""
    return b"".join([_label(name, value) for name, value in sorted(pairs)])


def moment(number: int, seconds: float | None) -> bytes:
    """A field with a google.protobuf.Timestamp; nothing for None and for what is in no year from 1 to 9999."""
    if seconds is None or not _YEAR_1 <= float(seconds) < _YEAR_10000:
        return b""
    nanoseconds = round(float(seconds) * 1e9)
    return field_bytes(number, field_varint(1, nanoseconds // 10**9) + field_varint(2, nanoseconds % 10**9))


def exemplar(found: Any) -> bytes:
    """An Exemplar of prometheus_client's: its labels, its value, and its moment where it has one."""
    return labels(found.labels.items()) + field_double(2, float(found.value)) + moment(3, found.timestamp)


def count(whole: int, real: int, value: float) -> bytes:
    """A number of observations: in field `whole` when it is one, else as a double in field `real`.

    The schema has both because counts of a collector need not be whole
    (weights, samples scaled up).
    """
    value = float(value)
    if value.is_integer() and 0 <= value < 1 << 63:
        return field_varint(whole, int(value))
    return field_double(real, value)


def counter(value: float, born: float | None = None, found: Any = None) -> bytes:
    """Metric.counter; `born` in Unix seconds, `found` an exemplar."""
    data = field_double(1, float(value))
    if found is not None:
        data += field_bytes(2, exemplar(found))
    return field_bytes(3, data + moment(3, born))


def gauge(value: float) -> bytes:
    """Metric.gauge."""
    return field_bytes(2, field_double(1, float(value)))


def untyped(value: float) -> bytes:
    """Metric.untyped."""
    return field_bytes(5, field_double(1, float(value)))


def summary(
    total: float | None, sum_: float | None, quantiles: Iterable[tuple[float, float]] = (), born: float | None = None
) -> bytes:
    """Metric.summary; `quantiles` are pairs of quantile and value.

    A count that no unsigned integer can hold is left out.
    """
    data = b"" if total is None or not 0 <= total < 1 << 63 else field_varint(1, int(total))
    if sum_ is not None:
        data += field_double(2, float(sum_))
    for quantile, value in quantiles:
        data += field_bytes(3, field_double(1, quantile) + field_double(2, float(value)))
    return field_bytes(4, data + moment(4, born))


def histogram(
    total: float | None,
    sum_: float | None,
    buckets: Iterable[tuple[float, float, Any]],
    born: float | None = None,
) -> bytes:
    """Metric.histogram; `buckets` are (upper bound, cumulative count, exemplar or None), +Inf last."""
    parts = [] if total is None else [count(1, 4, total)]
    if sum_ is not None:
        parts.append(field_double(2, float(sum_)))
    for bound, value, found in buckets:
        bucket = count(1, 4, value) + field_double(2, bound)
        parts.append(field_bytes(3, bucket if found is None else bucket + field_bytes(3, exemplar(found))))
    return field_bytes(7, b"".join(parts) + moment(15, born))


def metric(pairs: bytes, data: bytes) -> bytes:
    """MetricFamily.metric."""
    return field_bytes(4, pairs + data)


def family_head(name: str, doc: str, kind: int, unit: str = "") -> tuple[bytes, bytes]:
    """What a MetricFamily has before its metrics and behind them."""
    head = field_bytes(1, metric_name(name).encode()) + field_bytes(2, doc.encode()) + field_varint(3, kind)
    return head, field_bytes(5, unit.encode()) if unit else b""


def message(head: bytes, parts: list[bytes], tail: bytes) -> Iterator[Piece]:
    """One MetricFamily behind its length, its metrics passed on in `parts`.

    Pieces with their work, in order.  `head` and `tail` are of `family_head`.
    An empty `parts` gives a family without metrics, which readers accept.
    """
    length = len(head) + len(tail) + sum(map(len, parts))
    yield varint(length) + head, 1
    for part in parts:
        yield part, len(part) // BYTES_OF_WORK
    yield tail, 0
