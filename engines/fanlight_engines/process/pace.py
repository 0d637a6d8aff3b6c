"""How the process is walked: politely, within bounds, and showing no more than may be shown.

The walks run in a worker's thread while the host's loop wants the interpreter
for itself.  A thread that computes without a pause holds it for five
milliseconds at a time, so every walk gives way after a fraction of one.
Nothing here knows what is walked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import fanlight.asks
from fanlight.jsontext import printable

T = TypeVar("T")

MOST_ROWS = 100_000
"""Rows of any relation of the process; what is beyond is left out."""

BUDGET = 0.0003
"""Seconds of work before other threads get their turn."""

_ROWS_PER_LOOK = 8
_CORE, _ENGINES = os.path.dirname(fanlight.asks.__file__), os.path.dirname(os.path.dirname(__file__))
OWN_AUTH = (
    os.path.join(_CORE, "auth", ""),
    os.path.join(_CORE, "pages", "login.py"),
    os.path.join(_ENGINES, "auth", ""),
    os.path.join(_ENGINES, "outbound.py"),
)


def never() -> bool:
    """Nobody asks a walk to stop."""
    return False


def polite(rows: Iterable[T], most: int = MOST_ROWS, stopped: Callable[[], bool] = never) -> Iterator[T]:
    """At most `most` of `rows`, giving way to other threads; ends early once `stopped()`.

    The consumer's work between two rows counts, so it need not give way itself.
    """
    until = time.perf_counter() + BUDGET
    for number, row in enumerate(islice(rows, most), 1):
        yield row
        if number % _ROWS_PER_LOOK == 0 and time.perf_counter() > until:
            if stopped():
                return
            time.sleep(0)
            until = time.perf_counter() + BUDGET


def line(value: object, limit: int = 256) -> str:
    """`value` as text on one line, at most about `limit` characters, every control escaped.

    Escaped is whatever does not print: C0, DEL, C1, line separators,
    bidirectional and zero-width controls.  `<unprintable>` when `str` raises.
    """
    text = printable(value, limit)
    return text if text.isprintable() else "".join(map(visible, text))


def visible(character: str) -> str:
    """One character as itself or as an escape (`\\x0a`)."""
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def hidden(filename: str) -> bool:
    """Whether frames of this file are never shown: those that check credentials hold some."""
    return filename.startswith(OWN_AUTH)
