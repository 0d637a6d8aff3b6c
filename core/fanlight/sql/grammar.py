"""The session layer's own grammar: text in, `statements` out.

Transaction control, variables and prepared statements are read here, so that no
engine needs to know them and none sees another's dialect.  What begins with any
other word is left to the engine unread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from attrs import evolve

from .errors import SqlError, Unreadable, not_supported
from .lexer import name_of, open_comment, size, split, string_value
from .reading import Words
from .statements import (
    Action,
    AlterSystem,
    Begin,
    CancelBackend,
    Commit,
    Deallocate,
    Discard,
    Execute,
    Prepare,
    Prohibited,
    Reset,
    Rollback,
    Run,
    Set,
    SetTransaction,
    Show,
    Statement,
    Subscribe,
)
from .subscribe_text import read_subscribe


def read_script(text: str) -> tuple[Statement, ...]:
    """The statements of `text`, in order.  Raises `Unreadable` with 42601 or 0A000.

    Costs about half a microsecond a byte, so long texts are read by a worker
    (`effects.ReadScript`), and short ones, which come again, are remembered.
    """
    return _remembered(text) if len(text) <= _SHORT else _read(text)


def _read(text: str) -> tuple[Statement, ...]:
    statements: list[Statement] = []
    behind, offset = 0, 0
    end = 0
    for span in split(text):
        offset += size(text[behind : span.start])
        behind, end = span.start, span.end
        statements.append(_placed(text[span.start : span.end], span.first, offset))
    comment = open_comment(text, end)
    if comment is not None:
        raise Unreadable(SqlError("unterminated comment", "42601", position=size(text[:comment])))
    return tuple(statements)


def _placed(text: str, first: str, offset: int) -> Statement:
    """A statement that begins at the byte `offset`; so much further on is what is wrong with it."""
    try:
        return read_statement(text, first, offset)
    except Unreadable as refusal:
        found = refusal.error.position
        raise Unreadable(evolve(refusal.error, position=None if found is None else found + offset)) from None


_SHORT = 512
_remembered = lru_cache(maxsize=64)(_read)


def read_statement(text: str, first: str, offset: int | None = None) -> Statement:
    """One statement whose first word is `first`; raises `Unreadable`."""
    reader = _READERS.get(first)
    if first == "SELECT" and _CANCEL in text.lower():
        reader = _cancel
    action: Action = Run(first) if reader is None else reader(Words(text))
    return Statement(text, action, offset)


# --- Transactions. ---


def _begin(source: Words) -> Action:
    if not source.take("WORK"):
        source.take("TRANSACTION")
    return Begin(_modes(source))


def _start(source: Words) -> Action:
    if not source.take("TRANSACTION"):
        raise source.unexpected()
    return Begin(_modes(source))


_LEVELS = (("READ", "UNCOMMITTED"), ("READ", "COMMITTED"), ("REPEATABLE", "READ"), ("SERIALIZABLE",))


def _modes(source: Words) -> bool | None:
    """Transaction modes; every isolation level is given the engine's snapshots, which keep what it promises."""
    read_only: bool | None = None
    while source:
        if source.take("READ", "ONLY"):
            read_only = True
        elif source.take("READ", "WRITE"):
            read_only = False
        elif source.take("DEFERRABLE") or source.take("NOT", "DEFERRABLE"):
            pass  # snapshots never wait
        elif not (source.take("ISOLATION", "LEVEL") and any(source.take(*level) for level in _LEVELS)):
            raise source.unexpected()
        if source and not source.take(","):
            continue
    return read_only


def _ending(source: Words) -> None:
    if not source.take("WORK"):
        source.take("TRANSACTION")
    if source.take("AND", "CHAIN"):
        raise Unreadable(not_supported("AND CHAIN"))
    source.take("AND", "NO", "CHAIN")
    source.end()


def _commit(source: Words) -> Action:
    if source.take("PREPARED"):
        raise Unreadable(not_supported("COMMIT PREPARED"))
    _ending(source)
    return Commit()


def _rollback(source: Words) -> Action:
    if source.peek() in ("TO", "PREPARED") or source.peek(1) == "TO":
        raise Unreadable(not_supported("ROLLBACK " + source.peek()))
    _ending(source)
    return Rollback()


def _savepoint(source: Words) -> Action:
    raise Unreadable(not_supported("SAVEPOINT"))


# --- Variables. ---


def _set(source: Words) -> Action:
    if source.peek() in ("VARIABLE", "GLOBAL") and source.peek(1) not in ("=", "TO"):
        return Run("SET")  # dialects of an engine: its own gate refuses them
    local = source.take("LOCAL")
    if not local and source.peek() == "SESSION" and source.peek(1) not in ("=", "TO"):
        source.next()
    if source.take("TIME", "ZONE"):
        zone = None if source.take("LOCAL") else _value(source)
        return Set("timezone", zone, local)
    if source.take("NAMES"):
        return Set("client_encoding", _value(source), local)
    if source.take("TRANSACTION"):
        return SetTransaction(_modes(source))
    if source.peek() in ("CHARACTERISTICS", "ROLE", "AUTHORIZATION"):
        raise Unreadable(not_supported(f"SET {source.peek()}"))
    if source.peek() == "SCHEMA" and source.peek(1) not in ("=", "TO"):
        source.next()
        return Set("search_path", _value(source), local)
    name = _variable(source)
    if not (source.take("=") or source.take("TO")):
        raise source.unexpected()
    return Set(name, _value(source), local)


def _alter(source: Words) -> Action:
    """ALTER SYSTEM; whatever else is altered is the engine's."""
    if not source.take("SYSTEM"):
        return Run("ALTER")
    if source.take("RESET"):
        name = None if source.take("ALL") else _variable(source)
        source.end()
        return AlterSystem(name, None)
    if not source.take("SET"):
        raise source.unexpected()
    name = _variable(source)
    if not (source.take("=") or source.take("TO")):
        raise source.unexpected()
    return AlterSystem(name, _value(source))


def _variable(source: Words) -> str:
    name = source.name()
    while source.take("."):
        name += "." + source.name()
    return name


def _value(source: Words) -> str | None:
    """A value or a list of them, as one string; None for DEFAULT."""
    if source.take("DEFAULT"):
        source.end()
        return None
    values = [_single(source)]
    while source.take(","):
        values.append(_single(source))
    source.end()
    return ", ".join(values)


def _single(source: Words) -> str:
    sign = "-" if source.take("-") else ""
    if not sign:
        source.take("+")
    token = source.next()
    if token.kind == "number":
        return sign + token.text
    if token.kind == "string" and not sign:
        return string_value(token.text)
    name = None if sign else name_of(token)
    if name is None:
        raise source.unexpected(token)
    return name


def _reset(source: Words) -> Action:
    if source.peek() in ("VARIABLE", "GLOBAL") and source.peek(1):
        return Run("RESET")
    if source.take("ALL"):
        source.end()
        return Reset(None)
    name = "timezone" if source.take("TIME", "ZONE") else _variable(source)
    source.end()
    return Reset(name)


# SHOW of these lists objects, and an engine knows how.
_LISTINGS = frozenset({"TABLES", "SCHEMAS", "DATABASES", "COLUMNS", "VIEWS", "INDEXES"})


def _show(source: Words) -> Action:
    if source.peek() in _LISTINGS or (source.peek() == "ALL" and source.peek(1) == "TABLES"):
        return Run("SHOW")
    if source.take("ALL"):
        source.end()
        return Show(None)
    if source.take("TIME", "ZONE"):
        name = "timezone"
    elif source.take("TRANSACTION", "ISOLATION", "LEVEL"):
        name = "transaction_isolation"
    else:
        name = _variable(source)
    source.end()
    return Show(name)


def _discard(source: Words) -> Action:
    what = source.next()
    source.end()
    if what.upper not in ("ALL", "TEMP", "TEMPORARY", "PLANS", "SEQUENCES"):
        raise source.unexpected(what)
    return Discard(what.upper.removesuffix("ORARY"))


# --- Prepared statements. ---


def _prepare(source: Words) -> Action:
    name = source.name()
    types = _listed(source) if source.peek() == "(" else ()
    if not source.take("AS"):
        raise source.unexpected()
    if not source:
        raise source.unexpected()
    begin = source.tokens[source.at]
    body = _placed(source.rest(), begin.upper, size(source.text[: begin.start]))
    if isinstance(body.action, Prohibited):
        return Prohibited()
    if not isinstance(body.action, Run | Subscribe):
        raise source.unexpected()
    return Prepare(name, types, body)


def _execute(source: Words) -> Action:
    name = source.name()
    arguments = _listed(source) if source.peek() == "(" else ()
    source.end()
    return Execute(name, arguments)


def _listed(source: Words) -> tuple[str, ...]:
    """The texts between commas, inside one pair of parentheses."""
    start = source.next().end
    items: list[str] = []
    depth = 1
    while depth:
        token = source.next()
        if token.text in ("(", "[", "{"):
            depth += 1
        elif token.text in (")", "]", "}"):
            depth -= 1
        if not depth or (depth == 1 and token.text == ","):
            items.append(source.text[start : token.start].strip())
            start = token.end
    if not all(items):
        raise source.unexpected(source.tokens[source.at - 1])
    return tuple(items)


def _deallocate(source: Words) -> Action:
    if source.peek() == "PREPARE" and source.peek(1):
        source.next()
    name = None if source.take("ALL") else source.name()
    source.end()
    return Deallocate(name)


_CANCEL = "pg_cancel_backend"


def _cancel(source: Words) -> Action:
    """`select pg_cancel_backend(N) [[as] name]`, which waits for no engine; any other use of it is no function."""
    source.take("PG_CATALOG", ".")
    if not (source.take(_CANCEL.upper(), "(") and source):
        return Run("SELECT")
    number = source.next().text
    if source.take(":", ":") and not (source and source.next().upper in _WHOLE_NUMBERS):
        return Run("SELECT")
    counted = number.isdecimal() and number.isascii() and len(number) <= _DIGITS
    if not (counted or number == "$1") or not source.take(")"):
        return Run("SELECT")
    source.take("AS")
    column = name_of(source.next()) if source else _CANCEL
    return Run("SELECT") if source or column is None else CancelBackend(int(number) if counted else None, column)


_DIGITS = 18
_WHOLE_NUMBERS = ("INTEGER", "INT", "INT4", "BIGINT", "INT8")


# --- Statements that are refused or carried elsewhere. ---


def _copy(source: Words) -> Action:
    """COPY from and to the client is prohibited; any other is the engine's to judge."""
    depth = 0
    while source:
        token = source.next()
        depth += (token.text == "(") - (token.text == ")")
        if not depth and token.upper in ("TO", "FROM") and source.peek() in ("STDIN", "STDOUT"):
            return Prohibited()
    return Run("COPY")


_READERS: dict[str, Callable[[Words], Action]] = {
    "BEGIN": _begin,
    "START": _start,
    "COMMIT": _commit,
    "END": _commit,
    "ROLLBACK": _rollback,
    "ABORT": _rollback,
    "SAVEPOINT": _savepoint,
    "RELEASE": _savepoint,
    "ALTER": _alter,
    "SET": _set,
    "RESET": _reset,
    "SHOW": _show,
    "DISCARD": _discard,
    "PREPARE": _prepare,
    "EXECUTE": _execute,
    "DEALLOCATE": _deallocate,
    "COPY": _copy,
    "SUBSCRIBE": read_subscribe,
    "DECLARE": lambda source: Prohibited(),
    "FETCH": lambda source: Prohibited(),
    "CLOSE": lambda source: Prohibited(),
}
