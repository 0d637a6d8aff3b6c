"""How a caller proves who they are: the seam between the gates and the kinds.

An `Authenticate` turns credentials into an identity or a rejection: at once
where that is known, else by a routine.  Kind None is here whole; the others are put together from what
proves passwords and tokens (`provers`).
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, Protocol

from attrs import frozen

from ..asks import Moment
from ..http.response import Fields, Response, empty, text
from ..peer import network_of
from .authorization import Credentials, Password, Unusable
from .identity import Identity, Kind
from .roles import is_user_name, named

if TYPE_CHECKING:
    from ..asks import Routine
    from ..config.settings import Dialect
    from ..http.request import Request
    from ..moment import Now
    from .provers import Provers
    from .throttle import Throttle


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


class Carried(NamedTuple):
    """What a request's cookie says: an identity, a rejection, or nothing; and the Set-Cookie value to answer with."""

    outcome: Identity | Rejected | None = None
    cookie: str | None = None


NOTHING = Carried()


class Authenticate(Protocol):
    """One way of proving who one is.  Answers a value for every expected failure; raises on bugs only."""

    def __call__(
        self, request: Request, credentials: Credentials, now: Now, /
    ) -> Identity | Rejected | Routine[Identity | Rejected]:
        """Who sent `request`?  `credentials` are usable or absent: the gates have answered the rest.

        At once when it is known at `now`; a routine when somebody has to be asked.
        """
        ...


async def found(outcome: Identity | Rejected | Routine[Identity | Rejected]) -> Identity | Rejected:
    """The outcome, waited for if need be."""
    return outcome if isinstance(outcome, (Identity, Rejected)) else await outcome


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


def too_many(seconds: float, user: str = "") -> Rejected:
    """The throttle's refusal, or that of checks that have too much to do."""
    retry = ("retry-after", str(max(1, ceil(seconds - 1e-6))))
    return Rejected("too many attempts", body=TOO_MANY, user=user, status=429, fields=(retry,))


async def prove_bearer(
    throttle: Throttle, peer: str, proof: Routine[Identity | Rejected], outage: Callable[[Rejected], bool]
) -> Identity | Rejected:
    """The outcome of `proof`, which judges a token; a refused one costs the peer network a try (threats: T1)."""
    network = network_of(peer)
    delay = throttle.peer_delay(network, (await Moment()).mono)
    if delay:
        proof.close()
        return too_many(delay)
    outcome = await proof
    if isinstance(outcome, Rejected) and not outage(outcome):
        throttle.spend(network, (await Moment()).mono)
    return outcome


def authenticator_for(kind: Kind, dialect: Dialect, provers: Provers | None = None) -> Authenticate:
    """The authenticator of `kind`.  All but None need `provers`."""

    def authenticate(request: Request, credentials: Credentials, now: Now, /) -> Identity | Rejected:
        return believe(credentials, dialect)

    if kind == "None":
        return authenticate
    if provers is None:
        raise ValueError(f"kind {kind} needs provers")
    return {"Password": provers.by_password, "Oidc": provers.by_oidc, "Frontegg": provers.by_frontegg}[kind]
