"""JSON request bodies, read strictly.

What comes in is UTF-8 JSON as RFC 8259 has it and nothing else: no byte order
mark, no `NaN`, no number beyond a double, no lone surrogate, no nesting of 128
or more, nothing after the value.  The standard library's scanner does the
reading, since it is in C; what it is too lax in is checked here, each check
only where the text can need it.  This module knows no shape of any body.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from json import JSONDecodeError, JSONDecoder
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn

from .response import Refused, Response, text

if TYPE_CHECKING:
    from .request import Request

DEPTH = 127
"""How many arrays and objects may be open at once."""

WRONG_TYPE = text(415, "Expected request with `Content-Type: application/json`")

# RFC 9110 section 8.3.1 and RFC 6839 section 3.1; parameters say nothing for JSON.
_JSON_TYPE = re.compile(r"application/(?:[!#$%&'*+.^_`|~0-9a-z-]+\+)?json[ \t]*(?:;.*)?", re.IGNORECASE | re.ASCII)


class NotJson(ValueError):
    """The text is not JSON; the message is `<detail> at line L column C`."""

    def __init__(self, detail: str, line: int, column: int) -> None:
        super().__init__(f"{detail} at line {line} column {column}")

    @classmethod
    def at(cls, detail: str, text: str, index: int) -> NotJson:
        """The error `detail`, found at `text[index]`."""
        return cls(detail, text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


class Repeating(dict[str, Any]):
    """An object that names some of its members more than once; the last value stays."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.names = frozenset(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)


def repeated(members: Mapping[str, Any]) -> frozenset[str]:
    """The names that the JSON text of this object gave more than once."""
    return members.names if isinstance(members, Repeating) else frozenset()


def parse_json(data: bytes | str) -> Any:
    """The value that `data` is the JSON text of; raises `NotJson`.

    Objects are dicts (`repeated` tells which names came twice), arrays lists,
    integers int of at most 309 digits, other numbers float and finite.  A str
    must have been decoded from UTF-8.  For nesting and numbers the position in
    the message is the end of the text.
    """
    source = data if isinstance(data, str) else _decode(data)
    if source.count("[") + source.count("{") > DEPTH and _depth(source) > DEPTH:
        raise NotJson.at("recursion limit exceeded", source, len(source) - 1)
    try:
        value = _DECODER.decode(source)
    except JSONDecodeError as error:
        raise _explained(error) from None
    except _Unreadable as error:
        raise NotJson.at(str(error), source, len(source) - 1) from None
    if _SURROGATE.search(source):
        _check_pairs(source)
    return value


async def read_json(request: Request, limit: int | None = None) -> Any:
    """The request's body of at most `limit` bytes (default: the server's bound) as a JSON value (see `parse_json`).

    Raises `Refused`: 415 for another content type (before the body is asked
    for), 413 for a body that is too long, 400 for one that is not JSON.
    """
    try:
        return parse_json(await read_typed(request, limit))
    except NotJson as error:
        raise Refused(not_json(str(error))) from None


async def read_typed(request: Request, limit: int | None = None) -> bytes:
    """The request's body as bytes, if its content type is that of JSON; raises `Refused` with 415 or 413."""
    kind = request.field("content-type")
    if kind != "application/json" and (kind is None or _JSON_TYPE.fullmatch(kind) is None):
        raise Refused(WRONG_TYPE)
    return await request.body(limit)


def not_json(detail: str) -> Response:
    """The answer to a body that `parse_json` refuses."""
    return text(400, f"Failed to parse the request body as JSON: {detail}")


def wrong_shape(detail: str) -> Response:
    """The answer to a body that is JSON, but not of the shape that a handler reads."""
    return text(422, f"Failed to deserialize the JSON body into the target type: {detail}")


class _Unreadable(Exception):
    """Raised by the hooks: a literal that the scanner would take and we do not."""


def _constant(name: str) -> NoReturn:
    raise _Unreadable(f"expected value, found {name},")


def _integer(digits: str) -> int:
    # More than 309 digits are more than a double holds.  Beside that, the time
    # int() takes grows with the square of them, and its own limit can be off.
    if len(digits) > 309 + digits.startswith("-"):
        raise _Unreadable("number out of range")
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise _Unreadable("number out of range")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else Repeating(pairs)


_DECODER = JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction, parse_constant=_constant)


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        readable = data[: error.start].decode()
        raise NotJson.at("invalid unicode code point", readable, len(readable)) from None


# The scanner's messages in the words of the reference implementation.
_DETAILS = {
    "Expecting value": ("expected value", "EOF while parsing a value"),
    "Extra data": ("trailing characters", "trailing characters"),
    "Expecting property name enclosed in double quotes": ("key must be a string", "EOF while parsing an object"),
    "Expecting ':' delimiter": ("expected `:`", "EOF while parsing an object"),
    "Expecting ',' delimiter": ("expected `,` or the end", "EOF while parsing a list or an object"),
}


def _explained(error: JSONDecodeError) -> NotJson:
    """The same error with our detail; at the end of the text the column is the last one there is."""
    if error.msg.startswith("Unterminated string"):
        return NotJson("EOF while parsing a string", error.lineno, error.colno)
    within, at_end = _DETAILS.get(error.msg, (error.msg.lower().removesuffix(" at"),) * 2)
    if error.pos < len(error.doc):
        return NotJson(within, error.lineno, error.colno)
    return NotJson(at_end, error.lineno, error.colno - 1)


_NOT_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


def _depth(source: str) -> int:
    """The deepest nesting in a JSON text (of one that is not JSON: some number).

    Linear and nearly all in C, because a text that opens many brackets is
    often a large one: escapes and then strings are cut out, the brackets left
    become steps of +1 and -1, and the highest running sum is the depth.
    """
    plain = (
        source.encode(errors="surrogatepass").replace(rb"\\", b"").replace(rb"\"", b"").translate(None, _NOT_STRUCTURE)
    )
    # Two quotes side by side switch nothing, whichever strings they belong to.
    outside = b"".join(plain.replace(b'""', b"").split(b'"')[::2])
    return max(accumulate(memoryview(outside.translate(_STEPS)).cast("b")), default=0)


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# As much of a JSON text as holds no half of a pair; possessive, so one pass and no stack.
_PAIRED = re.compile(r"(?:[^\\]++|\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]|(?!u[dD][89a-fA-F]).))*+")


def _check_pairs(source: str) -> None:
    """Raise `NotJson` unless each escaped surrogate is half of a pair (RFC 8259 section 8.2)."""
    paired = _PAIRED.match(source)
    if paired is not None and paired.end() < len(source):
        raise NotJson.at("lone surrogate in hex escape", source, paired.end())
