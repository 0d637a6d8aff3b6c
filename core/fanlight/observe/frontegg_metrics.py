"""Metrics of kind Frontegg, under the names that Materialize gives them (spec auth.md F6).

Counted where app passwords are exchanged; shown only by a server that has a
listener of that kind.  What counts is a gauge to readers: the names end in
`_count`, and a counter's would get `_total` behind it.
"""

from __future__ import annotations

from typing import Literal

from .metrics import SpreadFamily, TallyFamily, Together

PREFIX = "mz_auth_"


class FronteggMetrics:
    """Five families; labels are of closed lists."""

    def __init__(self) -> None:
        self._requests = TallyFamily(
            "gauge", PREFIX + "request_count", "Requests to the tenant, counted.", "path", "status"
        )
        self._tasks = TallyFamily("gauge", PREFIX + "refresh_tasks_active", "Sessions that are kept fresh.")
        self._sessions = TallyFamily(
            "gauge", PREFIX + "session_request_count", "Requests for a session, counted.", "existing_session"
        )
        self._refreshes = TallyFamily(
            "gauge",
            PREFIX + "session_refresh_count",
            "Sessions that were due for a new token, counted.",
            "outstanding_receivers",
            "recent_drop",
        )
        self._durations = SpreadFamily(
            PREFIX + "request_duration_seconds", "How long requests to the tenant take in seconds.", "path"
        )
        self._tasks.cell()
        self.together = Together(self._requests, self._tasks, self._sessions, self._refreshes, self._durations)

    def requested(self, path: str, status: str, seconds: float) -> None:
        """The tenant answered, or did not: `status` has three digits, or is the reason."""
        self._requests.cell(path, status)._value += 1.0
        self._durations.cell(path).observe(seconds)

    def tasks(self, change: int) -> None:
        """One more task keeps a session fresh, or one less."""
        self._tasks.cell()._value += change

    def asked(self, session: Literal["new", "pending", "active"]) -> None:
        """Somebody presented an app password."""
        self._sessions.cell(session)._value += 1.0

    def refreshed(self, held: bool, recent: bool) -> None:
        """A session was due: did anybody rest on it, had anybody used it a moment ago?"""
        self._refreshes.cell(str(held).lower(), str(recent).lower())._value += 1.0
