"""Statements: what the session layer carries out itself, as values, and what is common to all.

`grammar` reads them; a session carries them out.  Everything that is not ours
is `Run`: its text goes to the engine, which alone decides whether it may run.
"""

from __future__ import annotations

from typing import Literal

from attrs import evolve, frozen

from .errors import SqlError, unsupported
from .lexer import words


@frozen
class Run:
    """For the engine.  `first` is the first word in upper case, "" if it is none."""

    first: str = ""


@frozen
class Begin:
    """Start a transaction block; `read_only` is None where the statement does not say."""

    read_only: bool | None = None


@frozen
class Commit:
    """End the transaction block and keep what it did."""


@frozen
class Rollback:
    """End the transaction block and undo what it did."""


@frozen
class Set:
    """Set a variable; `value` None is its default.  `local`: until the transaction ends."""

    name: str
    value: str | None
    local: bool = False


@frozen
class SetTransaction:
    """Change the current transaction's access."""

    read_only: bool | None


@frozen
class AlterSystem:
    """Change a system variable; `value` None is its default, `name` None all of them."""

    name: str | None
    value: str | None


@frozen
class Reset:
    """Give a variable its starting value; all of them for None."""

    name: str | None


@frozen
class Show:
    """One variable, or all of them for None."""

    name: str | None


@frozen
class Discard:
    """Forget session state: `ALL`, `TEMP`, `PLANS` or `SEQUENCES`."""

    what: str


@frozen
class Prepare:
    """Keep `body`, whose offset is that in this statement, under `name`; `types` are the declared parameter types."""

    name: str
    types: tuple[str, ...]
    body: Statement


@frozen
class Execute:
    """Run what was prepared as `name` with `arguments`, each the text of an expression."""

    name: str
    arguments: tuple[str, ...]


@frozen
class Deallocate:
    """Forget a prepared statement, or all of them for None."""

    name: str | None


@frozen
class CancelBackend:
    """Cancel what the session of this number runs, None for that in `$1`; `column` is the name of the answer."""

    number: int | None
    column: str


@frozen
class Envelope:
    """How changes are told by key: `upsert` (the new values) or `debezium` (those before and after)."""

    kind: Literal["upsert", "debezium"]
    key: tuple[str, ...]


@frozen
class OrderItem:
    """A column of what is sent, to sort the rows of one timestamp by."""

    column: str
    descending: bool = False
    nulls_first: bool = False


@frozen
class AsOf:
    """Where a subscription is to start, None for now."""

    instant: Instant | None
    at_least: bool = False


@frozen
class Subscribe:
    """A stream of the changes of `query`; only WebSocket carries one.

    `query` is a statement for the engine, its offset that in this statement.
    `poll` is in seconds, None for the server's.  No change of the instant
    `up_to` or later is told.
    """

    query: Statement
    envelope: Envelope | None = None
    order: tuple[OrderItem, ...] = ()
    snapshot: bool = True
    progress: bool = False
    poll: float | None = None
    as_of: AsOf | None = None
    up_to: Instant | None = None


@frozen
class Prohibited:
    """A statement that neither transport offers."""


Action = (
    Run
    | Begin
    | Commit
    | Rollback
    | Set
    | SetTransaction
    | AlterSystem
    | Reset
    | Show
    | Discard
    | Prepare
    | Execute
    | Deallocate
    | CancelBackend
    | Subscribe
    | Prohibited
)


@frozen
class Statement:
    """One statement: its text without the semicolon, what it asks for, its byte offset in the query string.

    `offset` is None where the text is not a piece of what the client sent.
    """

    text: str
    action: Action
    offset: int | None = None

    @property
    def engine(self) -> bool:
        """Whether the engine runs it."""
        return isinstance(self.action, Run)


Instant = int | Statement
"""Milliseconds since the epoch, or a query of one value that says when."""


def substituted(body: Statement, types: tuple[str, ...], arguments: tuple[str, ...]) -> Statement:
    """A prepared statement with its `$n` replaced by argument expressions, for the engine.

    The caller has checked their number.  Each argument is put in parentheses
    with a line break behind it, so that nothing in it reaches further.
    """
    pieces: list[str] = []
    behind = 0
    for token in words(body.text):
        if token.kind == "param" and token.text[1:].isdigit():
            index = int(token.text[1:]) - 1
            value = f"({arguments[index]}\n)"
            pieces += [body.text[behind : token.start], f"cast({value} as {types[index]})" if types else value]
            behind = token.end
    return evolve(body, text="".join([*pieces, body.text[behind:]]), offset=None)


def prepared_body(statement: Statement, action: Prepare) -> Statement:
    """What a PREPARE keeps, placed in the query string."""
    return _placed(statement, action.body)


def subscribed_query(statement: Statement) -> Statement | None:
    """The query that a SUBSCRIBE watches, placed in the query string; None for any other statement."""
    return _placed(statement, statement.action.query) if isinstance(statement.action, Subscribe) else None


def _placed(statement: Statement, inside: Statement) -> Statement:
    """A part of `statement`, whose offset is that in it, in terms of what `statement` is a piece of."""
    known = statement.offset is not None and inside.offset is not None
    return evolve(inside, offset=(statement.offset or 0) + (inside.offset or 0) if known else None)


def places(text: str) -> int:
    """How many parameters a statement needs: the highest `$n`."""
    numbers = (token.text[1:] for token in words(text) if token.kind == "param")
    return max((int(number) for number in numbers if number.isdigit()), default=0)


# --- Tags. ---

_MODIFIERS = frozenset({"OR", "REPLACE", "TEMP", "TEMPORARY", "UNIQUE", "PERSISTENT", "RECURSIVE", "LOCAL", "GLOBAL"})
_COUNTED = {"INSERT": "INSERT 0 ", "UPDATE": "UPDATE ", "DELETE": "DELETE ", "MERGE": "MERGE ", "COPY": "COPY "}


def tag_of(statement: Statement, command: str, count: int) -> str:
    """The tag of an engine statement that returned no rows.

    `command` is what the engine says it was (`INSERT`, `CREATE`, …), `count`
    the rows it changed.
    """
    first = statement.action.first if isinstance(statement.action, Run) else ""
    if first == "TRUNCATE":
        return "TRUNCATE TABLE"
    if command in _COUNTED:
        return f"{_COUNTED[command]}{count}"
    if first in ("CREATE", "DROP", "ALTER"):
        for token in words(statement.text)[1:]:
            if token.upper not in _MODIFIERS:
                return f"{first} {token.upper}".rstrip()
    return first or command


def prohibited(statement: Statement, *, streams: bool) -> SqlError | None:
    """The refusal of a statement that a transport does not offer; `streams`: it carries SUBSCRIBE."""
    if isinstance(statement.action, Prohibited) or (not streams and isinstance(statement.action, Subscribe)):
        return unsupported(statement.text)
    return None
