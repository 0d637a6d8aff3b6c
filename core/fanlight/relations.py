"""Live relations: what a process shows of itself in SQL, declared as values.

A relation is a name, columns and a function that returns rows.  This module
declares; it never runs a query (engines do) and never walks the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, get_args

from attrs import field, frozen

ColumnType = Literal["bigint", "integer", "double", "boolean", "text", "timestamptz", "json"]
COLUMN_TYPES: tuple[ColumnType, ...] = get_args(ColumnType)

Rows = Callable[[], Iterable[Sequence[Any]]]
Version = Callable[[], object]


@frozen
class Column:
    """A column: values are int, float, bool, str or None as its type says.

    `timestamptz` cells are Unix seconds (float); `json` cells are JSON text.
    `unit` is the unit of measure ("bytes", "seconds"), empty where there is none.
    """

    name: str
    type: ColumnType
    doc: str = ""
    unit: str = ""


@frozen
class Relation:
    """A table over the live process.

    `rows` is called once for each statement that reads the relation, in the
    engine's worker thread, and must be safe there.  `privileged` relations are
    for internal users and superusers (decisions.md 4); `cost` tells in words
    what a read costs the process.  `version`, where there is one, is a change
    counter: as long as it returns what it returned before, the rows are the
    same, and who watches them need not read them again.  It is called in a
    worker's thread, often, so it must be cheap.
    """

    name: str
    columns: tuple[Column, ...]
    rows: Rows = field(eq=False, repr=False)
    doc: str = ""
    cost: str = ""
    privileged: bool = False
    schema: str = "process"
    version: Version | None = field(default=None, eq=False, repr=False)
