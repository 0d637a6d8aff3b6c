"""What a query depends on, so that it need not run again while that has not changed.

DuckDB's own parser tells which tables and functions a query names.  One whose
functions always give the same, and whose tables are all known to say when they
changed, gets a `Stamp`; for anything else there is none, and it is run.  In
doubt there is none.  This module runs nothing of the client's.
"""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from fanlight.relations import Relation

if TYPE_CHECKING:
    from .engine import DuckDbEngine

log = logging.getLogger("fanlight")

KEPT = 256
"""Texts that are kept with what they depend on."""
LONGEST = 65_536

# Tables that are made of their arguments.
_TABLES_OF_ARGUMENTS = frozenset({"generate_series", "range", "unnest", "repeat", "repeat_row"})
# Names that are read as functions though nobody calls them.
_BARE = ("current_", "local", "session_user", "user")
# Sources of rows that are neither tables nor made of what the query says.
_ELSEWHERE = frozenset({"SHOW_REF", "PIVOT", "COLUMN_DATA", "BOUND_TABLE_REF", "DELIM_GET", "EXTERNAL"})

_PURE = (
    "SELECT function_name FROM duckdb_functions() GROUP BY 1 HAVING bool_and(coalesce(stability = 'CONSISTENT', false))"
)
_OBJECTS = (
    "SELECT table_name, '' FROM duckdb_tables() WHERE list_contains($1, table_name)"
    " UNION ALL SELECT view_name, schema_name FROM duckdb_views() WHERE list_contains($1, view_name)"
)


@frozen
class Reading:
    """What a query depends on: data that statements change, and live relations.

    `steady`: on nothing else, as far as objects are defined as they were at `definitions`.
    """

    definitions: int
    steady: bool = False
    tables: bool = False
    live: tuple[Relation, ...] = ()

    @property
    def constant(self) -> bool:
        """Whether its rows can never be others."""
        return self.steady and not self.tables and not self.live


@frozen
class Stamp:
    """What a query depended on when it ran: equal stamps, equal rows."""

    reading: Reading
    writes: int
    versions: tuple[object, ...]


class Readings:
    """Those of one engine.  Any thread may ask; the cursor is the asker's own."""

    def __init__(self, engine: DuckDbEngine) -> None:
        self._engine = engine
        self._kept: OrderedDict[str, Reading] = OrderedDict()
        self._pure: frozenset[str] | None = None
        self._lock = Lock()

    def of(self, cursor: Any, text: str, *, own: bool) -> Reading:
        """What `text` depends on.  `own`: the session has objects that others do not see, so nothing is kept."""
        definitions = self._engine.definitions
        kept = self._kept.get(text)
        if kept is not None and kept.definitions == definitions and not own:
            return kept
        reading = self._read(cursor, text) or Reading(definitions)
        reading = evolve(reading, definitions=definitions)
        if not own:
            with self._lock:
                self._kept[text] = reading
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return reading

    def stamp(self, reading: Reading) -> Stamp | None:
        """What `reading` depends on, as it is now; None where that is not known.  Take it before the rows."""
        engine = self._engine
        if not reading.steady or engine.macros or reading.definitions != engine.definitions:
            return None
        versions: list[object] = []
        for relation in reading.live:
            if relation.version is None:
                return None
            try:
                versions.append(relation.version())
            except Exception:
                log.warning("the version of relation %s could not be read", relation.name, exc_info=True)
                return None
        return Stamp(reading, engine.writes if reading.tables else 0, tuple(versions))

    def _read(self, cursor: Any, text: str) -> Reading | None:
        """The reading, but for its number; None where nothing is known."""
        import duckdb

        if len(text) > LONGEST:
            return None
        try:
            (serialized,) = cursor.execute("SELECT json_serialize_sql($1)", [text]).fetchone()
            if self._pure is None:
                self._pure = frozenset(name for (name,) in cursor.execute(_PURE).fetchall())
            document = json.loads(serialized)
            if document.get("error"):
                return None
            named = _Named(self._pure)
            named.walk(document)
            return self._resolved(cursor, named)
        except (duckdb.Error, ValueError, RecursionError):
            return None

    def _resolved(self, cursor: Any, named: _Named) -> Reading | None:
        """Names that stand for exactly one object each: a table, or a live relation."""
        names = named.tables - named.queries
        if not named.steady or self._engine.macros:
            return None
        if not names:
            return Reading(0, steady=True)
        found: dict[str, list[str]] = {}
        for name, schema in cursor.execute(_OBJECTS, [sorted(names)]).fetchall():
            found.setdefault(name, []).append(schema)
        live: list[Relation] = []
        for name in names:
            schemas = found.get(name, [])
            if len(schemas) != 1:
                return None
            if schemas[0]:
                relation = self._engine.catalogue.named(schemas[0], name)
                if relation is None:
                    return None
                live.append(relation)
        return Reading(0, steady=True, tables=len(live) < len(names), live=tuple(live))


class _Named:
    """The tables, functions and common table expressions in a parsed query."""

    def __init__(self, pure: frozenset[str]) -> None:
        self.steady = True
        self.tables: set[str] = set()
        self.queries: set[str] = set()
        self._pure = pure

    def walk(self, document: Any) -> None:
        """Every node of the document."""
        for node in _nodes(document):
            kind = str(node.get("type"))
            if kind == "BASE_TABLE":
                self.tables.add(str(node.get("table_name")).lower())
                self.steady = self.steady and not node.get("at_clause")
            elif kind == "TABLE_FUNCTION":
                name = str((node.get("function") or {}).get("function_name")).lower()
                self.steady = self.steady and name in _TABLES_OF_ARGUMENTS
            elif kind in _ELSEWHERE:
                self.steady = False
            self._expression(node)

    def _expression(self, node: dict[str, Any]) -> None:
        kind = node.get("class")
        if kind in ("FUNCTION", "WINDOW"):
            name = str(node.get("function_name")).lower()
            self.steady = self.steady and (name in self._pure or name in _TABLES_OF_ARGUMENTS)
        elif kind == "COLUMN_REF":
            names = node.get("column_names") or []
            self.steady = self.steady and not (len(names) == 1 and str(names[0]).lower().startswith(_BARE))
        if node.get("sample"):
            self.steady = False
        common = node.get("cte_map")
        if isinstance(common, dict):
            self.queries.update(str(entry.get("key")).lower() for entry in common.get("map") or ())


def _nodes(document: Any) -> Iterator[dict[str, Any]]:
    waiting = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
