"""Outages of providers, told to the operator at most once a minute however many callers meet one (threats: T22).

The refused requests have records of their own; this is the one that says why.
What is told comes from closed lists and never holds what a provider answered.
"""

from __future__ import annotations

from ..asks import Moment
from ..observe.records import Report, Trouble

TOLD_SECONDS = 60.0


class Outages:
    """Those of one provider.  `what` says what cannot be done while there is one."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._told_at: float | None = None

    async def tell(self, problem: str) -> None:
        """Report `problem` to the log, unless one was reported within the last minute."""
        mono = (await Moment()).mono
        if self._told_at is None or mono - self._told_at >= TOLD_SECONDS:
            self._told_at = mono
            await Report(Trouble(f"{self._what}: {problem}"))
