"""The server: who may connect, one deadline for all, the date, and how it stops."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from math import inf
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from fanlight import App, Limits, Listener
from fanlight.auth.identity import Identity, Kind, Proof
from fanlight.auth.users import Role
from fanlight.connection.connection import Connection
from fanlight.peer import network_of
from fanlight.server import CONNECTIONS_PER_TURN, RECENT_REQUESTS, Server
from tests.clients.blocking import HttpConnection
from tests.clients.http1 import serialise
from tests.clients.messages import Outgoing
from tests.core.connection.connecting import NOW, connect, end_all, fine, statuses
from tests.sim import START, Clock, Seeded, Sim

LISTENER = Listener("main", "0.0.0.0:6876", groups={"base": "Normal"}, max_connections=20)


def made(*listeners: Listener, per_peer: int = 3) -> Server:
    """A server that nobody has connected to."""
    app = App(
        listeners=listeners or (LISTENER,),
        pages=False,
        limits=Limits(connections_per_peer=per_peer),
        registry=CollectorRegistry(),
    )
    return Server(app, now=START, entropy=Seeded())


def come(server: Server, peer: str, count: int = 1, listener: str = "main") -> list[Connection | None]:
    """So many of one peer try to connect."""
    return [server.accept(listener, peer, START) for _ in range(count)]


def admitted(server: Server, peer: str, count: int, listener: str = "main") -> int:
    """How many of them may."""
    return sum(connection is not None for connection in come(server, peer, count, listener))


# ---- who may connect ---------------------------------------------------------


@pytest.mark.parametrize("peer", ["192.0.2.7", "2001:db8::7"])
def test_a_peer_has_its_bound(peer: str) -> None:
    server = made()
    assert admitted(server, peer, 5) == 3
    assert admitted(server, "203.0.113.1", 1) == 1


def test_addresses_of_one_network_share_a_bound_and_others_do_not() -> None:
    server = made()
    assert [admitted(server, f"2001:db8::{host:x}", 1) for host in range(1, 6)] == [1, 1, 1, 0, 0]
    assert admitted(server, "2001:db8:0:1::1", 5) == 3


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", ""])
def test_this_machine_has_none(peer: str) -> None:
    assert admitted(made(), peer, 10) == 10


def test_a_trusted_proxy_has_none_and_a_stranger_does() -> None:
    proxied = evolve(LISTENER, behind_trusted_proxy=True, trusted_proxies=("198.51.100.0/24",))
    server = made(proxied)
    assert admitted(server, "198.51.100.9", 10) == 10
    assert admitted(server, "198.51.101.9", 10) == 3


def test_a_listener_has_its_bound_and_others_their_own() -> None:
    server = made(LISTENER, evolve(LISTENER, name="ops", address="0.0.0.0:6877", max_connections=2))
    assert admitted(server, "127.0.0.1", 30) == 20
    assert admitted(server, "127.0.0.1", 30, "ops") == 2


def test_each_listener_counts_its_peers_for_itself() -> None:
    server = made(LISTENER, evolve(LISTENER, name="ops", address="0.0.0.0:6877"))
    assert admitted(server, "192.0.2.7", 5) == admitted(server, "192.0.2.7", 5, "ops") == 3


def test_an_unknown_listener_is_a_mistake_of_the_host() -> None:
    with pytest.raises(KeyError):
        made().accept("nobody", "192.0.2.7", START)


def test_who_leaves_makes_room() -> None:
    server = made()
    first, *_ = come(server, "192.0.2.7", 3)
    assert first is not None
    assert admitted(server, "192.0.2.7", 1) == 0
    first.lost(START)
    first.lost(START)
    assert admitted(server, "192.0.2.7", 2) == 1


PEERS = st.sampled_from(["192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8::2", "127.0.0.1", ""])


@given(st.lists(st.tuples(st.sampled_from(["come", "go", "rename"]), PEERS, st.integers(0, 50))))
def test_the_counts_are_those_of_the_connections_that_are_open(acts: list[tuple[str, str, int]]) -> None:
    server, there = made(), list[Connection]()
    state = server.listeners["main"]
    for act, peer, pick in acts:
        if act == "come":
            there += [connection for connection in come(server, peer) if connection is not None]
        elif there and act == "go":
            there.pop(pick % len(there)).lost(START)
        elif there:
            server.renamed(there[pick % len(there)], peer)
        networks = [network_of(connection.peer) for connection in there]
        assert state.peers == {network: networks.count(network) for network in networks}
        assert state.open == len(there) == len(server.connections)


def test_a_peer_that_is_renamed_is_told_whether_it_has_too_many() -> None:
    server = made()
    several = [connection for connection in come(server, "127.0.0.1", 5) if connection is not None]
    assert [server.renamed(connection, "192.0.2.7") for connection in several] == [True, True, True, False, False]
    assert all(server.renamed(connection, "127.0.0.1") for connection in several)


# ---- deadlines ---------------------------------------------------------------


def test_without_connections_nothing_is_ever_due() -> None:
    server = made()
    assert server.deadline == inf
    assert server.handle_timeout(START) == []


def test_the_deadline_is_that_of_the_first_connection() -> None:
    server = made()
    for seconds in (5.0, 3.0, 9.0):
        server.accept("main", "127.0.0.1", evolve(START, mono=START.mono + seconds))
    assert server.deadline == START.mono + 3 + server.limits.keep_alive


def test_a_few_connections_are_told_at_a_time() -> None:
    server = made()
    come(server, "127.0.0.1", 20)
    late = evolve(START, mono=START.mono + 100)
    told = []
    while server.deadline <= late.mono:
        due = server.handle_timeout(late)
        told.append(len(due))
        for connection in due:
            while connection.poll() is not None:
                pass
    assert told == [CONNECTIONS_PER_TURN, CONNECTIONS_PER_TURN, 20 - 2 * CONNECTIONS_PER_TURN]
    assert server.drained


def test_how_late_the_loop_was_is_measured() -> None:
    server = made()
    come(server, "127.0.0.1")
    early = server.metrics._late.sum
    server.handle_timeout(START)
    assert server.metrics._late.sum == early == 0
    server.handle_timeout(evolve(START, mono=server.deadline + 0.25))
    assert server.metrics._late.sum == pytest.approx(0.25)


# ---- the date ----------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_the_date_is_that_of_the_moment(version: str) -> None:
    clock = Clock()
    app = App(pages=False)
    app.route("GET", "/it")(fine)
    sim = Sim(app, clock=clock)
    client = HttpConnection(sim.connect(), version)
    for seconds in (0, 0.4, 0.7, 50):
        clock.move(seconds)
        date = client.exchange(Outgoing(target="/it")).get("date")
        assert date is not None
        assert date.endswith(" GMT")
        assert parsedate_to_datetime(date).timestamp() == int(clock.now.wall)


def test_the_date_is_made_once_a_second_for_each_version() -> None:
    sim, first = connect(NOW)
    second = sim.connect()
    second.send(NOW)
    assert sim.server.date(first.connection) is sim.server.date(second.connection)
    end_all()


# ---- what is remembered ------------------------------------------------------


def test_the_last_requests_are_remembered_and_no_more() -> None:
    sim, wire = connect()
    for _ in range(RECENT_REQUESTS + 5):
        wire.send(NOW)
    assert len(sim.server.recent) == RECENT_REQUESTS
    end_all()


def test_what_is_no_request_is_counted_as_unknown() -> None:
    sim, wire = connect(b"nonsense\r\n\r\n")
    assert statuses(wire) == [400]
    assert [(record.path, record.method) for record in sim.server.recent] == [("unknown", "")]
    family = sim.server.metrics._active
    assert set(family.kind.values(family.children)) == {0.0}
    end_all()


@pytest.mark.parametrize(("port", "status"), [(6876, 200), (7000, 403)])
def test_origins_of_loopback_pages_follow_the_ports_that_were_bound(port: int, status: int) -> None:
    app = App(pages=False)
    app.route("POST", "/it")(fine)
    sim = Sim(app, ports=(6876,))
    fields = (("origin", f"http://localhost:{port}"),)
    answer = HttpConnection(sim.connect(), "1.1").exchange(Outgoing(method="POST", target="/it", fields=fields))
    assert answer.status == status


def test_a_rebound_server_forgets_what_it_decided_for_other_ports() -> None:
    app = App(pages=False)
    app.route("POST", "/it")(fine)
    sim = Sim(app, ports=(1,))
    request = serialise(Outgoing(method="POST", target="/it", fields=(("origin", "http://localhost:2"),)))
    before, after = sim.connect(), sim.connect()
    before.send(request)
    sim.server.bound({"main": 2})
    after.send(request)
    assert [statuses(before), statuses(after)] == [[403], [200]]


# ---- stopping ----------------------------------------------------------------


def test_who_comes_after_the_shutdown_is_refused() -> None:
    server = made()
    assert server.shutdown(5, START) == []
    assert server.stopping
    assert server.drained
    assert admitted(server, "127.0.0.1", 1) == 0


def test_shutdown_returns_all_and_they_drain() -> None:
    server = made()
    there = come(server, "127.0.0.1", 5)
    stopping = server.shutdown(5, START)
    assert set(stopping) == set(there)
    assert not server.drained
    for connection in stopping:
        while connection.poll() is not None:
            pass
    assert (server.drained, server.deadline) == (True, inf)
    assert server.listeners["main"].peers == {}


def test_a_finished_connection_is_forgotten_once() -> None:
    server = made()
    connections: list[Any] = come(server, "192.0.2.7", 2)
    server.forget(connections[0])
    server.forget(connections[0])
    assert server.listeners["main"].open == 1
    assert server.connections == {connections[1]}


# ---- on whose word ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "role", "mark", "superuser", "holds"),
    [
        ("Password", Role(), "same", False, True),
        ("Password", Role(epoch=1), "same", False, False),
        ("Password", Role(login=False), "same", False, False),
        ("Password", None, "same", False, False),
        ("Oidc", None, "", False, True),
        ("Oidc", Role(), "", False, True),
        ("Oidc", Role(login=False), "", False, False),
        ("Oidc", Role(), "same", True, False),
        ("Oidc", Role(superuser=True), "same", True, True),
        ("Oidc", None, "same", False, False),
        # Users of a tenant are none of ours, even if they are called so.
        ("Frontegg", Role(login=False), "", True, True),
    ],
)
def test_an_identity_holds_as_long_as_its_role(
    kind: Kind, role: Role | None, mark: str, superuser: bool, holds: bool
) -> None:
    server = made()
    if role is not None:
        server.app.users.replace({"ada": role})
    identity = Identity("ada", kind, superuser=superuser)
    assert server.holds(server.listeners["main"], identity, Proof(Role().mark if mark else "")) is holds
