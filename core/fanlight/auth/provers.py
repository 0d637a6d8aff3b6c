"""What proves names for the listeners of one server: passwords, tokens of a provider, app passwords.

Made once for a server that asks for proof, and shared by its listeners, so that
buckets, caches and keys are one.  The settings of providers are read from the
app with each token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .authorization import Password, Token
from .chain import MISSING, Rejected, prove_bearer
from .checks import PasswordChecks, prove_password
from .frontegg import FronteggTokens
from .oidc import OidcSettings, OidcTokens, is_outage
from .throttle import Rate

if TYPE_CHECKING:
    from ..app import App
    from ..asks import Routine
    from ..http.request import Request
    from ..moment import Entropy, Now
    from ..observe.frontegg_metrics import FronteggMetrics
    from .authorization import Credentials
    from .identity import Identity

_UNSET = OidcSettings()


class Provers:
    """Every way to prove a name.  The methods are authenticators (`chain.Authenticate`)."""

    def __init__(self, app: App, entropy: Entropy, metrics: FronteggMetrics | None = None) -> None:
        settings = app.settings
        named = Rate(settings.auth_failure_burst, settings.auth_failure_refill_seconds)
        peer = Rate(settings.peer_auth_failure_burst, settings.peer_auth_failure_refill_seconds)
        self._app = app
        app.users.default_iterations = settings.scram_iterations
        self.checks = PasswordChecks(
            app.users,
            app.dialect,
            named,
            peer,
            entropy,
            iterations=settings.scram_iterations,
            filed=settings.users_file is not None,
        )
        self.oidc = OidcTokens(app.dialect, app.users, settings)
        self.frontegg = FronteggTokens(app.dialect, settings, self.checks.throttle, entropy, metrics)

    def by_password(
        self, request: Request, credentials: Credentials, now: Now, /
    ) -> Identity | Rejected | Routine[Identity | Rejected]:
        """Kind Password: a token is nothing here, and nothing that is wrong."""
        if not isinstance(credentials, Password):
            return MISSING
        return prove_password(self.checks, request.peer, credentials.user, credentials.password, now)

    def by_oidc(
        self, request: Request, credentials: Credentials, now: Now, /
    ) -> Identity | Rejected | Routine[Identity | Rejected]:
        """Kind Oidc: a token is judged by the provider's keys, a password as on kind Password."""
        if not isinstance(credentials, Token):
            return self.by_password(request, credentials, now)
        proof = self.oidc.prove(self._app.oidc or _UNSET, credentials.token)
        return prove_bearer(self.checks.throttle, request.peer, proof, is_outage)

    def by_frontegg(
        self, request: Request, credentials: Credentials, now: Now, /
    ) -> Identity | Rejected | Routine[Identity | Rejected]:
        """Kind Frontegg: app passwords and access tokens."""
        settings = self._app.frontegg
        assert settings is not None  # a listener of this kind does not start without (`App`)
        if isinstance(credentials, Password):
            return self.frontegg.prove_password(settings, request.peer, credentials.user, credentials.password)
        if not isinstance(credentials, Token):
            return MISSING
        proof = self.frontegg.prove_token(settings, credentials.token)
        return prove_bearer(self.checks.throttle, request.peer, proof, lambda rejected: False)
