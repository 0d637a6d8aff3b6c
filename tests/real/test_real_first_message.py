"""A WebSocket library says each kind of first message, and is let in or closed with 1002 as the specification wants."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

import pytest

from fanlight.auth.identity import Kind

from .conftest import PASSWORD, Open, Place

pytest.importorskip("websockets", reason="websockets is not installed")

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

GOOD = {"user": "ada", "password": PASSWORD}
WRONG: tuple[tuple[object, str], ...] = (
    ({"user": "ada", "password": "wrong"}, "a wrong password"),
    ({"user": "nobody", "password": PASSWORD}, "nobody of that name"),
    ({"user": "out", "password": PASSWORD}, "one who may not log in"),
    ({"user": "", "password": PASSWORD}, "no name"),
    ({"token": "a.b.c"}, "a token where there are none"),
    ({"options": {}}, "options only"),
    ({}, "nothing"),
    ({"user": "ada"}, "half of it"),
    ([GOOD], "an array"),
    ("not json", "no JSON at all"),
    ({**GOOD, "options": {"a": 1}}, "options that are none"),
)


def dial(place: Place, **more: Any) -> ClientConnection:
    """Connect to the SQL socket."""
    socket: ClientConnection = connect(f"ws://{place.where}/api/experimental/sql", compression=None, proxy=None, **more)
    return socket


def say(socket: ClientConnection, message: object) -> None:
    """Send one message; texts go as they are."""
    socket.send(message if isinstance(message, str | bytes) else json.dumps(message))


def ready(socket: ClientConnection) -> list[str]:
    """The types of what comes until the server is ready for a query."""
    types: list[str] = []
    while not types or types[-1] != "ReadyForQuery":
        types.append(json.loads(socket.recv(timeout=20))["type"])
    return types


def rows(socket: ClientConnection, query: str) -> list[list[Any]]:
    """What one statement returns."""
    say(socket, {"query": query})
    found: list[list[Any]] = []
    while (frame := json.loads(socket.recv(timeout=20)))["type"] != "ReadyForQuery":
        assert frame["type"] != "Error", frame
        if frame["type"] == "Row":
            found.append(frame["payload"])
    return found


def closed(socket: ClientConnection) -> tuple[int, str]:
    """Code and reason of the server's close, before which nothing was said."""
    with pytest.raises(ConnectionClosed) as end:
        socket.recv(timeout=20)
    assert end.value.rcvd is not None
    return end.value.rcvd.code, end.value.rcvd.reason


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_user_and_password(opened: Open, binary: bool) -> None:
    with dial(opened()) as socket:
        message = json.dumps({**GOOD, "options": {"application_name": "by hand"}})
        say(socket, message.encode() if binary else message)
        types = ready(socket)
        assert {"ParameterStatus", "BackendKeyData"} < set(types)
        assert rows(socket, "select current_user") == [["ada"]]
        assert rows(socket, "show application_name") == [["by hand"]]


@pytest.mark.parametrize(("message", "what"), WRONG, ids=[what for _, what in WRONG])
def test_whatever_is_wrong_looks_the_same(opened: Open, message: object, what: str) -> None:
    with dial(opened()) as socket:
        say(socket, message)
        assert closed(socket) == (1002, "unauthorized")


def test_pings_before_it_are_answered_and_change_nothing(opened: Open) -> None:
    with dial(opened()) as socket:
        assert socket.ping().wait(20)
        say(socket, GOOD)
        assert ready(socket)[-1] == "ReadyForQuery"


def test_whoever_says_nothing_for_ten_seconds_is_closed(opened: Open) -> None:
    place = opened()
    with dial(place) as socket:
        time.sleep(0.2)
        place.later(9.0)
        assert socket.ping().wait(20)
        place.later(1.0)
        assert closed(socket) == (1002, "unauthorized")


def test_a_first_message_that_is_too_big_is_refused_before_it_is_read(opened: Open) -> None:
    with dial(opened()) as socket:
        say(socket, json.dumps({**GOOD, "x": "x" * 65_536}))
        assert closed(socket)[0] == 1009


def login(place: Place) -> str:
    """A session cookie."""
    connection = http.client.HTTPConnection(place.where, timeout=20)
    body = json.dumps({"username": "ada", "password": PASSWORD})
    connection.request("POST", "/api/login", body, {"content-type": "application/json"})
    cookie = connection.getresponse().getheader("set-cookie", "")
    connection.close()
    return cookie.partition(";")[0]


def test_a_session_needs_options_only_and_ends_with_it(opened: Open) -> None:
    place = opened()
    cookie = login(place)
    with dial(place, additional_headers={"cookie": cookie}) as socket:
        say(socket, {"options": {}})
        ready(socket)
        assert rows(socket, "select current_user") == [["ada"]]
        place.app.users.revoke("ada")
        assert closed(socket) == (1008, "authentication expired")
    with pytest.raises(InvalidStatus) as refused:
        dial(place, additional_headers={"cookie": cookie})
    assert refused.value.response.status_code == 401


def test_credentials_beside_a_session_count_alone(opened: Open) -> None:
    place = opened()
    with dial(place, additional_headers={"cookie": login(place)}) as socket:
        say(socket, {"user": "ada", "password": "wrong"})
        assert closed(socket) == (1002, "unauthorized")


def test_another_origin_may_not_use_a_session(opened: Open) -> None:
    place = opened()
    cookie = {"cookie": login(place)}
    for origin in ("http://127.0.0.1:1", "https://evil.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            dial(place, additional_headers=cookie, origin=origin)
        assert refused.value.response.status_code == 403
    with dial(place, additional_headers=cookie, origin=f"http://{place.where}") as socket:
        say(socket, {})
        assert ready(socket)[-1] == "ReadyForQuery"


NONE: list[tuple[dict[str, Any], str | None]] = [
    ({"user": "grace", "password": ""}, "grace"),
    ({"token": "whatever"}, "anonymous_http_user"),
    ({"options": {}}, None),
]


@pytest.mark.parametrize(("message", "user"), NONE, ids=["user", "token", "options"])
def test_kind_none_wants_a_name_as_well(opened: Open, message: dict[str, Any], user: str | None) -> None:
    kind: Kind = "None"
    with dial(opened(kind)) as socket:
        say(socket, message)
        if user is None:
            assert closed(socket) == (1002, "unauthorized")
        else:
            ready(socket)
            assert rows(socket, "select current_user") == [[user]]
