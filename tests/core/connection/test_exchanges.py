"""Exchanges: one record for each, no second head, no word of a bug, and the framing of answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from fanlight import Refused, Request, Response, SendBody, Sleep
from fanlight.http.response import text
from fanlight.observe.records import AccessRecord, Failure
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.core.connection.connecting import HOLD, NOW, WAIT, connect, fine, serving, statuses
from tests.sim import Sim
from tests.stateful.world import PLAIN, SECRET, Work

VERSIONS = pytest.mark.parametrize("version", ["1.1", "2"])


def failures(sim: Sim) -> list[Failure]:
    """What the log was told of bugs."""
    return [note for note in sim.notes if isinstance(note, Failure)]


def active(sim: Sim) -> float:
    """Requests in hand, as the metrics count them."""
    family = sim.server.metrics._active
    return float(sum(family.kind.values(family.children)))


async def buggy(request: Request) -> Response:
    raise ValueError(SECRET)


async def late_bug(request: Request) -> Response:
    await Work("/it")
    raise ValueError(SECRET)


async def nothing(request: Request) -> None:
    return None


def called_wrongly(request: Request) -> Awaitable[Response]:
    raise ValueError(SECRET)


def no_routine(request: Request) -> None:
    return None


async def wrong_ask(request: Request) -> Response:
    class Other:
        def __await__(self) -> Generator[int, None, None]:
            yield 1

    await Other()
    return Response(200)


async def unsafe(request: Request) -> Response:
    return Response(200, (("x-name", f"{SECRET}\r\nset-cookie: a=b"),))


async def unsafe_stream(request: Request) -> Response:
    async def produce() -> None:
        await SendBody(b"never")

    return Response(200, (("x-name", f"{SECRET}\n"),), produce)


# ---- records -----------------------------------------------------------------


@VERSIONS
def test_a_record_says_who_asked_what_and_what_became_of_it(version: str) -> None:
    sim = serving(late_bug)
    sim.clock.move(5)
    wire = sim.connect(peer="192.0.2.7")
    began = sim.now.wall
    assert HttpConnection(wire, version).exchange(Outgoing(target="/it?q=1")).status == 500
    (record,) = sim.server.recent
    assert record == AccessRecord(
        began, 0.0, "main", "192.0.2.7", "GET", "/it", 500, "anonymous_http_user", version, len("internal server error")
    )


def test_the_seconds_of_a_record_are_those_until_the_head() -> None:
    sim, _ = connect(WAIT)
    sim.advance(3)
    sim.reply(sim.pending[0], "done")
    (record,) = sim.server.recent
    assert (record.seconds, record.status, record.sent) == (3.0, 200, 4)


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (NOW, [200]),
        (NOW + NOW, [200, 200]),
        (b"GET /none HTTP/1.1\r\nhost: localhost\r\n\r\n", [404]),
        (b"PUT /now HTTP/1.1\r\nhost: localhost\r\n\r\n", [405]),
        (b"GET /now HTTP/1.1\r\nhost: example.org\r\n\r\n", [421]),
        (b"HEAD /now HTTP/1.1\r\nhost: localhost\r\n\r\n", [200]),
        (b"nonsense\r\n\r\n", [400]),
        (WAIT, [0]),
        (HOLD, [0]),
        (b"POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", [400]),
        (NOW[:9], []),
    ],
)
def test_one_record_for_each_request_whatever_becomes_of_it(sent: bytes, statuses: list[int]) -> None:
    sim, wire = connect(sent)
    wire.abort()
    sim.advance(60)
    assert [record.status for record in sim.server.recent] == statuses
    assert wire.connection.requests == len(statuses)
    assert active(sim) == 0


@pytest.mark.parametrize("wanted", [True, False])
def test_records_are_notes_only_for_a_host_that_writes_them(wanted: bool) -> None:
    sim = serving(fine)
    sim.server.notes_access = wanted
    HttpConnection(sim.connect(), "1.1").exchange(Outgoing(target="/it"))
    assert len(sim.notes) == wanted
    assert len(sim.server.recent) == 1


# ---- bugs --------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize(
    "handler", [buggy, late_bug, nothing, called_wrongly, no_routine, wrong_ask, unsafe, unsafe_stream]
)
def test_a_bug_is_a_500_that_tells_nothing(handler: Callable[[Request], Any], version: str) -> None:
    sim = serving(handler)
    client = HttpConnection(sim.connect(), version)
    answer = client.exchange(Outgoing(target="/it"))
    assert (answer.status, answer.body) == (500, b"internal server error")
    assert SECRET not in repr(answer.fields)
    (failure,) = failures(sim)
    assert failure.where == "/it"
    assert client.exchange(Outgoing(target="/it")).status == 500, "the connection goes on"
    assert active(sim) == 0


@VERSIONS
def test_a_bug_after_the_head_breaks_the_stream_off(version: str) -> None:
    async def streaming(request: Request) -> Response:
        async def produce() -> None:
            await SendBody(b"half")
            raise ValueError(SECRET)

        return Response(200, PLAIN, produce)

    sim = serving(streaming)
    client = HttpConnection(sim.connect(), version)
    answer = client.exchange(Outgoing(target="/it"))
    assert (answer.status, answer.body, answer.ended) == (200, b"half", False)
    assert answer.broken
    assert len(failures(sim)) == len(sim.server.recent) == 1
    assert client.reusable is (version == "2")


@VERSIONS
def test_a_refusal_after_the_head_breaks_the_stream_off_too(version: str) -> None:
    async def streaming(request: Request) -> Response:
        async def produce() -> None:
            await SendBody(b"half")
            raise Refused(text(400, "too late"))

        return Response(200, PLAIN, produce)

    sim = serving(streaming)
    answer = HttpConnection(sim.connect(), version).exchange(Outgoing(target="/it"))
    assert (answer.status, answer.body, answer.ended) == (200, b"half", False)
    assert len(sim.server.recent) == 1
    assert failures(sim) == [], "a refusal is no bug"


@VERSIONS
def test_a_refusal_before_the_head_is_the_answer(version: str) -> None:
    async def refusing(request: Request) -> Response:
        await Work("/it")
        raise Refused(text(418, "short and stout"))

    answer = HttpConnection(serving(refusing).connect(), version).exchange(Outgoing(target="/it"))
    assert (answer.status, answer.body) == (418, b"short and stout")


def test_one_stream_broken_off_leaves_the_others_alone() -> None:
    async def streaming(request: Request) -> Response:
        async def produce() -> None:
            await SendBody(b"half")
            await Sleep(1)
            if request.query:
                raise ValueError(SECRET)

        return Response(200, PLAIN, produce)

    client = HttpConnection(serving(streaming).connect(), "2")
    good, bad = client.begin(Outgoing(target="/it")), client.begin(Outgoing(target="/it?bad"))
    assert client.answer(bad).code == 2, "INTERNAL_ERROR"
    assert client.answer(good).ended


# ---- answers -----------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("streamed", [True, False])
def test_head_has_the_fields_of_get_and_no_body(version: str, streamed: bool) -> None:
    produced: list[int] = []

    async def produce() -> None:
        produced.append(1)
        await SendBody(b"fine")

    async def handler(request: Request) -> Response:
        return Response(200, (*PLAIN, ("content-length", "4")), produce) if streamed else await fine(request)

    client = HttpConnection(serving(handler).connect(), version)
    answers = [client.exchange(Outgoing(method=method, target="/it")) for method in ("HEAD", "GET")]
    assert [answer.body for answer in answers] == [b"", b"fine"]
    assert [answer.get("content-length") for answer in answers] == ["4", "4"]
    assert dict(answers[0].fields) == dict(answers[1].fields)
    assert len(produced) == streamed, "nothing is produced for a HEAD"


def test_a_producer_that_knows_the_length_is_not_chunked() -> None:
    async def handler(request: Request) -> Response:
        async def produce() -> None:
            for piece in (b"fi", b"", b"ne"):
                await SendBody(piece)

        return Response(200, (("content-length", "4"),), produce)

    wire = serving(handler).connect()
    wire.send(b"GET /it HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert bytes(wire.received).endswith(b"\r\n\r\nfine")
    assert b"transfer-encoding" not in wire.received


@VERSIONS
@pytest.mark.parametrize(
    ("length", "pieces"),
    [("4", [b"fi"]), ("4", []), ("4", [b"fi", b"nest"]), ("0", [b"x"]), ("none", [b"fine"])],
)
def test_a_producer_that_breaks_its_word_breaks_the_stream_off(length: str, pieces: list[bytes], version: str) -> None:
    async def handler(request: Request) -> Response:
        async def produce() -> None:
            for piece in pieces:
                await SendBody(piece)

        return Response(200, (("content-length", length),), produce)

    sim = serving(handler)
    wire = sim.connect()
    if version == "2":
        answer = HttpConnection(wire, version).exchange(Outgoing(target="/it"))
        assert (answer.ended, bool(answer.broken)) == (False, True)
    else:
        wire.send(b"GET /it HTTP/1.1\r\nhost: localhost\r\n\r\n" * 2)
        assert wire.closed, "or the next answer would pass for the rest of this one"
        assert statuses(wire) == [200]
    assert len(failures(sim)) == len(sim.server.recent) == 1


@VERSIONS
@pytest.mark.parametrize("body", ["text", None, lambda missing: missing, lambda: None])
def test_a_body_that_is_no_producer_is_a_bug_of_one_stream(body: Any, version: str) -> None:
    async def handler(request: Request) -> Response:
        return Response(200, PLAIN, body)

    sim = serving(handler)
    answer = HttpConnection(sim.connect(), version).exchange(Outgoing(target="/it"))
    assert not answer.ended
    assert len(failures(sim)) == len(sim.server.recent) == 1
    assert sim.wires[0].closed is (version == "1.1")


@pytest.mark.parametrize(("line", "ending"), [(b"1.1", b"4\r\nhalf\r\n0\r\n\r\n"), (b"1.0", b"half")])
def test_a_producer_without_a_length_is_framed_as_the_version_can(line: bytes, ending: bytes) -> None:
    async def handler(request: Request) -> Response:
        async def produce() -> None:
            await SendBody(b"half")

        return Response(200, PLAIN, produce)

    wire = serving(handler).connect()
    wire.send(b"GET /it HTTP/%s\r\nhost: localhost\r\n\r\n" % line)
    assert bytes(wire.received).partition(b"\r\n\r\n")[2] == ending
    assert wire.half_closed is (line == b"1.0")
