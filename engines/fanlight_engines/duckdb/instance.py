"""The one DuckDB instance of a server, opened so that SQL reaches nothing outside of it.

No threads of its own, no files, no network, no extensions, no Python variables,
and the configuration locked behind it.  What the lock leaves open is closed by
`refusal`: statements of kinds that are not listed are refused, whoever asks.
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

from fanlight.sql.errors import SqlError
from fanlight.sql.lexer import name_of, words

from .errors import READ_ONLY

CATALOG = "materialize"
MEMORY_LIMIT = "1GB"

STREAMED = "256KB"
"""How far ahead a statement may run of whoever takes its rows.

DuckDB counts a text as 16 bytes here, so its own 10 MB are half of a large
result: that much memory, and that much time before the first row.
"""

# `enable_external_access` last but for the lock: some settings need it to be changed.
_SETTINGS = (
    f"SET GLOBAL memory_limit = '{MEMORY_LIMIT}'",
    "SET GLOBAL max_temp_directory_size = '0B'",
    "SET GLOBAL autoinstall_known_extensions = false",
    "SET GLOBAL autoload_known_extensions = false",
    "SET GLOBAL allow_community_extensions = false",
    "SET GLOBAL allow_unsigned_extensions = false",
    "SET GLOBAL allow_persistent_secrets = false",
    "SET GLOBAL ieee_floating_point_ops = false",
    "SET GLOBAL integer_division = true",
    "SET GLOBAL errors_as_json = true",
    "SET GLOBAL TimeZone = 'UTC'",
    f"ATTACH ':memory:' AS {CATALOG}",
    f"USE {CATALOG}",
    "CREATE SCHEMA public",
    "CREATE SCHEMA process",
    "CREATE TYPE public.jsonb AS json",
    # DuckDB has one user; these tell the session's (`Connection.identify`).
    "CREATE MACRO public.current_user() AS getvariable('fanlight_user')",
    "CREATE MACRO public.session_user() AS getvariable('fanlight_user')",
    "CREATE MACRO public.\"user\"() AS getvariable('fanlight_user')",
    "DETACH memory",
    "SET GLOBAL enable_external_access = false",
    # Ours to set for each session; a client's SET never gets here.
    "SET GLOBAL allowed_configs = ['search_path', 'TimeZone', 'streaming_buffer_size']",
    "SET GLOBAL lock_configuration = true",
)


def available() -> bool:
    """Whether the library is installed; imports nothing."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in ("duckdb", "nanoarrow"))


def preload() -> bool:
    """Map DuckDB's library without holding the interpreter; False where that is not possible.

    `import` holds it for as long as the 65 MB take to be read and linked, and
    the host's loop with it: 20 to 50 ms, or many times that from a cold disk.
    A call through ctypes lets go of it, and the import finds the library there.
    """
    try:
        import ctypes
        from importlib.util import find_spec

        found = find_spec("_duckdb")
        if found is None or found.origin is None:
            return False
        dlopen = ctypes.CDLL(None).dlopen
        dlopen.argtypes = (ctypes.c_char_p, ctypes.c_int)
        dlopen.restype = ctypes.c_void_p
        return bool(dlopen(os.fsencode(found.origin), os.RTLD_NOW))
    except (ImportError, AttributeError, OSError, TypeError):
        return False


def open_instance() -> Any:
    """A new, empty, sandboxed instance: its first connection.  Takes about 30 ms, the first import 250 more."""
    preload()
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={"threads": 1, "async_threads": 0, "python_enable_replacements": False, "temp_directory": ""},
    )
    for statement in _SETTINGS:
        connection.execute(statement)
    connection.execute(f"SET search_path = '{CATALOG}.public'")
    return connection


# --- What may run. ---

READING = frozenset({"SELECT", "EXPLAIN", "MULTI"})
"""Statement types that everybody may run, inside a read-only transaction."""

WRITING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE_INTO", "CREATE", "CREATE_FUNC", "DROP", "ALTER"})
"""Statement types for those who may write."""

# EXPLAIN hides what it explains from the statement type; of these it may.
_EXPLAINED = frozenset(
    {"SELECT", "WITH", "FROM", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "PIVOT", "UNPIVOT"}
    | {"(", "SHOW", "DESCRIBE", "SUMMARIZE"}
)

# DuckDB turns only these into several statements.
_MULTIPLE = frozenset({"PIVOT", "WITH", "SELECT", "FROM", "(", "CREATE", "INSERT"})

# Functions that run text which nobody has looked at, write logs, or reach the instance itself.
_FORBIDDEN = frozenset(
    {
        "add_parquet_key",
        "arrow_scan",
        "arrow_scan_dumb",
        "checkpoint",
        "create_external_resource",
        "deregister_external_resource",
        "destroy_external_resource",
        "disable_logging",
        "disable_profiling",
        "enable_logging",
        "enable_profiling",
        "force_checkpoint",
        "json_execute_serialized_sql",
        "pandas_scan",
        "python_arrow_scan",
        "python_map_function",
        "query",
        "register_external_resource",
        "register_external_resource_type",
        "seq_scan",
        "truncate_duckdb_logs",
        "write_log",
    }
)


def _denied(what: str) -> SqlError:
    return SqlError(f"permission denied: {what} is not available here", "42501")


def refusal(text: str, kind: str, *, read_only: bool) -> SqlError | None:
    """Why a statement of this type must not run, or None.

    Reads what DuckDB's statement type does not tell from the words.  A pure
    read still runs in a read-only transaction, since reading statements can
    hold writing parts.
    """
    tokens = words(text)
    first = tokens[0].upper or tokens[0].text if tokens else ""
    if kind not in READING and kind not in WRITING:
        return _denied(first or kind)
    if first == "EXPLAIN":
        explained = _explained(text)
        if explained not in _EXPLAINED:
            return _denied(f"EXPLAIN {explained}")
        if explained == "CREATE" and not read_only and any(token.upper == "ANALYZE" for token in tokens):
            return _denied("EXPLAIN ANALYZE CREATE")  # it creates, unguarded
    elif kind == "MULTI" and first not in _MULTIPLE:
        return _denied(first)
    if kind in WRITING or first in ("CREATE", "INSERT"):
        if any(token.upper == "SECRET" for token in tokens[1:5]):
            return _denied(f"{first} SECRET")
        if read_only:
            return READ_ONLY
    return _function_refusal(text)


def _explained(text: str) -> str:
    """The first word of what an EXPLAIN explains."""
    tokens = iter(words(text)[1:])
    depth = 0
    for token in tokens:
        if token.text == "(" and not depth:
            inner = next(tokens, None)
            if inner is None or inner.upper in _EXPLAINED:
                return "(" if inner is None else inner.upper
            depth = 1
        elif depth:
            depth += (token.text == "(") - (token.text == ")")
        elif token.upper != "ANALYZE":
            return token.upper or token.text
    return ""


def _function_refusal(text: str) -> SqlError | None:
    lowered = text.lower()  # one expression for all of them would take the interpreter for 150 ms of a long text
    if not any(name in lowered for name in _FORBIDDEN):
        return None
    tokens = words(text)
    for token, behind in pairwise(tokens):
        name = (name_of(token) or "").lower()
        if name in _FORBIDDEN and behind.text == "(":
            return _denied(f"function {name}")
    return None
