"""Numbers as text, the way Go prints them, because that is what the formats quote.

Almost all of a scrape's time is `repr` of a float, so the lists here are
rendered against what they were the last time: a number that is the very same
object keeps its text.  This module never decides what a number means.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf, isnan
from typing import Any

_INF = float("inf")
_LARGE = 1e6
"""From here on Go writes exponents; below it `repr` agrees with Go."""


def number(value: Any) -> bytes:
    """The text of one number as bytes: see `number_text`."""
    return number_text(value).encode()


def number_text(value: Any) -> str:
    """The text of one number: `1.0`, `1e+06`, `+Inf`, `NaN`.

    Positive numbers of seven and more digits before the point get Go's
    exponent; negative ones are left as `repr` has them, as prometheus_client
    does.  Raises TypeError or ValueError for what is no number.
    """
    if value.__class__ is float and -_INF < value < _LARGE:
        return repr(value)
    real = float(value)
    if isnan(real):
        return "NaN"
    if isinf(real):
        return "+Inf" if real > 0 else "-Inf"
    text = repr(real)
    point = text.find(".")
    if real > 0 and point > 6:
        digits = f"{text[0]}.{text[1:point]}{text[point + 1 :]}".rstrip("0.")
        return f"{digits}e+{point - 1:02d}"
    return text


def texts(values: Sequence[Any], before: Sequence[Any], known: Sequence[bytes]) -> tuple[bytes, ...]:
    """The texts of `values`; those that are the same objects as `before` keep their `known` text.

    All three are of one length.  Identity, not equality: 0.0 equals -0.0 but
    is not written like it.
    """
    return tuple(
        [
            text
            if value is old
            else f"{value!r}".encode()
            if value.__class__ is float and -_INF < value < _LARGE
            else number(value)
            for value, old, text in zip(values, before, known, strict=True)
        ]
    )


def bucket_texts(counts: Sequence[float]) -> list[bytes]:
    """The texts of the running totals of `counts`: what cumulative buckets show."""
    total, text = 0.0, b"0.0"
    lines: list[bytes] = []
    for count in counts:
        if count:
            total += count
            text = f"{total!r}".encode() if total < _LARGE else number(total)
        lines.append(text)
    return lines


def histogram_texts(
    values: tuple[Any, ...], buckets: int, summed: bool, before: tuple[Any, ...], known: tuple[bytes, ...]
) -> tuple[bytes, ...]:
    """The texts of several histograms in a row.

    Each takes `buckets` counts (not cumulative) and a sum from `values`, and
    gives `buckets` totals, the count and, when `summed`, the sum.  A histogram
    none of whose values changed keeps its texts; its zeros are never negative,
    so equality will do.
    """
    taken, given = buckets + 1, buckets + 1 + summed
    if values == before:
        return known
    found: list[bytes] = []
    for index in range(len(values) // taken):
        group = values[index * taken : (index + 1) * taken]
        if group == before[index * taken : (index + 1) * taken]:
            found += known[index * given : (index + 1) * given]
            continue
        found += bucket_texts(group[:-1])
        found.append(found[-1])
        if summed:
            found.append(number(group[-1]))
    return tuple(found)
