"""Decisions about callers as records: who was refused, and who was let in.

Values for the audit and the security log, made where a decision is made.  They
hold names escaped, no secret and no raw text of the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from ..observe.escape import escape

if TYPE_CHECKING:
    from ..http.request import Request
    from .chain import Rejected
    from .gates import Decision
    from .identity import Identity

Level = Literal["warning", "debug"]


@frozen
class Refusal:
    """One refused request, for the security log.  Holds no secret and no raw text of the caller.

    `text` is from a closed list; `user` is escaped (`observe.escape`), empty
    when no name was given.
    """

    text: str
    status: int
    listener: str
    group: str
    kind: str
    peer: str
    user: str = ""
    how: str = "HTTP request"
    level: Level = "warning"


@frozen
class Admission:
    """Somebody was let in who had to prove a name; for the log, where it wants to know."""

    listener: str
    group: str
    kind: str
    peer: str
    user: str
    how: str = "HTTP request"


def refusal_of(request: Request, rejected: Rejected, how: str, level: Level = "warning") -> Refusal:
    """The record of a rejection outside the gates; `how` says where."""
    return Refusal(
        rejected.reason,
        rejected.status,
        request.listener.name,
        request.route.group if request.route is not None else "fallback",
        request.listener.listener.authenticator,
        request.peer,
        escape(rejected.user) if rejected.user else "",
        how,
        level,
    )


def admission_of(request: Request, identity: Identity | None = None, how: str = "HTTP request") -> Admission:
    """The record of letting in `identity` (default: the request's own)."""
    known = identity or request.identity
    decision: Decision | None = request.head.cache
    return Admission(
        request.listener.name,
        decision.group if decision is not None else "fallback",
        known.kind if known is not None else "None",
        request.peer,
        escape(known.user) if known is not None else "",
        how,
    )
