"""Readiness: named conditions that must all hold before `/api/readyz` says `ready`.

A value that the program sets, from any thread: each operation is one store into
a dict.  It wakes nobody; who waits, looks again.
"""

from __future__ import annotations

from typing import Literal

State = Literal["pending", "met", "failed"]


class Readiness:
    """Conditions by name.  With none at all the server is ready."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}

    def set(self, name: str, met: bool) -> None:
        """Say that the condition `name` holds, or that it does not (yet, or any more)."""
        self._states[name] = "met" if met else "pending"

    def fail(self, name: str) -> None:
        """Say that `name` can never hold: a request that waits for it ends with 503."""
        self._states[name] = "failed"

    def remove(self, name: str) -> None:
        """Forget the condition `name`, if it is there."""
        self._states.pop(name, None)

    @property
    def ready(self) -> bool:
        """Whether every condition is met."""
        return all(state == "met" for state in list(self._states.values()))

    @property
    def failed(self) -> bool:
        """Whether waiting is pointless."""
        return "failed" in list(self._states.values())

    def states(self) -> dict[str, State]:
        """A copy of all conditions."""
        return dict(self._states)
