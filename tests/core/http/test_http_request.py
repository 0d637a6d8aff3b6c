"""Heads and requests as handlers see them."""

from __future__ import annotations

from typing import Any

import pytest

from fanlight.auth.identity import Identity
from fanlight.config.limits import Limits
from fanlight.http.request import BODY_TOO_LARGE, Head, ReadBody, Request
from fanlight.http.response import Refused
from tests.protocol.application import application
from tests.sim import START, Sim


def head(target: str = "/a", fields: tuple[tuple[str, str], ...] = ()) -> Head:
    return Head("GET", target, fields, version="1.1", authority="localhost")


def request(of: Head | None = None, limits: Limits | None = None) -> Request:
    sim = Sim(application(limits=limits or Limits()))
    return Request(
        of or head(),
        stream=1,
        arrived=START,
        peer="192.0.2.1",
        secure=False,
        listener=sim.server.listeners["main"],
        server=sim.server,
    )


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [("/a", "/a", ""), ("/a?", "/a", ""), ("/a?b=c&d", "/a", "b=c&d"), ("/a?b?c", "/a", "b?c"), ("*", "*", "")],
)
def test_a_target_is_a_path_and_a_query(target: str, path: str, query: str) -> None:
    found = head(target)
    assert (found.path, found.query) == (path, query)


def test_fields_by_name() -> None:
    found = head(fields=(("a", "1"), ("b", "2"), ("a", "3")))
    assert found.values == {"a": "1", "b": "2"}
    assert found.all("a") == ["1", "3"]
    assert found.all("c") == []
    assert (found.count("a"), found.count("b"), found.count("c")) == (2, 1, 0)


def test_a_head_says_nothing_that_was_not_said() -> None:
    found = head()
    assert (found.scheme, found.protocol, found.length) == (None, None, None)
    assert (found.chunked, found.keep_alive, found.expects, found.upgrade) == (False, True, False, False)


def test_a_request_starts_without_an_identity() -> None:
    made = request(head("/a?b", (("x", "y"),)))
    assert (made.method, made.path, made.query, made.params) == ("GET", "/a", "b", {})
    assert (made.field("x"), made.field("z")) == ("y", None)
    assert made.identity is None
    with pytest.raises(RuntimeError, match="no identity"):
        made.user()
    made.identity = Identity("ada")
    assert made.user() == "ada"


def asked(made: Request, limit: int | None, answer: bytes | None) -> tuple[Any, Any]:
    """What `request.body(limit)` asks for, and what it makes of the answer."""
    routine = made.body(limit)
    ask = routine.send(None)
    try:
        routine.send(answer)
    except StopIteration as stop:
        return ask, stop.value
    except Refused as refused:
        return ask, refused.response
    raise AssertionError("it asks twice")


def test_the_body() -> None:
    ask, body = asked(request(), 10, b"four")
    assert isinstance(ask, ReadBody)
    assert (ask.limit, body) == (10, b"four")


def test_the_limit_of_a_body_is_the_servers_unless_said() -> None:
    ask, _ = asked(request(limits=Limits(body_bytes=77)), None, b"")
    assert ask.limit == 77
    ask, _ = asked(request(), 0, b"")
    assert ask.limit == 0


def test_a_body_too_long_is_refused() -> None:
    _, answer = asked(request(), 10, None)
    assert answer is BODY_TOO_LARGE
    assert answer.status == 413
