"""DuckDB's values as JSON texts, by their type.

The encoders take what DuckDB's Python client fetches.  Where the client loses
something (months of intervals, nanoseconds of times) a column is fetched as
text instead (`duckdb_types.as_fetched`), and the encoders take that text too.
What cannot be told apart afterwards, infinite dates and timestamps from the last
day of year 9999, is written as that day.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any
from uuid import UUID

from fanlight.sql.values import (
    bytes_json,
    days_from_civil,
    float32_text,
    float_text,
    interval_text,
    time_text,
    timestamp_text,
)

from .types import children_of, kind_of

Encode = Callable[[Any], str]
"""The JSON text of one value, which is not None."""

EncodeColumn = Callable[[Sequence[Any]], Iterable[str]]
"""The JSON texts of a column's values."""


def _quoted(text: str) -> str:
    return f'"{text}"'


def _float(value: float) -> str:
    text = float_text(value)
    return "null" if text is None else f'"{text}"'


def _float32(value: float) -> str:
    text = float32_text(value)
    return "null" if text is None else f'"{text}"'


def _decimal(value: Any) -> str:
    return f'"{value:f}"' if isinstance(value, Decimal) else f'"{value}"'


def _bool(value: Any) -> str:
    return "true" if value else "false"


_BC = " (BC)"
_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_STAMP = re.compile(r"(\d+)-(\d\d)-(\d\d)( \(BC\))?(?: (\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?(?:[+-][\d:]+)?")


def _date(value: Any) -> str:
    """A date; DuckDB gives those that Python has no year for as text."""
    return f'"{value.isoformat()}"' if isinstance(value, date) else f'"{str(value).replace(_BC, " BC")}"'


def _micros(span: timedelta) -> int:
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def _timestamp(value: Any) -> str:
    if isinstance(value, datetime):
        return f'"{timestamp_text(_micros(value - _EPOCH))}"'
    return _far_timestamp(str(value))


def _timestamptz(value: Any) -> str:
    if not isinstance(value, datetime):
        return _far_timestamp(str(value))
    if value.tzinfo is None:  # the client has no zone for what is infinite
        return '"infinity"' if value.year > 1970 else '"-infinity"'
    return f'"{timestamp_text(_micros(value - _EPOCH_UTC))}"'


def _far_timestamp(text: str) -> str:
    """A timestamp that Python has no year for, from its text; a zone is that of UTC."""
    found = _STAMP.fullmatch(text)
    if found is None:
        return encode_basestring(text)
    year = 1 - int(found[1]) if found[4] else int(found[1])
    clock = int(found[5] or 0) * 3600 + int(found[6] or 0) * 60 + int(found[7] or 0)
    seconds = days_from_civil(year, int(found[2]), int(found[3])) * 86_400 + clock
    return f'"{timestamp_text(seconds * 1_000_000 + int((found[8] or "").ljust(6, "0")[:6]))}"'


_CLOCK = re.compile(r"(-?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?")


def _nanos(text: str) -> int | None:
    """A clock time in nanoseconds; None if the text is none."""
    found = _CLOCK.match(text)
    if found is None:
        return None
    seconds = int(found[2]) * 3600 + int(found[3]) * 60 + int(found[4])
    nanos = seconds * 1_000_000_000 + int((found[5] or "").ljust(9, "0")[:9])
    return -nanos if found[1] else nanos


def _clock(value: Any) -> str:
    if isinstance(value, time):
        seconds = value.hour * 3600 + value.minute * 60 + value.second
        return time_text(seconds * 1_000_000_000 + value.microsecond * 1000)
    nanos = _nanos(str(value))
    return str(value) if nanos is None else time_text(nanos)


def _time(value: Any) -> str:
    return f'"{_clock(value)}"'


def _timetz(value: Any) -> str:
    """PostgreSQL's way: the shortest offset that tells it, `+02` or `+02:30`."""
    if isinstance(value, time):
        offset = value.strftime("%z")
        parts = [offset[:3], *(offset[at : at + 2] for at in range(3, len(offset), 2) if int(offset[at:] or 0))]
        return f'"{_clock(value)}{":".join(parts)}"'
    text = str(value)
    return f'"{_clock(text)}{text[8:].lstrip(".0123456789")}"'


_PART = re.compile(r"(-?\d+) (year|month|day)s?")


def _interval(value: Any) -> str:
    """From DuckDB's text; from the client's timedelta, which has lost the months, if there is no text."""
    if isinstance(value, timedelta):
        return f'"{interval_text(0, value.days, value.seconds * 1_000_000 + value.microseconds)}"'
    text = str(value)
    parts = {found[2]: int(found[1]) for found in _PART.finditer(text)}
    clock = text.rpartition(" ")[2]
    nanos = _nanos(clock) if ":" in clock else 0
    months = parts.get("year", 0) * 12 + parts.get("month", 0)
    micros = (abs(nanos or 0) // 1000) * (-1 if (nanos or 0) < 0 else 1)
    return f'"{interval_text(months, parts.get("day", 0), micros)}"'


class _Number(str):
    """A number of a JSON text, as it was written."""


def _json(value: Any) -> str:
    """A JSON value itself, keys sorted, numbers as they were written; one that is a number becomes a string.

    DuckDB takes more than JSON: what is no number is null, commas too many are left out.
    """
    try:
        document = _JSON.decode(value)
    except RecursionError:  # nested deeper than Python reads: pass it on in its order
        return _LAX.sub(_strict, value).replace("\n", " ")
    except ValueError:
        try:
            document = _JSON.decode(_LAX.sub(_strict, value))
        except ValueError:
            return encode_basestring(value)
    try:
        text = _canonical(document)
    except RecursionError:
        return _LAX.sub(_strict, value).replace("\n", " ")
    return _quoted(text) if isinstance(document, _Number) else text


_JSON = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=lambda _: None)
_LAX = re.compile(r'"(?:[^"\\]++|\\.)*+"|-?\b(?:nan|inf(?:inity)?)\b|,(?=\s*[\]}])', re.IGNORECASE | re.DOTALL)


def _strict(found: re.Match[str]) -> str:
    return found[0] if found[0][0] == '"' else "" if found[0] == "," else "null"


def _canonical(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        return f"{{{','.join([f'{encode_basestring(name)}:{_canonical(value[name])}' for name in sorted(value)])}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_canonical, value))}]"
    return "null" if value is None else _bool(value)


def _natural(value: Any) -> str:
    """A value of which only its Python type is known (members of unions, variants)."""
    if isinstance(value, bool):
        return _bool(value)
    if isinstance(value, dict):
        return f"{{{','.join(f'{_key(_natural, name)}:{_natural(item)}' for name, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_natural, value))}]"
    for type_, encode in _NATURAL:
        if isinstance(value, type_):
            return encode(value)
    return "null" if value is None else encode_basestring(str(value))


_NATURAL: tuple[tuple[type, Encode], ...] = (
    (float, _float),
    (Decimal, _decimal),
    (datetime, lambda value: _timestamp(value) if value.tzinfo is None else _timestamptz(value)),
    (date, _date),
    (time, _time),
    (timedelta, _interval),
    (bytes, bytes_json),
)

_SCALARS: dict[str, Encode] = {
    "boolean": _bool,
    **dict.fromkeys(("tinyint", "utinyint", "smallint", "usmallint", "integer", "uinteger", "bigint"), '"{}"'.format),
    **dict.fromkeys(("ubigint", "hugeint", "uhugeint", "bignum", "bit"), '"{}"'.format),
    "decimal": _decimal,
    "float": _float32,
    "double": _float,
    "varchar": encode_basestring,
    "enum": encode_basestring,
    "blob": bytes_json,
    "geometry": bytes_json,
    "date": _date,
    "time": _time,
    "time_ns": _time,
    "time with time zone": _timetz,
    "timestamp": _timestamp,
    "timestamp_s": _timestamp,
    "timestamp_ms": _timestamp,
    "timestamp_ns": _timestamp,
    "timestamp with time zone": _timestamptz,
    "timestamp with time zone_ns": _timestamptz,
    "interval": _interval,
    "uuid": lambda value: f'"{value}"' if isinstance(value, UUID) else encode_basestring(str(value)),
    **dict.fromkeys(("json", "variant"), _json),
}  # fmt: skip


def encoder(type_: Any) -> Encode:
    """The encoder of a type's values, its elements' and members' included."""
    kind = kind_of(type_)
    if kind in ("list", "array"):
        return _list_encoder(encoder(children_of(type_)[0][1]))
    if kind == "struct":
        return _struct_encoder([(name, encoder(child)) for name, child in children_of(type_)])
    if kind == "tuple":
        return _tuple_encoder([encoder(child) for _, child in children_of(type_)])
    if kind == "map":
        (_, key), (_, value) = children_of(type_)
        return _map_encoder(encoder(key), encoder(value), nested=bool(children_of(key)))
    return _SCALARS.get(kind, _natural)


def _nullable(encode: Encode) -> Encode:
    return lambda value: "null" if value is None else encode(value)


def _list_encoder(element: Encode) -> Encode:
    each = _nullable(element)
    return lambda value: f"[{','.join([each(item) for item in value])}]"


def _struct_encoder(members: list[tuple[str, Encode]]) -> Encode:
    named = [(name, encode_basestring(name), _nullable(encode)) for name, encode in members]
    return lambda value: f"{{{','.join([f'{label}:{encode(value[name])}' for name, label, encode in named])}}}"


def _tuple_encoder(members: list[Encode]) -> Encode:
    """A record without names has PostgreSQL's: f1, f2, …"""
    each = [_nullable(encode) for encode in members]

    def encode(record: Any) -> str:
        items = [f'"f{at}":{one(item)}' for at, (one, item) in enumerate(zip(each, record, strict=True), 1)]
        return f"{{{','.join(items)}}}"

    return encode


def _map_encoder(key: Encode, value: Encode, *, nested: bool) -> Encode:
    """Keys are texts; a map whose keys are nested is fetched as two lists."""
    each = _nullable(value)

    def encode(entries: Any) -> str:
        pairs = zip(entries["key"], entries["value"], strict=True) if nested else entries.items()
        return f"{{{','.join([f'{_key(key, name)}:{each(item)}' for name, item in pairs])}}}"

    return encode


def _key(encode: Encode, value: Any) -> str:
    text = encode(value)
    return text if text.startswith('"') else encode_basestring(text)


_LAST_DAYS = {"infinity": "9999-12-31", "-infinity": "0001-01-01"}
_LAST_MOMENTS = {"infinity": "9999-12-31 23:59:59.999999", "-infinity": "0001-01-01 00:00:00"}

_FROM_TEXT: dict[str, Callable[[str], str]] = {
    "float": lambda text: _float32(float(text)),
    "double": lambda text: _float(float(text)),
    "date": lambda text: _date(_LAST_DAYS.get(text, text)),
    "timestamp": lambda text: _far_timestamp(_LAST_MOMENTS.get(text, text)),
    "timestamp with time zone": _far_timestamp,
}


def text_encoder(kind: str) -> Callable[[str], str]:
    """The encoder for values that come as DuckDB's own text of them."""
    return _FROM_TEXT[kind]


# --- Columns: the loops over the commonest types, as tight as Python has them. ---

_BOOLS = {True: "true", False: "false", None: "null"}


def _booleans(values: Sequence[Any]) -> Iterable[str]:
    return [_BOOLS[value] for value in values]


def _integers(values: Sequence[Any]) -> Iterable[str]:
    return [f'"{value}"' for value in values]


def _texts(values: Sequence[Any]) -> Iterable[str]:
    return map(encode_basestring, values)


def _doubles(values: Sequence[Any]) -> Iterable[str]:
    """Where `repr` has no exponent, it has Rust's layout already; the comparisons are false for NaN."""
    return [f'"{value!r}"' if 1e-4 < value < 1e15 or -1e15 < value < -1e-4 else _float(value) for value in values]


def _decimals(values: Sequence[Any]) -> Iterable[str]:
    return [f'"{value:f}"' for value in values]


def _dates(values: Sequence[Any]) -> Iterable[str]:
    return [f'"{value}"' if type(value) is date else _date(value) for value in values]


def _timestamps(values: Sequence[Any]) -> Iterable[str]:
    if not all(isinstance(value, datetime) for value in values):
        return map(_timestamp, values)
    spans = [value - _EPOCH for value in values]
    return [
        f'"{(span.days * 86_400 + span.seconds) * 1000 + span.microseconds // 1000}.{span.microseconds % 1000:03d}"'
        for span in spans
    ]


_COLUMNS: dict[str, EncodeColumn] = {
    **dict.fromkeys(("tinyint", "utinyint", "smallint", "usmallint", "integer", "uinteger", "bigint"), _integers),
    **dict.fromkeys(("ubigint", "hugeint", "uhugeint"), _integers),
    "varchar": _texts,
    "enum": _texts,
    "double": _doubles,
    "decimal": _decimals,
    "date": _dates,
    "timestamp": _timestamps,
}


def column_encoder(type_: Any) -> EncodeColumn:
    """The encoder of whole columns, None included."""
    kind = kind_of(type_)
    if kind == "boolean":
        return _booleans
    scalar = encoder(type_)
    whole = _COLUMNS.get(kind)

    def column(values: Sequence[Any]) -> Iterable[str]:
        if None in values:
            return [scalar(value) if value is not None else "null" for value in values]
        return map(scalar, values) if whole is None else whole(values)

    return column
