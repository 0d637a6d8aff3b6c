"""`fanlight.auth.chain`: kind None whole, outcomes of password checks, what a refused token costs."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.asks import Routine
from fanlight.auth.authorization import Credentials, Password, Token, Unusable
from fanlight.auth.chain import (
    MISSING,
    Rejected,
    authenticator_for,
    believe,
    found,
    prove_bearer,
    too_many,
)
from fanlight.auth.checks import WRONG, Found, PasswordChecks, Refused, prove_password
from fanlight.auth.identity import Identity, Kind
from fanlight.auth.throttle import Rate, Throttle
from fanlight.config.settings import Dialect
from fanlight.http.request import Request
from tests.routines import driven
from tests.sim import START

from .driving import Crowd

DIALECT = Dialect()
ANYBODY = Identity("anonymous_http_user")
REQUEST = cast(Request, None)
"""Nothing here looks at the request."""


@pytest.mark.parametrize(
    ("credentials", "outcome"),
    [
        (Unusable.ABSENT, ANYBODY),
        (Token("anything"), ANYBODY),
        (Password("ada", "wrong"), Identity("ada")),
        (Password("mz_system", ""), Identity("mz_system", internal=True)),
        (Password("pg_x", ""), Identity("pg_x")),
        (Unusable.MALFORMED, MISSING),
        (Unusable.DUPLICATE, MISSING),
        (Password("", "pw"), Rejected("invalid credentials")),
        (Password("a\nb", ""), Rejected("invalid credentials", user="a\nb")),
        (Password("ü" * 128, ""), Rejected("invalid credentials", user="ü" * 128)),
    ],
)
def test_kind_none(credentials: Credentials, outcome: Identity | Rejected) -> None:
    assert believe(credentials, DIALECT) == outcome
    if not isinstance(credentials, Unusable) or credentials is Unusable.ABSENT:
        assert authenticator_for("None", DIALECT)(REQUEST, credentials, START) == outcome


@given(st.text(), st.text(), st.text())
def test_kind_none_never_looks_at_a_password(user: str, one: str, other: str) -> None:
    assert believe(Password(user, one), DIALECT) == believe(Password(user, other), DIALECT)


@pytest.mark.parametrize("kind", ["Password", "Oidc", "Frontegg"])
def test_other_kinds_need_something_that_proves(kind: Kind) -> None:
    with pytest.raises(ValueError, match=f"kind {kind} needs provers"):
        authenticator_for(kind, DIALECT)


async def _outcome(outcome: Identity | Rejected) -> Identity | Rejected:
    return outcome


@pytest.mark.parametrize(
    ("outcome", "outage", "spent"),
    [(Identity("ada"), False, False), (Rejected("bad"), False, True), (Rejected("down"), True, False)],
)
def test_a_refused_token_costs_the_network_a_try(outcome: Identity | Rejected, outage: bool, spent: bool) -> None:
    crowd, throttle = Crowd(), Throttle(Rate(10, 1.0), Rate(1, 60.0))
    judged = prove_bearer(throttle, "192.0.2.7", _outcome(outcome), lambda rejected: outage)
    assert crowd.start(judged).result == outcome
    again = crowd.start(prove_bearer(throttle, "192.0.2.7", _outcome(outcome), lambda rejected: outage))
    assert again.result == (too_many(60) if spent else outcome)
    other = crowd.start(prove_bearer(throttle, "192.0.2.8", _outcome(outcome), lambda rejected: outage))
    assert other.result == outcome


class _Found:
    """Checks that find what they are told to, at once or late."""

    def __init__(self, outcome: Found, *, late: bool = False) -> None:
        self.outcome = outcome
        self.late = late
        self.asked: list[tuple[str, str, str, float]] = []

    def check(self, peer: str, user: str, password: str, mono: float) -> Found | Routine[Found]:
        self.asked.append((peer, user, password, mono))
        return self._check() if self.late else self.outcome

    async def _check(self) -> Found:
        return self.outcome


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Identity("ada", "Password", superuser=True), Identity("ada", "Password", superuser=True)),
        (WRONG, Rejected("invalid credentials", user="ada")),
        (Refused(0.2), too_many(1, "ada")),
        (Refused(59.2), too_many(60, "ada")),
    ],
)
def test_kind_password(outcome: Found, told: Identity | Rejected, late: bool) -> None:
    checks = _Found(outcome, late=late)
    proof = prove_password(cast(PasswordChecks, checks), "192.0.2.7", "ada", "secret", START)
    assert isinstance(proof, (Identity, Rejected)) is not late
    assert driven(found(proof)) == told
    assert checks.asked == [("192.0.2.7", "ada", "secret", START.mono)]


@pytest.mark.parametrize("user", ["", "a\nb", "é" * 128])
def test_a_name_that_is_none_is_not_checked(user: str) -> None:
    checks = _Found(Identity("ada"))
    outcome = prove_password(cast(PasswordChecks, checks), "", user, "secret", START)
    assert outcome == Rejected("invalid credentials", user=user)
    assert checks.asked == []


def test_too_many() -> None:
    answer = too_many(59.2).response()
    assert (answer.status, answer.body) == (429, b"too many requests, try again later")
    assert ("retry-after", "60") in answer.fields
