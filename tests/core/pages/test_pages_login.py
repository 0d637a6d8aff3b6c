"""Login and logout in a server: cookies, refusals, and the sockets that a session carries."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fanlight import Limits
from fanlight.auth.decisions import Refusal
from tests.clients.websocket import Closed, Text
from tests.sim import LATER

from .passwords import House, basic, cookie

JSON = ("content-type", "application/json")
GOOD = json.dumps({"username": "ada", "password": "wonderland"}).encode()


@pytest.fixture(params=["1.1", "2"])
def house(request: pytest.FixtureRequest) -> House:
    return House(request.param)


def test_a_day_in_the_life_of_a_session(house: House) -> None:
    answer = house.log_in()
    assert (answer.status, answer.body) == (200, b"")
    assert answer.get("cache-control") is None
    mine = cookie(answer)
    for _ in range(3):
        house.sim.advance(20_000)
        page = house.ask("/api/livez", mine)
        assert page.status == 200
        assert cookie(page) == mine
    assert house.ask("/no/such", mine).status == 404
    assert cookie(house.ask("/no/such", mine)) == mine
    out = house.ask("/api/logout", mine, method="POST")
    assert (out.status, out.body) == (200, b"")
    assert "Max-Age=0" in (out.get("set-cookie") or "")
    gone = house.ask("/api/livez", mine)
    assert gone.status == 401
    assert "Max-Age=0" in (gone.get("set-cookie") or "")
    assert house.checked == 1


def test_roles_are_asked_at_every_use_and_not_at_login(house: House) -> None:
    answer = house.log_in("mz_system")
    assert answer.status == 200
    page = house.ask("/", cookie(answer))
    assert page.status == 401
    assert cookie(page) == cookie(answer)
    assert house.ask("/api/livez", cookie(answer)).status == 200


@pytest.mark.parametrize(
    ("fields", "body", "status", "text"),
    [
        ((), GOOD, 415, b"Expected request with `Content-Type: application/json`"),
        ((("content-type", "text/plain"),), GOOD, 415, b"Expected request"),
        ((JSON,), b"", 400, b"Failed to parse the request body as JSON"),
        ((JSON,), b"{", 400, b"Failed to parse the request body as JSON"),
        ((JSON,), b"[]", 422, b"Failed to deserialize the JSON body into the target type"),
        ((JSON,), b'{"username":"ada"}', 422, b"Failed to deserialize"),
        ((JSON,), b'{"username":"ada","password":5}', 422, b"Failed to deserialize"),
        ((JSON,), b'{"username":"ada","password":"x","password":"wonderland"}', 422, b"Failed to deserialize"),
        ((JSON,), b" " * 65_537, 413, b"Failed to buffer the request body: length limit exceeded"),
        ((JSON, ("origin", "https://evil.example")), GOOD, 403, b""),
        ((JSON, ("sec-fetch-site", "cross-site")), GOOD, 403, b""),
    ],
)
def test_bodies_that_are_none(
    house: House, fields: tuple[tuple[str, str], ...], body: bytes, status: int, text: bytes
) -> None:
    answer = house.ask("/api/login", *fields, method="POST", body=body)
    assert answer.status == status
    assert answer.body.startswith(text)
    assert b"wonderland" not in answer.body
    assert answer.get("set-cookie") is None
    assert house.checked == 0


def test_what_a_wrong_login_gets(house: House) -> None:
    mine = cookie(house.log_in())
    for user, password in (("ada", "guess"), ("nobody", "guess"), ("", "guess")):
        answer = house.log_in(user, password, mine)
        assert (answer.status, answer.body, answer.get("set-cookie")) == (401, b"", None)
        assert answer.get("www-authenticate") is None
    assert house.ask("/api/livez", mine).status == 200
    texts = [note.how for note in house.sim.notes if hasattr(note, "how")]
    assert texts == ["HTTP login"] * 3
    assert "guess" not in repr(house.sim.notes)


def test_headers_logins_and_first_messages_share_their_tries() -> None:
    house = House(auth_failure_burst=3, auth_failure_refill_seconds=60)
    assert house.ask("/api/livez", basic("ada", "guess 1")).status == 401
    assert house.log_in("ada", "guess 2").status == 401
    _, socket = house.socket(first={"user": "ada", "password": "guess 3"})
    assert socket.receive() == Closed(1002, "unauthorized")
    answer = house.ask("/api/livez", basic("ada"))
    assert (answer.status, answer.get("retry-after")) == (429, "60")
    answer = house.log_in()
    assert (answer.status, answer.get("retry-after"), answer.get("set-cookie")) == (429, "60", None)
    _, socket = house.socket(first={"user": "ada", "password": "wonderland"})
    assert socket.receive() == Closed(1002, "unauthorized")
    assert house.checked == 3
    assert house.log_in("bob").status == 200


def test_other_methods(house: House) -> None:
    for path in ("/api/login", "/api/logout"):
        answer = house.ask(path)
        assert (answer.status, answer.get("allow")) == (405, "POST")


def test_a_logout_without_a_session(house: House) -> None:
    answer = house.ask("/api/logout", method="POST")
    assert (answer.status, answer.get("set-cookie")) == (200, None)
    answer = house.ask("/api/logout", ("cookie", "mz_session=stale"), method="POST")
    assert answer.status == 200
    assert "Max-Age=0" in (answer.get("set-cookie") or "")


def test_a_session_carries_a_socket_until_it_ends(house: House) -> None:
    mine = cookie(house.log_in())
    answer, socket = house.socket(mine, first={})
    assert cookie(answer) == mine
    assert socket.receive() == Text("ada")
    _, other = house.socket(cookie(house.log_in("bob")), first={})
    assert other.receive() == Text("bob")
    house.ask("/api/logout", mine, method="POST")
    assert socket.receive() == Closed(1008, "authentication expired")
    other.send("hello")
    assert other.receive() == Text("still here")


@pytest.mark.parametrize("way", ["put", "login", "drop", "revoke", "superuser"])
@pytest.mark.parametrize("by", ["password", "session"])
def test_a_socket_ends_with_the_credentials(house: House, way: str, by: str) -> None:
    stored = house.users.find("ada")
    assert stored is not None
    house.users.put("ada", stored.stored, superuser=True)
    if by == "password":
        _, socket = house.socket(first={"user": "ada", "password": "wonderland"})
    else:
        _, socket = house.socket(cookie(house.log_in()), first={})
    _, other = house.socket(first={"user": "bob", "password": "builder"})
    assert (socket.receive(), other.receive()) == (Text("ada"), Text("bob"))
    ways: dict[str, Callable[[], object]] = {
        "put": lambda: house.users.put("ada", (stored.stored or "").replace("$2:", "$3:"), superuser=True),
        "login": lambda: house.users.put("ada", stored.stored, login=False, superuser=True),
        "drop": lambda: house.users.drop("ada"),
        "revoke": lambda: house.users.revoke("ada"),
        "superuser": lambda: house.users.put("ada", stored.stored),
    }
    ways[way]()
    assert socket.receive() == Closed(1008, "authentication expired")
    other.send("hello")
    assert other.receive() == Text("still here")
    assert len(house.sim.server.vouched) == 1


def test_a_socket_of_a_session_lasts_eight_hours_whatever_is_said(house: House) -> None:
    mine = cookie(house.log_in())
    _, socket = house.socket(mine, first={})
    assert socket.receive() == Text("ada")
    for _ in range(7):
        house.sim.advance(3600)
        house.ask("/api/livez", mine)
        socket.send("hello")
        assert socket.receive() == Text("still here")
    house.sim.advance(3601)
    assert socket.receive() == Closed(1008, "authentication expired")
    assert house.ask("/api/livez", mine).status == 200


def test_handshakes_with_a_cookie_that_is_worth_nothing(house: House) -> None:
    mine = cookie(house.log_in())
    house.users.drop("ada")
    answer, socket = house.socket(mine)
    assert (answer.status, answer.body, socket) == (401, b"unauthorized", None)
    answer, socket = house.socket(mine, first={})
    assert "Max-Age=0" in (answer.get("set-cookie") or "")
    assert socket.receive() == Closed(1002, "unauthorized")
    answer, socket = house.socket(("cookie", "mz_session=x"), first={"user": "bob", "password": "builder"})
    assert "Max-Age=0" in (answer.get("set-cookie") or "")
    assert socket.receive() == Text("bob")


def test_credentials_in_the_message_are_judged_alone(house: House) -> None:
    mine = cookie(house.log_in())
    _, socket = house.socket(mine, first={"user": "bob", "password": "builder"})
    assert socket.receive() == Text("bob")
    _, socket = house.socket(mine, first={"user": "bob", "password": "guess"})
    assert socket.receive() == Closed(1002, "unauthorized")
    _, socket = house.socket(mine, basic("bob", "guess"), first={})
    assert socket.receive() == Text("ada")


def test_a_logout_between_handshake_and_first_message(house: House) -> None:
    mine = cookie(house.log_in())
    _, socket = house.socket(mine)
    house.ask("/api/logout", mine, method="POST")
    socket.send("{}")
    assert socket.receive() == Closed(1002, "unauthorized")


def test_a_check_that_never_ends() -> None:
    house = House(limits=Limits(verification=5.0))
    house.sim.answering = lambda effect: LATER
    _, socket = house.socket(first={"user": "ada", "password": "wonderland"})
    house.sim.advance(4.9)
    assert socket.receive(0) is None
    house.sim.advance(0.2)
    assert socket.receive() == Closed(1002, "unauthorized")
    assert len(house.sim.cancelled) == 1
    assert house.sim.pending == []


def test_a_store_that_fails() -> None:
    house = House(sessions_file="/nowhere")
    mine = cookie(house.log_in())
    house.sim.advance(61)
    house.keeps = False
    answer = house.ask("/api/readyz", mine)
    assert (answer.status, answer.body, answer.get("set-cookie")) == (500, b"", None)
    house.keeps = True
    assert house.ask("/api/readyz", mine).status in (200, 503)
    house = House(sessions_file="/nowhere")
    house.known = None
    answer = house.ask("/api/readyz", mine)
    assert (answer.status, answer.body, answer.get("set-cookie")) == (401, b"unauthorized", None)
    answer, socket = house.socket(mine, first={})
    assert (answer.status, socket) == (401, None)
    assert house.log_in().status == 500
    assert house.ask("/api/logout", mine, method="POST").status == 500
    refusals = [note for note in house.sim.notes if isinstance(note, Refusal)]
    assert {(note.text, note.status) for note in refusals} == {("failed to update session", 401)}


def test_a_login_that_leads_nowhere_may_be_refused() -> None:
    house = House(login_requires_reachable_role=True, groups={"base": "Normal", "webhook": "Internal"})
    assert house.log_in("ada").status == 200
    answer = house.log_in("mz_system")
    assert (answer.status, answer.body, answer.get("set-cookie")) == (401, b"", None)
    assert [note.text for note in house.sim.notes if isinstance(note, Refusal)] == ["role dissallowed"]
    house = House(login_requires_reachable_role=True, groups={"base": "Normal", "metrics": "Internal"})
    assert house.log_in("mz_system").status == 200


@pytest.mark.parametrize("tls", [False, True])
def test_the_cookie_has_the_name_that_the_listener_gives_it(tls: bool) -> None:
    prefix: dict[str, Any] = {"tls": True, "cookie_prefix": "host"} if tls else {}
    house = House(listener={"cookie_suffix_port": True, **prefix})
    name = "__Host-mz_session_6876" if tls else "mz_session_6876"
    if tls:
        state = house.sim.server.listeners["main"]
        assert state.sessions is not None
        cookie_ = state.sessions.cookie
        assert cookie_.set_value("x") == f"{name}=x; HttpOnly; SameSite=Strict; Secure; Path=/"
        return
    answer = house.log_in()
    assert (answer.get("set-cookie") or "").startswith(f"{name}=")
    mine = cookie(answer)
    assert house.ask("/api/livez", mine).status == 200
    assert house.ask("/api/livez", (mine[0], mine[1].replace("_6876", ""))).status == 401
    foreign = ("origin", "https://evil.example")
    assert house.ask("/api/logout", mine, foreign, method="POST").status == 403
    out = house.ask("/api/logout", mine, method="POST")
    assert (out.get("set-cookie") or "").startswith(f"{name}=; ")
    assert house.ask("/api/livez", mine).status == 401


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ({"user": "ada", "password": "guess"}, "invalid credentials"),
        ({"user": "nobody", "password": "wonderland"}, "invalid credentials"),
        ({"user": "a\nb", "password": ""}, "invalid credentials"),
        ({"user": "mz_system", "password": "sys"}, "role dissallowed"),
        ({"token": "t"}, "missing authorization header"),
        ({}, "missing authorization header"),
        ([], "no first message"),
        (None, "no first message"),
        ({"user": "ada", "password": "x" * 70_000}, "no first message"),
    ],
)
def test_a_refused_first_message_leaves_a_record(house: House, first: Any, reason: str) -> None:
    _, socket = house.socket()
    if first is not None:
        socket.send(json.dumps(first))
    house.sim.advance(11)
    assert socket.receive() in (Closed(1002, "unauthorized"), Closed(1009, ""))
    (record,) = [note for note in house.sim.notes if isinstance(note, Refusal)]
    assert (record.how, record.level, record.group, record.text) == ("WebSocket", "debug", "ws", reason)
    (event,) = house.sim.server.audit.events
    assert (event.how, event.outcome, event.reason, event.peer) == ("WebSocket", "refused", reason, "127.0.0.1")
    assert event.user == record.user
    assert "\n" not in event.user
    assert event.kind == "Password"


def test_a_throttled_first_message_leaves_a_record(house: House) -> None:
    house = House(house.version, auth_failure_burst=1, auth_failure_refill_seconds=60)
    for reason in ("invalid credentials", "too many attempts"):
        _, socket = house.socket(first={"user": "ada", "password": "guess"})
        assert socket.receive() == Closed(1002, "unauthorized")
        assert house.sim.server.audit.events[-1].reason == reason
    assert house.sim.server.audit.events[-1].outcome == "limited"
