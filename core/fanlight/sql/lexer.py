"""Our own SQL lexer: tokens, and where one statement ends and the next begins.

It knows quotes, escape strings, dollar quotes, line comments and nested block
comments, the way PostgreSQL and DuckDB read them.  It never fails: what is not
closed runs to the end of the text, and the engine, which reads every piece
again before it runs it, says what is wrong.  Nothing here knows a grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Literal, NamedTuple

Kind = Literal["space", "string", "quoted", "param", "word", "number", "semi", "other"]


class Token(NamedTuple):
    """A piece of the text: what it is, as written, and where it starts (in characters)."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where the token ends, in characters."""
        return self.start + len(self.text)

    @property
    def upper(self) -> str:
        """The token in upper case, if it is a plain word; "" for anything else."""
        return self.text.upper() if self.kind == "word" else ""


class Span(NamedTuple):
    """A statement in a text, without what surrounds it: `text[start:end]`, and its first word in upper case."""

    start: int
    end: int
    first: str


_WORD = r"[A-Za-z_\x80-\U0010ffff]"
_SOURCE = rf"""
      (?P<space>\s++|--[^\n\r]*+)
    | (?P<block>/\*)
    | (?P<string>[eE]'(?:[^'\\]++|''|\\.)*+(?:'|\Z)|'(?:[^']++|'')*+(?:'|\Z))
    | (?P<quoted>"(?:[^"]++|"")*+(?:"|\Z))
    | (?P<dollar>\$(?:{_WORD}[A-Za-z0-9_\x80-\U0010ffff]*+)?\$)
    | (?P<param>\$[0-9]++|\?|\${_WORD}[\w]*+)
    | (?P<word>{_WORD}[A-Za-z0-9_$\x80-\U0010ffff]*+)
    | (?P<number>[0-9][A-Za-z0-9_]*+(?:\.[A-Za-z0-9_]*+)?|\.[0-9][A-Za-z0-9_]*+)
    | (?P<semi>;)
    | (?P<other>.)
    """
_BLOCK_EDGE = re.compile(r"/\*|\*/")


@cache
def _pattern() -> re.Pattern[str]:
    """Compiled when it is first needed: that takes milliseconds, and many servers never see a statement."""
    return re.compile(_SOURCE, re.VERBOSE | re.DOTALL)


def tokens(text: str) -> Iterator[Token]:
    """Every token of `text`, in order, without gaps; comments are `space`."""
    match = _pattern().match
    position = 0
    size = len(text)
    while position < size:
        found = match(text, position)
        if found is None:  # pragma: no cover  (`other` takes any character)
            raise AssertionError(position)
        kind = found.lastgroup
        end = found.end()
        if kind == "block":
            end, kind = _block_end(text, position), "space"
        elif kind == "dollar":
            close = text.find(found[0], end)
            end, kind = (size if close < 0 else close + len(found[0])), "string"
        yield Token(kind, text[position:end], position)  # type: ignore[arg-type]
        position = end


def _block_end(text: str, start: int) -> int:
    """Where the comment that opens at `start` is closed; comments nest."""
    depth = 0
    for edge in _BLOCK_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return len(text)


def split(text: str) -> list[Span]:
    """The statements of `text`; nothing for blanks, comments and lone semicolons."""
    spans: list[Span] = []
    start = end = -1
    first = ""
    for token in tokens(text):
        if token.kind == "semi":
            if start >= 0:
                spans.append(Span(start, end, first))
            start = -1
        elif token.kind != "space":
            if start < 0:
                start, first = token.start, token.upper
            end = token.end
    if start >= 0:
        spans.append(Span(start, end, first))
    return spans


def open_comment(text: str, start: int = 0) -> int | None:
    """Where a comment opens, at `start` or behind it, that is never closed; `start` is inside no token."""
    if "/*" not in text[start:]:
        return None
    for token in tokens(text[start:]):
        if token.text.startswith("/*"):
            edges = [edge[0] for edge in _BLOCK_EDGE.finditer(token.text)]
            if edges.count("/*") > edges.count("*/"):
                return start + token.start
    return None


def words(text: str) -> list[Token]:
    """The tokens of one statement that mean something: no blanks, no comments."""
    return [token for token in tokens(text) if token.kind != "space"]


def nesting(text: str) -> int:
    """How many brackets are open at once, at most; 0 also where there are too few of them to matter."""
    if sum(map(text.count, "([{")) < _FEW:
        return 0
    deepest = depth = 0
    for token in tokens(text):
        if token.kind == "other":
            depth += (token.text in "([{") - (token.text in ")]}")
            deepest = max(deepest, depth)
    return deepest


_FEW = 100


def name_of(token: Token) -> str | None:
    """The name that a token spells: folded to lower case, a quoted one as it is; None for no name."""
    if token.kind == "word":
        return token.text.lower()
    if token.kind == "quoted":
        return token.text[1:].removesuffix('"').replace('""', '"')
    return None


_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)|''", re.DOTALL)


def string_value(text: str) -> str:
    """What a string literal means, in any of its notations: `'a'`, `E'a'`, `$$a$$`."""
    if text.startswith("$"):
        mark = text[: text.index("$", 1) + 1]
        return text[len(mark) :].removesuffix(mark)
    if text.startswith("'"):
        return text[1:].removesuffix("'").replace("''", "'")
    return _ESCAPE.sub(_unescape, text[2:].removesuffix("'"))


def _unescape(found: re.Match[str]) -> str:
    escape = found[1]
    if escape is None:
        return "'"
    if escape[0] in "uUx" and len(escape) > 1:
        code = int(escape[1:], 16)
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
    if escape[0] in "01234567":
        return chr(int(escape, 8))
    return _ESCAPES.get(escape, escape)


def size(text: str) -> int:
    """Bytes of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def quote(value: str) -> str:
    """`value` as a string literal that every engine reads the same."""
    return "'" + value.replace("'", "''") + "'"
