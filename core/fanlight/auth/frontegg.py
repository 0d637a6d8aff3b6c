"""Kind Frontegg: app passwords and access tokens of a Frontegg tenant (spec auth.md section 12).

An app password stands for an access token that it is exchanged for
(`app_passwords`).  Each caller's user name is compared by itself, so nobody's
mistake is somebody else's.  Every refusal looks the same from outside.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import Attribute, evolve, field, frozen

from ..asks import Moment
from ..config.settings import ConfigurationError, kind_of
from ..http.response import reason
from ..observe.frontegg_metrics import FronteggMetrics
from ..peer import network_of
from .app_passwords import AppPasswords, Grant
from .chain import Rejected, too_many
from .effects import Pem, VerifySignature
from .identity import Proof
from .jwt import groups_of, read_object, read_token, whole
from .keyring import url_scheme
from .roles import is_user_name, named, token_may_name

if TYPE_CHECKING:
    from ..config.settings import Dialect, Settings
    from ..http.request import Request
    from ..moment import Entropy
    from .identity import Identity
    from .throttle import Throttle

PREFIX = "mzp_"
_UUID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_LONG = 64

BAD = "invalid credentials"
OUTAGE = "app password cannot be exchanged"


def _string(_: Any, attribute: Attribute[str], value: object) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(f"frontegg.{attribute.name}", f"expected a string, got {kind_of(value)}")


def _string_or_none(_: Any, attribute: Attribute[str | None], value: object) -> None:
    if value is not None:
        _string(_, attribute, value)  # type: ignore[arg-type]


def _url(_: Any, attribute: Attribute[str], value: str) -> None:
    _string(_, attribute, value)
    if url_scheme(value) is None:
        raise ConfigurationError(f"frontegg.{attribute.name}", "expected a URL of http or https")


def _uuid_text(_: Any, attribute: Attribute[str], value: str) -> None:
    _string(_, attribute, value)
    if not _is_uuid(value):
        raise ConfigurationError(f"frontegg.{attribute.name}", "expected a UUID")


def _pem_text(_: Any, attribute: Attribute[str], value: str) -> None:
    _string(_, attribute, value)
    if "-----BEGIN PUBLIC KEY-----" not in value:
        raise ConfigurationError(f"frontegg.{attribute.name}", "expected a public key as PEM text")


@frozen(kw_only=True)
class FronteggSettings:
    """The tenant.  Raises `ConfigurationError` for what cannot be one.

    `public_key` is the PEM of the key that signs its tokens; `token_url` is
    where app passwords are exchanged.  Who has `admin_role` is a superuser.
    `issuer` is published for OAuth clients, if it is given.
    """

    token_url: str = field(validator=_url)
    tenant_id: str = field(validator=_uuid_text)
    public_key: str = field(repr=False, validator=_pem_text)
    admin_role: str = field(default="mzadmin", validator=_string)
    group_claim: str = field(default="groups", validator=_string)
    issuer: str | None = field(default=None, validator=_string_or_none)


@frozen
class AccessToken:
    """What a verified access token says."""

    user: str
    expires: int
    admin: bool
    groups: tuple[str, ...] | None


def parse_app_password(value: str) -> tuple[str, str] | None:
    """Client id and secret of an app password, as UUIDs; None when it is none."""
    if not value.startswith(PREFIX):
        return None
    rest = value.removeprefix(PREFIX)
    length = len(rest.encode("utf-8", "surrogatepass"))
    if length in (43, 44):
        return _from_base64(rest)
    if length < _LONG:
        return None
    digits = "".join(character for character in rest if character.isalnum())[:_LONG]
    return (_uuid(digits[:32]), _uuid(digits[32:])) if _HEX.fullmatch(digits) else None


def _from_base64(text: str) -> tuple[str, str] | None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}=?", text):
        return None
    raw = urlsafe_b64decode(text.rstrip("=") + "=").hex()
    return _uuid(raw[:32]), _uuid(raw[32:])


def _uuid(digits: str) -> str:
    d = digits.lower()
    return f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:]}"


def same_user(claimed: str, user: str) -> bool:
    """Is `user` who the caller says?  Mail addresses are compared without regard to case, other names exactly."""
    if not is_user_name(claimed):
        return False
    return claimed.lower() == user.lower() if "@" in claimed else claimed == user


def read_access(payload: bytes, settings: FronteggSettings, wall: float) -> AccessToken | None:
    """The claims of a token whose signature is good; None when it is not good for this tenant now (F4)."""
    claims = read_object(payload)
    if claims is None or not _shaped(claims):
        return None
    kind, metadata = claims["type"], claims.get("metadata")
    if kind == "tenantApiToken":
        user = metadata.get("user") if isinstance(metadata, dict) else None
        sound = isinstance(user, str) and "@" not in user
    else:
        user = claims.get("email")
        sound = kind == "userToken" or (kind == "userApiToken" and _is_uuid(claims.get("userId")))
    if not sound or not isinstance(user, str) or not is_user_name(user):
        return None
    if claims["exp"] < wall or claims["tenantId"].lower() != settings.tenant_id.lower():
        return None
    admin = settings.admin_role in claims["roles"]
    return AccessToken(user, claims["exp"], admin, groups_of(claims, settings.group_claim))


def _shaped(claims: Mapping[str, Any]) -> bool:
    return (
        _is_uuid(claims.get("sub"))
        and _is_uuid(claims.get("tenantId"))
        and whole(claims.get("exp")) is not None
        and isinstance(claims.get("iss"), str)
        and isinstance(claims.get("type"), str)
        and isinstance(claims.get("roles"), list)
        and isinstance(claims.get("permissions"), list)
    )


def _is_uuid(value: object) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


class FronteggTokens:
    """Judges app passwords and tokens."""

    def __init__(
        self,
        dialect: Dialect,
        common: Settings,
        throttle: Throttle,
        entropy: Entropy,
        metrics: FronteggMetrics | None = None,
    ) -> None:
        self._dialect = dialect
        self._common = common
        self.passwords = AppPasswords(throttle, entropy, metrics or FronteggMetrics(), self._verified, self._renewed)

    async def prove_token(self, settings: FronteggSettings, token: str) -> Identity | Rejected:
        """Who an access token is of."""
        access = await self._verified(settings, token)
        return self._identity(access, Proof(ends=float(access.expires))) if access is not None else Rejected(BAD)

    async def prove_password(
        self, settings: FronteggSettings, peer: str, user: str, password: str
    ) -> Identity | Rejected:
        """Who an app password is of, if that is `user`.  A wrong one counts against its client id."""
        pair = parse_app_password(password)
        if pair is None or not is_user_name(user):
            return Rejected(BAD, user=user)
        grant = await self.passwords.grant_of(settings, network_of(peer), pair)
        if grant is True:
            return self._outage(user)
        if grant is False:
            return Rejected(BAD, user=user)
        if not isinstance(grant, Grant):
            return too_many(grant, user)
        if not same_user(user, grant.access.user):
            return Rejected(BAD, user=user)
        return self._identity(grant.access, Proof(grant=grant.key))

    def _outage(self, user: str) -> Rejected:
        """The tenant could not be asked: the operator says whether that is told from a wrong password."""
        status = self._common.upstream_failure_status
        body = "unauthorized" if status == 401 else reason(status).lower()
        return Rejected(OUTAGE, body=body, user=user, status=status)

    def _identity(self, access: AccessToken, proof: Proof) -> Identity | Rejected:
        if not token_may_name(access.user, self._dialect, self._common):
            return Rejected("role dissallowed", user=access.user)
        return evolve(
            named(access.user, "Frontegg", self._dialect),
            groups=access.groups,
            admin=access.admin,
            superuser=access.admin,
            proof=proof,
        )

    def _renewed(self, request: Request, access: AccessToken) -> bool:
        """Whoever rests on a session has what its new token says; False for one who had more rights before."""
        before = request.identity
        if before is None or (before.superuser and not access.admin):
            return False
        request.identity = evolve(before, groups=access.groups, admin=access.admin, superuser=access.admin)
        return True

    async def _verified(self, settings: FronteggSettings, token: str) -> AccessToken | None:
        """RS256 with the tenant's key and nothing else; the header's own ideas do not count."""
        parts = read_token(token)
        if isinstance(parts, str) or parts.algorithm != "RS256":
            return None
        if not await VerifySignature(Pem(settings.public_key), "RS256", parts.signed, parts.signature):
            return None
        return read_access(parts.payload, settings, (await Moment()).wall)
