"""The opening handshake: what it needs, in which order it is refused, what proves that the key was read."""

from __future__ import annotations

import pytest

from fanlight.http.request import Head
from fanlight.http.response import Response
from fanlight.http.websocket import AcceptWebSocket, CloseWebSocket, NextMessage, PeerClosed, SendMessage, handshake

GOOD = (
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
)


def head(fields: tuple[tuple[str, str], ...] = GOOD, version: str = "1.1", protocol: str | None = None) -> Head:
    return Head("GET", "/ws", fields, version=version, authority="localhost", protocol=protocol)


def changed(name: str, value: str | None) -> tuple[tuple[str, str], ...]:
    """The good fields with one of them changed or left out."""
    return tuple((n, value if n == name else v) for n, v in GOOD if n != name or value is not None)  # type: ignore[misc]


def test_the_key_of_the_rfc() -> None:
    assert handshake(head()) == (
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("connection", "keep-alive, UPGRADE"), ("connection", "upgrade\t,x"), ("upgrade", "WebSocket")],
)
def test_spellings_that_are_good(name: str, value: str) -> None:
    assert not isinstance(handshake(head(changed(name, value))), Response)


def test_connection_may_come_twice() -> None:
    fields = (("connection", "keep-alive"), *GOOD)
    assert not isinstance(handshake(head(fields)), Response)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("connection", None, "Connection header did not include 'upgrade'"),
        ("connection", "close", "Connection header did not include 'upgrade'"),
        ("upgrade", None, "`Upgrade` header did not include 'websocket'"),
        ("upgrade", "h2c", "`Upgrade` header did not include 'websocket'"),
        ("sec-websocket-version", None, "`Sec-WebSocket-Version` header did not include '13'"),
        ("sec-websocket-version", "8", "`Sec-WebSocket-Version` header did not include '13'"),
        ("sec-websocket-key", None, "`Sec-WebSocket-Key` header missing"),
        ("sec-websocket-key", "", "`Sec-WebSocket-Key` header missing"),
        ("sec-websocket-key", "c2hvcnQ=", "`Sec-WebSocket-Key` header missing"),
        ("sec-websocket-key", "not base64 at all!!!!!!!", "`Sec-WebSocket-Key` header missing"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZSE=", "`Sec-WebSocket-Key` header missing"),
    ],
)
def test_refusals(name: str, value: str | None, said: str) -> None:
    answer = handshake(head(changed(name, value)))
    assert isinstance(answer, Response)
    assert (answer.status, answer.body) == (400, said.encode())
    version = name == "sec-websocket-version"
    assert (("sec-websocket-version", "13") in answer.fields) is version


@pytest.mark.parametrize("field", [GOOD[3], ("sec-websocket-version", "8"), GOOD[2]])
def test_what_is_said_twice(field: tuple[str, str]) -> None:
    answer = handshake(head((*GOOD, field)))
    assert isinstance(answer, Response)
    assert answer.status == 400


@pytest.mark.parametrize("method", ["HEAD", "CONNECT"])
def test_only_get_opens_one_over_http_1(method: str) -> None:
    """The method is looked at before the fields."""
    for fields in (GOOD, ()):
        answer = handshake(Head(method, "/ws", fields, version="1.1", authority="localhost"))
        assert isinstance(answer, Response)
        assert (answer.status, answer.body) == (405, b"Request method must be `GET`")
        assert ("allow", "GET") in answer.fields


def test_the_first_fault_is_told() -> None:
    answer = handshake(head(()))
    assert isinstance(answer, Response)
    assert answer.body == b"Connection header did not include 'upgrade'"


def test_http_1_0_cannot_upgrade() -> None:
    answer = handshake(head(version="1.0"))
    assert isinstance(answer, Response)
    assert answer.status == 426


def test_extended_connect() -> None:
    version = (("sec-websocket-version", "13"),)
    assert handshake(head(version, "2", "websocket")) == ()


@pytest.mark.parametrize(
    ("protocol", "fields", "status"),
    [
        (None, (), 405),
        ("connect-udp", (("sec-websocket-version", "13"),), 400),
        ("websocket", (), 400),
        ("websocket", (("sec-websocket-version", "12"),), 400),
    ],
)
def test_extended_connect_refused(protocol: str | None, fields: tuple[tuple[str, str], ...], status: int) -> None:
    answer = handshake(head(fields, "2", protocol))
    assert isinstance(answer, Response)
    assert answer.status == status


def test_ops_are_values() -> None:
    assert AcceptWebSocket(10) == AcceptWebSocket(10, ())
    assert NextMessage() == NextMessage(None)
    assert SendMessage("a") != SendMessage(b"a")
    assert CloseWebSocket() == CloseWebSocket(1000, "")
    assert PeerClosed(1005) == PeerClosed(1005, "")
