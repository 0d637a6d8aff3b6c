"""What is handed on to another server and back, and what never is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight import App
from fanlight.http.forwarding import asks_for_websocket, end_to_end, has_passed, receivable, sendable
from fanlight.http.request import Head, Request
from fanlight.http.response import Fields
from tests.sim import START, Sim

_HOP = ("connection", "te", "upgrade", "transfer-encoding", "content-length", "proxy-authorization", "host", "expect")
_CALLER = ("authorization", "cookie", "x-forwarded-for", "forwarded", "x-materialize-user")
NAMES = st.sampled_from((*_HOP, *_CALLER, "x-a", "x-b", "accept", "via"))
VALUES = st.sampled_from(("x-a", "close, X-B", "secret", "chunked", "1", "websocket", ""))


def request_of(*fields: tuple[str, str], sim: Sim | None = None) -> Request:
    sim = sim or Sim(App())
    head = Head("GET", "/", fields, version="1.1", authority="localhost")
    listener = sim.server.listeners["main"]
    return Request(head, stream=1, arrived=START, peer="192.0.2.1", secure=False, listener=listener, server=sim.server)


def test_fields_of_one_connection() -> None:
    fields = (("connection", "a,  B "), ("a", "1"), ("b", "2"), ("c", "3"), ("proxy-anything", "4"), ("trailer", "c"))
    assert end_to_end(fields) == (("c", "3"),)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_nothing_of_the_connection_or_the_caller_goes_on(fields: list[tuple[str, str]]) -> None:
    named = {word.strip().lower() for name, value in fields if name == "connection" for word in value.split(",")}
    sent = sendable(request_of(*fields))
    assert {name for name, _ in sent} <= {"x-a", "x-b", "accept", "via"}
    assert not {name for name, _ in sent[:-1]} & named
    assert sent[-1][0] == "via"


def test_via_names_this_server_and_no_other() -> None:
    sim = Sim(App())
    first = sendable(request_of(("via", "1.0 elsewhere"), sim=sim))
    assert [value for name, value in first if name == "via"] == ["1.0 elsewhere", f"1.1 {sim.server.pseudonym}"]
    assert has_passed(request_of(*first, sim=sim))
    assert has_passed(request_of(("via", f"2 a, 1.1 {sim.server.pseudonym} (x), 1.1 b"), sim=sim))
    assert not has_passed(request_of(*first, sim=Sim(App(), seed=1)))
    assert not has_passed(request_of(("via", f"1.1 {sim.server.pseudonym}0"), sim=sim))


def test_what_comes_back() -> None:
    fields: Fields = (
        ("date", "then"),
        ("content-length", "3"),
        ("access-control-allow-origin", "*"),
        ("set-cookie", "a=1"),
        ("etag", '"x"'),
    )
    assert receivable(fields) == (("content-length", "3"), ("set-cookie", "a=1"), ("etag", '"x"'))
    assert receivable((*fields, ("transfer-encoding", "chunked"))) == (("set-cookie", "a=1"), ("etag", '"x"'))
    assert receivable((("x", "a\x01"),)) is None


@pytest.mark.parametrize(
    ("change", "asks"),
    [
        ({}, True),
        ({"method": "POST"}, False),
        ({"upgrade": False}, False),
        ({"version": "1.0"}, False),
        ({"length": 3}, False),
        ({"chunked": True}, False),
        ({"fields": (("upgrade", "h2c"),)}, False),
        ({"fields": (), "protocol": "websocket"}, True),
        ({"fields": (), "protocol": "connect-udp"}, False),
    ],
)
def test_handshakes(change: dict[str, object], asks: bool) -> None:
    given = {"method": "GET", "fields": (("upgrade", "WebSocket"),), "version": "1.1", "upgrade": True, **change}
    head = Head(target="/", authority="localhost", **given)  # type: ignore[arg-type]
    assert asks_for_websocket(head) is asks
