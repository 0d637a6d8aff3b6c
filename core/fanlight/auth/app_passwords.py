"""App passwords of a Frontegg tenant, exchanged for access tokens and kept fresh (spec auth.md F3, F5, F6).

An exchange is made once for all who present the same app password at the same
time.  What comes of it is a session of the tenant's, kept while somebody uses
it: a task in the background exchanges again when four fifths of the token's
time have passed, if somebody rests on it then or did so a moment ago.  When
that fails, or nobody does, the session is over, and so is what rests on it.
Whose app password it is, this module does not ask: callers are compared with
the token by whoever presents them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hmac import digest
from json import dumps
from typing import TYPE_CHECKING, Protocol

from ..asks import Moment, Sleep
from ..background import Begin
from ..health.latch import Await, Latch
from .complaints import Complaint
from .effects import FetchDocument, Fetched, FetchFailed
from .jwt import read_object
from .throttle import Reservation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..asks import Routine
    from ..http.request import Request
    from ..moment import Entropy
    from ..observe.frontegg_metrics import FronteggMetrics
    from .frontegg import AccessToken, FronteggSettings
    from .throttle import Throttle

KEPT = 4096
ATTEMPT_SECONDS = 5.0
TOTAL_SECONDS = 30.0
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0
REFRESH_PART = 0.8
RECENT_PART = 0.05
RECENT_SECONDS = 1.0
UNSAID_SECONDS = 60.0
"""What the validity of a token counts as that says it has none."""
LONGEST_ANSWER = 64 * 1024
EXCHANGE = "exchange_secret_for_token"
"""What metrics call the one request that is made."""

Pair = tuple[str, str]
"""Client id and secret, both UUIDs."""


class Holders(Protocol):
    """Who rests on a session: the server, which knows its requests and sockets."""

    def resting_on(self, grant: bytes) -> Iterable[Request]:
        """Those under way whose identity has that grant."""
        ...

    def end_grant(self, grant: bytes) -> None:
        """Their session is over: close what can be closed."""
        ...


class Grant:
    """A session with the tenant: the latest token of one app password, and when it was last used (monotonic)."""

    __slots__ = ("access", "key", "pair", "settings", "used")

    def __init__(self, key: bytes, settings: FronteggSettings, pair: Pair, access: AccessToken, used: float) -> None:
        self.key = key
        self.settings = settings
        self.pair = pair
        self.access = access
        self.used = used


class _Flight:
    """An exchange that several callers wait for; not `done` after the latch opened: it was given up."""

    __slots__ = ("done", "latch", "result")

    def __init__(self) -> None:
        self.latch = Latch()
        self.done = False
        self.result: Grant | bool = False


class AppPasswords:
    """The sessions of a server's app passwords.

    `verify` reads an access token; `renewed` is told the requests that rest on
    a session that has a new one, and says whether they may go on.  `exchanges`
    counts those that were begun.
    """

    def __init__(
        self,
        throttle: Throttle,
        entropy: Entropy,
        metrics: FronteggMetrics,
        verify: Callable[[FronteggSettings, str], Routine[AccessToken | None]],
        renewed: Callable[[Request, AccessToken], bool],
    ) -> None:
        self.exchanges = 0
        self.holders: Holders | None = None
        self._throttle = throttle
        self._metrics = metrics
        self._verify = verify
        self._renewed = renewed
        self._outage = Complaint("app passwords cannot be exchanged")
        self._secret = entropy.token(32)
        self._kept: OrderedDict[bytes, Grant] = OrderedDict()
        self._flights: dict[bytes, _Flight] = {}

    def holds(self, grant: bytes) -> bool:
        """Is that session still open?"""
        return grant in self._kept

    async def grant_of(self, settings: FronteggSettings, network: str, pair: Pair) -> Grant | bool | float:
        """The session of an app password: live, under way, or exchanged for now.

        False: the tenant refuses it; True: nobody can say; a number: the
        seconds until trying again makes sense.
        """
        key = digest(self._secret, "\0".join((settings.token_url, settings.tenant_id, *pair)).encode(), "sha256")
        counted = False
        while True:
            now = await Moment()
            delay = self._throttle.delay(network, pair[0], now.mono)
            if delay:
                return delay
            live, flight = self._live(key, now.wall), self._flights.get(key)
            if not counted:
                counted = True
                self._metrics.asked("active" if live else "pending" if flight else "new")
            if live is not None:
                live.used = now.mono
                self._kept.move_to_end(key)
                return live
            if flight is None:
                return await self._fly(settings, network, pair, key)
            await Await(flight.latch)
            if flight.done:
                return flight.result

    def _live(self, key: bytes, wall: float) -> Grant | None:
        kept = self._kept.get(key)
        return kept if kept is not None and wall <= kept.access.expires else None

    async def _fly(self, settings: FronteggSettings, network: str, pair: Pair, key: bytes) -> Grant | bool | float:
        reservation = await self._throttle.reserve(network, pair[0])
        if not isinstance(reservation, Reservation):
            return reservation
        flight = self._flights[key] = _Flight()
        wrong = False
        try:
            access = await self._exchange(settings, pair)
            wrong = access is False
            if isinstance(access, bool):
                flight.result = access
            else:
                grant = flight.result = Grant(key, settings, pair, access, (await Moment()).mono)
                self._keep(grant)
                await Begin(lambda: self._keep_fresh(grant))
            flight.done = True
            return flight.result
        finally:
            reservation.release(failed=wrong)
            del self._flights[key]
            flight.latch.open()

    def _keep(self, grant: Grant) -> None:
        self._kept[grant.key] = grant
        self._kept.move_to_end(grant.key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)  # its task ends it when it wakes

    # ---- refreshing ------------------------------------------------------------

    async def _keep_fresh(self, grant: Grant) -> None:
        """The task of one session: exchange again in time, for as long as somebody wants it."""
        self._metrics.tasks(1)
        try:
            while True:
                left = grant.access.expires - (await Moment()).wall
                validity = left if left > 0 else UNSAID_SECONDS
                await Sleep(REFRESH_PART * validity)
                if self._kept.get(grant.key) is not grant or not await self._renew(grant, validity):
                    return
        finally:
            self._metrics.tasks(-1)
            self._end(grant)

    async def _renew(self, grant: Grant, validity: float) -> bool:
        """A new token for a session that somebody wants; False: it is over."""
        held = bool(self._resting(grant))
        recent = (await Moment()).mono - grant.used <= max(RECENT_SECONDS, RECENT_PART * validity)
        self._metrics.refreshed(held, recent)
        if not held and not recent:
            return False
        access = await self._exchange(grant.settings, grant.pair)
        if isinstance(access, bool) or access.user != grant.access.user:
            return False
        grant.access = access
        outcomes = [self._renewed(request, access) for request in self._resting(grant)]
        return all(outcomes)  # one token, so they all have lost the same

    def _resting(self, grant: Grant) -> list[Request]:
        return list(self.holders.resting_on(grant.key)) if self.holders is not None else []

    def _end(self, grant: Grant) -> None:
        """Over, and so is what rests on it; unless another session has its place by now."""
        if self._kept.get(grant.key) is grant:
            del self._kept[grant.key]
        if self.holders is not None and grant.key not in self._kept:
            self.holders.end_grant(grant.key)

    # ---- exchanging --------------------------------------------------------------

    async def _exchange(self, settings: FronteggSettings, pair: Pair) -> AccessToken | bool:
        """The token; False: the tenant refuses the password; True: nobody can say (an outage, a useless answer)."""
        self.exchanges += 1
        pause, until = FIRST_PAUSE, (await Moment()).mono + TOTAL_SECONDS
        while True:
            answer = await self._post(settings, pair)
            if isinstance(answer, Fetched) and answer.status not in (408, 429) and answer.status < 500:
                break
            if (await Moment()).mono + pause >= until:
                await self._outage.tell(_what(answer))
                return True
            await Sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        if not 200 <= answer.status < 300:
            return False
        reply = read_object(answer.body) or {}
        shaped = isinstance(reply.get("expiresIn"), int) and all(
            isinstance(reply.get(name), str) for name in ("expires", "accessToken", "refreshToken")
        )
        access = await self._verify(settings, reply["accessToken"]) if shaped else None
        if access is None:
            await self._outage.tell("no token of this tenant in the answer")
            return True
        return access

    async def _post(self, settings: FronteggSettings, pair: Pair) -> Fetched | FetchFailed:
        body = dumps({"clientId": pair[0], "secret": pair[1]}).encode()
        began = (await Moment()).mono
        answer = await FetchDocument(settings.token_url, ATTEMPT_SECONDS, LONGEST_ANSWER, body=body)
        status = str(answer.status) if isinstance(answer, Fetched) else answer.reason
        self._metrics.requested(EXCHANGE, status, (await Moment()).mono - began)
        return answer


def _what(answer: Fetched | FetchFailed) -> str:
    if isinstance(answer, FetchFailed):
        return answer.reason
    trace = f", trace {answer.trace}" if answer.trace else ""
    return f"status {answer.status}{trace}"
