"""The record of decisions: who was let in or refused, where and why.

Every decision is counted; the last of them are kept for `process.auth_events`,
and refusals go to the security log.  Equal refusals of one peer network are
written ten times a second, then counted and told in one line (`restraint`), so
that nobody can drown a log.  Records hold names escaped, and no secret.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..observe.records import Exposure, RefusalsOmitted
from ..observe.restraint import Restraint
from .decisions import Admission, Refusal

if TYPE_CHECKING:
    from ..moment import Now
    from ..observe.metrics import HttpMetrics

KEPT = 1000

Outcome = Literal["accepted", "refused", "limited"]


class AuthEvent(NamedTuple):
    """One decision.  `how` is where it was made, `reason` empty when it was to let in; `user` is escaped."""

    wall: float
    listener: str
    group: str
    peer: str
    kind: str
    how: str
    outcome: Outcome
    reason: str
    user: str


class Audit:
    """Of one server.  `events` are the last decisions, oldest first; any thread may read them.

    `tells_admissions` says that a log wants to hear of those who were let in.
    """

    def __init__(self, metrics: HttpMetrics) -> None:
        self.events: deque[AuthEvent] = deque(maxlen=KEPT)
        self.tells_admissions = False
        self._metrics = metrics
        self._restraint = Restraint()

    @property
    def deadline(self) -> float:
        """When `summaries` has something to tell, in monotonic seconds; `inf` for never."""
        return self._restraint.deadline

    def summaries(self, mono: float) -> list[RefusalsOmitted]:
        """What was left out of the second before; empty before the `deadline`."""
        return self._restraint.summaries(mono)

    def told(self, record: Any, now: Now) -> bool:
        """Take note of `record`; whether the log is to be told too.  What is no decision always is."""
        if isinstance(record, Refusal):
            return self._refused(record, now)
        if isinstance(record, Admission):
            return self._admitted(record, now)
        return not isinstance(record, Exposure) or self._restraint.admits(record, now.mono)

    def _admitted(self, admission: Admission, now: Now) -> bool:
        self._keep(admission, now, "accepted", "")
        self._metrics.authenticated(admission.listener, admission.kind, "accepted")
        return self.tells_admissions

    def _refused(self, refusal: Refusal, now: Now) -> bool:
        outcome: Outcome = "limited" if refusal.status == 429 else "refused"
        self._metrics.authenticated(refusal.listener, refusal.kind, outcome)
        if not self._restraint.admits(refusal, now.mono):
            return False
        self._keep(refusal, now, outcome, refusal.text)
        return True

    def _keep(self, made: Refusal | Admission, now: Now, outcome: Outcome, reason: str) -> None:
        self.events.append(
            AuthEvent(now.wall, made.listener, made.group, made.peer, made.kind, made.how, outcome, reason, made.user)
        )
