"""The keys of an OpenID provider: found by discovery, fetched when needed, kept for as long as they are good.

Nothing is fetched before a token comes.  One refresh at a time, whose result
everybody shares; after a good one, unknown keys are not looked for again at
once.  So whoever sends made-up tokens causes next to no traffic.  The cache
belongs to one issuer, and a new set replaces it whole: what the provider
withdraws stops working.  Keys that grow old are fetched anew in the background.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..asks import Moment
from ..background import Begin
from ..health.latch import Await, Latch
from .complaints import Complaint
from .effects import FetchDocument, Fetched, FetchFailed
from .jwk import read_keys
from .jwt import read_object

if TYPE_CHECKING:
    from .jwk import Jwk

BAD_ISSUER = "invalid OIDC issuer URL"
FETCH_FAILED = "failed to fetch OIDC provider configuration"
NO_KEY = "no matching key found in the JWKS"

MISS_SECONDS = 10.0
AGE_SECONDS = 3_600.0
STALE_SECONDS = 86_400.0
RETRY_SECONDS = 60.0
WAITING = 1024
TIMEOUT = 10.0
LONGEST_DOCUMENT = 1024 * 1024


class _Flight:
    """A refresh under way; `failure` None after the latch opened: it went well, or was given up."""

    __slots__ = ("done", "failure", "latch", "waiting")

    def __init__(self) -> None:
        self.latch = Latch()
        self.failure: str | None = None
        self.done = False
        self.waiting = 0


class KeyRing:
    """The keys of one provider at a time."""

    def __init__(self) -> None:
        self._issuer: str | None = None
        self._keys: dict[str, Jwk] = {}
        self._fetched_at: float | None = None
        self._tried_at = 0.0
        self._outage = Complaint("the keys of the OpenID provider cannot be fetched")
        self._flight: _Flight | None = None

    async def find(self, issuer: str, kid: str) -> Jwk | str:
        """The key `kid` of `issuer`, or the text of what is wrong."""
        if issuer != self._issuer:
            self._issuer, self._keys, self._fetched_at, self._flight = issuer, {}, None, None
        mono = (await Moment()).mono
        age = mono - self._fetched_at if self._fetched_at is not None else None
        if age is not None and kid in self._keys and age <= STALE_SECONDS:
            if age > AGE_SECONDS and mono - self._tried_at >= RETRY_SECONDS:
                self._tried_at = mono
                await Begin(lambda: self._renew(issuer))  # nobody waits for it; if it fails, the old keys go on
            return self._keys[kid]
        if age is not None and age < MISS_SECONDS:
            return NO_KEY
        failure = await self._refreshed(issuer)
        return failure if failure is not None else self._keys.get(kid, NO_KEY)

    async def _refreshed(self, issuer: str) -> str | None:
        """Refresh, or wait for the one that is under way; the text of its failure."""
        while True:
            flight = self._flight
            if flight is None:
                return await self._fly(issuer)
            if flight.waiting >= WAITING:
                return FETCH_FAILED
            flight.waiting += 1
            try:
                await Await(flight.latch)
            finally:
                flight.waiting -= 1
            if flight.done:
                return flight.failure

    async def _renew(self, issuer: str) -> None:
        """Refresh in the background, unless somebody else does or the issuer is another one by now."""
        if issuer == self._issuer and self._flight is None:
            await self._fly(issuer)

    async def _fly(self, issuer: str) -> str | None:
        flight = self._flight = _Flight()
        try:
            keys = await self._fetch(issuer)
            flight.failure = keys if isinstance(keys, str) else None
            flight.done = True
            if self._flight is flight and not isinstance(keys, str):
                self._keys, self._fetched_at = keys, (await Moment()).mono
            return flight.failure
        finally:
            if self._flight is flight:
                self._flight = None
            flight.latch.open()

    async def _fetch(self, issuer: str) -> dict[str, Jwk] | str:
        """Both documents; the text of what is wrong with either."""
        self._tried_at = (await Moment()).mono
        scheme = url_scheme(issuer)
        if scheme is None:
            return BAD_ISSUER
        discovery = await self._document(
            FetchDocument(discovery_url(issuer), TIMEOUT, LONGEST_DOCUMENT, same_host=True)
        )
        if discovery is None:
            return FETCH_FAILED
        uri = discovery.get("jwks_uri")
        if discovery.get("issuer") != issuer:
            return await self._useless("the discovery document is of another issuer")
        if not isinstance(uri, str) or url_scheme(uri) not in ("https", scheme):
            return await self._useless("the discovery document has no jwks_uri that may be asked")
        document = await self._document(FetchDocument(uri, TIMEOUT, LONGEST_DOCUMENT, unless_private=issuer))
        if document is None:
            return FETCH_FAILED
        keys = read_keys(document)
        return keys if keys is not None else await self._useless("no set of keys")

    async def _useless(self, problem: str) -> str:
        await self._outage.tell(problem)
        return FETCH_FAILED

    async def _document(self, fetch: FetchDocument) -> Mapping[str, Any] | None:
        """A JSON object; None when there is none, which is told."""
        answer = await fetch
        if isinstance(answer, Fetched) and 200 <= answer.status < 300:
            document = read_object(answer.body)
            if document is None:
                await self._outage.tell("no JSON object")
            return document
        await self._outage.tell(answer.reason if isinstance(answer, FetchFailed) else f"status {answer.status}")
        return None


def discovery_url(issuer: str) -> str:
    """Where the provider describes itself (OpenID Connect Discovery 1.0 section 4)."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"


def url_scheme(url: str) -> str | None:
    """`http` or `https`, of a URL that has a host; None for everything else."""
    try:
        parts = urlsplit(url)
        sound = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return None
    return parts.scheme if sound and parts.scheme in ("http", "https") and not any(c <= " " for c in url) else None


def issuer_problem(issuer: str) -> str | None:
    """Why `issuer` cannot be published (spec auth.md M3); None when it can.  The text never holds the value."""
    try:
        parts = urlsplit(issuer)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "oidc_issuer is not a parseable URL"
    if not parts.scheme or not host or any(character <= " " for character in issuer):
        return "oidc_issuer is not a parseable URL"
    if parts.scheme not in ("https", "http"):
        return "oidc_issuer must use the https or http scheme"
    if "@" in parts.netloc:
        return "oidc_issuer must not contain userinfo"
    return "oidc_issuer must not contain a query or fragment" if "?" in issuer or "#" in issuer else None
