"""The record of decisions: who was let in or refused, where and why.

Every decision is counted; the last of them are kept for `process.auth_events`,
and refusals go to the security log.  Equal refusals of one peer network are
written ten times a second, then counted and told in one line (`restraint`), so
that nobody can drown a log.  Records hold names escaped, and no secret.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..asks import Moment
from ..observe.escape import escape
from ..observe.records import Exposure, RefusalsOmitted, Report
from ..observe.restraint import Restraint
from .decisions import Admission, Refusal, group_of

if TYPE_CHECKING:
    from ..http.request import Request
    from ..moment import Now
    from ..observe.metrics import HttpMetrics, Tally
    from .groups import RouteGroup
    from .identity import Identity

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


_Admitted = tuple[float, str, str, str, str, str, str]
"""The first six members of an `AuthEvent` and the user as it came: hardly any of these is ever looked at."""
_Refused = tuple[float, Refusal]


class Audit:
    """Of one server.

    `tells_admissions` says that a log wants to hear of those who were let in.
    """

    def __init__(self, metrics: HttpMetrics) -> None:
        self.tells_admissions = False
        self._made: deque[_Admitted | _Refused] = deque(maxlen=KEPT)
        self._admissions: dict[tuple[str, str], Tally] = {}
        self._metrics = metrics
        self._restraint = Restraint()

    @property
    def events(self) -> list[AuthEvent]:
        """The last decisions, oldest first; any thread may read them."""
        return [_event(made) for made in list(self._made)]

    @property
    def deadline(self) -> float:
        """When `summaries` has something to tell, in monotonic seconds; `inf` for never."""
        return self._restraint.deadline

    def summaries(self, mono: float) -> list[RefusalsOmitted]:
        """What was left out of the second before; empty before the `deadline`."""
        return self._restraint.summaries(mono)

    def admitted(
        self, request: Request, identity: Identity, group: RouteGroup, how: str, wall: float
    ) -> Admission | None:
        """Take note of somebody who was let in at `wall`; the record for the log, if that wants one."""
        listener, kind = request.listener.name, identity.kind
        self._made.append((wall, listener, group, request.peer, kind, how, identity.user))
        tally = self._admissions.get((listener, kind))
        if tally is None:
            tally = self._admissions[listener, kind] = self._metrics.decisions(listener, kind, "accepted")
        tally._value += 1.0
        if not self.tells_admissions:
            return None
        return Admission(listener, group, kind, request.peer, escape(identity.user), how)

    def told(self, record: Any, now: Now) -> bool:
        """Whether the log is to be told `record`.  A refusal is taken note of first."""
        if isinstance(record, Refusal):
            return self._refused(record, now)
        return not isinstance(record, Exposure) or self._restraint.admits(record, now.mono)

    def _refused(self, refusal: Refusal, now: Now) -> bool:
        self._metrics.decisions(refusal.listener, refusal.kind, _outcome(refusal))._value += 1.0
        if not self._restraint.admits(refusal, now.mono):
            return False
        self._made.append((now.wall, refusal))
        return True


async def report_admission(request: Request, identity: Identity, how: str) -> None:
    """Somebody was let in who did not come by the gates: by `how`."""
    wall = (await Moment()).wall
    record = request.server.audit.admitted(request, identity, group_of(request), how, wall)
    if record is not None:
        await Report(record)


def _outcome(refusal: Refusal) -> Outcome:
    return "limited" if refusal.status == 429 else "refused"


def _event(made: _Admitted | _Refused) -> AuthEvent:
    if len(made) != 2:
        return AuthEvent(*made[:6], "accepted", "", escape(made[6]))
    wall, r = made
    return AuthEvent(wall, r.listener, r.group, r.peer, r.kind, r.how, _outcome(r), r.text, r.user)
