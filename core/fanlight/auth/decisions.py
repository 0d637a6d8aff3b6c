"""Decisions about callers as records: who was refused, and who was let in.

Values for the audit and the security log, made where a decision is made.  They
hold names escaped, no secret and no raw text of the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from attrs import frozen

from ..observe.escape import escape

if TYPE_CHECKING:
    from ..http.request import Request
    from .chain import Rejected
    from .groups import RouteGroup

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


class Admission(NamedTuple):
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
        group_of(request),
        request.listener.listener.authenticator,
        request.peer,
        escape(rejected.user) if rejected.user else "",
        how,
        level,
    )


def group_of(request: Request) -> RouteGroup:
    """The group of the route that serves the request."""
    return request.route.group if request.route is not None else "fallback"
