"""One DuckDB connection as fanlight uses it: settings, live relations, one statement and its rows.

Strictly serial: whoever owns it lets one thread in at a time.  DuckDB's own
exceptions come out of it unchanged; the session turns them into answers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from fanlight.relations import Relation
from fanlight.sql.effects import Begin, Interrupt
from fanlight.sql.errors import SqlError
from fanlight.sql.lexer import words

from .constants import is_constant
from .errors import sql_error
from .instance import CATALOG, STREAMED, refusal
from .parsing import read_one
from .relations import PREFIX, Catalogue, Source, live_name, words_of
from .results import Column, Result, Shape, StreamedResult, WrittenResult
from .rows import VERY_MANY, Around, Habit, may_wrap
from .types import as_fetched, is_lossy

PARSED_TEXTS = 64
PARSED_LENGTH = 4096

Wrote = Literal["", "data", "definitions"]

if TYPE_CHECKING:
    from .arrow import TextStream


@frozen
class Parsed:
    """A statement that DuckDB's parser took: the statement, its type's name, its parameters.

    `refused` is why it must not run, for those who may write and for those who may not.
    `words` are those of its text, in lower case.  `constant`: it tells literals only.
    """

    statement: Any
    kind: str
    parameters: frozenset[str]
    refused: tuple[SqlError | None, SqlError | None]
    words: frozenset[str]
    constant: bool
    habit: Habit = field(eq=False)

    def values(self, params: Sequence[str | None]) -> dict[str, str | None] | None:
        """The parameters by name; None for none.  There are as many as it takes."""
        return {name: params[int(name) - 1] for name in self.parameters} or None


class Connection:
    """A cursor of the instance.

    `dirty`: it holds something of its session that no other may find.
    `broken`: a rollback failed, so it is good for nothing.  `wrote`: what the
    open transaction may have changed.
    """

    def __init__(self, cursor: Any, catalogue: Catalogue) -> None:
        self.cursor = cursor
        self.dirty = False
        self.broken = False
        self.in_transaction = False
        self.wrote: Wrote = ""
        self._alone = False  # what runs has no transaction but DuckDB's own
        self._catalogue = catalogue
        self._parsed: OrderedDict[str, Parsed | SqlError] = OrderedDict()
        self._sources: dict[str, Source] = {}
        self._fresh: list[str] = []  # sources registered inside the transaction: a rollback undoes that
        self._applied: tuple[tuple[str, str], ...] = ()
        self._user: str | None = None
        self._stream: TextStream | None = None
        cursor.execute(f"SET streaming_buffer_size = '{STREAMED}'")
        self._begin: dict[str, Any] = {}
        for access in ("read only", "read write"):
            (self._begin[access],) = cursor.extract_statements(f"BEGIN TRANSACTION {access.upper()}")
        (self._commit,) = cursor.extract_statements("COMMIT")
        (self._rollback,) = cursor.extract_statements("ROLLBACK")

    # Statements.

    def parse(self, text: str) -> Parsed | SqlError:
        """What DuckDB's parser makes of one statement."""
        known = self._parsed.get(text)
        if known is not None:
            self._parsed.move_to_end(text)
            return known
        parsed = _parse(self.cursor, text)
        if len(text) <= PARSED_LENGTH:
            self._parsed[text] = parsed
            if len(self._parsed) > PARSED_TEXTS:
                self._parsed.popitem(last=False)
        return parsed

    def identify(self, user: str) -> None:
        """Say whose session this is, for `current_user`.  Not undone by a rollback."""
        if user != self._user:
            quoted = user.replace("'", "''")
            self.cursor.execute(f"SET VARIABLE fanlight_user = '{quoted}'")
            self._user = user

    def apply(self, settings: tuple[tuple[str, str], ...]) -> None:
        """Have the session's settings in force."""
        if settings == self._applied:
            return
        self._applied = ()
        for name, value in settings:
            self.cursor.execute(f"SET {name} = {_setting(name, value)}")
        self._applied = settings

    def execute(
        self, parsed: Parsed, text: str, params: Sequence[str | None], interrupt: Interrupt, separator: bytes = b","
    ) -> Result:
        """Run a statement up to its first row.  Lossy columns of it are fetched as text.

        `separator` is what `Result.batch` is expected to be asked for.
        """
        for source in self._sources.values():
            source.interrupt = interrupt
        values = parsed.values(params)
        if parsed.kind in _CHANGING:
            returned = Shape(self._returned(text) if _returns(text) else [])
            if returned.lossy:
                return self._as_text(text, values, returned)
        result = (
            self._written(parsed, text, values, separator) if parsed.kind == "SELECT" and parsed.habit.many else None
        )
        if result is not None:
            return result
        ran = self.cursor.execute(parsed.statement, values)
        shape = self._shape([(column[0], column[1]) for column in ran.description], parsed.habit)
        if parsed.kind == "SELECT" and shape.lossy:
            self.cursor.abort()
            return self._as_text(text, values, shape)
        return Result(ran, shape, parsed.habit)

    def _shape(self, columns: list[Column], habit: Habit) -> Shape:
        """The shape of a result, which is nearly always that of the last."""
        shape: Shape | None = habit.shape
        if shape is None or shape.described != columns:
            shape = habit.shape = Shape(columns)
        return shape

    def _written(self, parsed: Parsed, text: str, values: Any, separator: bytes) -> Result | None:
        """Run the statement so that DuckDB writes the rows; None, and nothing ran, where it cannot."""
        bound = self._bound(parsed.statement, values) if may_wrap(text) else None
        if bound is None:
            return None
        names, types, *_, writes = bound
        around = Around(text, types)
        if writes or not around.possible:
            return None
        statement = self._around(parsed.habit, around.with_values(), values)
        if statement is None:
            return None
        shape = self._shape(list(zip(names, types, strict=True)), parsed.habit)
        if parsed.habit.rows >= VERY_MANY and (parsed.habit.short or not around.texts):
            from .arrow import TextStream  # and with it ctypes, which most programs never need

            self._stream = TextStream(self.cursor, around.as_text(separator), values)
            return StreamedResult(self._stream, around, separator, shape, parsed.habit)
        return WrittenResult(self.cursor.execute(statement, values), shape, parsed.habit)

    def _around(self, habit: Habit, text: str, values: Any) -> Any:
        """The parsed statement around a query; None if it does not bind."""
        if habit.around[0] != text:
            bound = self._bound(text, values)
            statement = None if bound is None else read_one(self.cursor, text)
            habit.around = (text, None if isinstance(statement, SqlError) else statement)
        return habit.around[1]

    def _bound(self, statement: Any, values: Any) -> tuple[Any, ...] | None:
        """What DuckDB's binder makes of a statement; None where it fails, which the transaction survives."""
        import duckdb

        bind = getattr(self.cursor, "_bind", None)
        try:
            return bind(statement, values=values, with_writes=True) if bind is not None else None
        except duckdb.Error:
            return None

    def _returned(self, text: str) -> list[Column]:
        """The columns of a RETURNING, which cannot be run twice to find out; none if there is no telling."""
        bind = getattr(self.cursor, "_bind", None)
        if bind is None:
            return []
        names, types, *_ = bind(text, with_writes=True)
        return list(zip(names, types, strict=True))

    def _as_text(self, text: str, values: Any, shape: Shape) -> Result:
        """Run the statement so that nothing is lost: what the client would cut off comes as text."""
        aliases = [f"c{at}" for at in range(len(shape.described))]
        outputs = ", ".join(
            f"{alias}::{as_fetched(type_)}" if is_lossy(type_) else alias
            for alias, (_, type_) in zip(aliases, shape.described, strict=True)
        )
        wrapped = f"WITH __rows({', '.join(aliases)}) AS ({text}\n) SELECT {outputs} FROM __rows"
        return Result(self.cursor.execute(wrapped, values), shape)

    # Transactions.

    def begin(self, access: Begin) -> None:
        """Open a transaction, unless `access` is empty."""
        if access:
            self._fresh.clear()
            self.wrote = ""
            self._alone = False
            self.in_transaction = True  # first: an interrupted BEGIN may have begun
            self.cursor.execute(self._begin[access])

    def stands_alone(self, parsed: Parsed, params: Sequence[str | None], definitions: int) -> bool:
        """Whether a statement may run without `begin`, if nothing else is to be in its transaction.

        DuckDB opens and ends one by itself then, in half the time.  Only a query
        that changes nothing may, by what DuckDB's binder says, which is what a
        read-only transaction goes by too; and only one that is not expected to
        have many rows.  The binder is asked again when `definitions` is another
        number, or the settings are others.  If True, that statement is the next to run.
        """
        if parsed.kind != "SELECT" or parsed.habit.many:
            return False
        known = (definitions, self._applied)
        if parsed.habit.harmless != known or self.dirty:
            bound = self._bound(parsed.statement, parsed.values(params))
            if bound is None or bound[-1]:
                return False
            parsed.habit.harmless = known
        self.wrote = ""
        self._alone = True
        return True

    def note(self, kind: str, text: str) -> None:
        """A statement ran that may have written: what it may have changed counts once it is committed."""
        if kind in _CHANGING or (kind in _READING and _has(text, _WRITES)):
            self.wrote = self.wrote or "data"
        elif kind not in _READING:
            self.wrote = "definitions"

    def defines_functions(self, text: str) -> bool:
        """Whether the statement that ran may have defined a function."""
        return self.wrote == "definitions" and _has(text, _FUNCTIONS)

    def commit(self) -> None:
        """Commit, if a transaction is open; raises what DuckDB has against it, and a rollback is due then."""
        self._alone = False
        if self.in_transaction:
            self.cursor.execute(self._commit)
            self.in_transaction = False

    def rollback(self) -> None:
        """Drop what is fetched from and roll back; never raises what a broken transaction would."""
        self.end_statement()
        begun, alone = self.in_transaction, self._alone
        if not begun and not alone:
            return
        self.in_transaction = self._alone = False
        self.wrote = ""
        import duckdb

        try:
            self.cursor.abort()
            if begun:
                self.cursor.execute(self._rollback)
        except duckdb.Error as raised:
            self.broken = sql_error(raised).code != "25P01"  # it may have been gone already
        for name in self._fresh:
            self._sources.pop(name, None)

    def complete(self) -> None:
        """Drop what is still to be fetched; a commit with open rows would lose them silently."""
        self.end_statement()
        self.cursor.abort()

    # Live relations.

    def provide(self, relation: Relation) -> None:
        """Have the source of a relation registered."""
        name = live_name(relation)
        source = self._sources.get(name)
        if source is None or source.relation is not relation:
            source = Source(relation)
            self.cursor.register(name, source)
            self._sources[name] = source
            if self.in_transaction:
                self._fresh.append(name)

    def failed_relation(self) -> str | None:
        """The relation whose rows could not be made for the statement that just failed."""
        return next((source.relation.name for source in self._sources.values() if source.failed), None)

    def end_statement(self) -> None:
        """Let the rows that are left and the snapshots of the statement go."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        for source in self._sources.values():
            source.forget()

    def close(self) -> None:
        """Close it, whatever state it is in."""
        self._sources.clear()
        self._parsed.clear()
        self.cursor.close()


_READING = frozenset({"SELECT", "EXPLAIN"})
# Reading statements that write have one of these words.
_WRITES = ("insert", "update", "delete", "merge", "nextval", "setval")
_FUNCTIONS = ("macro", "function")
_CHANGING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE_INTO"})


def _has(text: str, pieces: Sequence[str]) -> bool:
    lowered = text.lower()
    return any(piece in lowered for piece in pieces)


# The sources of live relations are views of the connection: nobody's tables.
_LISTINGS = {
    f"SHOW {tables}": f"SELECT * FROM (SHOW {tables}) WHERE NOT starts_with(name, '{PREFIX}')"
    for tables in ("TABLES", "ALL TABLES")
}


def _returns(text: str) -> bool:
    return any(token.upper == "RETURNING" for token in words(text))


def _parse(cursor: Any, text: str) -> Parsed | SqlError:
    import duckdb

    try:
        statement = read_one(cursor, _LISTINGS.get(" ".join(text.upper().split()), text))
        if isinstance(statement, SqlError):
            return statement
        kind = statement.type.name
        parameters = frozenset(statement.named_parameters)
        constant = kind == "SELECT" and is_constant(text)
        return Parsed(statement, kind, parameters, _refusals(text, kind), words_of(text), constant, Habit(text))
    except duckdb.Error as raised:
        return sql_error(raised)
    except ValueError:
        # The client's enumeration lacks the newest statement types: none of them is for clients.
        return Parsed(None, "UNKNOWN", frozenset(), _refusals(text, "UNKNOWN"), words_of(text), False, Habit(text))


def _refusals(text: str, kind: str) -> tuple[SqlError | None, SqlError | None]:
    return refusal(text, kind, read_only=False), refusal(text, kind, read_only=True)


def _setting(name: str, value: str) -> str:
    """The value of a setting as a SQL literal; the search path with each schema in our catalog."""
    if name != "search_path":
        return "'" + value.replace("'", "''") + "'"
    schemas = [part.strip().strip('"') for part in value.split(",")]
    quoted = ",".join(_schema(schema) for schema in schemas if schema and schema != "$user")
    return "'" + (quoted or "public").replace("'", "''") + "'"


def _schema(name: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    return quoted if name in ("pg_catalog", "information_schema", "temp") else f'"{CATALOG}".{quoted}'
