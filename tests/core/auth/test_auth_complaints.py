"""What is wrong with a provider is told, but not with every request that meets it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fanlight.asks import Sleep
from fanlight.auth.complaints import TOLD_SECONDS, Complaint
from fanlight.auth.effects import Fetched, FetchFailed
from fanlight.auth.identity import Identity
from fanlight.auth.oidc import OidcSettings, OidcTokens
from fanlight.auth.users import Users
from fanlight.config.settings import Dialect, Settings
from fanlight.observe.records import Trouble

from .driving import Crowd
from .providing import ISSUER, Provider, token
from .tenancy import Tenant, reply
from .test_auth_keyring import DISCOVERY, Ring


def told(crowd: Crowd) -> list[str]:
    return [record.text for record in crowd.reported if isinstance(record, Trouble)]


def test_once_a_minute() -> None:
    crowd, complaint = Crowd(), Complaint("it fails")
    for second in range(int(TOLD_SECONDS) + 1):
        crowd.start(complaint.tell(f"in second {second}"))
        crowd.pass_time(1)
    assert told(crowd) == ["it fails: in second 0", "it fails: in second 60"]


def test_app_passwords_of_many_callers() -> None:
    tenant = Tenant()
    for number in range(30):
        tenant.start(password="mzp_" + f"{number:032x}" + "a0" * 16)
    while tenant.crowd.asked:
        sleeps = [ask for _, ask in tenant.crowd.asked if isinstance(ask, Sleep)]
        if len(sleeps) == len(tenant.crowd.asked):
            tenant.crowd.pass_time(min(ask.seconds for ask in sleeps))
        tenant.crowd.answer(None if isinstance(tenant.crowd.asked[0][1], Sleep) else FetchFailed("timeout"))
    assert tenant.tokens.passwords.exchanges == 30
    assert told(tenant.crowd) == ["app passwords cannot be exchanged: timeout"]


@pytest.mark.parametrize("answer", [Fetched(200, b"{}"), reply(accessToken="garbage")])
def test_a_useless_answer_of_the_tenant(answer: Fetched) -> None:
    tenant = Tenant()
    for _ in range(3):
        tenant.prove(answer)
    assert told(tenant.crowd) == ["app passwords cannot be exchanged: no token of this tenant in the answer"]


@pytest.mark.parametrize(("audiences", "complaints"), [((), 2), (("fanlight",), 0)])
def test_tokens_of_whatever_audience(audiences: tuple[str, ...], complaints: int) -> None:
    crowd, provider, tokens = Crowd(), Provider("RSA"), OidcTokens(Dialect(), Users(), Settings())
    shown = token({"iss": ISSUER, "sub": "ada", "exp": int(crowd.now.wall) + 600, "aud": "fanlight"})
    for _ in range(70):
        actor = crowd.start(tokens.prove(OidcSettings(issuer=ISSUER, audiences=audiences), shown))
        while crowd.asked:
            crowd.answer(provider.answer(crowd.asked[0][1]))
        assert isinstance(actor.result, Identity)
        crowd.pass_time(1)
    assert told(crowd) == ["tokens for any audience are accepted: none is set"] * complaints


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([b"<html>"], "no JSON object"),
        ([b"null"], "no JSON object"),
        ([{**DISCOVERY, "issuer": ISSUER + "/"}], "the discovery document is of another issuer"),
        ([{"issuer": ISSUER}], "the discovery document has no jwks_uri that may be asked"),
        (
            [{**DISCOVERY, "jwks_uri": "http://keys.example"}],
            "the discovery document has no jwks_uri that may be asked",
        ),
        ([DISCOVERY, {"keys": "none"}], "no set of keys"),
        ([DISCOVERY, b"[]"], "no JSON object"),
    ],
)
def test_a_useless_answer_of_a_provider(answers: list[Any], problem: str) -> None:
    ring = Ring()
    actor = ring.start("RSA")
    for answer in answers:
        ring.crowd.answer(Fetched(200, answer if isinstance(answer, bytes) else json.dumps(answer).encode()))
    assert actor.ended
    assert told(ring.crowd) == [f"the keys of the OpenID provider cannot be fetched: {problem}"]
