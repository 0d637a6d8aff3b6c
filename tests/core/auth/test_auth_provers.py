"""Which credentials each kind takes, and what is missing to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from attrs import evolve

from fanlight import App, ConfigurationError, Listener, Settings
from fanlight.auth.authorization import Password, Token, Unusable
from fanlight.auth.chain import MISSING, Rejected
from fanlight.auth.effects import VerifyPassword
from fanlight.auth.frontegg import FronteggSettings
from fanlight.auth.identity import Identity
from fanlight.auth.oidc import OidcSettings
from fanlight.auth.provers import Provers
from fanlight.http.request import Request
from tests.sim import START, Seeded

from .driving import Crowd
from .providing import pem, token

UUID = "11111111-2222-4333-8444-555555555555"
TENANT = FronteggSettings(token_url="https://a.example", tenant_id=UUID, public_key=pem("RSA"))
REQUEST = cast(Request, SimpleNamespace(peer="192.0.2.7"))
BAD = Rejected("invalid credentials")


def outcome(kind: str, credentials: Any) -> Any:
    crowd, provers = Crowd(), Provers(App(frontegg=TENANT), Seeded(1))
    actor = crowd.start(getattr(provers, f"by_{kind}")(REQUEST, credentials, START))
    return actor.result if actor.ended else type(crowd.asked[0][1])


@pytest.mark.parametrize(
    ("kind", "credentials", "expected"),
    [
        ("password", Unusable.ABSENT, MISSING),
        ("password", Token("t"), MISSING),
        ("password", Password("ada", "x"), VerifyPassword),
        ("oidc", Unusable.ABSENT, MISSING),
        ("oidc", Token("t"), Rejected("OIDC issuer is not configured", body="OIDC issuer is not configured")),
        ("oidc", Password("ada", "a.b.c"), VerifyPassword),
        ("frontegg", Unusable.ABSENT, MISSING),
        ("frontegg", Token("t"), BAD),
        ("frontegg", Password("ada", "x"), Rejected("invalid credentials", user="ada")),
    ],
)
def test_what_each_kind_takes(kind: str, credentials: Any, expected: Any) -> None:
    assert outcome(kind, credentials) == expected


def test_a_tenant_must_be_known() -> None:
    with pytest.raises(ConfigurationError, match="kind Frontegg needs"):
        App(listeners=[Listener(authenticator="Frontegg")])


@pytest.mark.parametrize("kind", ["oidc", "frontegg"])
def test_refused_tokens_cost_the_network_its_tries(kind: str) -> None:
    settings = Settings(peer_auth_failure_burst=3, peer_auth_failure_refill_seconds=20.0)
    app = App(frontegg=TENANT, oidc=OidcSettings(issuer="https://a.example"), settings=settings)
    crowd, provers = Crowd(), Provers(app, Seeded(1))
    by = getattr(provers, f"by_{kind}")
    refused = [crowd.start(by(REQUEST, Token("garbage"), START)).result for _ in range(5)]
    assert [rejected.status for rejected in refused] == [401] * 3 + [429] * 2
    assert refused[-1].fields == (("retry-after", "20"),)


def test_a_tenant_is_asked_about_a_token() -> None:
    crowd = Crowd()
    claims = {"sub": UUID, "exp": int(crowd.now.wall) + 5, "iss": "x", "type": "userToken", "tenantId": UUID}
    access = token({**claims, "roles": [], "permissions": [], "email": "ada@example.com"})
    provers = Provers(App(frontegg=evolve(TENANT, tenant_id=UUID)), Seeded(1))
    proved = crowd.start(provers.by_frontegg(REQUEST, Token(access), START))
    assert proved.result == Identity("ada@example.com", "Frontegg")
