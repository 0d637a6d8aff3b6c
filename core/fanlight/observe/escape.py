"""Strings from outside, made fit for a log line, a page of records or an error text.

Whatever a caller controls (a user name, a Host, a member of a file) is shown
only through `escape`.  This module never decides what may be shown at all:
secrets must not come here in the first place.
"""

from __future__ import annotations

LIMIT = 256
"""The longest result, in bytes."""

_MARK = "..."
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def escape(value: str | bytes, limit: int = LIMIT) -> str:
    """`value` in double quotes, on one line, at most `limit` bytes of UTF-8 (at least 8).

    Escaped are the quote, the backslash and every character that is not
    printable: C0, DEL, C1, line and paragraph separators, bidirectional and
    zero-width controls, every space but U+0020, unassigned and private
    characters, and bytes that are not UTF-8 (`\\xff`).  A value that was cut
    ends in `"...`; no escape sequence is cut in two.
    """
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    if len(text) * 4 + 2 <= limit and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    pieces: list[str] = []
    room = limit - 2
    kept = 0
    for character in text:
        piece = _piece(character)
        room -= len(piece.encode())
        if room < 0:
            return f'"{"".join(pieces[:kept])}"{_MARK}'
        pieces.append(piece)
        if room >= len(_MARK):
            # The mark would still fit behind this piece, should a later one not.
            kept = len(pieces)
    return f'"{"".join(pieces)}"'


def _piece(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        # How `surrogateescape` carries a byte that is not UTF-8.
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
