"""How a caller proves who they are: the seam between the gates and the kinds.

An `Authenticate` is a routine that turns credentials into an identity or a
rejection.  Kinds None and Password are here whole; the other kinds are not part
of this release, and a listener that asks for one is refused when the server is
built, never served without authentication.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Protocol

from attrs import evolve, frozen

from ..config import ConfigurationError
from ..http.response import Fields, Response, empty, text
from .authorization import Credentials, Password, Unusable
from .identity import Identity, Kind, Proof
from .roles import is_user_name, named
from .users import Role

if TYPE_CHECKING:
    from ..asks import Routine
    from ..config import Dialect
    from ..http.request import Request
    from .checks import PasswordChecks


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
    status: int = 401
    fields: Fields = ()

    def response(self, *challenges: tuple[str, str]) -> Response:
        """The answer; an empty `body` has no content type."""
        fields = self.fields + challenges
        return text(self.status, self.body, *fields) if self.body else empty(self.status, *fields)


TOO_MANY = "too many requests, try again later"
MISSING = Rejected("missing authorization header", missing=True)


class Authenticate(Protocol):
    """One way of proving who one is.  Answers a value for every expected failure; raises on bugs only."""

    def __call__(self, request: Request, credentials: Credentials, /) -> Routine[Identity | Rejected]:
        """Who sent `request`?  `credentials` are usable or absent: the chain has answered the rest."""
        ...


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


async def prove_password(
    checks: PasswordChecks, dialect: Dialect, peer: str, user: str, password: str
) -> Identity | Rejected:
    """Who `user` is, if that is the password (spec auth.md A4).

    A wrong password, a user that nobody is, one that may not log in and one
    without a password are told apart by nothing.
    """
    if not is_user_name(user):
        return Rejected("invalid credentials", user=user)
    found = await checks.check(peer, user, password)
    if isinstance(found, Role):
        return evolve(named(user, "Password", dialect), superuser=found.superuser, proof=Proof(found.mark))
    if found.retry_after is None:
        return Rejected("invalid credentials", user=user)
    return too_many(found.retry_after, user)


def too_many(seconds: float, user: str = "") -> Rejected:
    """The throttle's refusal, or that of checks that have too much to do."""
    retry = ("retry-after", str(max(1, ceil(seconds - 1e-6))))
    return Rejected("too many attempts", body=TOO_MANY, user=user, status=429, fields=(retry,))


def authenticator_for(kind: Kind, dialect: Dialect, checks: PasswordChecks | None = None) -> Authenticate:
    """The authenticator of `kind`; `ConfigurationError` where this release has none.

    Kind Password needs `checks`.
    """
    require_available(kind, "authenticator")

    async def authenticate(request: Request, credentials: Credentials, /) -> Identity | Rejected:
        return believe(credentials, dialect)

    async def by_password(request: Request, credentials: Credentials, /) -> Identity | Rejected:
        assert checks is not None
        if not isinstance(credentials, Password):
            return MISSING  # a token is nothing here, and nothing that is wrong
        return await prove_password(checks, dialect, request.peer, credentials.user, credentials.password)

    return authenticate if kind == "None" else by_password


def require_available(kind: Kind, path: str) -> None:
    """`ConfigurationError` about `path` for a kind that this release cannot check."""
    if kind not in ("None", "Password"):
        raise ConfigurationError(path, f"authenticator kind {kind} is not available in this release")
