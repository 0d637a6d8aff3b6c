"""A Frontegg tenant for tests: its settings, its tokens, and attempts that are under way."""

from __future__ import annotations

import json
from typing import Any

from attrs import define

from fanlight.asks import Sleep
from fanlight.auth.effects import Fetched
from fanlight.auth.frontegg import FronteggSettings, FronteggTokens
from fanlight.auth.identity import Identity
from fanlight.auth.throttle import Rate, Throttle
from fanlight.config.settings import Dialect, Settings
from fanlight.http.request import Request
from fanlight.observe.frontegg_metrics import FronteggMetrics
from tests.sim import Seeded

from .driving import Actor, Crowd
from .providing import pem, token

PEER = "192.0.2.7"
TENANT, OTHER = "11111111-2222-4333-8444-555555555555", "99999999-8888-4777-8666-555544443333"
SETTINGS = FronteggSettings(token_url="https://admin.example/token", tenant_id=TENANT, public_key=pem("RSA"))
NOW = int(Crowd().now.wall)
CLAIMS = {
    "sub": OTHER,
    "exp": NOW + 1000,
    "iss": "anything",
    "type": "userApiToken",
    "tenantId": TENANT,
    "roles": [],
    "permissions": [],
    "email": "Ursula@Example.com",
    "userId": OTHER,
}
URSULA = Identity("Ursula@Example.com", "Frontegg")
PASSWORD = "mzp_" + "0f" * 16 + "a0" * 16


def reply(claims: Any = CLAIMS, **changed: Any) -> Fetched:
    document = {"expires": "x", "expiresIn": 5, "accessToken": token(claims), "refreshToken": "r", **changed}
    return Fetched(200, json.dumps(document).encode())


@define(eq=False)
class Bearer:
    """A request that rests on something, as far as the tenant's sessions look."""

    identity: Identity | None


class Tenant:
    """A server that asks it, attempts that are under way, and who `rests` on what they gave."""

    def __init__(self, **common: Any) -> None:
        self.crowd = Crowd()
        self.throttle = Throttle(Rate(3, 60.0), Rate(0, 1.0))
        self.metrics = FronteggMetrics()
        self.tokens = FronteggTokens(Dialect(), Settings(**common), self.throttle, Seeded(1), self.metrics)
        self.tokens.passwords.holders = self
        self.rests: list[Any] = []
        self.ended: list[bytes] = []

    def resting_on(self, grant: bytes) -> list[Request]:
        return [each for each in self.rests if each.identity.proof.grant == grant]

    def end_grant(self, grant: bytes) -> None:
        self.ended.append(grant)

    def start(self, user: str = "ursula@example.com", password: str = PASSWORD, peer: str = PEER) -> Actor:
        return self.crowd.start(self.tokens.prove_password(SETTINGS, peer, user, password))

    def prove(self, answer: Any, user: str = "ursula@example.com", password: str = PASSWORD, peer: str = PEER) -> Any:
        actor = self.start(user, password, peer)
        while not actor.ended:
            index = next(number for number, (asking, _) in enumerate(self.crowd.asked) if asking is actor)
            sleeps = isinstance(self.crowd.asked[index][1], Sleep)
            self.crowd.pass_time(self.crowd.asked[index][1].seconds if sleeps else 0.0)
            self.crowd.answer(None if sleeps else answer, index)
        return actor.result

    def wake(self, seconds: float) -> None:
        """Let time pass, and the oldest task that sleeps wake."""
        self.crowd.pass_time(seconds)
        index = next(number for number, (_, ask) in enumerate(self.crowd.asked) if isinstance(ask, Sleep))
        self.crowd.answer(None, index)

    def counted(self) -> dict[str, float]:
        """Every number of the metrics but durations, by name and labels."""
        families = self.metrics.together.parts[:-1]
        return {
            " ".join((family.shape.name.removeprefix("mz_auth_"), *cell.key)): cell._value
            for family in families
            for cell in family.children
        }
