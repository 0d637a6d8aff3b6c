"""`fanlight.auth.chain`: kind None whole, the order of session and credentials, and closed doors."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.asks import Routine
from fanlight.auth.authorization import Credentials, Password, Token, Unusable
from fanlight.auth.chain import MISSING, Rejected, authenticator_for, believe, identify
from fanlight.auth.identity import Identity, Kind
from fanlight.config import ConfigurationError, Dialect
from fanlight.http.request import Request

DIALECT = Dialect()
ANYBODY = Identity("anonymous_http_user")
REQUEST = cast(Request, None)
"""Nothing here looks at the request."""


def run(routine: Routine[Any]) -> Any:
    """The answer of a routine that asks for nothing."""
    try:
        routine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it asked for something")


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
    assert run(identify(REQUEST, credentials, authenticator_for("None", DIALECT))) == outcome


@given(st.text(), st.text(), st.text())
def test_kind_none_never_looks_at_a_password(user: str, one: str, other: str) -> None:
    assert believe(Password(user, one), DIALECT) == believe(Password(user, other), DIALECT)


@pytest.mark.parametrize("kind", ["Oidc", "Frontegg"])
def test_other_kinds_are_refused(kind: Kind) -> None:
    with pytest.raises(ConfigurationError, match=f"authenticator kind {kind} is not available in this release"):
        authenticator_for(kind, DIALECT)


async def _authenticator(request: Request, credentials: Credentials, /) -> Identity | Rejected:
    return Identity("by credentials", "Password") if isinstance(credentials, Password) else MISSING


async def _session(request: Request, /) -> Identity | Rejected | None:
    return Identity("by session", "Password")


async def _expired(request: Request, /) -> Identity | Rejected | None:
    return Rejected("session expired")


async def _no_session(request: Request, /) -> Identity | Rejected | None:
    return None


@pytest.mark.parametrize(
    ("credentials", "session", "outcome"),
    [
        (Unusable.ABSENT, None, MISSING),
        (Unusable.ABSENT, _no_session, MISSING),
        (Unusable.ABSENT, _session, Identity("by session", "Password")),
        (Unusable.ABSENT, _expired, Rejected("session expired")),
        (Unusable.MALFORMED, _session, MISSING),
        (Password("a", "b"), _session, Identity("by credentials", "Password")),
        (Password("a", "b"), _expired, Identity("by credentials", "Password")),
        (Token("a"), _session, MISSING),
    ],
)
def test_credentials_are_judged_alone(credentials: Credentials, session: Any, outcome: Identity | Rejected) -> None:
    assert run(identify(REQUEST, credentials, _authenticator, session)) == outcome
