"""Reading what another process exposes: text 0.0.4 or delimited protobuf, as families of lines.

Both become what text 0.0.4 would show: names of samples, labels, and a number
as text.  A sample belongs to the family whose type has samples of its name; any
other is a family of its own.  Strict where a mistake would spoil somebody
else's exposition, and then the whole answer is refused.  Nothing is written here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import inf, isinf
from typing import Any

from attrs import field, frozen

from ..observe.names import metric_name
from ..observe.numbers import number as number_of
from ..protobuf import Fields, read_fields, read_messages


class Undecodable(ValueError):
    """This is no exposition; the text says why."""


@frozen
class Line:
    """A sample: its whole name, its labels in order, its number and perhaps its time, as text."""

    name: str
    labels: tuple[tuple[str, str], ...]
    rest: str


@frozen
class Family:
    """A family as text 0.0.4 shows it; `kind` is `counter`, `gauge`, `summary`, `histogram` or `untyped`."""

    name: str
    kind: str
    doc: str
    lines: list[Line] = field(factory=list[Line])


Families = dict[str, Family]

_SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("", "_count", "_sum")}
_KINDS = frozenset({"counter", "gauge", "summary", "histogram", "untyped"})

# --- Text. ---

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_SAMPLE = re.compile(
    rf'({_NAME})[ \t]*+(?:\{{((?:[^"}}]|"(?:[^"\\]|\\.)*+")*+)\}}[ \t]*+|(?<=[ \t]))'
    r"(\S++)(?:[ \t]++(-?[0-9]{1,19}))?[ \t]*+"
)
_PAIR = re.compile(r'[ \t]*+([a-zA-Z_][a-zA-Z0-9_]*+)[ \t]*+=[ \t]*+"((?:[^"\\]|\\.)*+)"[ \t]*+(,|$)')
_COMMENT = re.compile(rf"#[ \t]*+(HELP|TYPE)[ \t]++({_NAME})(?:[ \t]++(.*+))?")
_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[Ii]nf(?:inity)?)|[Nn]a[Nn]", re.ASCII
)
_ESCAPE = re.compile(r"\\(.)")
_PLAIN = {"n": "\n", "\\": "\\", '"': '"'}


def read_text(data: bytes) -> Families:
    """The families of a text 0.0.4; raises `Undecodable`.

    Comments that are none of its own, and empty lines, are passed over.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Undecodable("not UTF-8") from None
    families: Families = {}
    comments: dict[str, dict[str, str]] = {}
    current = ""
    for row in text.split("\n"):
        stripped = row.strip(" \t\r")
        if not stripped:
            continue
        if stripped[0] == "#":
            found = _COMMENT.fullmatch(stripped)
            if found is not None:
                current = found[2]
                comments.setdefault(current, {}).setdefault(found[1], found[3] or "")
            continue
        line = read_line(stripped)
        kind = _kind(comments.get(current, {}).get("TYPE", "untyped"))
        if not _belongs(line.name, current, kind):
            current = line.name
            kind = _kind(comments.get(current, {}).get("TYPE", "untyped"))
        if current not in families:
            doc = _unescaped(comments.get(current, {}).get("HELP", ""))
            families[current] = Family(current, kind, doc)
        _check_bound(line, kind)
        families[current].lines.append(line)
    return families


def _kind(word: str) -> str:
    return word if word in _KINDS else "untyped"


def _belongs(name: str, family: str, kind: str) -> bool:
    return name.startswith(family) and name[len(family) :] in _SUFFIXES.get(kind, ("",)) and bool(family)


def _check_bound(line: Line, kind: str) -> None:
    """A bucket has `le` and a quantile its label, both numbers: readers refuse a whole page for one that has not."""
    label = "le" if kind == "histogram" and line.name.endswith("_bucket") else None
    if kind == "summary" and not line.name.endswith(("_count", "_sum")):
        label = "quantile"
    if label is not None and not _NUMBER.fullmatch(dict(line.labels).get(label, "")):
        raise Undecodable(f"{line.name} without a number for {label}")


def read_line(row: str) -> Line:
    """One sample of a text 0.0.4; raises `Undecodable`."""
    found = _SAMPLE.fullmatch(row)
    if found is None or not _NUMBER.fullmatch(found[3]):
        raise Undecodable("a line that is no sample")
    rest = found[3] if found[4] is None else f"{found[3]} {found[4]}"
    return Line(found[1], _labels(found[2]) if found[2] else (), rest)


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    at = 0
    while at < len(text) and (at == 0 or text[at:].strip(" \t")):
        found = _PAIR.match(text, at)
        if found is None:
            raise Undecodable("labels that are none")
        pairs.append((found[1], _unescaped(found[2])))
        at = found.end()
    return tuple(pairs)


def _unescaped(text: str) -> str:
    """Unknown escapes stay as they are, as Prometheus has it."""
    return _ESCAPE.sub(lambda found: _PLAIN.get(found[1], found[0]), text) if "\\" in text else text


# --- Protobuf: `metrics.proto` of io.prometheus.client. ---


def read_protobuf(data: bytes) -> Families:
    """The families of delimited `MetricFamily` messages; raises `Undecodable`."""
    families: Families = {}
    try:
        for message in read_messages(data):
            _add_message(families, read_fields(message))
    except (ValueError, TypeError, IndexError):
        raise Undecodable("not MetricFamily messages") from None
    return families


def _add_message(families: Families, message: Fields) -> None:
    """One MetricFamily: name 1, help 2, type 3, metric 4."""
    name = metric_name(_text(message, 1))
    if not re.fullmatch(_NAME, name):
        raise ValueError("a family without a name")
    doc, number = _text(message, 2), message.get(3, [0])[-1]
    kind, field_number, write = _METRICS.get(number, _METRICS[3])
    for raw in message.get(4, ()):
        metric = read_fields(raw)
        pairs = tuple([(_text(pair, 1), _text(pair, 2)) for pair in map(read_fields, metric.get(1, ()))])
        when = f" {_signed(metric[6][-1])}" if metric.get(6) else ""
        body = read_fields(metric[field_number][-1]) if metric.get(field_number) else {}
        for family, line_kind, suffix, more, value in write(name, kind, body):
            known = families.setdefault(family, Family(family, line_kind, doc))
            if known.kind != line_kind:
                raise ValueError("one name, two types")
            known.lines.append(Line(family + suffix, pairs + more, number_of(value).decode() + when))


Written = Iterator[tuple[str, str, str, tuple[tuple[str, str], ...], float]]
"""Family, its kind, suffix of the sample, labels of its own, value."""


def _single(name: str, kind: str, body: Fields) -> Written:
    """Counter, gauge, untyped: value 1."""
    yield name, kind, "", (), _real(body, 1)


def _summary(name: str, kind: str, body: Fields) -> Written:
    """Summary: count 1, sum 2, quantile 3 (quantile 1, value 2)."""
    for quantile in map(read_fields, body.get(3, ())):
        yield name, kind, "", (("quantile", _bound(_real(quantile, 1))),), _real(quantile, 2)
    yield name, kind, "_sum", (), _real(body, 2)
    yield name, kind, "_count", (), float(body.get(1, [0])[-1])


def _histogram(name: str, kind: str, body: Fields) -> Written:
    """Histogram: count 1 or 4 (double), sum 2, bucket 3; a native one without buckets keeps count and sum."""
    total = _count(body, 1, 4)
    closed = False
    for bucket in map(read_fields, body.get(3, ())):
        bound = _real(bucket, 2)
        closed = closed or (isinf(bound) and bound > 0)
        yield name, kind, "_bucket", (("le", _bound(bound)),), _count(bucket, 1, 4)
    if not closed:
        yield name, kind, "_bucket", (("le", "+Inf"),), total
    if body.get(2):
        yield name, kind, "_sum", (), _real(body, 2)
    yield name, kind, "_count", (), total


def _gauge_histogram(name: str, kind: str, body: Fields) -> Written:
    """As a text 0.0.4 shows it: count and sum can go down, so each is a gauge of its own."""
    for family, line_kind, suffix, more, value in _histogram(name, kind, body):
        if suffix == "_bucket":
            yield family, line_kind, suffix, more, value
        else:
            yield f"{name}_g{suffix[1:]}", "gauge", "", more, value


_Write = Callable[[str, str, Fields], Written]
_METRICS: dict[int, tuple[str, int, _Write]] = {
    0: ("counter", 3, _single),
    1: ("gauge", 2, _single),
    2: ("summary", 4, _summary),
    3: ("untyped", 5, _single),
    4: ("histogram", 7, _histogram),
    5: ("histogram", 7, _gauge_histogram),
}
"""By MetricType: the word of the text format, the field of Metric, how its samples are read."""


def _text(message: Fields, number: int) -> str:
    found: Any = message.get(number, [b""])[-1]
    if not isinstance(found, bytes):
        raise TypeError("not a string")
    return found.decode()


def _real(message: Fields, number: int) -> float:
    return float(message.get(number, [0.0])[-1])


def _count(message: Fields, whole: int, real: int) -> float:
    return float(message[whole][-1]) if message.get(whole) else _real(message, real)


def _bound(value: float) -> str:
    return "+Inf" if value == inf else number_of(value).decode()


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
