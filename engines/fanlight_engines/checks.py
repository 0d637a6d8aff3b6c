"""The engine that calls the readiness checks that are plain functions.

In threads of its own, so that a check that hangs keeps nobody else waiting.  It
neither judges an answer nor bounds a call: the core does, and starts no second
call of a check before the first has returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakSet

from fanlight.health.checks import CallCheck


class Checks:
    """Answers `CallCheck` with what the check returns; raises what it raises."""

    own_threads = 4
    own_effects: frozenset[type] = frozenset({CallCheck})

    def __init__(self) -> None:
        self._cancelled: WeakSet[CallCheck] = WeakSet()
        self.handlers: Mapping[type, Callable[[Any], Any]] = {CallCheck: self._call}
        self.interrupts: Mapping[type, Callable[[Any], None]] = {CallCheck: self._cancelled.add}

    def _call(self, effect: CallCheck) -> object:
        """One that nobody waits for any more by the time a thread is free is not begun."""
        try:
            return None if effect in self._cancelled else effect.check.function()
        finally:
            effect.check.busy = False

    def close(self) -> None:
        """Nothing is held."""
