"""`fanlight.auth.decisions`: what the records of decisions say, and what never gets into them."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.chain import Rejected
from fanlight.auth.decisions import Refusal, refusal_of
from fanlight.config.listeners import Listener
from fanlight.http.request import Head, Request
from fanlight.moment import Now


class State:
    """What a listener is to a request."""

    name = "main"
    listener = Listener(authenticator="Password")


def request() -> Request:
    head = Head("GET", "/x", (("host", "localhost"),), version="1.1", authority="localhost")
    state, server = cast(Any, State()), cast(Any, None)
    return Request(head, stream=1, arrived=Now(0.0, 0.0), peer="192.0.2.7", secure=False, listener=state, server=server)


def test_a_rejection_outside_the_gates() -> None:
    sent = request()
    rejected = Rejected("invalid credentials", user="evil\nname")
    assert refusal_of(sent, rejected, "HTTP login") == Refusal(
        "invalid credentials", 401, "main", "fallback", "Password", sent.peer, '"evil\\nname"', "HTTP login"
    )
    late = Rejected("too many attempts", status=429)
    assert refusal_of(sent, late, "WebSocket", "debug") == Refusal(
        "too many attempts", 429, "main", "fallback", "Password", sent.peer, "", "WebSocket", "debug"
    )


@given(st.text())
def test_names_are_escaped(name: str) -> None:
    record = refusal_of(request(), Rejected("invalid credentials", user=name), "HTTP login")
    assert record.user.isprintable()
    assert record.user.isascii() or "\n" not in record.user
