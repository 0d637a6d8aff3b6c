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

from .metrics import TallyFamily
from .queries import LABEL_NAME, MOST_ROWS, REPLICA_LABELS, MetricQuery

Cells = list[Any]
"""The cells of a row: str, bool, None, or what else JSON has; numbers as the text they were sent as."""

_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE | re.ASCII
)


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


def read_reply(body: bytes) -> Table:
    """The last of exactly four results in the answer of `POST /api/sql`; raises `Unfit` for anything else."""
    try:
        results = json.loads(body, parse_int=str, parse_float=str)["results"]
        if not isinstance(results, list) or not all(isinstance(each, dict) for each in results):
            raise TypeError
        table = _last(results)
    except Unfit:
        raise
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Unfit("the answer is no result of SQL") from None
    return table


def _last(results: list[dict[str, Any]]) -> Table:
    """The table of the fourth result; raises whatever a wrong shape makes it raise."""
    complaint = next((f": {each['error']['message']}" for each in results if "error" in each), "")[:200]
    if len(results) != 4:
        raise Unfit(f"{len(results)} results where there should be 4{complaint}")
    if "rows" not in results[3]:
        raise Unfit(f"no rows{complaint}")
    rows = results[3]["rows"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise TypeError
    if len(rows) > MOST_ROWS:
        raise Unfit(f"more than {MOST_ROWS} rows")
    return Table(tuple([str(column["name"]) for column in results[3]["desc"]["columns"]]), rows)


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
