"""How a caller proves who they are: the seam between the gates and the kinds.

An `Authenticate` is a routine that turns credentials into an identity or a
rejection.  Kind None is here whole; the other kinds are not part of this
release, and a listener that asks for one is refused when the server is built,
never served without authentication.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from ..config import ConfigurationError
from .authorization import Credentials, Password, Unusable
from .identity import Identity, Kind
from .roles import is_user_name, named

if TYPE_CHECKING:
    from ..asks import Routine
    from ..config import Dialect
    from ..http.request import Request


@frozen
class Rejected:
    """No identity.  `reason` is for the log, from a closed list; `body` is for the client.

    `missing` says that nothing usable was presented: only then is a challenge
    offered.  `user` is the name that was claimed, as sent.
    """

    reason: str
    missing: bool = False
    body: str = "unauthorized"
    user: str = ""


MISSING = Rejected("missing authorization header", missing=True)


class Authenticate(Protocol):
    """One way of proving who one is.  Answers a value for every expected failure; raises on bugs only."""

    def __call__(self, request: Request, credentials: Credentials, /) -> Routine[Identity | Rejected]:
        """Who sent `request`?  `credentials` are usable or absent: the chain has answered the rest."""
        ...


class FindSession(Protocol):
    """Looks for a session of the request; None: there is none, so the authenticator decides."""

    def __call__(self, request: Request, /) -> Routine[Identity | Rejected | None]: ...


def believe(credentials: Credentials, dialect: Dialect) -> Identity | Rejected:
    """Kind None: a caller is whoever they say.

    Basic: that user name, whatever the password.  Bearer or nothing: the
    anonymous user.  Something unusable is neither.
    """
    if credentials is Unusable.MALFORMED or credentials is Unusable.DUPLICATE:
        return MISSING
    if not isinstance(credentials, Password):
        return named(dialect.anonymous_user, "None", dialect)
    if not is_user_name(credentials.user):
        return Rejected("invalid credentials", user=credentials.user)
    return named(credentials.user, "None", dialect)


async def identify(
    request: Request, credentials: Credentials, authenticator: Authenticate, session: FindSession | None = None
) -> Identity | Rejected:
    """Gates 9 and 10.  A usable Authorization field is judged alone; a session counts only without one."""
    if credentials is Unusable.MALFORMED or credentials is Unusable.DUPLICATE:
        return MISSING
    if session is not None and credentials is Unusable.ABSENT:
        found = await session(request)
        if found is not None:
            return found
    return await authenticator(request, credentials)


def require_available(kind: Kind, path: str) -> None:
    """`ConfigurationError` about `path` for a kind that this release cannot check."""
    if kind != "None":
        raise ConfigurationError(path, f"authenticator kind {kind} is not available in this release")


def authenticator_for(kind: Kind, dialect: Dialect) -> Authenticate:
    """The authenticator of `kind`; `ConfigurationError` where this release has none."""
    require_available(kind, "authenticator")

    async def authenticate(request: Request, credentials: Credentials, /) -> Identity | Rejected:
        return believe(credentials, dialect)

    return authenticate
