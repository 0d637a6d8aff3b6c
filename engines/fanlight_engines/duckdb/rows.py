"""Rows that DuckDB writes as JSON itself: the statement around a query, and what to expect of a query.

The text is, byte for byte, what `duckdb_values` makes of the same rows.  Where it
would not be, the row comes with its values instead, to be encoded in Python: dates
and timestamps far away, floats with an exponent, long texts.  A query that has a
column of a type not listed here is never put inside.  This module runs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from fanlight.sql.lexer import words

from .types import kind_of
from .values import text_encoder

MANY = 1000
"""Rows from which on it pays: DuckDB takes one or two milliseconds to plan the longer statement."""

VERY_MANY = 4000
"""Rows from which on it pays to have them streamed, which costs one planning more."""

LONG = 4096
"""Bytes of text in one row that DuckDB may copy: it does so for 2,048 rows at a time."""

MARK = "\x1e"
"""Stands before and behind a row that is not written yet; JSON never has it as it is."""

_S = "system.main."  # whatever macros a user has made

_PLAIN = frozenset(
    {"tinyint", "utinyint", "smallint", "usmallint", "integer", "uinteger", "ubigint", "hugeint", "uhugeint"}
    | {"decimal", "uuid", "null", '"null"'}
)
_TEXTS = frozenset({"varchar", "enum"})
_NEVER = frozenset({"WHERE", "LIMIT", "GROUP", "HAVING", "COUNT", "SUM", "MIN", "MAX", "AVG", "DISTINCT", "FETCH"})
_FIRST = frozenset({"SELECT", "WITH", "FROM", "VALUES", "TABLE", "("})


class Habit:
    """What is known of a statement's results: `rows` is how many the last one had, -1 before the first.

    `short` says that none of them had a long text.  `around` is the text of the
    statement around it, and what DuckDB's parser made of that.  `harmless` is
    with what definitions and settings it is known to change nothing.  `shape` is
    that of its columns, kept for whoever runs it.
    """

    __slots__ = ("_guess", "_text", "around", "harmless", "rows", "shape", "short")

    def __init__(self, text: str) -> None:
        self.rows = -1
        self.short = False
        self.harmless: object = None
        self.shape: Any = None
        self.around: tuple[str, Any] = ("", None)
        self._text = text
        self._guess: bool | None = None

    @property
    def many(self) -> bool:
        """Whether the next result is to be expected to have many rows.

        Both ways give the same bytes, so a wrong guess only costs time.
        """
        if self.rows >= 0:
            return self.rows >= MANY
        if self._guess is None:
            self._guess = _looks_whole(self._text)
        return self._guess


def _looks_whole(text: str) -> bool:
    """Whether a query that was never run seems to read a table as a whole."""
    found = {token.upper for token in words(text)}
    return "FROM" in found and not found & _NEVER


def may_wrap(text: str) -> bool:
    """Whether the statement, of DuckDB's type SELECT, can stand inside another one by its first word."""
    tokens = words(text)
    return bool(tokens) and (tokens[0].upper or tokens[0].text) in _FIRST


class Around:
    """The statements around one query, for the types of its columns.

    `possible` is False if there is a type whose JSON is left to Python, and
    then nothing else may be asked.  `texts` says that a row may be of any length.
    """

    def __init__(self, text: str, types: Sequence[Any]) -> None:
        self._kinds = [_kind(type_) for type_ in types]
        self._names = [f"c{at}" for at in range(len(types))]
        self._cells = [_cell(name, kind) for name, kind in zip(self._names, self._kinds, strict=True)]
        self._source = f"({text}\n) __rows({', '.join(self._names)})"
        self.possible = all(self._cells)
        self.texts = not _TEXTS.isdisjoint(self._kinds)

    @property
    def _row(self) -> str:
        return f"{_S}json_array({', '.join(map(str, self._cells))})::varchar"

    def with_values(self) -> str:
        """Two columns: a row's JSON, or else its values."""
        guard = _guard(self._names, self._kinds, long=True)
        if not guard:
            return f"SELECT {self._row}, NULL FROM {self._source}"
        values = f"{_S}row({', '.join(self._names)})"
        return (
            f"SELECT CASE WHEN __ok IS NOT FALSE THEN {self._row} END, CASE WHEN __ok IS FALSE THEN {values} END"
            f" FROM (SELECT *, {guard} AS __ok FROM {self._source})"
        )

    def as_text(self, separator: bytes) -> str:
        """One column: a row's JSON and the separator; between two `MARK`s where Python has to write it anew.

        Long texts are in it as well, so this is for rows that are expected to be short.
        """
        end = f"'{separator.decode()}'"
        guard = _guard(self._names, self._kinds, long=False)
        if not guard and not self.texts:
            return f"SELECT {self._row} || {end} FROM {self._source}"
        raw = [
            f"{name}::varchar" if kind in _GUARDS else cell
            for name, kind, cell in zip(self._names, self._kinds, self._cells, strict=True)
        ]
        odd = f"'{MARK}' || {_S}json_array({', '.join(map(str, raw))})::varchar || '{MARK}'"
        # Each level is worked out once a row.  What has an escape of a control character is found here,
        # which takes DuckDB a quarter of the time that Python takes, and nobody has to wait for it.
        return (
            f"SELECT CASE WHEN __row IS NOT NULL AND NOT {_S}contains(__row, '{_CONTROL}') THEN __row ELSE {odd} END"
            f" || {end} FROM (SELECT *, CASE WHEN __ok IS NOT FALSE THEN {self._row} END AS __row"
            f" FROM (SELECT *, {guard or True} AS __ok FROM {self._source}))"
        )

    def rewritten(self, row: bytes) -> bytes:
        """A row that came between two `MARK`s, as Python writes it."""
        cells = [
            "null"
            if value is None
            else text_encoder(kind)(value)
            if kind in _GUARDS
            else json.dumps(value, ensure_ascii=False)
            for kind, value in zip(self._kinds, json.loads(row), strict=True)
        ]
        return f"[{','.join(cells)}]".encode(errors="replace")


def _kind(type_: Any) -> str:
    """The kind; another one for decimals without a digit before the point, since DuckDB writes `.5`."""
    kind = kind_of(type_)
    if kind == "decimal":
        (_, precision), (_, scale) = type_.children
        return "fraction" if precision == scale else kind
    return kind


def _cell(name: str, kind: str) -> str | None:
    """The value as text, to be quoted, or as a boolean."""
    if kind == "boolean" or kind == "varchar":
        return name
    if kind in _PLAIN or kind == "enum":
        return f"{name}::varchar"
    return _CELLS[kind].format(name, S=_S) if kind in _CELLS else None


_CELLS = {
    "float": "CASE WHEN {S}isfinite({0}) THEN {0}::varchar END",
    # JSON's own writer is three times as quick as a cast, with the same digits where the guard lets it.
    "double": "CASE WHEN {S}isfinite({0}) THEN {S}to_json({0})::varchar END",
    "bigint": "{S}to_json({0})::varchar",
    "date": "{0}::varchar",
    "time": "CASE {S}strlen({0}::varchar) WHEN 8 THEN {0}::varchar WHEN 15 THEN {0}::varchar"
    " ELSE {S}rpad({0}::varchar, CASE WHEN {S}strlen({0}::varchar) < 13 THEN 12 ELSE 15 END, '0') END",
    # Microseconds, and a dot before the last three digits.
    **dict.fromkeys(
        ("timestamp", "timestamp with time zone"),
        "({S}epoch_us({0})::decimal(18,0) * 0.001::decimal(3,3))::varchar",
    ),
}

_FLOAT_GUARD = "({{S}}abs({{0}}) BETWEEN 1e-3 AND {most} OR {{0}} = 0 OR NOT {{S}}isfinite({{0}}))"
_GUARDS = {
    # Above 2**24 a shorter text may lie half-way to the next float: 37002312 is 37002310 to some, as to us.
    "float": _FLOAT_GUARD.format(most="16777216"),
    "double": _FLOAT_GUARD.format(most="1e15"),
    "date": "{0} BETWEEN DATE '0001-01-01' AND DATE '9999-12-30'",
    "timestamp": "{0} BETWEEN TIMESTAMP '1970-01-01' AND TIMESTAMP '9999-12-30'",
    "timestamp with time zone": "{0} BETWEEN TIMESTAMPTZ '1970-01-01 00:00:00+00'"
    " AND TIMESTAMPTZ '9999-12-30 00:00:00+00'",
}


def _guard(names: Sequence[str], kinds: Sequence[str], *, long: bool) -> str:
    """The condition under which DuckDB's text is right (and, for `long`, short); not false for what is NULL."""
    guards = [_GUARDS[kind].format(name, S=_S) for name, kind in zip(names, kinds, strict=True) if kind in _GUARDS]
    lengths = [
        f"coalesce({_S}strlen({name}::varchar), 0)" for name, kind in zip(names, kinds, strict=True) if kind in _TEXTS
    ]
    if lengths and long:
        guards.append(f"{' + '.join(lengths)} <= {LONG}")
    return " AND ".join(guards)


_CONTROL = r"\u00"
_ESCAPE = re.compile(rb"\\(?:u[0-9A-F]{4}|.)")


def tidy(text: bytes) -> bytes:
    """JSON of DuckDB's with the hexadecimal digits of its escapes in lower case, as Python has them."""
    if rb"\u00" not in text:
        return text
    return _ESCAPE.sub(lambda found: found[0].lower() if found[0][1:2] == b"u" else found[0], text)
