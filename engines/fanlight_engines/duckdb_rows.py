"""Rows that DuckDB writes as JSON itself: the statement around a query, and what to expect of a query.

The text is, byte for byte, what `duckdb_values` makes of the same rows.  Where it
would not be, the row comes with its values instead, to be encoded in Python: dates
and timestamps far away, floats with an exponent, long texts.  A query that has a
column of a type not listed here is never put inside.  This module runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fanlight.sql.lexer import words

from .duckdb_types import kind_of

MANY = 1000
"""Rows from which on it pays: DuckDB takes one or two milliseconds to plan the longer statement."""

LONG = 4096
"""Bytes of text in one row that DuckDB may copy: it does so for 2,048 rows at a time."""

_S = "system.main."  # whatever macros a user has made

_PLAIN = frozenset(
    {"tinyint", "utinyint", "smallint", "usmallint", "integer", "uinteger", "bigint", "ubigint", "hugeint", "uhugeint"}
    | {"decimal", "uuid", "null", '"null"'}
)
_TEXTS = frozenset({"varchar", "enum"})
_NEVER = frozenset({"WHERE", "LIMIT", "GROUP", "HAVING", "COUNT", "SUM", "MIN", "MAX", "AVG", "DISTINCT", "FETCH"})
_FIRST = frozenset({"SELECT", "WITH", "FROM", "VALUES", "TABLE", "("})


class Habit:
    """What is known of a statement's results: `rows` is how many the last one had, -1 before the first.

    `around` is the text of the statement around it, and what DuckDB's parser made of that.
    """

    __slots__ = ("_guess", "_text", "around", "rows")

    def __init__(self, text: str) -> None:
        self.rows = -1
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


def wrapped(text: str, types: Sequence[Any]) -> str | None:
    """The statement that gives two columns for each row of `text`: its JSON, or else its values.

    None if there is a type whose JSON is left to Python.
    """
    kinds = [_kind(type_) for type_ in types]
    names = [f"c{at}" for at in range(len(types))]
    cells = [_cell(name, kind) for name, kind in zip(names, kinds, strict=True)]
    if not all(cells):
        return None
    guard = _guard(names, kinds)
    row = f"{_S}json_array({', '.join(map(str, cells))})::varchar"
    values = f"{_S}row({', '.join(names)})"
    source = f"({text}\n) __rows({', '.join(names)})"
    if not guard:
        return f"SELECT {row}, NULL FROM {source}"
    return (
        f"SELECT CASE WHEN __ok IS NOT FALSE THEN {row} END, CASE WHEN __ok IS FALSE THEN {values} END"
        f" FROM (SELECT *, {guard} AS __ok FROM {source})"
    )


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
    "double": "CASE WHEN {S}isfinite({0}) THEN {0}::varchar END",
    "date": "{0}::varchar",
    "time": "CASE {S}strlen({0}::varchar) WHEN 8 THEN {0}::varchar WHEN 15 THEN {0}::varchar"
    " ELSE {S}rpad({0}::varchar, CASE WHEN {S}strlen({0}::varchar) < 13 THEN 12 ELSE 15 END, '0') END",
    # Microseconds, and a dot before the last three digits.
    **dict.fromkeys(
        ("timestamp", "timestamp with time zone"),
        "({S}epoch_us({0})::decimal(18,0) * 0.001::decimal(3,3))::varchar",
    ),
}

_FLOAT_GUARD = "({S}abs({0}) BETWEEN 1e-3 AND 1e15 OR {0} = 0 OR NOT {S}isfinite({0}))"
_GUARDS = {
    "float": _FLOAT_GUARD,
    "double": _FLOAT_GUARD,
    "date": "{0} BETWEEN DATE '0001-01-01' AND DATE '9999-12-30'",
    "timestamp": "{0} BETWEEN TIMESTAMP '1970-01-01' AND TIMESTAMP '9999-12-30'",
    "timestamp with time zone": "{0} BETWEEN TIMESTAMPTZ '1970-01-01 00:00:00+00'"
    " AND TIMESTAMPTZ '9999-12-30 00:00:00+00'",
}


def _guard(names: Sequence[str], kinds: Sequence[str]) -> str:
    """The condition under which DuckDB's text is right; not false for what is NULL."""
    guards = [_GUARDS[kind].format(name, S=_S) for name, kind in zip(names, kinds, strict=True) if kind in _GUARDS]
    lengths = [
        f"coalesce({_S}strlen({name}::varchar), 0)" for name, kind in zip(names, kinds, strict=True) if kind in _TEXTS
    ]
    if lengths:
        guards.append(f"{' + '.join(lengths)} <= {LONG}")
    return " AND ".join(guards)


_ESCAPE = re.compile(r"\\(?:u[0-9A-F]{4}|.)")


def tidy(text: str) -> str:
    """JSON of DuckDB's with the hexadecimal digits of its escapes in lower case, as Python has them."""
    if r"\u00" not in text:
        return text
    return _ESCAPE.sub(lambda found: found[0].lower() if found[0][1] == "u" else found[0], text)
