"""Values as the SQL interface writes them: text forms of single values, descriptors of columns.

Pure functions from Python values to the strings that clients of the original
know: numbers as strings of digits, floats the shortest way that reads back,
timestamps as milliseconds and three more digits.  Which type of which engine
takes which form is for the engine to say; this module knows no engine.
"""

from __future__ import annotations

from math import isfinite
from struct import pack, unpack

from attrs import frozen


@frozen
class Descriptor:
    """A result column: its name and PostgreSQL's idea of its type."""

    name: str
    type_oid: int
    type_len: int
    type_mod: int = -1


BOOL_OID = 16
TEXT_OID = 25


def text_column(name: str) -> Descriptor:
    """A column of type text."""
    return Descriptor(name, TEXT_OID, -1)


def float_text(value: float) -> str | None:
    """A double, the shortest way that reads back; None for NaN and the infinities.

    The layout is Rust's: `3.0`, `1e21`, `0.00001`, exponents from 1e16 up and
    below 1e-5, without sign or leading zero.
    """
    return _layout(repr(value)) if isfinite(value) else None


def float32_text(value: float) -> str | None:
    """The same for a value of 32 bits: 1.1 is `1.1`, not what it widens to.

    Six significant digits survive a round trip through 32 bits, so the first
    length from six up that reads back is the shortest, but for subnormals.
    """
    if not isfinite(value):
        return None
    wanted = pack("f", value)
    for digits in range(6 if abs(value) >= 1.2e-38 else 1, 10):
        text = f"{value:.{digits}g}"
        if _pack32(float(text)) == wanted:
            return _layout(repr(float(text)))
    return _layout(repr(value))


def _pack32(value: float) -> bytes:
    try:
        return pack("f", value)
    except OverflowError:  # the digits of the largest value, rounded up
        return b""


def widened(value: float) -> float:
    """The nearest 32-bit value of `value`, as a double."""
    nearest: float = unpack("f", pack("f", value))[0]
    return nearest


def _layout(text: str) -> str:
    """Python's shortest digits in Rust's layout."""
    mantissa, mark, exponent = text.partition("e")
    if not mark:
        return text
    power = int(exponent)
    if power != -5:
        return f"{mantissa}e{power}"
    sign = "-" if mantissa.startswith("-") else ""
    return f"{sign}0.0000{mantissa.lstrip('-').replace('.', '')}"


def timestamp_text(micros: int) -> str:
    """Microseconds since the epoch: milliseconds, a dot, three more digits.

    Before the epoch the milliseconds are the floor and the digits a
    non-negative rest, so -1 is `-1.999`: read as a decimal it is wrong, but
    those are the bytes that clients expect.
    """
    millis, rest = divmod(micros, 1000)
    return f"{millis}.{rest:03d}"


def fraction(nanos: int) -> str:
    """A fraction of a second with its dot, in 0, 3, 6 or 9 digits, as few as it needs."""
    if not nanos:
        return ""
    if nanos % 1000:
        return f".{nanos:09d}"
    micros = nanos // 1000
    return f".{micros:06d}" if micros % 1000 else f".{micros // 1000:03d}"


def time_text(nanos: int) -> str:
    """Nanoseconds since midnight as `HH:MM:SS` and a fraction."""
    seconds, rest = divmod(nanos, 1_000_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}{fraction(rest)}"


def interval_text(months: int, days: int, micros: int) -> str:
    """An interval the way PostgreSQL prints one: `1 year 2 mons -3 days +04:05:06.5`.

    The parts keep their own signs; a positive part behind a negative one says so.
    """
    years, left = divmod(abs(months), 12)
    sign = -1 if months < 0 else 1
    parts: list[str] = []
    negative = False
    for value, unit in ((sign * years, "year"), (sign * left, "mon"), (days, "day")):
        if value:
            parts.append(f"{'+' if negative and value > 0 else ''}{value} {unit}{'' if value == 1 else 's'}")
            negative = value < 0
    if micros or not parts:
        parts.append(("-" if micros < 0 else "+" if negative else "") + _clock(abs(micros)))
    return " ".join(parts)


def _clock(micros: int) -> str:
    seconds, rest = divmod(micros, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    tail = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{hour:02d}:{minute:02d}:{second:02d}{tail}"


def bytes_json(value: bytes) -> str:
    """Bytes as a JSON array of numbers: the one place, beside json, where numbers stay numbers."""
    return f"[{','.join(map(str, value))}]"


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the proleptic Gregorian calendar, any year.

    Counts from March, so that the leap day is the last of its year, in eras of
    400 years (the method is Howard Hinnant's).
    """
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
