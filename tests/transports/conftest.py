"""The hosts that transports are tested over: asyncio, uvloop and trio, each in a thread for the whole session."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from fanlight.app import App
from fanlight_engines.performer import Performer
from tests.hosts import Host, Served, host
from tests.transports.application import Naps

Serving = Callable[[App], Served]


@pytest.fixture(scope="session", params=["asyncio", "uvloop", "trio"])
def over(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A running loop."""
    made = host(request.param)
    yield made
    made.close()


@pytest.fixture
def serve(over: Host) -> Iterator[Serving]:
    """Serves apps over `over` until the test ends."""
    running: list[Served] = []

    def start(app: App) -> Served:
        served = over.serve(app, lambda server, performer: Performer([Naps()]))
        running.append(served)
        return served

    yield start
    for served in running:
        served.stop()
