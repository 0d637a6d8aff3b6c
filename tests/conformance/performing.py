"""The performer that the runner gives to a server: the real one, watched, with a few answers of its own."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fanlight.asks import Effect
from fanlight.auth.effects import FetchDocument
from fanlight.auth.identity import Identity
from fanlight.pages.root import DescribeProcess
from fanlight.sql.effects import Evaluate, Execute, FetchRows, OpenSession, SessionRefused
from fanlight.sql.errors import SqlError
from fanlight_engines.performer import Done, Performer

from .stage import World

_DENIED = ("MZ010", "MZ011")
"""Sessions disallowed, and denied by a network policy."""


class Watched:
    """Counts effects by the name of their type, keeps the records, passes everything on to the real performer."""

    def __init__(self, performer: Performer, world: World) -> None:
        self.performed: Counter[str] = Counter()
        self.notes: list[Any] = []
        self.identities: list[Identity] = []
        self._running: set[int] = set()
        self._performer = performer
        self._world = world

    def perform(self, effect: Effect[Any]) -> Any:
        """Do `effect`."""
        self.performed[type(effect).__name__] += 1
        if isinstance(effect, OpenSession):
            self.identities.append(effect.identity)
        refused = self._world.startup_error
        if refused is not None and isinstance(effect, OpenSession):
            status = 403 if refused["code"] in _DENIED else 500
            return SessionRefused(status, SqlError(refused["message"], refused["code"], refused.get("detail")))
        return self._performer.perform(effect)

    def perform_promptly(self, effect: Effect[Any]) -> Any:
        """Do an effect of a worker here and now, if that takes a moment only."""
        answer = self._performer.perform_promptly(effect)
        self.performed[type(effect).__name__] += answer is not None
        return answer

    def submit(self, effect: Effect[Any], done: Done) -> None:
        """Do `effect` in a worker's thread."""
        self.performed[type(effect).__name__] += 1
        if isinstance(effect, FetchDocument) and self._world.providers is not None:
            answer = self._world.providers.answer(effect)
            self._performer.submit(DescribeProcess(), lambda _, error: done(answer, error))
            return
        if not isinstance(effect, Execute | FetchRows | Evaluate):
            self._performer.submit(effect, done)
            return
        self._running.add(id(effect))

        def ended(answer: object, error: BaseException | None) -> None:
            self._running.discard(id(effect))
            done(answer, error)

        self._performer.submit(effect, ended)

    @property
    def statements(self) -> int:
        """How many statements an engine is working on."""
        return len(self._running)

    def interrupt(self, effect: Effect[Any]) -> None:
        """Make a call of `perform` with this effect end soon."""
        self._performer.interrupt(effect)

    def note(self, record: Any) -> None:
        """Keep a record, and have it logged."""
        self.notes.append(record)
        self._performer.note(record)

    def close(self) -> None:
        """Free the engines."""
        self._performer.close()
