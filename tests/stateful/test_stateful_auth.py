"""Authentication as a whole: everything in any order, on each kind of listener and on all of them at once.

Requests, logins, logouts, sockets, changed passwords, jumps of the clock;
checks and providers that answer late, wrongly or never; clients that leave at
any moment.  Against a model that knows only who has which password, which
cookies are good and which tokens are.  The rules are in `auth_rules`.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from .auth_rules import AppPasswords, Logins, Names, Tokens


class AllKinds(Logins, Tokens, AppPasswords):
    """A server with a listener of each kind."""


class KindNone(Names):
    """Whoever says a name is believed."""

    kinds = ("None",)


class KindPassword(Logins):
    """Passwords and sessions."""

    kinds = ("Password",)


class KindOidc(Logins, Tokens):
    """Tokens, and passwords and sessions beside them."""

    kinds = ("Oidc",)


class KindFrontegg(AppPasswords):
    """App passwords."""

    kinds = ("Frontegg",)


def some(examples: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )


TestAllKinds = AllKinds.TestCase
TestAllKinds.settings = some(40)
TestKindNone = KindNone.TestCase
TestKindNone.settings = some(20)
TestKindPassword = KindPassword.TestCase
TestKindPassword.settings = some(30)
TestKindOidc = KindOidc.TestCase
TestKindOidc.settings = some(30)
TestKindFrontegg = KindFrontegg.TestCase
TestKindFrontegg.settings = some(30)
