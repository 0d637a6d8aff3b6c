"""The record of decisions: who was let in or refused, where and why.

Every decision is counted; the last of them are kept for `process.auth_events`,
and refusals go to the security log.  Equal refusals of one peer network are
written ten times a second, then counted and told in one line, so that nobody
can drown a log.  Records hold names escaped, and no secret.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal, NamedTuple

from attrs import frozen

from ..lobby import network_of

if TYPE_CHECKING:
    from ..observe.metrics import HttpMetrics
    from .gates import Refusal

KEPT = 1000
A_SECOND = 10
_TOLD_APART = 1024

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


@frozen
class Admission:
    """Somebody was let in who had to prove a name; for the log, where it wants to know."""

    listener: str
    group: str
    kind: str
    peer: str
    user: str
    how: str = "HTTP request"


@frozen
class Unwritten:
    """So many more refusals of that text came from that peer network within a second."""

    count: int
    text: str
    network: str


class Audit:
    """Of one server.  `events` are the last decisions, oldest first; any thread may read them."""

    def __init__(self, metrics: HttpMetrics) -> None:
        self.events: deque[AuthEvent] = deque(maxlen=KEPT)
        self.tells_admissions = False
        self._metrics = metrics
        self._second = -1
        self._seen: dict[tuple[str, str], int] = {}

    def admitted(self, admission: Admission, wall: float) -> bool:
        """Note that somebody was let in; True when a log wants to hear of it."""
        self._metrics.authenticated(admission.listener, admission.kind, "accepted")
        self.events.append(
            AuthEvent(
                wall,
                admission.listener,
                admission.group,
                admission.peer,
                admission.kind,
                admission.how,
                "accepted",
                "",
                admission.user,
            )
        )
        return self.tells_admissions

    def refused(self, refusal: Refusal, wall: float, mono: float) -> list[Refusal | Unwritten]:
        """Note a refusal; what is to be written of it, and of those before it."""
        outcome: Outcome = "limited" if refusal.status == 429 else "refused"
        self._metrics.authenticated(refusal.listener, refusal.kind, outcome)
        written: list[Refusal | Unwritten] = []
        if int(mono) != self._second:
            written += self._summary()
            self._second = int(mono)
        key = (network_of(refusal.peer), refusal.text)
        if key not in self._seen and len(self._seen) >= _TOLD_APART:
            key = ("", "")  # more than anybody would read
        count = self._seen[key] = self._seen.get(key, 0) + 1
        if count > A_SECOND:
            return written
        self.events.append(
            AuthEvent(
                wall,
                refusal.listener,
                refusal.group,
                refusal.peer,
                refusal.kind,
                refusal.how,
                outcome,
                refusal.text,
                refusal.user,
            )
        )
        return [*written, refusal]

    def _summary(self) -> list[Unwritten]:
        """What was not written of the second before."""
        more = [
            Unwritten(count - A_SECOND, text, network)
            for (network, text), count in self._seen.items()
            if count > A_SECOND
        ]
        self._seen.clear()
        return more
