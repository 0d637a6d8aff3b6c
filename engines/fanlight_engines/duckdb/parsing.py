"""DuckDB's parser, called so that the host goes on meanwhile.

`extract_statements` holds the interpreter while it parses, some microseconds for
each byte: seconds for the longest texts that are taken.  Two calls beside it let
go of it; they are not public, so where they are missing it is the one that is used.
Nothing here decides what may run, and nothing runs.
"""

from __future__ import annotations

from typing import Any

from fanlight.sql.errors import SqlError
from fanlight.sql.lexer import nesting

LONG = 1024
"""Characters from which on a text is parsed twice, to let the host go on."""

NESTED = 250
"""Brackets that may be open at once.  DuckDB takes expressions of four times that, and no more."""

_TOO_DEEP = SqlError(f"statement is nested too deeply (limit: {NESTED} brackets)", "54001")
_NOT_ONE = SqlError("syntax error: one statement expected", "42601")


def read_one(cursor: Any, text: str) -> Any:
    """The one statement of `text`, as `extract_statements` gives it; `SqlError` if that is not what it holds.

    Raises what DuckDB has against the text, and ValueError for the newest types of statements.
    """
    if nesting(text) > NESTED:
        return _TOO_DEEP
    count, parse = (getattr(cursor, name, None) for name in ("_statement_count", "_prepare_script"))
    if len(text) <= LONG or count is None or parse is None:
        statements = cursor.extract_statements(text)
        return statements[0] if len(statements) == 1 else _NOT_ONE
    # It would run all statements but the last: there must be no other.
    return parse(text, with_statement=True)[-1] if count(text) == 1 else _NOT_ONE
