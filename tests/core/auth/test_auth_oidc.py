"""Kind Oidc: the checks of a token in their order, with real signatures."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from fanlight.auth.chain import Rejected
from fanlight.auth.identity import Identity
from fanlight.auth.oidc import OidcSettings, OidcTokens, is_outage
from fanlight.auth.users import Role, Users
from fanlight.config.settings import Dialect, Settings

from .driving import Crowd
from .providing import ISSUER, NAMES, Provider, b64, token

NOW = int(Crowd().now.wall)
CLAIMS = {"iss": ISSUER, "sub": "carol", "exp": NOW + 600}
SETTINGS = OidcSettings(issuer=ISSUER)


def prove(
    text: str, settings: OidcSettings = SETTINGS, users: Users | None = None, *, down: bool = False, **common: Any
) -> Any:
    provider, crowd = Provider("RSA", "EC", "EC384", "OKP"), Crowd()
    provider.down = down
    actor = crowd.start(OidcTokens(Dialect(), users or Users(), Settings(**common)).prove(settings, text))
    while crowd.asked:
        crowd.answer(provider.answer(crowd.asked[0][1]))
    assert actor.error is None, actor.error
    return actor.result


def refused(text: str) -> Rejected:
    return Rejected(text, body=text)


@pytest.mark.parametrize("algorithm", NAMES)
def test_every_algorithm(algorithm: str) -> None:
    proved = prove(token(CLAIMS, algorithm, NAMES[algorithm]))
    assert proved == Identity("carol", "Oidc")
    assert proved.proof.ends == NOW + 660


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("garbage", "failed to validate JWT"),
        (token(CLAIMS, kid=None), "missing key ID in JWT header"),
        (token(CLAIMS, kid="ghost"), "no matching key found in the JWKS"),
        (token(CLAIMS, "ES256", "RSA"), "failed to validate JWT"),
        (token(CLAIMS, "RS256", "RSA", "RSA2"), "failed to validate JWT"),
        (token(CLAIMS, "PS256").replace(".", ".x", 1), "failed to validate JWT"),
        (token(CLAIMS).rpartition(".")[0] + "." + b64(bytes(256)), "failed to validate JWT"),
        (token(CLAIMS).rpartition(".")[0] + ".", "failed to validate JWT"),
        (token({**CLAIMS, "exp": "5"}), "failed to validate JWT"),
        (token({**CLAIMS, "exp": NOW - 61}), "authentication credentials have expired"),
        (token({**CLAIMS, "exp": NOW - 61, "iss": "x", "aud": "x"}), "authentication credentials have expired"),
        (token({**CLAIMS, "nbf": NOW + 61}), "failed to validate JWT"),
        (token({**CLAIMS, "iss": ISSUER + "/"}), "invalid issuer"),
        (token({**CLAIMS, "sub": None}), "no matching authentication claim found in the JWT"),
        (token({**CLAIMS, "sub": ""}), "no matching authentication claim found in the JWT"),
        (token({**CLAIMS, "sub": "a\nb"}), "no matching authentication claim found in the JWT"),
        (token({**CLAIMS, "sub": 5}), "no matching authentication claim found in the JWT"),
    ],
)
def test_refusals(text: str, problem: str) -> None:
    assert prove(text) == refused(problem)


@pytest.mark.parametrize("claims", [{"exp": NOW - 60}, {"nbf": NOW + 60}, {"aud": "anything"}, {"iat": NOW + 9999}])
def test_what_is_tolerated(claims: dict[str, Any]) -> None:
    assert prove(token({**CLAIMS, **claims})) == Identity("carol", "Oidc")


@pytest.mark.parametrize(
    ("audiences", "aud", "good"),
    [
        (["a"], "a", True),
        (["a", "b"], ["x", "b"], True),
        (["a"], ["A"], False),
        (["a"], [], False),
        (["a"], None, False),
        ((), None, True),
    ],
)
def test_audiences(audiences: Any, aud: Any, good: bool) -> None:
    claims = CLAIMS if aud is None else {**CLAIMS, "aud": aud}
    outcome = prove(token(claims), evolve(SETTINGS, audiences=audiences))
    assert outcome == (Identity("carol", "Oidc") if good else refused("invalid audience"))


def test_settings_come_first() -> None:
    bad: Any = "not a list"
    assert prove("garbage", OidcSettings()) == refused("OIDC issuer is not configured")
    assert prove("garbage", evolve(SETTINGS, audiences=bad)) == refused("failed to parse OIDC_AUDIENCE system variable")
    assert prove("garbage", evolve(SETTINGS, issuer="x")) == refused("failed to validate JWT")
    assert prove(token(CLAIMS), evolve(SETTINGS, issuer="x")) == refused("invalid OIDC issuer URL")


def test_the_name_and_the_groups() -> None:
    claims = {**CLAIMS, "email": "Ursula@example.com", "realm": {"groups": ["b", "a"]}, "a.b": "x"}
    outcome = prove(token(claims), evolve(SETTINGS, user_claim="email", group_claim="realm.groups"))
    assert outcome == Identity("Ursula@example.com", "Oidc", groups=("a", "b"))
    assert prove(token(claims), evolve(SETTINGS, user_claim="a.b")) == Identity("x", "Oidc")
    for claim in ("iss", "realm.groups", "missing"):
        outcome = prove(token(claims), evolve(SETTINGS, user_claim=claim))
        assert outcome == refused("no matching authentication claim found in the JWT")


def test_roles_of_users_that_exist() -> None:
    users = Users({"carol": Role(None, superuser=True), "out": Role(None, login=False)})
    assert prove(token(CLAIMS), users=users) == Identity("carol", "Oidc", superuser=True)
    assert prove(token({**CLAIMS, "sub": "out"}), users=users) == refused("role is not allowed to login")


@pytest.mark.parametrize("name", ["mz_system", "mz_x", "pg_x", "PUBLIC", "none"])
def test_no_token_gives_a_name_that_is_not_ones_own(name: str) -> None:
    outcome = prove(token({**CLAIMS, "sub": name}))
    assert outcome == Rejected("role dissallowed", user=name)
    assert outcome.body == "unauthorized"


def test_whose_fault_it_is() -> None:
    assert is_outage(prove(token(CLAIMS), down=True))
    assert is_outage(prove("garbage", OidcSettings()))
    assert is_outage(prove("garbage", OidcSettings(issuer=ISSUER, audiences=[5])))  # type: ignore[list-item]
    assert not is_outage(prove("garbage"))
    assert not is_outage(prove(token(CLAIMS, kid="ghost")))


def test_an_internal_user_only_where_the_operator_says_so() -> None:
    system = token({**CLAIMS, "sub": "mz_system"})
    assert prove(system) == Rejected("role dissallowed", user="mz_system")
    assert prove(system, allow_internal_from_token=True) == Identity("mz_system", "Oidc", internal=True)
    other = prove(token({**CLAIMS, "sub": "pg_ada"}), allow_internal_from_token=True)
    assert other == Rejected("role dissallowed", user="pg_ada")


def test_an_outage_may_be_told_from_a_bad_token() -> None:
    text = "failed to fetch OIDC provider configuration"
    assert prove(token(CLAIMS), down=True) == refused(text)
    assert prove(token(CLAIMS), down=True, upstream_failure_status=503) == Rejected(text, body=text, status=503)
    ghost = prove(token(CLAIMS, kid="ghost"), upstream_failure_status=503)
    assert ghost == refused("no matching key found in the JWKS")
