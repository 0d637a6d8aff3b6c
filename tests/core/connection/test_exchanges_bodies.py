"""Exchanges: request bodies, those that are asked for and those that nobody wants."""

from __future__ import annotations

from typing import Any

import pytest

from fanlight import Limits, Request, Response
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing, Pairs
from tests.core.connection.connecting import connect, fine, serving, statuses
from tests.stateful.world import PLAIN, Work

KIB = 1024
VERSIONS = pytest.mark.parametrize("version", ["1.1", "2"])


# ---- bodies ------------------------------------------------------------------


async def reading(request: Request) -> Response:
    return Response(200, PLAIN, b"%d" % len(await request.body()))


EXPECTING: Pairs = (("expect", "100-continue"), ("content-length", "4"))


def test_continue_is_said_when_the_body_is_asked_for() -> None:
    wire = serving(reading, method="POST").connect()
    wire.send(b"POST /it HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
    assert bytes(wire.received) == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(b"four")
    assert statuses(wire) == [100, 200]


@pytest.mark.parametrize("body", [b"", b"four"])
def test_continue_is_not_said_for_a_body_that_nobody_wants(body: bytes) -> None:
    wire = serving(fine, method="POST").connect()
    wire.send(b"POST /it HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n" + body)
    assert statuses(wire) == [200]
    assert b"connection: close\r\n" in wire.received
    assert wire.half_closed


def post(client: HttpConnection, size: int, **given: Any) -> Answer:
    return client.exchange(Outgoing(method="POST", target="/it", body=b"x" * size, **given))


@VERSIONS
def test_a_short_body_that_nobody_wants_is_read_and_the_connection_kept(version: str) -> None:
    sim = serving(fine, method="POST")
    client = HttpConnection(sim.connect(), version)
    for size in (1, 1000, 200 * KIB):
        assert post(client, size).ended
        assert client.reusable
    assert post(client, 200 * KIB, chunked=version == "1.1").ended
    assert len(sim.wires) == 1


def test_a_long_body_that_nobody_wants_ends_the_connection_after_the_answer() -> None:
    sim = serving(fine, method="POST")
    client = HttpConnection(sim.connect(), "1.1")
    answer = post(client, 1024 * KIB)
    assert (answer.status, answer.body, answer.ended) == (200, b"fine", True)
    assert answer.get("connection") == "close"


def test_a_chunked_body_that_nobody_wants_has_the_same_bound() -> None:
    sim = serving(fine, method="POST")
    wire = sim.connect()
    wire.send(b"POST /it HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(17):
        assert wire.connection.state == "open"
        wire.send(b"4000\r\n" + b"x" * 16 * KIB + b"\r\n")
    assert wire.connection.state == "lingering"
    assert statuses(wire) == [200]


@VERSIONS
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(version: str, chunked: bool) -> None:
    sim = serving(reading, method="POST", limits=Limits(body_bytes=1000))
    sizes = (1000, 1001)
    answers = [post(HttpConnection(sim.connect(), version), size, chunked=chunked) for size in sizes]
    assert [answer.status for answer in answers] == [200, 413]
    assert answers[1].text() == "Failed to buffer the request body: length limit exceeded"


def test_nobody_answers_for_a_stream_that_was_reset() -> None:
    sim, wire = connect()
    client = HttpConnection(wire, "2")
    stream = client.begin(Outgoing(target="/wait"))
    assert len(sim.pending) == 1
    client.client.reset(stream)  # type: ignore[union-attr]
    client.flush()
    assert [item.effect for item in sim.cancelled] == [Work("/wait")]
    assert [record.status for record in sim.server.recent] == [0]
    assert not wire.closed
