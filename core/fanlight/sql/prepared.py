"""Prepared statements, kept as text by the session layer.

EXECUTE puts its arguments into the text, so that an engine sees one plain
statement and keeps nothing.  Nothing here runs anything.
"""

from __future__ import annotations

from attrs import evolve, frozen

from .errors import SqlError, Unreadable
from .grammar import read_statement
from .statements import Execute, Prepare, Statement, places, substituted


@frozen
class _Kept:
    body: Statement
    types: tuple[str, ...]
    places: int


class PreparedStatements:
    """Those of one session, by name.  Transactions do not touch them."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def taken(self, name: str) -> SqlError | None:
        """42P05 if there is a statement of this name."""
        if name in self._kept:
            return SqlError(f'prepared statement "{name}" already exists', "42P05")
        return None

    def keep(self, action: Prepare) -> None:
        """Keep a statement, whose syntax the caller has checked."""
        count = max(len(action.types), places(action.body.text))
        self._kept[action.name] = _Kept(action.body, action.types, count)

    def filled(self, action: Execute) -> Statement | SqlError:
        """The statement that EXECUTE asks for, its arguments in place: the engine's, or a SUBSCRIBE."""
        kept = self._kept.get(action.name)
        if kept is None:
            return _unknown(action.name)
        if len(action.arguments) != kept.places:
            message = f'wrong number of parameters for prepared statement "{action.name}"'
            return SqlError(message, "42601", f"Expected {kept.places} parameters but got {len(action.arguments)}.")
        filled = substituted(kept.body, kept.types, action.arguments)
        return filled if filled.engine else _read_again(filled.text)

    def drop(self, name: str | None) -> SqlError | None:
        """Forget one statement, or all of them for None; 26000 if there is none of this name."""
        if name is None:
            self._kept.clear()
        elif self._kept.pop(name, None) is None:
            return _unknown(name)
        return None


def _read_again(text: str) -> Statement | SqlError:
    """A SUBSCRIBE whose parameters have their values now."""
    try:
        return read_statement(text, "SUBSCRIBE")
    except Unreadable as refusal:
        return evolve(refusal.error, position=None)  # nobody sent this text


def _unknown(name: str) -> SqlError:
    return SqlError(f'prepared statement "{name}" does not exist', "26000")
