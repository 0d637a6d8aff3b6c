"""Kind Oidc: a bearer token of an OpenID provider becomes an identity (spec auth.md sections 4 and 11).

The settings are read afresh for each token.  Checks come in a fixed order and
the first failure is told in a short text that says what, and nothing of the
values.  A token never makes anybody an internal user, unless the settings say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from ..asks import Moment
from .chain import Rejected
from .complaints import Complaint
from .effects import VerifySignature
from .identity import Proof
from .jwt import FAULTY, NO_KID, Claims, groups_of, read_claims, read_token
from .keyring import BAD_ISSUER, FETCH_FAILED, KeyRing
from .roles import is_user_name, named, token_may_name

if TYPE_CHECKING:
    from ..config.settings import Dialect, Settings
    from .identity import Identity
    from .users import Users

LEEWAY = 60.0
_BAD_AUDIENCES = "failed to parse OIDC_AUDIENCE system variable"
_OUTAGES = frozenset((FETCH_FAILED, BAD_ISSUER, _BAD_AUDIENCES))
_UNNAMED = "no matching authentication claim found in the JWT"
_REGISTERED = ("iss", "exp", "iat", "aud")


@frozen(kw_only=True)
class OidcSettings:
    """The provider.  May be replaced at any time (`App.oidc`); the next token is judged by the new value.

    `issuer` None: no token is good.  `audiences`: one of them must be in the
    token; none: the audience is not looked at.  `user_claim` is the name of the
    claim that is the user's name, `group_claim` the path to the groups.
    `console_client_id` and `console_scopes` are for the login of a console in
    the browser; `/api/console/config` tells them and the issuer to everybody.
    """

    issuer: str | None = None
    audiences: Sequence[str] = ()
    user_claim: str = "sub"
    group_claim: str = "groups"
    console_client_id: str = ""
    console_scopes: str = ""


def refused(text: str) -> Rejected:
    """A refused token: the text goes to the client as well."""
    return Rejected(text, body=text)


def is_outage(rejected: Rejected) -> bool:
    """Is it the provider's or the operator's fault, and no guess of the caller's?"""
    return rejected.body in _OUTAGES or rejected.body.startswith("OIDC issuer is")


class OidcTokens:
    """Judges tokens; holds the provider's keys."""

    def __init__(self, dialect: Dialect, users: Users, common: Settings) -> None:
        self._dialect = dialect
        self._common = common
        self._users = users
        self._ring = KeyRing()
        self._any_audience = Complaint("tokens for any audience are accepted")

    async def prove(self, settings: OidcSettings, token: str) -> Identity | Rejected:
        """Who the token is of, at the moment when it is presented."""
        wall = (await Moment()).wall
        if settings.issuer is None:
            return refused("OIDC issuer is not configured")
        if not _strings(settings.audiences):
            return refused(_BAD_AUDIENCES)
        parts = read_token(token)
        if isinstance(parts, str):
            return refused(parts)
        if parts.kid is None:
            return refused(NO_KID)
        key = await self._ring.find(settings.issuer, parts.kid)
        if isinstance(key, str):
            status = self._common.upstream_failure_status if key == FETCH_FAILED else 401
            return evolve(refused(key), status=status)
        if not key.fits(parts.algorithm):
            return refused(FAULTY)
        if not await VerifySignature(key, parts.algorithm, parts.signed, parts.signature):
            return refused(FAULTY)
        claims = read_claims(parts.payload)
        if claims is None:
            return refused(FAULTY)
        if not settings.audiences:
            await self._any_audience.tell("none is set")
        problem = _problem(claims, settings, wall)
        return refused(problem) if problem is not None else self._identity(claims, settings)

    def _identity(self, claims: Claims, settings: OidcSettings) -> Identity | Rejected:
        """The name, the right to log in, and that it is nobody's whose name a token cannot give."""
        name = claims.all.get(settings.user_claim) if settings.user_claim not in _REGISTERED else None
        if not isinstance(name, str) or not is_user_name(name):
            return refused(_UNNAMED)
        role = self._users.find(name)
        if role is not None and not role.login:
            return refused("role is not allowed to login")
        if not token_may_name(name, self._dialect, self._common):
            return Rejected("role dissallowed", user=name)
        return evolve(
            named(name, "Oidc", self._dialect),
            groups=groups_of(claims.all, settings.group_claim),
            superuser=role is not None and role.superuser,
            # What ends a known user's sessions ends what a token has opened as well.
            proof=Proof(role.mark if role is not None else "", ends=claims.expires + LEEWAY),
        )


def _problem(claims: Claims, settings: OidcSettings, wall: float) -> str | None:
    """What is wrong with verified claims: time before issuer before audience."""
    if claims.expires < wall - LEEWAY:
        return "authentication credentials have expired"
    if claims.not_before is not None and claims.not_before > wall + LEEWAY:
        return FAULTY
    if claims.issuer != settings.issuer:
        return "invalid issuer"
    if settings.audiences and not set(settings.audiences) & set(claims.audiences or ()):
        return "invalid audience"
    return None


def _strings(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
