"""Queries that tell nothing but literals, as what pools send to see who lives: their answers are kept.

DuckDB gave each answer once; it can never be another, whoever asks, whatever the
settings and the data are.  Nothing is computed here, and nothing is guessed:
what is not surely a list of literals is never kept.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from fanlight.sql.effects import Execute, Executed
from fanlight.sql.lexer import Token, name_of, words

KEPT = 64
"""Answers that are kept, the latest asked for."""

LONGEST = 256
"""Characters of a text that may be kept."""

_LITERALS = frozenset({"number", "string"})
_NAMED_LITERALS = frozenset({"NULL", "TRUE", "FALSE"})


class Constants:
    """Those of one engine.  Any thread may ask."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Executed] = OrderedDict()
        self._lock = Lock()

    def answer(self, work: Execute) -> Executed | None:
        """The answer to `work`, if it is known.  Only for a statement that is a transaction by itself."""
        executed = self._kept.get(work.text)
        if executed is None or work.params or not work.commit or not work.begin or work.interrupt.asked:
            return None
        too_large = executed.batch is None or executed.batch.size > work.limit
        return None if too_large else executed

    def keep(self, work: Execute, executed: Executed) -> None:
        """Keep what DuckDB answered to `work`, whose text `is_constant`."""
        batch = executed.batch
        if work.params or batch is None or not batch.last:
            return
        with self._lock:
            self._kept[work.text] = executed
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def is_constant(text: str) -> bool:
    """Whether a SELECT that parses has nothing but a few literals to tell."""
    if len(text) > LONGEST:
        return False
    tokens = words(text)
    if not tokens or tokens[0].upper != "SELECT":
        return False
    columns: list[list[Token]] = [[]]
    for token in tokens[1:]:
        if token.text == ",":
            columns.append([])
        else:
            columns[-1].append(token)
    return all(map(_is_literal, columns))


def _is_literal(column: list[Token]) -> bool:
    """A literal, and perhaps a name for it."""
    if not column or (column[0].kind not in _LITERALS and column[0].upper not in _NAMED_LITERALS):
        return False
    name = column[2:] if len(column) == 3 and column[1].upper == "AS" else column[1:]
    return not name or (len(name) == 1 and name_of(name[0]) is not None)
