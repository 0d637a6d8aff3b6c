"""`/prof/heap` and `/prof/mode`: what is asked of the engine, and which text each refusal has."""

from __future__ import annotations

import pytest

from fanlight.asks import Sleep
from fanlight.http.request import ReadBody
from fanlight.http.response import JSON, Response
from fanlight.pages.prof import heap, mode, switch_mode
from fanlight.profiling.effects import (
    CaptureHeap,
    HeapMark,
    HeapMode,
    HeapRefused,
    MarkHeap,
    Profilers,
    ReadHeapMode,
    ReadProfilers,
    Reason,
    SwitchHeapMode,
)
from tests.core.pages.prof_driving import drive, refusal, request

OFF = HeapMode(available=True, active=False, backend="tracemalloc", frames=16, traced_bytes=0)
ON = HeapMode(available=True, active=True, backend="tracemalloc", frames=25, traced_bytes=1234)
NONE = HeapMode(available=False, active=False, backend="none", frames=0, traced_bytes=0)

QUIET, SAMPLING = Profilers(cpu_active=False, native=False), Profilers(cpu_active=True, native=False)

TOLD_OFF = (
    b'{"cpu_active":false,"memory_available":true,"memory_active":false,'
    b'"memory_backend":"tracemalloc","memory_frames":16,"memory_traced_bytes":0}'
)
TOLD_ON = (
    b'{"cpu_active":false,"memory_available":true,"memory_active":true,'
    b'"memory_backend":"tracemalloc","memory_frames":25,"memory_traced_bytes":1234}'
)
TOLD_NONE = (
    b'{"cpu_active":false,"memory_available":false,"memory_active":false,'
    b'"memory_backend":"none","memory_frames":0,"memory_traced_bytes":0}'
)


def test_heap_is_what_the_engine_encoded() -> None:
    response, asked = drive(heap(request("GET", "/prof/heap?debug=0&gc=1")), b"profile")
    assert asked == [CaptureHeap("pprof")]
    assert response == Response(200, (("content-type", "application/octet-stream"),), b"profile")


REFUSALS: list[tuple[Reason, int, bytes]] = [
    ("unavailable", 400, b"This software was compiled without heap profiling support."),
    ("inactive", 403, b"heap profiling not activated"),
    ("busy", 503, b"heap snapshot already running"),
    ("failed", 500, b"heap snapshot failed"),
]


@pytest.mark.parametrize(("reason", "status", "body"), REFUSALS)
def test_heap_refusals(reason: Reason, status: int, body: bytes) -> None:
    response, _ = drive(heap(request("GET", "/prof/heap")), HeapRefused(reason))
    assert refusal(response) == (status, body)
    response, _ = drive(heap(request("GET", "/prof/heap?seconds=1")), HeapRefused(reason))
    assert refusal(response) == (status, body)
    response, _ = drive(heap(request("GET", "/prof/heap?seconds=1")), HeapMark(b""), None, HeapRefused(reason))
    assert refusal(response) == (status, body)


@pytest.mark.parametrize("seconds", [1, 30, 3600])
def test_seconds_ask_for_the_difference_of_two_snapshots(seconds: int) -> None:
    mark = HeapMark(b"then")
    response, asked = drive(heap(request("GET", f"/prof/heap?seconds={seconds}")), mark, None, b"change")
    assert (response.status, response.body) == (200, b"change")
    assert asked[0] == MarkHeap()
    assert asked[1] == Sleep(seconds)
    assert asked[2] == CaptureHeap("pprof", mark)
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("seconds=0", b"`seconds` must be greater than zero"),
        ("seconds=00", b"`seconds` must be greater than zero"),
        ("seconds=3601", b"`seconds` must be at most 3600"),
        ("seconds=99999999999999999999", b"`seconds` must be at most 3600"),
        ("format=nope&seconds=0", b"unrecognized format: nope"),
    ],
)
def test_what_is_out_of_bounds_asks_nothing(query: str, body: bytes) -> None:
    response, asked = drive(heap(request("GET", f"/prof/heap?{query}")))
    assert refusal(response) == (400, body)
    assert asked == []


@pytest.mark.parametrize(("state", "told"), [(OFF, TOLD_OFF), (ON, TOLD_ON), (NONE, TOLD_NONE)])
def test_mode_tells_the_state(state: HeapMode, told: bytes) -> None:
    response, asked = drive(mode(request("GET", "/prof/mode")), state, QUIET)
    assert asked == [ReadHeapMode(), ReadProfilers()]
    assert response == Response(200, (JSON,), told)
    response, _ = drive(mode(request("GET", "/prof/mode")), state, SAMPLING)
    assert response == Response(200, (JSON,), told.replace(b'"cpu_active":false', b'"cpu_active":true'))


@pytest.mark.parametrize(
    ("body", "active", "state", "told"),
    [
        (b'{"memory_active":true}', True, ON, TOLD_ON),
        (b' {"memory_active" : false, "other": 1, "other": 2}', False, OFF, TOLD_OFF),
    ],
)
def test_switching_tells_the_state_that_follows(body: bytes, active: bool, state: HeapMode, told: bytes) -> None:
    response, asked = drive(switch_mode(request("POST", "/prof/mode")), body, QUIET, state)
    assert isinstance(asked[0], ReadBody)
    assert asked[1:] == [ReadProfilers(), SwitchHeapMode(active)]
    assert response == Response(200, (JSON,), told)


@pytest.mark.parametrize("body", [b"{}", b'{"memory_active":null}', b'{"cpu_active":true}'])
def test_nothing_wanted_changes_nothing(body: bytes) -> None:
    response, asked = drive(switch_mode(request("POST", "/prof/mode")), body, QUIET, ON)
    assert asked[1:] == [ReadProfilers(), ReadHeapMode()]
    assert response.body == TOLD_ON


def test_what_the_application_began_is_not_ended() -> None:
    answers = (b'{"memory_active":false}', QUIET, HeapRefused("owned"))
    response, _ = drive(switch_mode(request("POST", "/prof/mode")), *answers)
    assert refusal(response) == (409, b"heap profiling is owned by the application")


def test_without_a_tracer_on_is_refused_and_off_is_the_state() -> None:
    answers = (b'{"memory_active":true}', QUIET, HeapRefused("unavailable"))
    response, _ = drive(switch_mode(request("POST", "/prof/mode")), *answers)
    assert refusal(response) == (403, b"memory profiling is unavailable in this build")
    response, asked = drive(
        switch_mode(request("POST", "/prof/mode")), b'{"memory_active":false}', QUIET, HeapRefused("unavailable"), NONE
    )
    assert asked[3:] == [ReadHeapMode()]
    assert response == Response(200, (JSON,), TOLD_NONE)


def test_tracing_does_not_begin_during_a_cpu_profile() -> None:
    response, asked = drive(switch_mode(request("POST", "/prof/mode")), b'{"memory_active":true}', SAMPLING)
    assert refusal(response) == (409, b"memory profiling cannot be activated while CPU profiling is running")
    assert asked[1:] == [ReadProfilers()]
    response, _ = drive(switch_mode(request("POST", "/prof/mode")), b'{"memory_active":false}', SAMPLING, OFF)
    assert response == Response(200, (JSON,), TOLD_OFF.replace(b'"cpu_active":false', b'"cpu_active":true'))
    response, _ = drive(switch_mode(request("POST", "/prof/mode")), b"{}", SAMPLING, OFF)
    assert response.status == 200


@pytest.mark.parametrize(
    ("name", "kind", "file"),
    [
        ("collapsed", "text/plain; charset=utf-8", "heap.collapsed.txt"),
        ("speedscope", "application/json", "heap.speedscope.json"),
        ("mzfg", "text/plain; charset=utf-8", "trace.mzfg"),
        ("html", "text/html; charset=utf-8", None),
    ],
)
def test_other_formats_are_downloads(name: str, kind: str, file: str | None) -> None:
    response, asked = drive(heap(request("GET", f"/prof/heap?format={name}")), b"profile")
    assert asked == [CaptureHeap(name)]
    named = () if file is None else (("content-disposition", f'attachment; filename="{file}"'),)
    assert response == Response(200, (("content-type", kind), *named), b"profile")


SHAPE = b"Failed to deserialize the JSON body into the target type: "


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"[]", 422, SHAPE + b"expected an object"),
        (b"true", 422, SHAPE + b"expected an object"),
        (b"null", 422, SHAPE + b"expected an object"),
        (b'{"memory_active":1}', 422, SHAPE + b"memory_active: expected a boolean"),
        (b'{"memory_active":"true"}', 422, SHAPE + b"memory_active: expected a boolean"),
        (b'{"memory_active":true,"memory_active":true}', 422, SHAPE + b"duplicate field `memory_active`"),
        (b"", 400, b"Failed to parse the request body as JSON: EOF while parsing a value at line 1 column 0"),
    ],
)
def test_bad_bodies_ask_no_engine(body: bytes, status: int, text: bytes) -> None:
    response, asked = drive(switch_mode(request("POST", "/prof/mode")), body)
    assert refusal(response) == (status, text)
    assert len(asked) == 1
