"""What tokens and sessions cost: `python -m bench.auth_tokens`.

    tokens     access tokens of each algorithm verified in a second, by whole requests in memory, on one core
    sessions   memory of 20,000 sessions of a thousand users, each used once

With the real engine of signatures and real keys; CPU time of the thread.
"""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

from bench.auth import Served, probe
from fanlight import App, Listener
from fanlight.asks import Effect
from fanlight.auth.cookies import id_text
from fanlight.auth.effects import FetchDocument, VerifySignature
from fanlight.auth.oidc import OidcSettings
from fanlight.auth.scram import decoy
from fanlight.auth.session_table import Session
from fanlight.auth.sessions import key_of
from fanlight_engines.auth.tokens import verify
from tests.clients.http1 import serialise
from tests.clients.messages import Outgoing
from tests.core.auth.providing import ISSUER, NAMES, Provider, token

REQUESTS, TIMES = 100, 20
SESSIONS, USERS = 20_000, 1000


class Trusting(Served):
    """A server of kind Oidc with a provider that answers at once."""

    def __init__(self) -> None:
        super().__init__(App(listeners=[Listener(authenticator="Oidc")], oidc=OidcSettings(issuer=ISSUER)))
        self.provider = Provider(*sorted(set(NAMES.values())))

    def _perform(self, effect: Effect[Any]) -> Any:
        return verify(effect) if isinstance(effect, VerifySignature) else self._fetch(effect)

    def _fetch(self, effect: Effect[Any]) -> Any:
        assert isinstance(effect, FetchDocument)
        return self.provider.answer(effect)

    def seconds_of(self, raw: bytes) -> float:
        """CPU seconds of one request."""
        began = time.thread_time()
        for _ in range(REQUESTS):
            self.ask(raw)
        return (time.thread_time() - began) / REQUESTS


def show_tokens() -> None:
    """Requests a second with a token of each algorithm."""
    served = Trusting()
    claims = {"iss": ISSUER, "sub": "ada", "exp": int(time.time()) + 3600, "iat": int(time.time())}
    for algorithm, kind in NAMES.items():
        raw = serialise(
            Outgoing(
                target="/api/livez",
                fields=(("authorization", f"Bearer {token(claims, algorithm, kind)}"),),
            )
        )
        answer = served.ask(raw)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        best = min(served.seconds_of(raw) for _ in range(TIMES))
        print(f"{algorithm}: {best * 1e6:4.0f} us a request, {1 / best:5.0f} in a second")


def show_sessions() -> None:
    """Memory of many sessions that were used."""
    served = Served(App(listeners=[Listener(authenticator="Password")]))
    for number in range(USERS):
        served.server.app.users.put(f"user {number}", decoy(bytes(96)))
    sessions = served.server.listeners["main"].sessions
    assert sessions is not None
    cookies = [id_text(number.to_bytes(16)) for number in range(SESSIONS)]
    probes = [probe(("cookie", f"mz_session={cookie}")) for cookie in cookies]
    moment = served.now().wall
    served.ask(probes[0])
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number, cookie in enumerate(cookies):
        user = f"user {number % USERS}"
        role = served.server.app.users.find(user)
        assert role is not None
        sessions.table.restore(key_of(cookie), Session(user, moment, moment, role.mark))
    for raw in probes:
        assert served.ask(raw).startswith(b"HTTP/1.1 200")
    each = (tracemalloc.get_traced_memory()[0] - before) / SESSIONS
    tracemalloc.stop()
    print(f"{len(sessions.table)} sessions of {USERS} users: {each:.0f} bytes each")


if __name__ == "__main__":
    show_tokens()
    show_sessions()
