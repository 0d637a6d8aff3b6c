"""Response heads of HTTP/1.1: written from parts that are built once.

Pure functions and one bounded memory.  Nothing here decides what is answered;
field names and values come from our own code and are checked all the same, so
that no value can start a new line (RFC 9112 section 4, RFC 9110 section 5.5).
"""

from __future__ import annotations

import re

from ..http.response import Fields, reason

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_UNSAFE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PREFIXES: dict[tuple[int, Fields], bytes] = {}
"""Heads that recur, ready to send; emptied when `_PREFIXES_MOST` are in it."""
_PREFIXES_MOST = 512
_UNSHARED = frozenset({"set-cookie"})
"""Fields whose values are somebody's secret: never remembered."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class UnsafeField(Exception):
    """A response field that would break the head: a bug of ours, never sent."""


def encode_field(name: str, value: str) -> bytes:
    """`value` in latin-1 where it fits, else UTF-8; raises `UnsafeField` for control characters."""
    if value.isascii() and value.isprintable():  # nearly always, and nothing of it is a control character
        return value.encode()
    try:
        data = value.encode("latin-1")
    except UnicodeEncodeError:
        data = value.encode()
    if _UNSAFE.search(data):
        raise UnsafeField(name)
    return data


def prefix(status: int, fields: Fields) -> bytes:
    """The status line and `fields`, without the blank line.

    Length, date and connection are for the caller to add: they differ from
    answer to answer.  Raises `UnsafeField`.
    """
    if fields and fields[-1][0] in _UNSHARED:  # what stands before it may be known
        name, value = fields[-1]
        return b"%b%b: %b\r\n" % (prefix(status, fields[:-1]), name.encode(), encode_field(name, value))
    key = (status, fields)
    known = _PREFIXES.get(key)
    if known is not None:
        return known
    lines = [f"HTTP/1.1 {status} {reason(status)}\r\n".encode()]
    lines += [name.encode() + b": " + encode_field(name, value) + b"\r\n" for name, value in fields]
    data = b"".join(lines)
    if not any(name in _UNSHARED for name, _ in fields):
        if len(_PREFIXES) >= _PREFIXES_MOST:
            _PREFIXES.clear()
        _PREFIXES[key] = data
    return data


def http_date(wall: float) -> str:
    """`wall` (Unix seconds) as an IMF-fixdate (RFC 9110 5.6.7)."""
    days, seconds = divmod(int(wall), 86400)
    year, month, day = _civil(days)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{_DAYS[(days + 3) % 7]}, {day:02} {_MONTHS[month - 1]} {year:04} {clock} GMT"


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day number since 1970 (proleptic Gregorian calendar)."""
    # Years are counted from 1 March of year 0, so that a leap day is the last of its year.
    era, of_era = divmod(days + 719468, 146097)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153  # months since March
    month = shifted + 3 if shifted < 10 else shifted - 9
    return era * 400 + year + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1
