"""`/prof/cpu` and `/prof/profile`: what may be asked, how long is waited, and that no capture is left behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fanlight import App
from fanlight.asks import ClientGone, Moment, Sleep
from fanlight.http.request import ReadBody, Request
from fanlight.http.response import BINARY, HTML, JSON, TEXT
from fanlight.moment import Now
from fanlight.pages.prof_cpu import cpu, profile
from fanlight.profiling.effects import BeginCpu, CpuCapture, CpuRefused, EndCpu, FinishCpu
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.core.pages.prof_driving import drive, refusal, request
from tests.sim import Sim, table

CAPTURE = CpuCapture("the engine's own")
SHAPE = "Failed to deserialize the JSON body into the target type: "


def post(body: object) -> tuple[Any, bytes]:
    return cpu(request("POST", "/prof/cpu")), json.dumps(body).encode()


def waited(seconds: float) -> tuple[object, ...]:
    """Answers to the asks of a wait of `seconds`, which all come on time."""
    answers: list[object] = [Now(100.0, 0.0)]
    now = 0.0
    while now < seconds:
        answers += [Now(100.0 + now, 0.0), None]
        now += min(0.25, seconds - now)
    return (*answers, Now(100.0 + seconds, 0.0))


def test_a_post_begins_waits_and_finishes() -> None:
    routine, body = post({"seconds": 1, "hz": 99, "more": [1]})
    response, asked = drive(routine, body, CAPTURE, *waited(1), b"profile")
    assert isinstance(asked[0], ReadBody)
    begun, finished = asked[1], asked[-1]
    assert isinstance(begun, BeginCpu)
    assert (begun.seconds, begun.hz, begun.clock) == (1, 99, "cpu")
    assert [ask.seconds for ask in asked if isinstance(ask, Sleep)] == [0.25] * 4
    assert isinstance(finished, FinishCpu)
    assert (finished.capture, finished.format, finished.merge) == (CAPTURE, "pprof", False)
    assert (response.status, response.body) == (200, b"profile")
    assert response.fields == (BINARY, ("content-disposition", 'attachment; filename="cpu.pb.gz"'))


@pytest.mark.parametrize(
    ("format", "field", "file"),
    [
        ("collapsed", TEXT, "cpu.collapsed.txt"),
        ("speedscope", JSON, "cpu.speedscope.json"),
        ("mzfg", TEXT, "trace.mzfg"),
        ("html", HTML, None),
    ],
)
def test_each_format_has_its_type_and_its_name(format: str, field: tuple[str, str], file: str | None) -> None:  # noqa: A002
    routine, body = post({"seconds": 1, "hz": 9, "format": format, "merge_threads": True, "mode": "wall"})
    response, asked = drive(routine, body, CAPTURE, *waited(1), b"")
    begun, finished = asked[1], asked[-1]
    assert isinstance(begun, BeginCpu)
    assert isinstance(finished, FinishCpu)
    assert (begun.clock, finished.format, finished.merge) == ("wall", format, True)
    named = () if file is None else (("content-disposition", f'attachment; filename="{file}"'),)
    assert response.fields == (field, *named)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"seconds": 0, "hz": 0}, 400, "`seconds` must be greater than zero"),
        ({"seconds": 3601, "hz": 0}, 400, "`seconds` must be at most 3600"),
        ({"seconds": 1, "hz": 0}, 400, "`hz` must be greater than zero"),
        ({"seconds": 1, "hz": 1000001}, 400, "`hz` must be at most 1000000"),
        ({"seconds": 1, "hz": 1, "mode": "gpu", "format": "x"}, 400, "unrecognized mode: gpu"),
        ({"seconds": 1, "hz": 1, "format": "jeheap"}, 400, "unrecognized format: jeheap"),
        ({"hz": 1}, 422, SHAPE + "missing field `seconds`"),
        ({"seconds": 1}, 422, SHAPE + "missing field `hz`"),
        ({"seconds": True, "hz": 1}, 422, SHAPE + f"seconds: expected a whole number from 0 to {2**64 - 1}"),
        ({"seconds": 1.0, "hz": 1}, 422, SHAPE + f"seconds: expected a whole number from 0 to {2**64 - 1}"),
        ({"seconds": 2**64, "hz": 1}, 422, SHAPE + f"seconds: expected a whole number from 0 to {2**64 - 1}"),
        ({"seconds": 1, "hz": -1}, 422, SHAPE + f"hz: expected a whole number from 0 to {2**32 - 1}"),
        ({"seconds": 1, "hz": 2**32}, 422, SHAPE + f"hz: expected a whole number from 0 to {2**32 - 1}"),
        ({"seconds": 1, "hz": "9"}, 422, SHAPE + f"hz: expected a whole number from 0 to {2**32 - 1}"),
        ({"seconds": 1, "hz": 1, "merge_threads": None}, 422, SHAPE + "merge_threads: expected a boolean"),
        ({"seconds": 1, "hz": 1, "mode": 3}, 422, SHAPE + "mode: expected a string"),
        ({"seconds": 1, "hz": 1, "format": []}, 422, SHAPE + "format: expected a string"),
        ([], 422, SHAPE + "expected an object"),
    ],
)
def test_what_is_out_of_bounds_asks_no_engine(body: object, status: int, text: str) -> None:
    routine, data = post(body)
    response, asked = drive(routine, data)
    assert refusal(response) == (status, text.encode())
    assert len(asked) == 1


def test_a_member_that_comes_twice_is_refused() -> None:
    response, _ = drive(cpu(request("POST", "/prof/cpu")), b'{"seconds":1,"hz":1,"hz":2}')
    assert refusal(response) == (422, (SHAPE + "duplicate field `hz`").encode())


def test_refusals_of_the_engine() -> None:
    routine, body = post({"seconds": 1, "hz": 1})
    response, asked = drive(routine, body, CpuRefused("running"))
    assert refusal(response) == (409, b"CPU profiling is already running")
    assert len(asked) == 2
    routine, body = post({"seconds": 1, "hz": 1})
    response, _ = drive(routine, body, CAPTURE, *waited(1), CpuRefused("failed"))
    assert refusal(response) == (500, b"CPU profiling failed")


def test_a_get_has_defaults() -> None:
    response, asked = drive(profile(request("GET", "/debug/pprof/profile")), CAPTURE, *waited(30), b"profile")
    begun = asked[0]
    assert isinstance(begun, BeginCpu)
    assert (begun.seconds, begun.hz, begun.clock) == (30, 99, "cpu")
    assert sum(ask.seconds for ask in asked if isinstance(ask, Sleep)) == 30
    assert response.fields == (BINARY, ("content-disposition", 'attachment; filename="cpu.pb.gz"'))


def test_a_get_takes_all_from_its_query() -> None:
    target = "/prof/profile?seconds=2&hz=7&mode=wall&format=collapsed&debug=1"
    _, asked = drive(profile(request("GET", target)), CAPTURE, *waited(2), b"")
    begun, finished = asked[0], asked[-1]
    assert isinstance(begun, BeginCpu)
    assert isinstance(finished, FinishCpu)
    assert (begun.seconds, begun.hz, begun.clock, finished.format) == (2, 7, "wall", "collapsed")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("seconds=0", "`seconds` must be greater than zero"),
        ("seconds=3601", "`seconds` must be at most 3600"),
        ("seconds=99999999999999999999", "`seconds` must be at most 3600"),
        ("hz=1000001", "`hz` must be at most 1000000"),
        ("mode=x", "unrecognized mode: x"),
        ("mode=x&format=x", "unrecognized mode: x"),
    ],
)
def test_bad_values_in_a_query_ask_nothing(query: str, text: str) -> None:
    response, asked = drive(profile(request("GET", f"/prof/profile?{query}")))
    assert refusal(response) == (400, text.encode())
    assert asked == []


def test_a_page_of_another_site_cannot_begin_one_by_a_get() -> None:
    response, asked = drive(profile(request("GET", "/prof/profile", ("sec-fetch-site", "cross-site"))))
    assert (response.status, response.body, asked) == (403, b"", [])
    routine = profile(request("GET", "/prof/profile", ("sec-fetch-site", "same-origin")))
    assert isinstance(routine.send(None), BeginCpu)
    routine.close()


def test_a_server_that_stops_is_answered_with_what_there_is() -> None:
    sent = request("GET", "/prof/profile?seconds=60")
    routine = profile(sent)
    routine.send(None)
    assert isinstance(routine.send(CAPTURE), Moment)
    assert isinstance(routine.send(Now(0.0, 0.0)), Moment)
    assert isinstance(routine.send(Now(0.0, 0.0)), Sleep)
    sent.server.stopping = True
    assert isinstance(routine.send(None), FinishCpu)
    with pytest.raises(StopIteration) as end:
        routine.send(b"short")
    assert end.value.value.body == b"short"


def leave(sent: Request, *answers: object) -> object:
    """Throw `ClientGone` after these answers; what is asked then, None for nothing."""
    routine = profile(sent)
    routine.send(None)
    for answer in answers:
        routine.send(answer)
    try:
        asked = routine.throw(ClientGone())
    except ClientGone:
        return None
    with pytest.raises(ClientGone):
        routine.send(None)
    return asked


@pytest.mark.parametrize("answers", [(CAPTURE,), (CAPTURE, Now(0.0, 0.0)), (CAPTURE, *waited(1))])
def test_a_client_that_leaves_ends_its_capture(answers: tuple[object, ...]) -> None:
    asked = leave(request("GET", "/prof/profile?seconds=1"), *answers)
    assert isinstance(asked, EndCpu)
    assert asked.capture is CAPTURE


def test_a_client_that_leaves_before_it_began_has_nothing_to_end() -> None:
    assert leave(request("GET", "/prof/profile?seconds=1")) is None


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_an_hour_is_not_cut_by_any_deadline(version: str) -> None:
    sim = Sim(App(), answering=table({BeginCpu: CAPTURE, FinishCpu: b"profile"}))
    http = HttpConnection(sim.connect(), version)
    stream = http.begin(Outgoing(target="/prof/profile?seconds=3600"))
    began = sim.clock.now.mono
    answer = http.answer(stream, 3700)
    assert (answer.status, answer.body) == (200, b"profile")
    assert 3600 <= sim.clock.now.mono - began < 3601
