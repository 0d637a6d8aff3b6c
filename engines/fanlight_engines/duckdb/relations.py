"""Live relations in DuckDB: one shared view each, and for each connection an object behind it.

DuckDB reads a registered object anew at every scan, so each `Source` keeps its
rows from the first scan of a statement to the statement's end.  Registering is
lazy: only the relations that a statement may read.  A relation's function runs
in the worker thread that runs the statement; what it raises is logged and never
shown to the client.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from fanlight.relations import Column, Relation
from fanlight.sql.effects import Interrupt
from fanlight.sql.lexer import quote

log = logging.getLogger("fanlight")

PREFIX = "__live_"
CHUNK = 500
"""Rows that are made before other threads get their turn."""

_SQL_TYPES = {"json": "{0}::json", "timestamptz": "make_timestamptz({0})", "integer": "{0}::integer"}
_WORD = re.compile(r"\w+")


class Stopped(Exception):
    """Raised inside a scan when the statement was interrupted."""


def identifier(name: str) -> str:
    """`name` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def words_of(text: str) -> frozenset[str]:
    """The words of a statement in lower case, those in its strings and comments too."""
    return frozenset(_WORD.findall(text.lower()))


def live_name(relation: Relation) -> str:
    """The name under which a relation's source is registered."""
    return f"{PREFIX}{relation.schema}_{relation.name}"


def view_script(relation: Relation) -> str:
    """The statements that make the shared view of a relation, with its documentation."""
    view = f"{identifier(relation.schema)}.{identifier(relation.name)}"
    columns = ", ".join(
        f"{_SQL_TYPES.get(column.type, '{0}').format(identifier(column.name))} AS {identifier(column.name)}"
        for column in relation.columns
    )
    script = [
        f"CREATE SCHEMA IF NOT EXISTS {identifier(relation.schema)}",
        f"CREATE OR REPLACE VIEW {view} AS SELECT {columns} FROM {identifier(live_name(relation))}",
        f"COMMENT ON VIEW {view} IS {quote(relation.doc)}",
        *(
            f"COMMENT ON COLUMN {view}.{identifier(column.name)} IS {quote(_doc(column))}"
            for column in relation.columns
        ),
    ]
    return ";\n".join(script)


def _doc(column: Column) -> str:
    return f"{column.doc} [{column.unit}]" if column.unit else column.doc


class Source:
    """One relation as one connection reads it: an object with the Arrow stream interface.

    `failed` is set when the last scan failed, `interrupt` is what stops one.
    """

    __slots__ = ("_rows", "_schema", "failed", "interrupt", "relation")

    def __init__(self, relation: Relation) -> None:
        self.relation = relation
        self.failed = False
        self.interrupt: Interrupt | None = None
        self._rows: Any = None
        self._schema = _schema(relation.columns)

    def forget(self) -> None:
        """The statement is over: the next one reads afresh."""
        self._rows = None
        self.failed = False
        self.interrupt = None

    def __arrow_c_schema__(self) -> Any:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        import nanoarrow

        if self._rows is None:
            self._rows = self._read()
        return nanoarrow.c_array_stream(self._rows).__arrow_c_stream__()

    def _read(self) -> Any:
        """All rows as one Arrow array; a neutral exception for whatever goes wrong."""
        try:
            return self._build()
        except Stopped:
            raise RuntimeError("stopped") from None
        except BaseException:
            self.failed = True
            log.warning("relation %s could not be read", self.relation.name, exc_info=True)
        raise RuntimeError("could not be read")

    def _build(self) -> Any:
        import nanoarrow

        columns: list[list[Any]] = [[] for _ in self.relation.columns]
        count = 0
        rows = iter(self.relation.rows())
        while chunk := list(islice(rows, CHUNK)):
            for cells, values in zip(columns, zip(*chunk, strict=True), strict=True):
                cells.extend(values)
            count += len(chunk)
            time.sleep(0)
            if self.interrupt is not None and self.interrupt.asked:
                raise Stopped
        children = [
            _array(cells, column, self._schema.child(at))
            for at, (cells, column) in enumerate(zip(columns, self.relation.columns, strict=True))
        ]
        return nanoarrow.c_array_from_buffers(self._schema, count, [None], children=children)


def _schema(columns: Sequence[Column]) -> Any:
    """Timestamps travel as microseconds and json as text; the view turns them into what they are."""
    import nanoarrow

    types = {
        "bigint": nanoarrow.int64,
        "integer": nanoarrow.int64,
        "double": nanoarrow.float64,
        "boolean": nanoarrow.bool_,
        "text": nanoarrow.string,
        "json": nanoarrow.string,
        "timestamptz": nanoarrow.int64,
    }
    return nanoarrow.c_schema(nanoarrow.struct({column.name: types[column.type]() for column in columns}))


def _array(cells: list[Any], column: Column, schema: Any) -> Any:
    import nanoarrow

    if column.type == "timestamptz":
        cells = [None if cell is None else round(cell * 1e6) for cell in cells]
    elif column.type == "text":
        cells = [cell if cell is None or isinstance(cell, str) else str(cell) for cell in cells]
        cells = [cell if cell is None or cell.isascii() else cell.encode(errors="replace").decode() for cell in cells]
    return nanoarrow.c_array(cells, schema)


class Catalogue:
    """The relations of an app as one DuckDB instance knows them.

    The app's mapping may grow or change at any time, the `fixed` ones never do;
    `missing` tells what has no view yet.  Not safe for two threads at once: the
    engine locks.
    """

    def __init__(self, relations: Mapping[str, Relation], fixed: Sequence[Relation] = ()) -> None:
        self._relations = relations
        self._unseen = list(fixed)
        self._by_live: dict[str, Relation] = {}
        self._by_name: dict[str, dict[str, Relation]] = {}
        self._everywhere: frozenset[str] = frozenset()

    def missing(self) -> list[Relation]:
        """The relations that are new, or have been replaced, since `added`."""
        known = self._by_live
        changed = [each for each in list(self._relations.values()) if known.get(live_name(each)) is not each]
        return self._unseen + changed

    def added(self, relation: Relation) -> None:
        """The view of `relation` exists now."""
        self._unseen = [each for each in self._unseen if each is not relation]
        name = live_name(relation)
        self._by_live[name] = relation
        self._by_name.setdefault(relation.name, {})[name] = relation

    def by_live(self, name: str) -> Relation | None:
        """The relation whose source has this name."""
        return self._by_live.get(name)

    def named(self, schema: str, name: str) -> Relation | None:
        """The relation behind a view."""
        relation = self._by_live.get(f"{PREFIX}{schema}_{name}")
        return relation if relation is not None and (relation.schema, relation.name) == (schema, name) else None

    def read_by(self, words: frozenset[str]) -> list[Relation]:
        """The relations that a statement may read: those whose names are among the words of its text.

        So are the relations that objects in the database were made from (see `keep`).
        """
        by_name = self._by_name
        return [each for word in words | self._everywhere if word in by_name for each in by_name[word].values()]

    def keep(self, text: str) -> None:
        """Something was created by `text`: what it reads may be read by any statement from now on."""
        self._everywhere |= self._by_name.keys() & words_of(text)
