"""Complaints to the operator about a provider or its settings: once a minute, however many callers meet one.

The refused requests have records of their own; this is the one that says why
(threats: T22).  What is told comes from closed lists and never holds what a
provider answered.
"""

from __future__ import annotations

from ..asks import Moment
from ..observe.records import Report, Trouble

TOLD_SECONDS = 60.0


class Complaint:
    """One that may have to be made again and again.  `what` says what is wrong, for short."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._told_at: float | None = None

    async def tell(self, detail: str) -> None:
        """Report it to the log with this detail, unless it was reported within the last minute."""
        mono = (await Moment()).mono
        if self._told_at is None or mono - self._told_at >= TOLD_SECONDS:
            self._told_at = mono
            await Report(Trouble(f"{self._what}: {detail}"))
