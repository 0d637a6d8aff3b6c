"""What the record of decisions says of a whole server: by every door, of those let in and those refused."""

from __future__ import annotations

from typing import Any

import pytest

from fanlight.auth.authorization import Password
from fanlight.auth.chain import Rejected
from fanlight.auth.groups import RouteGroup
from fanlight.auth.identity import Identity, Kind
from tests.clients.websocket import Closed, Text
from tests.core.auth.driving import Crowd
from tests.core.auth.test_auth_gates import ADA, TRUSTED_TEXT, Fields, gates, request

from .passwords import House, basic, cookie, stored


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


# ---- the reasons that the gates give ---------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "group", "reason"),
    [
        ("None", (("host", "evil.example"),), "base", "misdirected request"),
        ("Password", (ADA, ADA), "base", "bad request"),
        ("None", (("x-materialize-user", "ada"),), "base", TRUSTED_TEXT),
        ("None", (("origin", "https://evil.example"),), "base", "cross-site write"),
    ],
)
def test_reasons(kind: Kind, fields: Fields, group: RouteGroup, reason: str) -> None:
    gate = gates(kind)
    named = next((value for name, value in fields if name == "host"), "localhost:6876")
    sent = request(*(field for field in fields if field[0] != "host"), method="POST", host=named)
    record = gate.record(sent, gate.decide(sent, group))
    assert record is not None
    assert (record.text, record.user, record.group) == (reason, "", group)


@pytest.mark.parametrize(
    ("kind", "carried", "credentials", "reason", "user"),
    [
        (
            "None",
            Identity("mz_system", internal=True),
            Password("ada", ""),
            "credentials beside the trusted header",
            "",
        ),
        ("None", None, Password("mz_system", ""), "role dissallowed", "mz_system"),
        ("None", None, None, "missing authorization header", ""),
        ("Password", None, Password("mz_system", "x"), "role dissallowed", "mz_system"),
        ("Password", None, Password("ada", "y"), "invalid credentials", "ada"),
    ],
)
def test_reasons_of_first_messages(
    kind: Kind, carried: Identity | None, credentials: Password | None, reason: str, user: str
) -> None:
    sent = request()
    sent.identity = carried
    rejected = Crowd().start(gates(kind, {"base": "Normal"}).admit(sent, credentials)).result
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.user) == (reason, user)


def test_a_handshake_is_refused_with_the_reason_of_its_session(house: House) -> None:
    mine = cookie(house.log_in())
    house.users.drop("ada")
    answer, socket = house.socket(mine)
    assert (answer.status, socket) == (401, None)
    assert decisions(house)[-1] == ("ws", "HTTP request", "refused", "session expired", "")


def test_only_internal_users_and_superusers_see_dumps(house: House) -> None:
    path = "/api/catalog/dump"
    house.users.put("bob", stored("builder"), superuser=True)
    for refused in (basic("ada", "wonderland"), cookie(house.log_in("ada"))):
        assert house.ask(path, refused).status == 401
    for admitted in (basic("bob", "builder"), basic("mz_system", "sys"), cookie(house.log_in("bob"))):
        # Nobody is there who could take the dump: the request has come that far.
        with pytest.raises(AssertionError, match="SnapshotProcess"):
            house.ask(path, admitted)
    assert [event[3] for event in decisions(house) if event[2] == "refused"] == ["role dissallowed"] * 2


@pytest.mark.parametrize("cookies", [(), (("cookie", "mz_session=abc"),)])
def test_a_handshake_on_kind_none_has_no_session(cookies: Fields) -> None:
    gate = gates("None")
    sent = request(*cookies)
    carried = Crowd().start(gate.carried(sent, gate.decide(sent, "ws"))).result
    assert (carried.answer, carried.identity, carried.cookie) == (None, None, None)


@pytest.mark.parametrize(
    ("origin", "secure", "passes"),
    [
        ("https://shop.example", True, True),
        ("http://shop.example", True, False),
        ("http://shop.example", False, True),
        ("https://shop.example", False, False),
        ("https://shop.example:443", True, True),
        ("https://shop.example:8443", True, False),
    ],
)
def test_whose_page_a_socket_is_of(origin: str, secure: bool, passes: bool) -> None:
    sent = request(("origin", origin), ("cookie", "mz_session=abc"), host="shop.example", secure=secure)
    assert gates("Password").websocket_origin(sent) is passes


def test_an_origin_that_is_configured_may_use_mcp_wherever_it_listens() -> None:
    gate = gates(address="10.0.0.1:6876", origins=["https://shop.example", "*.corp.example"])
    allowed = ("https://shop.example", "http://a.corp.example:8080")
    for origin in (*allowed, "https://other.example", "https://corp.example"):
        assert gate.mcp_origin(request(("origin", origin)).head) is (origin in allowed), origin


def test_what_every_answer_says_to_pages_of_other_origins() -> None:
    vary = "origin, access-control-request-method, access-control-request-headers"
    plain = dict(gates().decide(request(), "base").fields)
    assert plain == {"access-control-expose-headers": "*", "vary": vary}
    anybody = dict(gates(origins=["*"]).decide(request(), "base").fields)
    assert anybody == {**plain, "access-control-allow-origin": "*"}
    assert gates().decide(request(), "metrics").fields == ()
