"""JSON text of anything, in pieces of bounded work.

What is dumped belongs to somebody else's program: it may be huge, circular, or
hold objects whose `str` raises.  So the text is made by generators that never
do much at a time and never fail.  Nothing here decides what is dumped, but that
secrets are not (see `redaction`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Any

from .config.redaction import REDACTED, is_secret_name, without_userinfo

UNPRINTABLE = "<unprintable>"
TOO_DEEP = "<too deep>"

LONGEST_TEXT = 4096
"""Characters kept of one string."""

LONGEST_OTHER = 256
"""Characters kept of the `str` of an object that JSON has no form for."""

DEEPEST = 32
"""Levels of nesting; what lies deeper (a circle, most likely) is left out."""

PIECE_FRAGMENTS = 128
PIECE_CHARACTERS = 16 * 1024
"""What one piece may hold: well under a millisecond of joining and encoding."""

_SCALARS = {None: "null", True: "true", False: "false"}


def printable(value: object, limit: int = LONGEST_OTHER) -> str:
    """`str(value)`, at most `limit` characters, encodable; `<unprintable>` when that raises."""
    try:
        # The slice of `str` itself: a subclass may have its own idea of one.
        text = str.__getitem__(value if isinstance(value, str) else str(value), slice(limit))
    except Exception:  # noqa: BLE001 - the code that runs here is the host's, and raises what it likes
        return UNPRINTABLE
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def quoted(text: str) -> str:
    """`text` as a JSON string, ASCII only; lone surrogates become text (`\\\\ud800`)."""
    return encode_basestring_ascii(text if text.isascii() else printable(text, len(text)))


def fragments(value: object, depth: int = DEEPEST) -> Iterator[str]:
    """The JSON text of `value`, compact, each fragment a bounded amount of work.

    Mappings, lists, tuples and sets, strings, numbers, booleans and None are
    themselves (NaN and the infinities are null); anything else is its
    `printable` text.  Whatever has a secret name, and the userinfo of URLs, is
    redacted.
    """
    if isinstance(value, Mapping):
        yield from _members(value, depth) if depth else (quoted(TOO_DEEP),)
    elif isinstance(value, list | tuple | AbstractSet):
        yield from _elements(value, depth) if depth else (quoted(TOO_DEEP),)
    else:
        yield _scalar(value)


def encode(value: object) -> str:
    """The JSON text of `value` in one go, by the rules of `fragments`: for what is known to be small."""
    return "".join(fragments(value))


def members(pairs: Iterable[tuple[str, Iterable[str]]]) -> Iterator[str]:
    """A JSON object of names and the fragments of their values."""
    separator = "{"
    for name, value in pairs:
        yield f"{separator}{quoted(name)}:"
        yield from value
        separator = ","
    yield "{}" if separator == "{" else "}"


def elements(values: Iterable[Iterable[str]]) -> Iterator[str]:
    """A JSON array of values that are given as fragments."""
    separator = "["
    for value in values:
        yield separator
        yield from value
        separator = ","
    yield "[]" if separator == "[" else "]"


def pieces(text: Iterable[str]) -> Iterator[bytes]:
    """Fragments joined into pieces: at most `PIECE_FRAGMENTS` of them, or a little over
    `PIECE_CHARACTERS`.  Empty fragments count, so that leaving things out is bounded, too.
    """
    held: list[str] = []
    length = 0
    for fragment in text:
        held.append(fragment)
        length += len(fragment)
        if len(held) >= PIECE_FRAGMENTS or length >= PIECE_CHARACTERS:
            yield "".join(held).encode()
            held.clear()
            length = 0
    if held:
        yield "".join(held).encode()


def _members(value: Mapping[Any, Any], depth: int) -> Iterator[str]:
    """A mapping: keys become text, values under a secret name are redacted unread.

    None and booleans under such a name stay: that there is no password, or
    whether one is asked for, is no secret.
    """

    def text(name: str, member: object) -> Iterable[str]:
        if is_secret_name(name) and not (member is None or isinstance(member, bool)):
            return (quoted(REDACTED),)
        return fragments(member, depth - 1)

    named = ((printable(key, LONGEST_TEXT), member) for key, member in value.items())
    return members((name, text(name, member)) for name, member in named)


def _elements(value: Iterable[Any], depth: int) -> Iterator[str]:
    return elements(fragments(item, depth - 1) for item in value)


def _scalar(value: object) -> str:
    if isinstance(value, str):
        text = without_userinfo(str.__getitem__(value, slice(None)), LONGEST_TEXT)
        return quoted(text if len(value) <= LONGEST_TEXT else text + "…")
    if value is None or value is True or value is False:
        return _SCALARS[value]
    if isinstance(value, float):
        # The methods of float and int themselves, as with str: a subclass may print what it likes.
        return float.__repr__(value) if isfinite(value) else "null"
    if isinstance(value, int):
        return int.__repr__(value) if value.bit_length() <= 1024 else quoted(UNPRINTABLE)
    return quoted(without_userinfo(printable(value)))
