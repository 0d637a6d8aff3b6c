"""Liveness: whether the program's event loops still take turns, for a server that runs beside them.

A server in a thread of its own answers while the program's loop is stuck,
which is what it is there for, and so it may say so.  It sends each watched
loop a beat now and then, and looks whether the one before has come through.  A
beat is one empty call on that loop.  Without a loop to watch, which is the
default, nothing is sent and no timer is set.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from ..observe.records import Trouble

Soon = Callable[[Callable[[], None]], object]
"""Has a function called on the loop soon, from any thread: `call_soon_threadsafe`, `run_sync_soon`."""

BEATS = 4
"""Beats within the time that a loop is given.  It is stuck when it has missed so many: they are counted when they
are sent, so that a process that was stopped as a whole, and goes on, has not missed any."""


@define(eq=False)
class _Watched:
    """One loop.  `underway`: a beat was sent and has not come through; the loop itself clears it."""

    name: str
    soon: Soon
    interval: float
    due: float = -inf
    missed: int = 0
    underway: bool = False
    stuck: bool = False

    def beat(self) -> bool:
        """Send a beat, unless one is under way: a loop that was stuck for hours is not to find thousands of them.

        Returns whether too many were missed; raises what `soon` raises when
        the loop is gone.
        """
        if self.underway:
            self.missed += 1
        else:
            self.missed = 0
            self.underway = True
            self.soon(self.through)
        return self.missed >= BEATS

    def through(self) -> None:
        """What a beat does, on the loop."""
        self.underway = False


class Liveness:
    """The loops that are watched.  `watch` and `forget` may be called from any thread."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}
        self._told: tuple[Callable[[], object], ...] = ()

    def watch(self, soon: Soon, *, seconds: float = 10.0, name: str = "main") -> None:
        """Say that the process is not alive when the loop behind `soon` takes no turn for `seconds` (1 to 3600).

        A loop that has ended is watched no more.  Useless for the loop that
        serves: while that is stuck nobody answers anyway.
        """
        if not 1 <= seconds <= 3600:
            raise ValueError("seconds is 1 to 3600")
        self._watched[name] = _Watched(name, soon, seconds / BEATS)
        for told in self._told:
            told()

    def forget(self, name: str = "main") -> None:
        """Watch that loop no more."""
        self._watched.pop(name, None)

    @property
    def stuck(self) -> bool:
        """Whether some loop has missed its beats."""
        return any(watched.stuck for watched in list(self._watched.values()))

    @property
    def deadline(self) -> float:
        """When the next beat is due."""
        if not self._watched:  # nearly always, and asked often
            return inf
        return min((watched.due for watched in list(self._watched.values())), default=inf)

    def beat(self, mono: float) -> list[Trouble]:
        """Send the beats that are due; returns what is to be told of loops that are stuck now, or no more."""
        changed: list[Trouble] = []
        for watched in list(self._watched.values()):
            if watched.due > mono:
                continue
            watched.due = mono + watched.interval
            try:
                stuck = watched.beat()
            except Exception:  # noqa: BLE001 - the loop is closed: how that is said differs
                self.forget(watched.name)
                continue
            if stuck != watched.stuck:
                from ..observe.records import Trouble

                watched.stuck = stuck
                says = "takes no turns" if stuck else "takes turns again"
                changed.append(Trouble(f"the event loop {watched.name!r} {says}"))
        return changed

    def told(self, told: Callable[[], object]) -> Callable[[], None]:
        """Have `told()` called when a loop is added: the deadline is nearer; returns how to stop that."""
        self._told = (*self._told, told)

        def stop() -> None:
            self._told = tuple(other for other in self._told if other is not told)

        return stop
