"""From the rows of a query to samples: the mapping of metrics from SQL.

Rows are those that a client of the SQL interface gets, JSON arrays.  Cells
become label values and numbers, rows become children of a gauge; what cannot
be a metric is refused with a reason for the log.  Nothing here runs a query or
writes an exposition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

from ..federation.effects import Steps
from .metrics import TallyFamily
from .queries import LABEL_NAME, MOST_ROWS, REPLICA_LABELS, MetricQuery

Cells = list[Any]
"""The cells of a row: str, bool, None, or what else JSON has; numbers as the text they were sent as."""

_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE | re.ASCII
)


_ROWS = '"rows":['
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_AT_ONCE = 64
"""Rows that are read at once."""
_MOST_REST = 256 * 1024
"""Characters of an answer besides its rows."""


class Unfit(ValueError):
    """This result cannot become metrics; the text says why, for the log."""


@frozen
class Table:
    """The whole result of one query."""

    columns: tuple[str, ...]
    rows: Sequence[Cells]


def read_rows(data: bytes) -> list[Cells]:
    """Rows from JSON arrays joined by commas."""
    rows: list[Cells] = json.loads(b"[%b]" % data, parse_int=str, parse_float=str)
    return rows


def read_reply(body: bytes) -> Steps[Table]:
    """The last of exactly four results in the answer of `POST /api/sql`; raises `Unfit` for anything else.

    The rows are read a few at a time, and everything else, which is short, in one go.
    """
    try:
        text = body.decode()
        # No string can hold this: the quotes in it would be escaped.
        at = text.find(_ROWS) + len(_ROWS)
        rows, end = (yield from _rows(text, at)) if at >= len(_ROWS) else ([], 0)
        rest = f"{text[:at]}{text[end:]}" if end else text
        if len(rest) > _MOST_REST:
            raise Unfit("too much besides the rows")
        columns = _columns(json.loads(rest)["results"])
    except Unfit:
        raise
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Unfit("the answer is no result of SQL") from None
    return Table(columns, rows)


def _rows(text: str, at: int) -> Steps[tuple[list[Cells], int]]:
    """The rows that begin at `at`, and where the bracket behind them is."""
    rows: list[Cells] = []
    while text[at] != "]":
        row, at = _DECODER.raw_decode(text, at)
        if not isinstance(row, list):
            raise TypeError
        rows.append(row)
        if len(rows) > MOST_ROWS:
            raise Unfit(f"more than {MOST_ROWS} rows")
        at += text[at] == ","
        if len(rows) % _AT_ONCE == 0:
            yield
    return rows, at


def _columns(results: Any) -> tuple[str, ...]:
    """The columns of the last of four results, the rows of which were taken out."""
    if not isinstance(results, list) or not all(isinstance(each, dict) for each in results):
        raise TypeError
    listed: list[dict[str, Any]] = results
    complaint = next((f": {each['error']['message']}" for each in listed if "error" in each), "")[:200]
    if len(listed) != 4:
        raise Unfit(f"{len(listed)} results where there should be 4{complaint}")
    if "rows" not in listed[3] or complaint:
        raise Unfit(f"no rows{complaint}")
    if listed[3]["rows"] != []:
        raise TypeError
    return tuple([str(column["name"]) for column in listed[3]["desc"]["columns"]])


def label(cell: Any) -> str:
    """A cell as a label value: text as it is, numbers as sent, booleans in words, everything else empty."""
    if cell is True or cell is False:
        return "true" if cell else "false"
    return cell if isinstance(cell, str) else ""


def number(cell: Any) -> float:
    """A cell as a value: 0 for what is no number."""
    if cell is True:
        return 1.0
    return float(cell) if isinstance(cell, str) and _NUMBER.fullmatch(cell) else 0.0


class Families:
    """The families of one scrape, in the order of their definitions.

    Only definitions whose query gave a result have one; with a result of no
    rows it has no samples.
    """

    def __init__(self) -> None:
        self._families: dict[str, TallyFamily] = {}

    @property
    def found(self) -> tuple[TallyFamily, ...]:
        """All of them, as an exposition takes them."""
        return tuple(self._families.values())

    def add(
        self, definition: MetricQuery, columns: Sequence[str], rows: Iterable[Cells], more: Sequence[str] = ()
    ) -> None:
        """Take in rows of one query; `more` are the values of `REPLICA_LABELS`, where it ran for a replica.

        Of rows with equal labels the last one counts.  Raises `Unfit`, with
        nothing taken in, for columns that cannot be labels.
        """
        at = columns.index(definition.value_column_name) if definition.value_column_name in columns else len(columns)
        names = (*columns[:at], *columns[at + 1 :], *(REPLICA_LABELS if more else ()))
        family = self._family(definition, names)
        for row in rows:
            key = [*map(label, row[:at]), *map(label, row[at + 1 :]), *more]
            family.cell(*key)._value = number(row[at]) if at < len(row) else 0.0

    def _family(self, definition: MetricQuery, names: tuple[str, ...]) -> TallyFamily:
        strange = next((name for name in names if not LABEL_NAME.fullmatch(name)), None)
        if strange is not None:
            raise Unfit(f"no label can be called {strange!r}")
        if len(set(names)) < len(names):
            raise Unfit("two columns of one name")
        family = self._families.get(definition.metric_name)
        if family is None:
            family = TallyFamily("gauge", definition.metric_name, definition.help, *names)
            self._families[definition.metric_name] = family
        if family.shape.labels != names:
            raise Unfit("its labels are not those of an earlier definition of that name")
        return family
