"""Which representation a scraper gets.

By Accept, as RFC 9110 12.5.1 has it: the highest weight wins, and of equals
the first of protobuf, OpenMetrics, text.  A wildcard is no wish for a format,
so of those it alone covers the default, text, comes first.  A scraper that
accepts none of the three gets text all the same: a 406 helps nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from attrs import frozen

from ..http.media import MediaType, accept, match

_LONGEST = 1024
"""Longer Accept fields are read each time instead of being remembered."""
_IGNORED = frozenset({"escaping", "charset"})
"""Parameters that newer scrapers add; they must not keep the old names from matching."""


@frozen
class Format:
    """A representation of metrics: its name here, what it offers to Accept, its Content-Type.

    `content_type` is sent as it stands: scrapers compare it, spaces and order
    of parameters included.
    """

    name: str
    offer: MediaType
    content_type: str


PROTOBUF = Format(
    "protobuf",
    MediaType(
        "application",
        "vnd.google.protobuf",
        (("proto", "io.prometheus.client.MetricFamily"), ("encoding", "delimited")),
        frozenset({"escaping"}),
    ),
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
)
OPENMETRICS = Format(
    "openmetrics",
    MediaType("application", "openmetrics-text", (("version", "1.0.0"),), _IGNORED),
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
)
TEXT = Format(
    "text",
    MediaType("text", "plain", (("version", "0.0.4"),), _IGNORED),
    "text/plain; version=0.0.4; charset=utf-8",
)

_NAMED = (PROTOBUF, OPENMETRICS, TEXT)
_COVERED = (TEXT, OPENMETRICS, PROTOBUF)
"""The order among equals: of formats that were named, and of those that only a wildcard covers."""


def _choose(values: Sequence[str]) -> Format:
    """The format with the highest (weight, named); the first of equals in the order of preference.

    Starts from text with weight 0, so text it is where nothing is acceptable.
    """
    ranges = accept(values)
    best, best_rank = TEXT, (0.0, False)
    for named, forms in ((True, _NAMED), (False, _COVERED)):
        for form in forms:
            found = match(ranges, form.offer)
            # `rank >` and not `>=`: a later format must be liked more than the ones before it.
            rank = (found.q, found.named)
            if found.named == named and found.q > 0.0 and rank > best_rank:
                best, best_rank = form, rank
    return best


_remembered = lru_cache(64)(_choose)
"""A scraper sends the same Accept each time; few kinds of scrapers ask one process."""


def choose(values: Sequence[str]) -> Format:
    """The format for a request with these Accept fields (none is fine).

    Never refuses and never raises: what is malformed counts as not sent.
    """
    if not values:
        return TEXT
    short = sum(map(len, values)) <= _LONGEST
    return _remembered(tuple(values)) if short else _choose(values)
