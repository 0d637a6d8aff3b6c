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

from attrs import frozen

from ..observe.names import metric_name
from ..observe.numbers import number as number_of
from ..protobuf import Fields, fields_of, read_fields, read_messages
from .effects import Steps


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


Families = dict[str, Family]
Sink = Callable[[Family, Line], object]
"""Takes each sample with its family, in order: nothing of them is kept here."""

_PIECE = 2048
"""Bytes of text that are read at once, but whole lines."""
_AT_ONCE = 16
"""Metrics of a message that are read at once."""

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


def read_text(data: bytes, sink: Sink) -> Steps[Families]:
    """The families of a text 0.0.4, their samples to `sink`; raises `Undecodable`, perhaps after some.

    Comments that are none of its own, and empty lines, are passed over.
    """
    reading = _Reading(sink)
    for rows in _rows(data):
        for row in rows:
            stripped = row.strip(" \t\r")
            if stripped:
                reading.take(stripped)
        yield
    return reading.families


def _rows(data: bytes) -> Iterator[list[str]]:
    """The lines, some at a time."""
    at = 0
    while at < len(data):
        end = data.rfind(b"\n", at, at + _PIECE) + 1 or data.find(b"\n", at) + 1 or len(data)
        try:
            yield data[at:end].decode().split("\n")
        except UnicodeDecodeError:
            raise Undecodable("not UTF-8") from None
        at = end


class _Reading:
    """A text that is being read: its families, its comments by name, and the family that lines may go on with."""

    def __init__(self, sink: Sink) -> None:
        self.families: Families = {}
        self._sink = sink
        self._comments: dict[str, dict[str, str]] = {}
        self._current = ""

    def take(self, row: str) -> None:
        """One line that is not empty."""
        if row[0] == "#":
            found = _COMMENT.fullmatch(row)
            if found is not None:
                self._current = found[2]
                self._comments.setdefault(found[2], {}).setdefault(found[1], found[3] or "")
            return
        line = read_line(row)
        kind = self._kind(self._current)
        if not _belongs(line.name, self._current, kind):
            self._current = line.name
            kind = self._kind(line.name)
        family = self.families.get(self._current)
        if family is None:
            doc = _unescaped(self._comments.get(self._current, {}).get("HELP", ""))
            family = self.families[self._current] = Family(self._current, kind, doc)
        _check_bound(line, family.kind)
        self._sink(family, line)

    def _kind(self, name: str) -> str:
        """What a family was said to be; one that has begun stays what it was."""
        known = self.families.get(name)
        return known.kind if known is not None else _kind(self._comments.get(name, {}).get("TYPE", ""))


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


def read_protobuf(data: bytes, sink: Sink) -> Steps[Families]:
    """The families of delimited `MetricFamily` messages; otherwise as `read_text`."""
    families: Families = {}
    try:
        for message in read_messages(data):
            yield from _add_message(families, message, sink)
    except (ValueError, TypeError, IndexError):
        raise Undecodable("not MetricFamily messages") from None
    return families


def _add_message(families: Families, message: bytes, sink: Sink) -> Steps[None]:
    """One MetricFamily: name 1, help 2, type 3, metric 4."""
    head: Fields = {}
    metrics: list[Any] = []
    for count, (number, value) in enumerate(fields_of(message), 1):
        if number == 4:
            metrics.append(value)
        else:
            head.setdefault(number, []).append(value)
        if count % _AT_ONCE == 0:
            yield
    name = metric_name(_text(head, 1))
    if not re.fullmatch(_NAME, name):
        raise ValueError("a family without a name")
    for count, metric in enumerate(metrics, 1):
        _add_metric(families, name, head, read_fields(metric), sink)
        if count % _AT_ONCE == 0:
            yield


def _add_metric(families: Families, name: str, head: Fields, metric: Fields, sink: Sink) -> None:
    """One Metric: label 1, one of the types in the field of its own, timestamp 6."""
    doc, (kind, field_number, write) = _text(head, 2), _METRICS.get(head.get(3, [0])[-1], _METRICS[3])
    pairs = tuple([(_text(pair, 1), _text(pair, 2)) for pair in map(read_fields, metric.get(1, ()))])
    when = f" {_signed(metric[6][-1])}" if metric.get(6) else ""
    body = read_fields(metric[field_number][-1]) if metric.get(field_number) else {}
    for family, line_kind, suffix, more, value in write(name, kind, body):
        known = families.setdefault(family, Family(family, line_kind, doc))
        if known.kind != line_kind:
            raise ValueError("one name, two types")
        sink(known, Line(family + suffix, pairs + more, number_of(value).decode() + when))


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
