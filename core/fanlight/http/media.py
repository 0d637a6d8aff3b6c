"""What a client says it can take: Accept and Accept-Encoding (RFC 9110 12.4, 12.5.1, 12.5.3).

Pure reading and matching.  Elements that do not follow the grammar are left
out, as if they had not been sent: a client's slip must not cost it an answer.
Which representation is sent, and what happens when none suits, is for the
caller to decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import frozen

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
"""qvalue: 0 to 1 with at most three decimals (RFC 9110 12.4.2)."""
_BLANK = " \t"

Params = tuple[tuple[str, str], ...]
"""Pairs of lower-case name and value, in the order in which they were sent."""


@frozen
class MediaRange:
    """One element of Accept: `*/*`, `text/*` or a type, with parameters and weight.

    Names are in lower case; `q` is between 0 ("not acceptable") and 1.
    """

    type: str
    subtype: str
    params: Params = ()
    q: float = 1.0


@frozen
class MediaType:
    """A representation that can be sent.  Parameters named in `ignores` never keep a range from matching."""

    type: str
    subtype: str
    params: Params = ()
    ignores: frozenset[str] = frozenset()


@frozen
class Match:
    """How well a client likes a representation.

    `q` is the weight of the most specific range that covers it, 0.0 where none
    does; `named` says that the range named the type and not a wildcard.
    """

    q: float
    named: bool


def _split(text: str, separator: str) -> Iterator[str]:
    """The parts of `text` between separators that are not inside a quoted string, blanks stripped.

    An unclosed quoted string reaches to the end; the part is then no token and
    is left out by the caller.
    """
    if '"' not in text:
        for part in text.split(separator):
            yield part.strip(_BLANK)
        return
    start, quoted, escaped = 0, False, False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            yield text[start:index].strip(_BLANK)
            start = index + 1
    yield text[start:].strip(_BLANK)


def _unquoted(value: str) -> str | None:
    """The value of a token or quoted string; None for anything else."""
    if _TOKEN.fullmatch(value):
        return value
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return None


def _weighted(parts: Iterable[str]) -> tuple[Params, float] | None:
    """Parameters before the weight, and the weight; what follows it is ignored.  None if malformed."""
    params: list[tuple[str, str]] = []
    for part in parts:
        if not part:
            continue
        name, equals, raw = part.partition("=")
        value = _unquoted(raw)
        if not equals or not _TOKEN.fullmatch(name) or value is None:
            return None
        if name in {"q", "Q"}:
            return (tuple(params), float(raw)) if _WEIGHT.fullmatch(raw) else None
        params.append((name.lower(), value))
    return tuple(params), 1.0


def accept(values: Iterable[str]) -> tuple[MediaRange, ...]:
    """The media ranges of all Accept fields, in order.

    Several fields are one list (RFC 9110 5.3).  `*/text` is no range and is
    left out, as is an element whose weight or parameters are malformed.
    """
    ranges: list[MediaRange] = []
    for element in _split(",".join(values), ","):
        first, *rest = _split(element, ";")
        kind, slash, subtype = first.partition("/")
        weighted = _weighted(rest)
        if not slash or weighted is None or not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(subtype):
            continue
        if kind == "*" and subtype != "*":
            continue
        ranges.append(MediaRange(kind.lower(), subtype.lower(), *weighted))
    return tuple(ranges)


def _covers(range_: MediaRange, offer: MediaType) -> bool:
    """Whether a range covers an offer: each of its parameters must be the offer's, or ignored by it.

    Values are compared without case, as `charset` and `version` are written
    both ways.
    """
    if range_.type not in {"*", offer.type} or range_.subtype not in {"*", offer.subtype}:
        return False
    held = {name: value.lower() for name, value in offer.params}
    return all(name in offer.ignores or held.get(name) == value.lower() for name, value in range_.params)


def _specificity(range_: MediaRange) -> tuple[bool, bool, int]:
    """How closely a range names its types (RFC 9110 12.5.1): type, then subtype, then parameters."""
    return range_.type != "*", range_.subtype != "*", len(range_.params)


def match(ranges: Iterable[MediaRange], offer: MediaType) -> Match:
    """How well `ranges` like `offer`: the most specific range decides, of equals the kindest."""
    covering = [range_ for range_ in ranges if _covers(range_, offer)]
    if not covering:
        return Match(0.0, False)
    best = max(covering, key=lambda range_: (_specificity(range_), range_.q))
    return Match(best.q, best.subtype != "*")


def codings(values: Iterable[str]) -> dict[str, float]:
    """Each content coding of all Accept-Encoding fields, in lower case, with its weight.

    `*` is among them where it was sent; `x-gzip` is called `gzip`.

    An element with parameters other than the weight is malformed.  Of a coding
    that comes twice the higher weight counts.
    """
    weights: dict[str, float] = {}
    values = tuple(values)
    if not values:
        return weights
    for element in _split(",".join(values), ","):
        coding, *rest = _split(element, ";")
        weighted = _weighted(rest)
        if weighted is None or weighted[0] or not _TOKEN.fullmatch(coding):
            continue
        name = coding.lower().removeprefix("x-") if coding.lower() in {"x-gzip", "x-compress"} else coding.lower()
        weights[name] = max(weighted[1], weights.get(name, 0.0))
    return weights


def allows(values: Iterable[str], coding: str) -> bool:
    """Whether `coding` (lower case, not `identity`) may be used: named, or covered by `*`, with q above 0."""
    weights = codings(values)
    return weights.get(coding, weights.get("*", 0.0)) > 0.0
