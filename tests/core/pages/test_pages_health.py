"""The probes: alive in any case, ready when every condition holds, and waiting."""

from __future__ import annotations

import pytest

from fanlight import App
from fanlight.config.limits import Limits
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.core.pages.passwords import House, basic
from tests.sim import Sim, SimWire

WAITING = b"GET /api/readyz?wait=true HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.fixture(params=["1.1", "2"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(app: App, target: str, version: str = "1.1", method: str = "GET") -> tuple[int, bytes]:
    answer = HttpConnection(Sim(app).connect(), version).exchange(Outgoing(method=method, target=target))
    return answer.status, answer.body


def status(wire: SimWire) -> bytes:
    """The status of the one answer so far; empty while there is none."""
    return bytes(wire.received)[9:12]


def test_alive(version: str) -> None:
    app = App()
    app.readiness.fail("engine")
    assert ask(app, "/api/livez", version) == (200, b"Liveness check successful!")
    assert ask(app, "/api/livez", version, "HEAD") == (200, b"")


def test_ready_without_conditions(version: str) -> None:
    assert ask(App(), "/api/readyz", version) == (200, b"ready")


@pytest.mark.parametrize("target", ["/api/readyz", "/api/readyz?wait=false", "/api/readyz?", "/api/readyz?other=1"])
def test_not_ready_is_said_at_once(target: str, version: str) -> None:
    app = App()
    app.readiness.set("engine", False)
    assert ask(app, target, version) == (503, b"not ready")
    app.readiness.set("engine", True)
    assert ask(app, target, version) == (200, b"ready")


@pytest.mark.parametrize("value", ["", "1", "True", "yes", "true%20"])
def test_wait_is_true_or_false(value: str) -> None:
    said = b"Failed to deserialize query string: wait: provided string was not `true` or `false`"
    assert ask(App(), f"/api/readyz?wait={value}") == (400, said)


def test_wait_comes_once() -> None:
    code, said = ask(App(), "/api/readyz?wait=true&wait=true")
    assert (code, said) == (400, b"Failed to deserialize query string: duplicate field `wait`")


def waiting() -> tuple[Sim, SimWire]:
    app = App()
    app.readiness.set("engine", False)
    sim = Sim(app)
    wire = sim.connect()
    wire.send(WAITING)
    return sim, wire


def test_waiting_ends_when_it_is_ready() -> None:
    sim, wire = waiting()
    sim.advance(600)
    assert status(wire) == b""
    sim.server.app.readiness.set("engine", True)
    sim.advance(0.1)
    assert status(wire) == b"200"


def test_waiting_ends_when_it_never_will_be() -> None:
    sim, wire = waiting()
    sim.server.app.readiness.fail("engine")
    sim.advance(0.1)
    assert status(wire) == b"503"


def test_waiting_ends_when_the_server_stops() -> None:
    sim, wire = waiting()
    sim.shutdown(10)
    sim.advance(0.1)
    assert status(wire) == b"503"
    assert wire.half_closed


def test_a_client_that_leaves_waits_no_more() -> None:
    sim, wire = waiting()
    wire.abort()
    assert sim.server.drained


def test_waiting_costs_little() -> None:
    sim, _ = waiting()
    before = len(sim.transcript)
    sim.advance(10)
    assert len(sim.transcript) - before <= 10 / 0.05 + 1


def test_waiting_has_no_limit_of_its_own() -> None:
    limits = Limits()
    sim, wire = waiting()
    sim.advance(10 * (limits.keep_alive + limits.body_progress))
    assert not wire.half_closed


PROBES = ("/api/livez", "/api/readyz", "/api/leader/status")


@pytest.mark.parametrize("target", PROBES)
def test_probes_ask_no_engine(target: str, version: str) -> None:
    sim = Sim(App())
    answer = HttpConnection(sim.connect(), version).exchange(Outgoing(target=target))
    assert answer.status == 200
    assert [line for line in sim.transcript if line.what == "perform"] == []


@pytest.mark.parametrize("target", PROBES)
def test_where_passwords_are_asked_for_probes_ask_for_nothing_else(target: str, version: str) -> None:
    house = House(version)
    assert house.ask(target).status == 401
    assert house.checked == 0
    assert house.ask(target, basic("ada")).status == 200
    assert house.checked == 1  # and the house answers nothing else
