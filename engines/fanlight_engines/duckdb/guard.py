"""What those who write must leave alone: the schemas that sessions need and the views of live relations.

A view that others trust could be put in the place of one of these, or all of SQL
be ended by dropping a schema.  Which objects a statement means depends on the search
path and on CASCADE, so they are compared before and behind each statement that
defines something, in its transaction.
"""

from __future__ import annotations

from typing import Any

from fanlight.sql.errors import SqlError

from .instance import CATALOG
from .relations import PREFIX

RESERVED = ("process", "mz_catalog")
"""Schemas that only relations are in."""

DEFINING = frozenset({"CREATE", "CREATE_FUNC", "DROP", "ALTER", "MULTI"})
"""Statement types to look after."""

REFUSED = SqlError("permission denied: this would change what belongs to the server", "42501")

_S = "system.main."  # whatever macros a user has made
_IN_RESERVED = f"schema_name IN {RESERVED}"
_OBJECTS = " UNION ALL ".join(
    f"SELECT {kind}, {name}, {oid}, comment FROM {_S}{source}() WHERE database_name = '{CATALOG}' AND ({condition})"
    for kind, name, oid, source, condition in (
        ("'schema'", "schema_name", "oid", "duckdb_schemas", f"{_IN_RESERVED} OR schema_name IN ('main', 'public')"),
        ("'view'", "view_name", "view_oid", "duckdb_views", f"{_IN_RESERVED} OR {_S}contains(sql, '{PREFIX}')"),
        ("'table'", "table_name", "table_oid", "duckdb_tables", _IN_RESERVED),
        ("'sequence'", "sequence_name", "sequence_oid", "duckdb_sequences", _IN_RESERVED),
        ("'type'", "type_name", "type_oid", "duckdb_types", _IN_RESERVED),
    )
)
# Listing functions takes some tens of milliseconds, so only for statements that may define one.
_FUNCTIONS = (
    f"{_OBJECTS} UNION ALL SELECT 'function', function_name, function_oid, comment FROM {_S}duckdb_functions()"
    f" WHERE database_name = '{CATALOG}'"
    f" AND ({_IN_RESERVED} OR function_name IN ('current_user', 'session_user', 'user'))"
)


def guarded(cursor: Any, text: str) -> frozenset[tuple[Any, ...]]:
    """Every object that the statement `text` must leave as it is.

    To be asked inside the transaction, with no rows left to be fetched.
    """
    lowered = text.lower()
    query = _FUNCTIONS if "macro" in lowered or "function" in lowered else _OBJECTS
    return frozenset(cursor.execute(query).fetchall())
