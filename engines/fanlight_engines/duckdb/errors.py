"""DuckDB's exceptions as SQL errors: SQLSTATE, message, detail, hint, position.

DuckDB is asked to write its messages as JSON, which tells the class, the kind
of object and the place.  Nothing of ours gets into a message: what a live
relation raised is replaced before (see `duckdb_relations`).
"""

from __future__ import annotations

import json
import re
from typing import Any

from fanlight.sql.errors import CANCELLED, SqlError

# The class of an exception, as `exception_type` spells it.
_CLASSES = {
    "Parser": "42601",
    "Syntax": "42601",
    "Catalog": "42P01",
    "Binder": "42601",
    "Conversion": "22P02",
    "Out of Range": "22003",
    "Invalid Input": "22023",
    "Invalid type": "22023",
    "Constraint": "23505",
    "TransactionContext": "25000",
    "INTERRUPT": "57014",
    "Out of Memory": "53200",
    "Permission": "42501",
    "IO": "58030",
    "HTTP": "58030",
    "Not implemented": "0A000",
    "Dependency": "2BP01",
    "Mismatch Type": "42804",
    "Sequence": "55000",
}

_MISSING = {
    "Table": "42P01",
    "View": "42P01",
    "Sequence": "42P01",
    "Schema": "3F000",
    "Type": "42704",
    "configuration parameter": "42704",
}
_EXISTING = {"Table": "42P07", "View": "42P07", "Index": "42P07", "Sequence": "42P07", "Schema": "42P06"}

# Within a class: a piece of the message, and the SQLSTATE that it means.  The first that fits wins.
_FINER: dict[str, tuple[tuple[str, str], ...]] = {
    "Catalog": (
        ("because schema", "3F000"),
        ("write-write conflict", "40001"),
        ("Column with name", "42701"),
        ("trying to drop type", "42809"),
        ("internal system entry", "42501"),
        ("unrecognized configuration", "42704"),
    ),
    "Binder": (
        ("No function matches", "42883"),
        ("best candidate", "42883"),
        ("Cannot compare values", "42883"),
        ("term out of range", "42P10"),
        ("GROUP BY", "42803"),
        ("must appear in", "42803"),
        ("cannot contain aggregates", "42803"),
        ("cannot contain window functions", "42P20"),
        ("Ambiguous reference to table", "42712"),
        ("Ambiguous", "42702"),
        ("Duplicate column name", "42701"),
        ("Referenced table", "42P01"),
        ("Referenced column", "42703"),
        ("does not have a column", "42703"),
        ("on left side of join", "42703"),
        ("on right side of join", "42703"),
        ("Referenced update column", "42703"),
        ("Could not find key", "42703"),
        ("expression depth", "54001"),
    ),
    "Parser": (("expression depth", "54001"),),
    "Conversion": (
        ("Unimplemented type for cast", "42846"),
        ("Could not cast value", "22003"),
        ("date field value", "22008"),
        ("time field value", "22008"),
        ("timestamp field value", "22008"),
        ("out of range", "22003"),
    ),
    "Invalid Input": (
        ("Division by zero", "22012"),
        ("More than one row returned", "21000"),
        ("Malformed JSON", "22P02"),
        ("Could not parse string", "22007"),
        ("Values were not provided", "08P01"),
        ("excess parameters", "08P01"),
        ("configuration has been locked", "42501"),
    ),
    "Constraint": (
        ("Duplicate key", "23505"),
        ("NOT NULL", "23502"),
        ("foreign key", "23503"),
        ("CHECK", "23514"),
    ),
    "TransactionContext": (
        ("transaction is aborted", "25P02"),
        ("no transaction is active", "25P01"),
        ("within a transaction", "25001"),
        ("read-only mode", "25006"),
        ("duplicate key", "23505"),
        ("onflict", "40001"),
    ),
}

_ADVICE = re.compile(r' Use "SET [^"]*" to .*')
_PREFIX = re.compile(r"^[A-Za-z ]+ Error: ")
_HINTS = ("Did you mean", "Use DROP", "Either add", "Please ", "Consider ")

READ_ONLY = SqlError("cannot write in a read-only transaction", "25006")
_DIVISION = SqlError("division by zero", "22012")


def sql_error(raised: BaseException) -> SqlError:
    """What a client is told of an exception of DuckDB's."""
    if type(raised).__name__ == "InterruptException":
        return CANCELLED
    fields = _fields(raised)
    kind = fields.get("exception_type", "")
    code = _code(kind, fields)
    if code == "22012":
        return _DIVISION
    if code == "25006":
        return READ_ONLY
    message, detail, hint = _parts(fields["exception_message"])
    position = fields.get("position", "")
    return SqlError(message, code, detail, hint, int(position) if position.isdigit() else None)


def missing_table(raised: BaseException) -> str | None:
    """The name of the table that a statement did not find, if that is what went wrong."""
    fields = _fields(raised)
    if fields.get("error_subtype") == "MISSING_ENTRY" and fields.get("type") == "Table":
        return fields.get("name")
    return None


def _fields(raised: BaseException) -> dict[str, str]:
    """The members of a JSON message; of any other the class, by its name, and the text."""
    text = str(raised)
    start = text.find("{")
    if start >= 0 and text.endswith("}"):
        try:
            members: Any = json.loads(text[start:])
        except ValueError:
            members = None
        if isinstance(members, dict) and "exception_message" in members:
            return {str(name): str(value) for name, value in members.items()}
    return {"exception_type": _class_of(raised), "exception_message": _PREFIX.sub("", text).split("\n\nLINE ")[0]}


def _class_of(raised: BaseException) -> str:
    """The `exception_type` that the class of an exception of the Python layer stands for."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(raised).__name__.removesuffix("Exception"))
    wanted = spaced.replace(" ", "").lower()
    return next((kind for kind in _CLASSES if kind.replace(" ", "").lower() == wanted), spaced)


def _code(kind: str, fields: dict[str, str]) -> str:
    subtype, entry = fields.get("error_subtype"), fields.get("type", "")
    if kind == "Catalog" and subtype in ("MISSING_ENTRY", "ENTRY_ALREADY_EXISTS"):
        table = _MISSING if subtype == "MISSING_ENTRY" else _EXISTING
        if entry.endswith("Function"):
            return "42883" if table is _MISSING else "42723"
        return table.get(entry, "42704" if table is _MISSING else "42710")
    if subtype == "COLUMN_NOT_FOUND":
        return "42703"
    message = fields["exception_message"]
    for piece, code in _FINER.get(kind, ()):
        if piece in message:
            return code
    return _CLASSES.get(kind, "XX000")


def _parts(message: str) -> tuple[str, str | None, str | None]:
    """DuckDB puts advice below its message: the first line, the rest as detail or as hint."""
    first, _, rest = message.partition("\n")
    first, rest = _ADVICE.sub("", first), rest.strip()
    if not rest or rest.startswith(('Use "SET', "Database is launched")):  # settings that nobody can change here
        return first, None, None
    return (first, None, rest) if rest.startswith(_HINTS) else (first, rest, None)
