"""How a host publishes a relation of its own: the decorator behind `app.relation`.

    @app.relation(id=int, state=str, since=datetime)
    def orders():
        return [(order.id, order.state, order.since) for order in open_orders]

This module reads a declaration, checks it while the host starts, and turns the
rows that the function returns into cells.  It never calls the function itself:
that happens when a statement reads the relation, in a worker thread.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from operator import index
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from attrs import field, frozen

from .relations import COLUMN_TYPES, Column, ColumnType, Relation

Source = TypeVar("Source", bound=Callable[[], Iterable[Any]])

OPTIONS = ("name", "columns", "doc", "schema", "cost", "privileged", "replace", "version")
"""What a declaration may say beside its columns.  A *type* under one of these names is a column."""

TYPES: Mapping[type, ColumnType] = {
    bool: "boolean",
    int: "bigint",
    float: "double",
    Decimal: "double",
    str: "text",
    datetime: "timestamptz",
    dict: "json",
    list: "json",
}
"""The column type that a Python type stands for."""

RESERVED_SCHEMAS = frozenset(
    {"information_schema", "main", "mz_catalog", "mz_internal", "pg_catalog", "process", "temp"}
)
"""Schemas that belong to the engine and to fanlight's own relations."""

MOST_COLUMNS = 1000
"""Columns of one relation."""
LONGEST_NAME = 63
"""Characters of a name; PostgreSQL, whose clients come here too, keeps no more."""

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def relation(registry: dict[str, Relation], /, **declared: Any) -> Callable[[Source], Source]:
    """A decorator that puts the function under it into `registry` as a relation.

    Keywords whose value is a type (`id=int`, `name=str`, `since=datetime | None`;
    see `TYPES`) are columns, in order.  Instead of them `columns=` takes `Column`
    values.  The options: `name` (default: the function's), `doc` (default: its
    docstring), `schema` (default `public`), `cost` (what a read costs, in words),
    `privileged` (for internal users and superusers only), `replace` (take the
    place of a relation published before), `version` (a function whose result
    changes whenever the rows may have changed: while it does not, SUBSCRIBE
    reads no rows).

    The function takes no argument and returns rows: sequences of as many values
    as there are columns, mappings by column name, or objects with attributes of
    those names.  It is called once for each statement that reads the relation,
    in a worker thread, so it must be safe there.  It comes back unchanged.

    Raises `TypeError` or `ValueError` for a declaration that cannot work.
    """
    options, columns = _split(declared)

    def publish(source: Source) -> Source:
        made = _made(source, options, columns)
        if made.name in registry and not options.get("replace", False):
            raise ValueError(f"relation {made.name!r} is already published (replace=True puts a new one in its place)")
        registry[made.name] = made
        return source

    return publish


@frozen
class Cells:
    """The rows of `source` as tuples of cells, in the order of `columns`.

    Calling it calls `source` and returns an iterator.  While that is read it
    raises `ValueError` for a row that does not fit; the message names relation,
    row and column, never a value.

    Rows are read one by one, so `source` may be a generator of any length.
    None is NULL in every column.
    """

    name: str
    columns: tuple[Column, ...]
    source: Callable[[], Iterable[Any]] = field(repr=False)

    def __call__(self) -> Iterator[tuple[Any, ...]]:
        readers = [(column.name, _READERS[column.type]) for column in self.columns]
        for number, row in enumerate(self.source(), 1):
            values = self._values(number, row)
            try:
                yield tuple(
                    [value if value is None else read(value) for value, (_, read) in zip(values, readers, strict=True)]
                )
            except (TypeError, ValueError, OverflowError, RecursionError):
                # The usual row is read in one expression; only one that fails is looked at cell by cell.
                raise self._misfit(number, values) from None

    def _values(self, number: int, row: Any) -> Sequence[Any]:
        """The values of a row in the order of the columns; `ValueError` where it has not got them.

        A mapping may leave names out (NULL) and have others; an object must
        have all: a missing attribute is a misspelt one.
        """
        if isinstance(row, tuple | list):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"relation {self.name!r}, row {number}: {len(row)} values for {len(self.columns)} columns"
                )
            return row
        if isinstance(row, Mapping):
            return [row.get(column.name) for column in self.columns]
        try:
            return [getattr(row, column.name) for column in self.columns]
        except AttributeError as error:
            raise ValueError(
                f"relation {self.name!r}, row {number}: a {type(row).__name__} has no {error.name!r}"
            ) from None

    def _misfit(self, number: int, values: Sequence[Any]) -> ValueError:
        """The error about the first cell of a row that its column cannot take.

        Types are named, values never: they are the host's data and errors are
        shown to whoever sent the statement.
        """
        where = f"relation {self.name!r}, row {number}"
        for column, value in zip(self.columns, values, strict=True):
            try:
                if value is not None:
                    _READERS[column.type](value)
            except (TypeError, ValueError, OverflowError, RecursionError):
                return ValueError(f"{where}: column {column.name!r} is {column.type}, not {type(value).__name__}")
        return ValueError(f"{where}: does not fit the columns")


def _split(declared: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[Column, ...]]:
    """What was declared, as options and columns.

    Checks both.  A name of `OPTIONS` is an option unless its value is a type,
    so a relation may have columns called `name` or `cost`.
    """
    options = {name: value for name, value in declared.items() if name in OPTIONS and not _is_type(value)}
    typed = {name: value for name, value in declared.items() if name not in options}
    given = options.get("columns")
    if given is not None and typed:
        raise TypeError("columns are given either as columns=(…) or as keywords, not both")
    columns = tuple(given) if given is not None else tuple(Column(n, _column_type(n, t)) for n, t in typed.items())
    _check_options(options)
    _check_columns(columns)
    return options, columns


def _is_type(value: object) -> bool:
    """Whether a keyword declares a column: `int`, `int | None`, `list[str]`, not `"orders"` or True."""
    return isinstance(value, type | UnionType) or get_origin(value) is not None


def _column_type(name: str, annotation: Any) -> ColumnType:
    """The column type for `int`, `int | None`, `Optional[int]`, `list[str]` and the like.

    Every column takes NULL, so `| None` changes nothing; a union of two types
    has no column type.  `TypeError` names the column.
    """
    plain = annotation
    if get_origin(annotation) in (Union, UnionType):
        some = [choice for choice in get_args(annotation) if choice is not type(None)]
        plain = some[0] if len(some) == 1 else None
    found = TYPES.get(get_origin(plain) or plain or type(None))
    if found is None:
        known = ", ".join(kind.__name__ for kind in TYPES)
        raise TypeError(f"column {name!r}: the type is one of {known} (or one of them | None), not {annotation!r}")
    return found


def _check_options(options: Mapping[str, Any]) -> None:
    """The types of the options, and the schema; `TypeError` or `ValueError`."""
    for option in ("name", "doc", "schema", "cost"):
        if not isinstance(options.get(option, ""), str):
            raise TypeError(f"{option}= is a string (or a type, for a column of that name)")
    for option in ("privileged", "replace"):
        if not isinstance(options.get(option, False), bool):
            raise TypeError(f"{option}= is True or False (or a type, for a column of that name)")
    if options.get("version") is not None:
        if not callable(options["version"]):
            raise TypeError("version= is a function without arguments (or a type, for a column of that name)")
        _check_arguments(options["version"], "version=")
    schema = options.get("schema", "public")
    _check_name("schema", schema)
    if schema in RESERVED_SCHEMAS:
        raise ValueError(f"schema {schema!r} is reserved")


def _check_columns(columns: Sequence[Any]) -> None:
    """Names and types of the columns, and their number.

    Names are unique without regard to case, since SQL has none in bare names.
    """
    seen: set[str] = set()
    for column in columns:
        if not isinstance(column, Column):
            raise TypeError(f"columns= takes Column values, not {type(column).__name__}")
        if not _COLUMN_NAME.fullmatch(column.name) or len(column.name) > LONGEST_NAME:
            raise ValueError(f"column {column.name!r}: a name is at most {LONGEST_NAME} letters, digits and _")
        if column.type not in COLUMN_TYPES:
            raise ValueError(f"column {column.name!r}: the type is one of {', '.join(COLUMN_TYPES)}")
        if column.name.lower() in seen:
            raise ValueError(f"column {column.name!r} is there twice (case does not count)")
        seen.add(column.name.lower())
    if not 0 < len(columns) <= MOST_COLUMNS:
        raise ValueError(f"a relation has 1 to {MOST_COLUMNS} columns: give types, as in relation(id=int, state=str)")


def _check_name(what: str, name: str) -> None:
    """SQL folds names to lower case, and two leading underscores are the engine's own."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME or name.startswith("__"):
        raise ValueError(
            f"{what} {name!r}: a name is at most {LONGEST_NAME} lower-case letters, digits and _, "
            "and starts with a letter or one _"
        )


def _made(source: Callable[[], Iterable[Any]], options: Mapping[str, Any], columns: tuple[Column, ...]) -> Relation:
    """The relation that `source` and its declaration make.

    Async functions are refused here, while the host starts, and not when the
    first statement reads them.
    """
    if isinstance(source, type) or not callable(source):
        raise TypeError("a relation is published by a function that returns rows")
    if inspect.iscoroutinefunction(source) or inspect.isasyncgenfunction(source):
        raise TypeError("a relation's function is not async: it is called in a worker thread, outside every event loop")
    _check_arguments(source, "a relation's function")
    name = str(options.get("name") or getattr(source, "__name__", ""))
    _check_name("relation", name)
    return Relation(
        name=name,
        columns=columns,
        rows=Cells(name, columns, source),
        doc=options.get("doc") or inspect.getdoc(source) or "",
        cost=options.get("cost", ""),
        privileged=options.get("privileged", False),
        schema=options.get("schema", "public"),
        version=options.get("version"),
    )


def _check_arguments(source: Callable[..., Any], what: str) -> None:
    """`TypeError` for a function with a parameter that has no default."""
    try:
        inspect.signature(source).bind()
    except TypeError:
        raise TypeError(f"{what} is called without arguments") from None
    except ValueError:
        pass  # Some built-in callables tell no signature.


def _bigint(value: Any) -> int:
    """Whatever is a whole number by `__index__`, numpy's too; floats are not, even 1.0."""
    number = index(value)
    if not -(2**63) <= number < 2**63:
        raise OverflowError
    return number


def _integer(value: Any) -> int:
    """As `_bigint`, in 32 bits."""
    number = _bigint(value)
    if not -(2**31) <= number < 2**31:
        raise OverflowError
    return number


def _double(value: Any) -> float:
    """Any number, NaN and the infinities included; `float` would also read text, which is no number here."""
    if isinstance(value, str | bytes):
        raise TypeError
    return float(value)


def _boolean(value: Any) -> bool:
    """True or False and nothing that is merely true."""
    if not isinstance(value, bool):
        raise TypeError
    return value


def _timestamp(value: Any) -> float:
    """Unix seconds.  A datetime without a zone is UTC: the core does not ask where the machine stands."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    seconds = _double(value)
    if not isfinite(seconds):
        raise ValueError
    return seconds


def _document(value: Any) -> str:
    """JSON text; what JSON cannot say (a date, an object) becomes a string."""
    # Encoded once to find lone surrogates, which no client could be sent.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    text.encode()
    return text


def _text(value: Any) -> str:
    """`str(value)`; ValueError (UnicodeEncodeError) for lone surrogates, which no client could be sent."""
    text = str(value)
    if not text.isascii():
        text.encode()
    return text


_READERS: Mapping[ColumnType, Callable[[Any], Any]] = {
    "bigint": _bigint,
    "integer": _integer,
    "double": _double,
    "boolean": _boolean,
    "text": _text,
    "timestamptz": _timestamp,
    "json": _document,
}
