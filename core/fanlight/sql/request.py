"""SQL request bodies: the two forms of `POST /api/sql`, which WebSocket messages share.

Reads JSON strictly (`http.body`).  Never looks at the SQL inside.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from ..http.body import NotJson, parse_json, repeated

WRONG_SHAPE = "data did not match any variant of untagged enum SqlRequest"


@frozen
class Simple:
    """Any number of statements in one text."""

    query: str


@frozen
class Query:
    """Exactly one statement and its parameters, as text; None is NULL."""

    query: str
    params: tuple[str | None, ...] = ()


@frozen
class Extended:
    """Statements that bring parameters, each a group of its own."""

    queries: tuple[Query, ...]


SqlRequest = Simple | Extended


def read_request(document: Any) -> SqlRequest | None:
    """The request that `document` is; None when it has neither form.

    Unknown members are ignored; a member of a form that is given twice makes
    the form not match.  A document with both forms is simple.
    """
    if not isinstance(document, dict):
        return None
    query = _member(document, "query")
    if isinstance(query, str):
        return Simple(query)
    queries = _member(document, "queries")
    if not isinstance(queries, list):
        return None
    read = [_query(each) for each in queries]
    found = tuple(each for each in read if each is not None)
    return Extended(found) if len(found) == len(read) else None


def read_text(data: bytes | str) -> SqlRequest | str | None:
    """The request that a JSON text is; what is wrong with the text, or None when it has neither form."""
    try:
        return read_request(parse_json(data))
    except NotJson as error:
        return str(error)


def _member(document: dict[str, Any], name: str) -> Any:
    """A member that is there once, else None."""
    return None if name in repeated(document) else document.get(name)


def _query(document: Any) -> Query | None:
    if not isinstance(document, dict):
        return None
    query = _member(document, "query")
    params = _member(document, "params") if "params" in document else []
    if not isinstance(query, str) or not isinstance(params, list):
        return None
    if not all(param is None or isinstance(param, str) for param in params):
        return None
    return Query(query, tuple(params))
