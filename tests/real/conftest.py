"""Servers of every kind over both transports, for programs to meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from attrs import frozen

from fanlight import App, Listener, Settings
from fanlight.auth.identity import Kind
from fanlight.auth.oidc import OidcSettings
from fanlight_engines.auth.passwords import hash_password
from tests.hosts import Host, Served, host

PASSWORD = "correct horse"
STORED = {name: hash_password(PASSWORD, iterations=4096) for name in ("ada", "mz_system", "out")}


@frozen
class Place:
    """A served app; `where` is `host:port`."""

    app: App
    served: Served
    host: Host

    @property
    def where(self) -> str:
        """`127.0.0.1:PORT`."""
        address = self.served.address()
        assert not isinstance(address, str)
        return f"{address[0]}:{address[1]}"

    def later(self, seconds: float, *, date: bool = True) -> None:
        """Let the server's clocks jump; without `date` only the one of durations, so that no token grows old."""
        self.host.shift.mono += seconds
        self.host.shift.wall += seconds if date else 0.0
        self.host.wake()

    def reasons(self) -> list[str]:
        """Why requests were refused so far."""
        return [event.reason for event in self.served.server.audit.events if event.outcome != "accepted"]


Open = Callable[..., Place]


@pytest.fixture(params=["asyncio", "trio"])
def over(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A running loop, whose clocks nobody has moved."""
    made = host(request.param)
    yield made
    made.close()


@pytest.fixture
def opened(over: Host) -> Iterator[Open]:
    """Serves apps with three users: `ada`, `mz_system`, and `out`, who may not log in."""
    running: list[Served] = []

    def start(kind: Kind = "Password", oidc: OidcSettings | None = None, **settings: object) -> Place:
        listener = Listener("main", "127.0.0.1:0", authenticator=kind)
        app = App(listeners=[listener], oidc=oidc, settings=Settings(**settings))  # type: ignore[arg-type]
        for name, stored in STORED.items():
            app.users.put(name, stored, login=name != "out")
        served = over.serve(app)
        running.append(served)
        return Place(app, served, over)

    yield start
    for served in running:
        served.stop()
