"""Readiness: named conditions and checks that must all hold before `/api/readyz` says `ready`.

Conditions are values that the program sets, from any thread: each operation is
one store into a dict.  Checks are functions of the program's that are called
when somebody asks (`checks`).  Nothing here calls one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from .checks import Check

State = Literal["pending", "met", "failed"]
Function = TypeVar("Function", bound=Callable[[], Any])


class Readiness:
    """Conditions and checks by name.  With none at all the server is ready."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._watchers: dict[object, Callable[[], bool]] = {}
        self._checks: dict[str, Check] = {}

    def set(self, name: str, met: bool) -> None:
        """Say that the condition `name` holds, or that it does not (yet, or any more)."""
        self._states[name] = "met" if met else "pending"
        self._tell()

    def fail(self, name: str) -> None:
        """Say that `name` can never hold: a request that waits for it ends with 503."""
        self._states[name] = "failed"
        self._tell()

    def remove(self, name: str) -> None:
        """Forget the condition or the check `name`, if it is there."""
        self._states.pop(name, None)
        self._checks.pop(name, None)
        self._tell()

    def check(self, name: str, *, timeout: float = 1.0, every: float = 1.0) -> Callable[[Function], Function]:
        """A decorator: have the function called, or the `async def` awaited, when somebody asks for readiness.

        The check fails when it raises, returns False, or takes longer than
        `timeout` seconds; it is done at most once in `every` seconds, whoever
        asks.  A function runs in a worker's thread, an `async def` as a task of
        the loop that serves.  Why it failed is for the log alone.  Raises
        `ValueError` for seconds that make no sense.
        """
        if not (0 < timeout <= 60 and 0.1 <= every <= 3600):
            raise ValueError("timeout is at most 60 seconds, every 0.1 to 3600")
        from .checks import Check  # only where there are some

        def add(function: Function) -> Function:
            self._checks[name] = Check(name, function, timeout, every)
            return function

        return add

    @property
    def ready(self) -> bool:
        """Whether every condition is met; checks are not asked."""
        return all(state == "met" for state in list(self._states.values()))

    @property
    def failed(self) -> bool:
        """Whether waiting is pointless."""
        return "failed" in list(self._states.values())

    @property
    def checks(self) -> list[Check]:
        """Every check, in the order they came."""
        return list(self._checks.values())

    def states(self) -> dict[str, State]:
        """A copy of all conditions."""
        return dict(self._states)

    def watch(self, told: Callable[[], bool]) -> None:
        """Have `told()` called after each change, on the thread that made it, until it returns True."""
        self._watchers[told] = told

    def _tell(self) -> None:
        for key, told in list(self._watchers.items()):
            if told():
                self._watchers.pop(key, None)
