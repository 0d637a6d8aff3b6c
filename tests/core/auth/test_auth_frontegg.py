"""Kind Frontegg: app passwords, their exchange, access tokens."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.chain import Rejected
from fanlight.auth.frontegg import BAD, parse_app_password, same_user
from fanlight.auth.identity import Identity
from fanlight.config.settings import ConfigurationError

from .providing import b64, token
from .tenancy import CLAIMS, NOW, OTHER, PASSWORD, SETTINGS, TENANT, Tenant


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


def test_what_is_no_app_password_is_not_sent_anywhere() -> None:
    tenant = Tenant()
    for user, password in (("ada", "secret"), ("", PASSWORD), ("a\nb", PASSWORD)):
        assert tenant.start(user, password).result == Rejected(BAD, user=user)
    assert tenant.tokens.passwords.exchanges == 0


def test_an_internal_user_only_where_the_operator_says_so() -> None:
    claims = {**CLAIMS, "type": "tenantApiToken", "metadata": {"user": "mz_system"}}
    tenant = Tenant(allow_internal_from_token=True)
    proved = tenant.crowd.start(tenant.tokens.prove_token(SETTINGS, token(claims))).result
    assert proved == Identity("mz_system", "Frontegg", internal=True)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"tenant_id": "x"}, "frontegg.tenant_id: expected a UUID"),
        ({"tenant_id": 5}, "frontegg.tenant_id: expected a string, got a number"),
        ({"token_url": "admin.example"}, "frontegg.token_url: expected a URL of http or https"),
        ({"public_key": "secret"}, "frontegg.public_key: expected a public key as PEM text"),
        ({"admin_role": None}, "frontegg.admin_role: expected a string, got null"),
        ({"issuer": 5}, "frontegg.issuer: expected a string, got a number"),
    ],
)
def test_settings_that_are_none(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        evolve(SETTINGS, **changed)
    assert str(caught.value) == problem
