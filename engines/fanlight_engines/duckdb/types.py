"""DuckDB's types: what clients are told of a column, and what its Python client would lose of it.

Only names and numbers; `duckdb_values` encodes what is in the columns.
"""

from __future__ import annotations

from typing import Any

from fanlight.sql.values import Descriptor

# id: OID, length, OID of the array type.  JSON is a varchar by its id and asked for first.
_TYPES: dict[str, tuple[int, int, int]] = {
    "boolean": (16, 1, 1000),
    "tinyint": (21, 2, 1005),
    "utinyint": (21, 2, 1005),
    "smallint": (21, 2, 1005),
    "usmallint": (23, 4, 1007),
    "integer": (23, 4, 1007),
    "uinteger": (20, 8, 1016),
    "bigint": (20, 8, 1016),
    "ubigint": (1700, -1, 1231),
    "hugeint": (1700, -1, 1231),
    "uhugeint": (1700, -1, 1231),
    "bignum": (1700, -1, 1231),
    "decimal": (1700, -1, 1231),
    "float": (700, 4, 1021),
    "double": (701, 8, 1022),
    "varchar": (25, -1, 1009),
    "enum": (25, -1, 1009),
    "union": (25, -1, 1009),
    "null": (25, -1, 1009),
    "bit": (1562, -1, 1561),
    "blob": (17, -1, 1001),
    "geometry": (17, -1, 1001),
    "date": (1082, 4, 1182),
    "time": (1083, 8, 1183),
    "time_ns": (1083, 8, 1183),
    "time with time zone": (1266, 12, 1270),
    "timestamp": (1114, 8, 1115),
    "timestamp_s": (1114, 8, 1115),
    "timestamp_ms": (1114, 8, 1115),
    "timestamp_ns": (1114, 8, 1115),
    "timestamp with time zone": (1184, 8, 1185),
    "timestamp with time zone_ns": (1184, 8, 1185),
    "interval": (1186, 16, 1187),
    "uuid": (2950, 16, 2951),
    "json": (3802, -1, 3807),
    "variant": (3802, -1, 3807),
    "struct": (2249, -1, 2287),
    "tuple": (2249, -1, 2287),
    "map": (16385, -1, 16384),
}
_LIST_OID = 16384
_WHOLE_NUMBER_38 = ((38 << 16) | 0) + 4


def kind_of(type_: Any) -> str:
    """The name of a type of DuckDB's, without its parameters, in lower case; `json` for JSON."""
    identifier: str = type_.id
    return "json" if identifier == "varchar" and str(type_) == "JSON" else identifier


def children_of(type_: Any) -> list[tuple[str, Any]]:
    """The members of a nested type, by name; none for the tag of a union and the size of an array."""
    kind = type_.id
    if kind not in ("list", "array", "struct", "tuple", "map", "union"):
        return []
    members: list[tuple[str, Any]] = type_.children
    if kind in ("list", "array"):
        return members[:1]
    return [member for member in members if member[0]] if kind == "union" else members


def descriptor(name: str, type_: Any) -> Descriptor:
    """How a column of this type is described to clients."""
    kind = kind_of(type_)
    if kind in ("list", "array"):
        while type_.id in ("list", "array"):
            type_ = children_of(type_)[0][1]
        _, _, array = _TYPES.get(kind_of(type_), (0, 0, _LIST_OID))
        return Descriptor(name, array if kind_of(type_) not in ("struct", "tuple", "map") else _LIST_OID, -1)
    oid, length, _ = _TYPES.get(kind, (25, -1, 1009))
    return Descriptor(name, oid, length, _modifier(kind, type_))


def _modifier(kind: str, type_: Any) -> int:
    if kind == "decimal":
        (_, precision), (_, scale) = type_.children
        return int(((precision << 16) | scale) + 4)
    return _WHOLE_NUMBER_38 if kind in ("hugeint", "uhugeint", "ubigint") else -1


# --- What the client loses. ---

_LOSSY = {"interval": "VARCHAR", "time_ns": "VARCHAR", "variant": "JSON"}


def is_lossy(type_: Any) -> bool:
    """Whether fetching values of this type loses a part of them."""
    return type_.id in _LOSSY or any(is_lossy(child) for _, child in children_of(type_))


def as_fetched(type_: Any) -> str:
    """The type to cast to before fetching, in SQL: nothing is lost of it."""
    kind = type_.id
    if kind == "list":
        return as_fetched(children_of(type_)[0][1]) + "[]"
    if kind == "array":
        return f"{as_fetched(children_of(type_)[0][1])}[{type_.children[1][1]}]"
    if kind == "map":
        (_, key), (_, value) = children_of(type_)
        return f"MAP({as_fetched(key)}, {as_fetched(value)})"
    if kind == "struct":
        members = ", ".join(
            f'"{name.replace(chr(34), chr(34) * 2)}" {as_fetched(child)}' for name, child in children_of(type_)
        )
        return f"STRUCT({members})"
    return _LOSSY.get(kind, str(type_))
