"""The grammar of SUBSCRIBE: text in, a `Subscribe` out.

    SUBSCRIBE [TO] relation | (query)
        [ENVELOPE UPSERT (KEY (…)) | ENVELOPE DEBEZIUM (KEY (…))]
        [WITHIN TIMESTAMP ORDER BY …]
        [WITH (SNAPSHOT [= …], PROGRESS [= …], POLL = '…')]
        [AS OF [AT LEAST] t] [UP TO t]

The clauses may stand in any order, each once.  POLL is our own.  The query
itself is left to the engine unread, and so is a moment that is no literal.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from .errors import SqlError, Unreadable, not_supported, syntax_error
from .lexer import Token, name_of, string_value
from .reading import Words
from .statements import AsOf, Envelope, Instant, OrderItem, Run, Statement, Subscribe
from .variables import boolean, micros_of

LEAST_POLL = 0.05
"""Seconds between two evaluations, at least."""

# What a query begins with; a relation has none of these for a name.
_QUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "FROM", "("})
_NOW = frozenset({"NOW", "MZ_NOW", "CURRENT_TIMESTAMP"})


def read_subscribe(source: Words) -> Subscribe:
    """What stands behind SUBSCRIBE.  Raises `Unreadable` with 42601, 0A000 or 22023."""
    source.take("TO")
    query = _query(source) if source.peek() == "(" else _relation(source)
    found: dict[str, Any] = {}
    while source:
        name, read = _clause(source)
        for member, value in read(source).items():
            if member in found:
                raise Unreadable(syntax_error(name))
            found[member] = value
    return Subscribe(query, **found)


def _query(source: Words) -> Statement:
    """The query in parentheses; its offset is that of its text in the statement, in bytes."""
    start, end = source.enclosed()
    inside = source.text[start:end]
    text = inside.strip()
    words = Words(text).tokens
    first = (words[0].upper or words[0].text) if words else ")"
    if first not in _QUERIES:
        raise Unreadable(syntax_error(words[0].text if words else ")"))
    start += len(inside) - len(inside.lstrip())
    return Statement(text, Run(first), len(source.text[:start].encode(errors="replace")))


def _relation(source: Words) -> Statement:
    if source.peek() in _QUERIES:
        raise Unreadable(evolve(source.unexpected().error, hint="Put the query in parentheses."))
    start = source.tokens[source.at].start if source else 0
    source.name()
    while source.take("."):
        source.name()
    return Statement(f"SELECT * FROM {source.text[start : source.tokens[source.at - 1].end]}", Run("SELECT"))


Found = dict[str, Any]


def _clause(source: Words) -> tuple[str, Callable[[Words], Found]]:
    """The clause that begins here, and what reads it."""
    for keywords, read in _CLAUSES:
        if source.take(*keywords):
            return keywords[0], read
    raise source.unexpected()


def _envelope(source: Words) -> Found:
    kind = source.peek()
    if kind not in ("UPSERT", "DEBEZIUM"):
        raise source.unexpected()
    source.next()
    source.expect("(", "KEY", "(")
    key = [source.name()]
    while source.take(","):
        key.append(source.name())
    source.expect(")", ")")
    if len(set(key)) < len(key):
        raise Unreadable(SqlError("a key has each column once", "42701"))
    return {"envelope": Envelope("upsert" if kind == "UPSERT" else "debezium", tuple(key))}


def _within(source: Words) -> Found:
    items = [_order_item(source)]
    while source.take(","):
        items.append(_order_item(source))
    return {"order": tuple(items)}


def _order_item(source: Words) -> OrderItem:
    """A column, its direction, and where NULLs stand: last, or first where it descends (PostgreSQL)."""
    token = source.next()
    name = name_of(token)
    if name is None or (source and source.peek() != "," and source.tokens[source.at].kind == "other"):
        raise Unreadable(not_supported("WITHIN TIMESTAMP ORDER BY of an expression"))
    descending = source.take("DESC")
    if not descending:
        source.take("ASC")
    nulls_first = descending
    if source.take("NULLS", "FIRST"):
        nulls_first = True
    elif source.take("NULLS", "LAST"):
        nulls_first = False
    return OrderItem(name, descending, nulls_first)


def _options(source: Words) -> Found:
    found: Found = {}
    while not found or source.take(","):
        name = source.peek()
        if name not in ("SNAPSHOT", "PROGRESS", "POLL") or name.lower() in found:
            raise source.unexpected()
        source.next()
        found[name.lower()] = _poll(source) if name == "POLL" else _switch(source, name)
    source.expect(")")
    return found


def _switch(source: Words, name: str) -> bool:
    """`name`, `name = true`, `name true`."""
    if not source.take("=") and source.peek() in (",", ")"):
        return True
    token = source.next()
    value = boolean(string_value(token.text) if token.kind == "string" else token.text)
    if value is None:
        raise Unreadable(SqlError(f"invalid value for {name}: {token.text}", "22023"))
    return value == "on"


def _poll(source: Words) -> float:
    source.take("=")
    token = source.next()
    micros = micros_of(string_value(token.text) if token.kind == "string" else token.text)
    if micros is None or micros < LEAST_POLL * 1e6:
        raise Unreadable(SqlError(f"invalid value for POLL: {token.text}", "22023", hint="It is at least 50ms."))
    return micros / 1e6


def _as_of(source: Words) -> Found:
    at_least = source.take("AT", "LEAST")
    return {"as_of": AsOf(_moment(source, now=True), at_least)}


def _up_to(source: Words) -> Found:
    return {"up_to": _moment(source)}


def _moment(source: Words, *, now: bool = False) -> Instant | None:
    """A number, or a number or a timestamp as a string, else a query for the engine; None is now, where that may be."""
    tokens = _expression(source)
    first = tokens[0]
    if now and first.upper in _NOW and "".join(token.text for token in tokens[1:]) in ("", "()"):
        return None
    if any(token.kind == "param" for token in tokens):
        raise Unreadable(not_supported("a parameter in AS OF and UP TO"))
    millis = None
    if len(tokens) == 1 and first.kind in ("string", "number"):
        millis = millis_of(string_value(first.text) if first.kind == "string" else first.text)
    if millis is not None:
        return millis
    text = source.text[first.start : tokens[-1].end]
    return Statement(f"SELECT ({text}\n)", Run("SELECT"))


def _expression(source: Words) -> list[Token]:
    """The tokens up to the next clause."""
    taken = [source.next()]
    depth = int(taken[0].text in _OPENING)
    while source and (depth or not any(source.ahead(*keywords) for keywords, _ in _CLAUSES)):
        token = source.next()
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        taken.append(token)
    return taken


_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")


def millis_of(text: str) -> int | None:
    """Milliseconds since the epoch: a number of them, or a timestamp of ISO 8601, in UTC if it does not say."""
    if text.isdecimal() and text.isascii() and len(text) <= _DIGITS:
        return int(text) if int(text) < 2**64 else None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


_DIGITS = 20  # those of an unsigned number of 64 bits

_CLAUSES: tuple[tuple[tuple[str, ...], Callable[[Words], Found]], ...] = (
    (("ENVELOPE",), _envelope),
    (("WITHIN", "TIMESTAMP", "ORDER", "BY"), _within),
    (("WITH", "("), _options),
    (("AS", "OF"), _as_of),
    (("UP", "TO"), _up_to),
)
