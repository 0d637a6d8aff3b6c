"""Query strings, decoded as forms are (application/x-www-form-urlencoded).

A query that is not properly encoded is refused as a whole and never repaired:
two readers that repair differently disagree on what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from .response import Refused, Response, text

if TYPE_CHECKING:
    from .request import Request


class BadQuery(ValueError):
    """The query string cannot be decoded; the message says why."""


def parse_query(query: str, once: Collection[str] = ()) -> dict[str, str]:
    """The parameters of `query` (without `?`; str decoded from latin-1, as in a `Head`).

    `+` is a space and `%XX` a byte; names and values are UTF-8.  A name without
    `=` has the value "".  Raises `BadQuery` for a broken escape, bytes that are
    not UTF-8, and a name in `once` that comes twice; of other names that are
    repeated the last value stays.
    """
    parameters: dict[str, str] = {}
    for part in query.split("&"):
        if part:
            raw_name, _, raw_value = part.partition("=")
            name = _decode(raw_name)
            if name in parameters and name in once:
                raise BadQuery(f"duplicate field `{name}`")
            parameters[name] = _decode(raw_value)
    return parameters


def read_query(request: Request, *known: str) -> dict[str, str]:
    """The parameters of a request's query; those in `known` may come once.

    Raises `Refused` with 400 where `parse_query` raises.  The caller picks
    what it knows and ignores the rest.
    """
    if not request.query:
        return {}
    try:
        return parse_query(request.query, known)
    except BadQuery as error:
        raise Refused(bad_query(str(error))) from None


def bad_query(reason: str) -> Response:
    """The answer to a query string, or to a value in it, that cannot be read."""
    return text(400, f"Failed to deserialize query string: {reason}")


_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_BROKEN = re.compile("%(?![0-9A-Fa-f]{2})")


def _decode(part: str) -> str:
    if part.isascii() and "%" not in part:
        return part.replace("+", " ")
    if _BROKEN.search(part):
        raise BadQuery("invalid percent-encoding")
    raw = part.replace("+", " ").encode("latin-1")
    try:
        return _ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), raw).decode()
    except UnicodeDecodeError:
        raise BadQuery("invalid UTF-8") from None
