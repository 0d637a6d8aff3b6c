"""Kind Frontegg: app passwords, their exchange, access tokens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.asks import ClientGone, Sleep
from fanlight.auth.chain import Rejected, too_many
from fanlight.auth.effects import FetchDocument, Fetched, FetchFailed
from fanlight.auth.frontegg import BAD, FronteggSettings, FronteggTokens, parse_app_password, same_user
from fanlight.auth.identity import Identity
from fanlight.auth.throttle import Rate, Throttle
from fanlight.config import Dialect
from tests.sim import Seeded

from .driving import Actor, Crowd
from .providing import b64, pem, token

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


class Tenant:
    """A server that asks it, and attempts that are under way."""

    def __init__(self) -> None:
        self.crowd = Crowd()
        self.throttle = Throttle(Rate(3, 60.0), Rate(0, 1.0))
        self.tokens = FronteggTokens(Dialect(), self.throttle, Seeded(1))

    def start(self, user: str = "ursula@example.com", password: str = PASSWORD) -> Actor:
        return self.crowd.start(self.tokens.prove_password(SETTINGS, PEER, user, password))

    def prove(self, answer: Any, user: str = "ursula@example.com") -> Any:
        actor = self.start(user)
        while self.crowd.asked:
            sleeps = isinstance(self.crowd.asked[0][1], Sleep)
            self.crowd.pass_time(self.crowd.asked[0][1].seconds if sleeps else 0.0)
            self.crowd.answer(None if sleeps else answer)
        return actor.result


def bearer(claims: Any, **made: Any) -> Any:
    tenant = Tenant()
    return tenant.crowd.start(tenant.tokens.prove_token(SETTINGS, token(claims, **made))).result


@pytest.mark.parametrize(
    ("changed", "user", "admin"),
    [
        ({}, "Ursula@Example.com", False),
        ({"type": "userToken", "userId": None}, "Ursula@Example.com", False),
        ({"type": "userToken", "metadata": {"user": "svc"}}, "Ursula@Example.com", False),
        ({"type": "tenantApiToken", "metadata": {"user": "svc"}, "email": 5}, "svc", False),
        ({"roles": ["mzadmin", 5]}, "Ursula@Example.com", True),
        ({"exp": NOW}, "Ursula@Example.com", False),
        ({"tenantId": TENANT.upper()}, "Ursula@Example.com", False),
        ({"aud": "x", "nbf": NOW + 99}, "Ursula@Example.com", False),
    ],
)
def test_access_tokens(changed: dict[str, Any], user: str, admin: bool) -> None:
    outcome = bearer({**CLAIMS, **changed}, kid=None)
    assert outcome == Identity(user, "Frontegg", admin=admin, superuser=admin)


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": NOW - 1},
        {"exp": str(NOW)},
        {"exp": True},
        {"sub": "x"},
        {"iss": 5},
        {"type": "apiToken"},
        {"type": None},
        {"tenantId": OTHER},
        {"tenantId": "x"},
        {"roles": "mzadmin"},
        {"permissions": None},
        {"email": None},
        {"email": "a\nb"},
        {"userId": "x"},
        {"type": "tenantApiToken"},
        {"type": "tenantApiToken", "metadata": {"user": "a@b"}},
        {"type": "tenantApiToken", "metadata": {}},
        {"type": "tenantApiToken", "metadata": {"user": ""}},
    ],
)
def test_access_tokens_that_are_not_good(changed: dict[str, Any]) -> None:
    assert bearer({**CLAIMS, **changed}) == Rejected(BAD)


@pytest.mark.parametrize("made", [{"algorithm": "RS512"}, {"algorithm": "PS256"}, {"key": "RSA2"}, {"crit": ["x"]}])
def test_one_algorithm_and_one_key(made: dict[str, Any]) -> None:
    assert bearer(CLAIMS, **made) == Rejected(BAD)


def test_no_token_makes_an_internal_user() -> None:
    claims = {**CLAIMS, "type": "tenantApiToken", "metadata": {"user": "mz_system"}}
    assert bearer(claims) == Rejected("role dissallowed", user="mz_system")


@pytest.mark.parametrize(
    ("password", "good"),
    [
        ("mzp_" + "0f" * 32, True),
        ("mzp_" + "0F" * 32 + "trailing", True),
        ("mzp_" + "-".join(["0f0f"] * 16), True),
        ("mzp_" + b64(b"\x0f" * 32), True),
        ("mzp_" + b64(b"\x0f" * 32) + "=", True),
        ("mzp_" + "0f" * 31, False),
        ("mzp_" + "0g" * 32, False),
        ("mzp_" + "é" * 32 + "0f" * 32, False),
        ("MZP_" + "0f" * 32, False),
        ("mzp_", False),
        ("", False),
        ("mzp_" + b64(b"\x0f" * 32)[:-1] + "+", False),
    ],
)
def test_app_passwords(password: str, good: bool) -> None:
    uuid = "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f"
    assert parse_app_password(password) == ((uuid, uuid) if good else None)


@given(st.text(max_size=90))
def test_whatever_is_sent_is_parsed_or_not(text: str) -> None:
    for value in (text, "mzp_" + text):
        parsed = parse_app_password(value)
        assert parsed is None or all(len(part) == 36 for part in parsed)


@pytest.mark.parametrize(
    ("claimed", "user", "same"),
    [("a@B.c", "A@b.C", True), ("svc", "svc", True), ("svc", "SVC", False), ("a@b", "svc", False), ("", "", False)],
)
def test_names_of_callers(claimed: str, user: str, same: bool) -> None:
    assert same_user(claimed, user) is same


def test_an_exchange() -> None:
    tenant = Tenant()
    actor = tenant.start()
    effect = tenant.crowd.answer(reply())
    assert isinstance(effect, FetchDocument)
    assert effect.body is not None
    assert json.loads(effect.body)["clientId"] == "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f"
    assert "a0a0" not in repr(effect)
    assert actor.result == URSULA
    assert actor.result.proof.ends == NOW + 1000


def test_a_live_one_is_joined_by_its_user_only() -> None:
    tenant = Tenant()
    assert tenant.prove(reply(), "wrong@example.com") == Rejected(BAD, user="wrong@example.com")
    assert tenant.start().result == URSULA
    assert tenant.start("other@example.com").result == Rejected(BAD, user="other@example.com")
    tenant.crowd.pass_time(799)
    assert tenant.start().ended
    tenant.crowd.pass_time(2)
    assert not tenant.start().ended
    assert tenant.tokens.exchanges == 2


def test_one_exchange_for_all_who_wait_and_each_by_his_own_name() -> None:
    tenant = Tenant()
    actors = [tenant.start(user) for user in ("wrong@example.com", "ursula@example.com", "URSULA@EXAMPLE.COM")]
    tenant.crowd.answer(reply())
    assert tenant.crowd.asked == []
    assert [actor.result for actor in actors] == [Rejected(BAD, user="wrong@example.com"), URSULA, URSULA]


def test_who_exchanges_and_leaves_is_replaced() -> None:
    tenant = Tenant()
    first, second = tenant.start(), tenant.start()
    first.leave()
    assert isinstance(first.error, ClientGone)
    tenant.crowd.answer(reply())
    assert second.result == URSULA


def test_a_wrong_secret_counts_and_is_not_remembered() -> None:
    tenant = Tenant()
    for _ in range(3):
        assert tenant.prove(Fetched(403, b"")) == Rejected(BAD, user="ursula@example.com")
    assert tenant.prove(reply()) == too_many(60, "ursula@example.com")
    tenant.crowd.pass_time(60)
    assert tenant.prove(reply()) == URSULA


@pytest.mark.parametrize(
    "answer",
    [Fetched(500, b""), Fetched(408, b""), Fetched(429, b""), FetchFailed("timeout"), FetchFailed("refused")],
)
def test_an_outage_is_tried_again_for_half_a_minute_and_costs_no_try(answer: Any) -> None:
    tenant = Tenant()
    began = tenant.crowd.now.mono
    for _ in range(4):
        assert tenant.prove(answer) == Rejected(BAD, user="ursula@example.com")
    assert 4 * 25 <= tenant.crowd.now.mono - began <= 4 * 30
    assert tenant.prove(reply()) == URSULA
    assert tenant.tokens.exchanges == 5


def test_pauses_grow() -> None:
    tenant = Tenant()
    tenant.start()
    pauses = []
    for _ in range(6):
        tenant.crowd.answer(Fetched(503, b""))
        pauses.append(tenant.crowd.answer(None).seconds)
    assert pauses == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


@pytest.mark.parametrize(
    "answer",
    [
        Fetched(200, b"<html>"),
        Fetched(200, b"{}"),
        reply(expiresIn="5"),
        reply(refreshToken=None),
        reply(accessToken="garbage"),
        reply({**CLAIMS, "exp": NOW - 1}),
        reply({**CLAIMS, "tenantId": OTHER}),
    ],
)
def test_answers_that_are_none(answer: Fetched) -> None:
    tenant = Tenant()
    assert tenant.prove(answer) == Rejected(BAD, user="ursula@example.com")
    assert tenant.prove(reply()) == URSULA


def test_what_is_no_app_password_is_not_sent_anywhere() -> None:
    tenant = Tenant()
    for user, password in (("ada", "secret"), ("", PASSWORD), ("a\nb", PASSWORD)):
        assert tenant.start(user, password).result == Rejected(BAD, user=user)
    assert tenant.tokens.exchanges == 0
