"""Kind Frontegg: app passwords and access tokens of a Frontegg tenant (spec auth.md section 12).

An app password is exchanged for an access token, once for all who present it at
the same time, and the token's claims are kept until most of its time has
passed.  Each caller's user name is compared by itself, so nobody's mistake is
somebody else's.  Every refusal looks the same from outside.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Mapping
from hmac import digest
from json import dumps
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from ..asks import Moment, Sleep
from ..latch import Await, Latch
from ..lobby import network_of
from ..observe.records import Report, Trouble
from .chain import Rejected, too_many
from .effects import FetchDocument, Fetched, FetchFailed, Pem, VerifySignature
from .identity import Proof
from .jwt import groups_of, read_object, read_token, whole
from .roles import is_reserved, is_user_name, named
from .throttle import Reservation

if TYPE_CHECKING:
    from ..config import Dialect
    from ..moment import Entropy
    from .identity import Identity
    from .throttle import Throttle

PREFIX = "mzp_"
KEPT = 4096
ATTEMPT_SECONDS = 5.0
TOTAL_SECONDS = 30.0
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0
REFRESH_PART = 0.8
LONGEST_ANSWER = 64 * 1024
_UUID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_LONG = 64

BAD = "invalid credentials"


@frozen(kw_only=True)
class FronteggSettings:
    """The tenant.

    `public_key` is the PEM of the key that signs its tokens; `token_url` is
    where app passwords are exchanged.  Who has `admin_role` is a superuser.
    `issuer` is published for OAuth clients, if it is given.
    """

    token_url: str
    tenant_id: str
    public_key: str = field(repr=False)
    admin_role: str = "mzadmin"
    group_claim: str = "groups"
    issuer: str | None = None


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


class _Flight:
    """An exchange that several callers wait for; not `done` after the latch opened: it was given up."""

    __slots__ = ("done", "latch", "result")

    def __init__(self) -> None:
        self.latch = Latch()
        self.done = False
        self.result: AccessToken | bool = False


class FronteggTokens:
    """Judges app passwords and tokens.  `exchanges` counts those that were begun."""

    def __init__(self, dialect: Dialect, throttle: Throttle, entropy: Entropy) -> None:
        self.exchanges = 0
        self._dialect = dialect
        self._throttle = throttle
        self._key = entropy.token(32)
        self._kept: OrderedDict[bytes, tuple[AccessToken, float]] = OrderedDict()
        self._flights: dict[bytes, _Flight] = {}

    async def prove_token(self, settings: FronteggSettings, token: str) -> Identity | Rejected:
        """Who an access token is of."""
        access = await self._verified(settings, token)
        return self._identity(access) if access is not None else Rejected(BAD)

    async def prove_password(
        self, settings: FronteggSettings, peer: str, user: str, password: str
    ) -> Identity | Rejected:
        """Who an app password is of, if that is `user`.  A wrong one counts against its client id."""
        pair = parse_app_password(password)
        if pair is None or not is_user_name(user):
            return Rejected(BAD, user=user)
        access = await self._access(settings, network_of(peer), pair)
        if isinstance(access, int | float):
            return too_many(access, user)
        if access is None or not same_user(user, access.user):
            return Rejected(BAD, user=user)
        return self._identity(access)

    def _identity(self, access: AccessToken) -> Identity | Rejected:
        """No token makes anybody an internal user, nor gives a name that belongs to nobody."""
        if is_reserved(access.user, self._dialect):
            return Rejected("role dissallowed", user=access.user)
        return evolve(
            named(access.user, "Frontegg", self._dialect),
            groups=access.groups,
            admin=access.admin,
            superuser=access.admin,
            proof=Proof(ends=float(access.expires)),
        )

    async def _access(
        self, settings: FronteggSettings, network: str, pair: tuple[str, str]
    ) -> AccessToken | float | None:
        """The token of an app password: kept, under way, or exchanged now; seconds when there were too many."""
        key = digest(self._key, "\0".join((settings.token_url, *pair)).encode(), "sha256")
        while True:
            now = await Moment()
            delay = self._throttle.delay(network, pair[0], now.mono)
            if delay:
                return delay
            kept = self._kept.get(key)
            if kept is not None and now.mono < kept[1] and now.wall <= kept[0].expires:
                self._kept.move_to_end(key)
                return kept[0]
            flight = self._flights.get(key)
            if flight is None:
                return await self._fly(settings, network, pair, key)
            await Await(flight.latch)
            if flight.done:
                return flight.result if isinstance(flight.result, AccessToken) else None

    async def _fly(
        self, settings: FronteggSettings, network: str, pair: tuple[str, str], key: bytes
    ) -> AccessToken | float | None:
        reservation = await self._throttle.reserve(network, pair[0])
        if not isinstance(reservation, Reservation):
            return reservation
        flight = self._flights[key] = _Flight()
        wrong = False
        try:
            flight.result = await self._exchange(settings, pair)
            flight.done, wrong = True, flight.result is False
            if not isinstance(flight.result, AccessToken):
                return None
            now = await Moment()
            validity = flight.result.expires - now.wall
            self._keep(key, flight.result, now.mono + REFRESH_PART * (validity if validity > 0 else 60.0))
            return flight.result
        finally:
            reservation.release(failed=wrong)
            del self._flights[key]
            flight.latch.open()

    def _keep(self, key: bytes, access: AccessToken, until: float) -> None:
        self._kept[key] = (access, until)
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    async def _exchange(self, settings: FronteggSettings, pair: tuple[str, str]) -> AccessToken | bool:
        """The token; False: the tenant refuses the password; True: nobody can say (an outage, a useless answer)."""
        self.exchanges += 1
        body = dumps({"clientId": pair[0], "secret": pair[1]}).encode()
        post = FetchDocument(settings.token_url, ATTEMPT_SECONDS, LONGEST_ANSWER, body=body)
        pause, until = FIRST_PAUSE, (await Moment()).mono + TOTAL_SECONDS
        while True:
            answer = await post
            if isinstance(answer, Fetched) and answer.status not in (408, 429) and answer.status < 500:
                break
            if (await Moment()).mono + pause >= until:
                await Report(Trouble(f"app passwords cannot be exchanged: {_what(answer)}"))
                return True
            await Sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        if not 200 <= answer.status < 300:
            return False
        reply = read_object(answer.body) or {}
        shaped = isinstance(reply.get("expiresIn"), int) and all(
            isinstance(reply.get(name), str) for name in ("expires", "accessToken", "refreshToken")
        )
        access = await self._verified(settings, reply["accessToken"]) if shaped else None
        return access if access is not None else True

    async def _verified(self, settings: FronteggSettings, token: str) -> AccessToken | None:
        """RS256 with the tenant's key and nothing else; the header's own ideas do not count."""
        parts = read_token(token)
        if isinstance(parts, str) or parts.algorithm != "RS256":
            return None
        if not await VerifySignature(Pem(settings.public_key), "RS256", parts.signed, parts.signature):
            return None
        return read_access(parts.payload, settings, (await Moment()).wall)


def _what(answer: Fetched | FetchFailed) -> str:
    if isinstance(answer, FetchFailed):
        return answer.reason
    trace = f", trace {answer.trace}" if answer.trace else ""
    return f"status {answer.status}{trace}"
