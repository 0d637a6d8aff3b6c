"""What the record of decisions says of a whole server: by every door, of those let in and those refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.websocket import Closed, Text

from .passwords import House, basic, cookie


@pytest.fixture
def house() -> House:
    return House()


def decisions(house: House) -> list[tuple[Any, ...]]:
    """Of each: group, how, outcome, reason and user; where it was and who asked are the same for all."""
    events = list(house.sim.server.audit.events)
    for event in events:
        assert (event.listener, event.kind, event.peer) == ("main", "Password", "127.0.0.1")
        assert event.wall == house.sim.now.wall
    return [(event.group, event.how, event.outcome, event.reason, event.user) for event in events]


def test_requests(house: House) -> None:
    house.ask("/api/livez", basic("ada", "wonderland"))
    house.ask("/prof/mode", basic("ada", "wrong"))
    house.ask("/no/such/path")
    house.ask("/", basic("mz_system", "sys"))
    house.ask("/api/livez", cookie(house.log_in("bob")))
    assert decisions(house) == [
        ("metrics", "HTTP request", "accepted", "", '"ada"'),
        ("profiling", "HTTP request", "refused", "invalid credentials", '"ada"'),
        ("fallback", "HTTP request", "refused", "missing authorization header", ""),
        ("base", "HTTP request", "refused", "role dissallowed", '"mz_system"'),
        ("login", "HTTP login", "accepted", "", '"bob"'),
        ("metrics", "HTTP request", "accepted", "", '"bob"'),
    ]


def test_logins(house: House) -> None:
    house.log_in("ada", "wrong")
    house.log_in("ada")
    for _ in range(10):
        house.log_in("bob", "wrong")
    assert decisions(house)[:2] == [
        ("login", "HTTP login", "refused", "invalid credentials", '"ada"'),
        ("login", "HTTP login", "accepted", "", '"ada"'),
    ]


def test_guesses_beyond_the_burst() -> None:
    house = House(auth_failure_burst=1)
    house.log_in("ada", "wrong")
    assert house.log_in("ada", "wonderland").status == 429
    assert decisions(house)[1] == ("login", "HTTP login", "limited", "too many attempts", '"ada"')


def test_sockets(house: House) -> None:
    _, socket = house.socket(first={"user": "ada", "password": "wonderland"})
    assert socket.receive() == Text("ada")
    _, socket = house.socket(first={"user": "ada", "password": "wrong"})
    assert socket.receive() == Closed(1002, "unauthorized")
    _, socket = house.socket(first={})
    assert socket.receive() == Closed(1002, "unauthorized")
    _, socket = house.socket(first={"user": "mz_system", "password": "sys"})
    assert socket.receive() == Closed(1002, "unauthorized")
    assert decisions(house) == [
        ("ws", "WebSocket", "accepted", "", '"ada"'),
        ("ws", "WebSocket", "refused", "invalid credentials", '"ada"'),
        ("ws", "WebSocket", "refused", "missing authorization header", ""),
        ("ws", "WebSocket", "refused", "role dissallowed", '"mz_system"'),
    ]


def test_a_name_is_shown_escaped(house: House) -> None:
    house.log_in("ada", "wrong")
    body = b'{"username": "e\\u202evil", "password": "x"}'
    house.ask("/api/login", ("content-type", "application/json"), method="POST", body=body)
    assert decisions(house)[1][4] == '"e\\u202evil"'
