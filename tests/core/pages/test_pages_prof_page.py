"""`/prof/`: which action asks for what, and the statuses and texts of what cannot be done."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.asks import ClientGone, Sleep
from fanlight.http.request import ReadBody
from fanlight.http.response import HTML, JSON, TEXT
from fanlight.moment import Now
from fanlight.pages.prof_page import form, page
from fanlight.profiling.effects import (
    BeginCpu,
    BeginNative,
    CaptureHeap,
    CpuCapture,
    EndNative,
    FinishCpu,
    FinishNative,
    HeapMode,
    HeapRefused,
    NativeCapture,
    NativeReason,
    NativeRefused,
    Profilers,
    ReadAllocator,
    ReadHeapMode,
    ReadProfilers,
    SwitchHeapMode,
)
from tests.core.pages.prof_driving import FORM, drive, refusal, refused_at_once, request
from tests.core.pages.test_pages_prof_cpu import waited

OFF = HeapMode(True, False, "tracemalloc", 16, 0)
ON = HeapMode(True, True, "tracemalloc", 16, 1000, 200, 62.0)
NONE = HeapMode(False, False, "none", 0, 0)
QUIET, SAMPLING = Profilers(False, False), Profilers(True, False)
ALLOCATOR = {
    "tracemalloc": {"active": True},
    "gc": {"enabled": True, "generations": [{"count": 1, "collected": 2}]},
    "process": {},
    "allocator": {"name": "pymalloc"},
}
INACTIVE = (403, b"heap profiling not activated")


def send(body: str) -> Any:
    """The routine of a form, after its body was read."""
    routine = form(request("POST", "/prof/", FORM))
    assert isinstance(routine.send(None), ReadBody)
    return routine, body.encode()


def answered(body: str, *answers: object) -> tuple[Any, list[Any]]:
    response, asked = drive(form(request("POST", "/prof/", FORM)), body.encode(), *answers)
    return response, asked[1:]


def test_the_page() -> None:
    response, asked = drive(page(request("GET", "/prof/")), OFF, QUIET)
    assert asked == [ReadHeapMode(), ReadProfilers()]
    assert response.fields == (HTML, ("referrer-policy", "same-origin"))  # browsers tell the origin of its forms
    assert isinstance(response.body, bytes)
    assert b"Heap profiling enabled but inactive." in response.body


def test_statistics_as_text_unless_json_is_asked_for() -> None:
    target = "/prof/?action=dump_stats"
    response, asked = drive(page(request("GET", target)), OFF, {**ALLOCATOR, "details": "arenas\n  1"})
    assert asked == [ReadHeapMode(), ReadAllocator(details=True)]
    assert response.fields == (TEXT,)
    assert isinstance(response.body, bytes)
    assert response.body.decode().splitlines() == [
        "tracemalloc",
        "  active: True",
        "",
        "gc",
        "  enabled: True",
        "  generations 0: count 1, collected 2",
        "",
        "process",
        "",
        "allocator",
        "  name: pymalloc",
        "",
        "arenas",
        "  1",
    ]
    for accepted in ("application/json, */*", "text/html"):
        response, _ = drive(page(request("GET", target, ("accept", accepted))), OFF, {**ALLOCATOR, "details": ""})
        assert response.fields == (TEXT,)
    response, asked = drive(page(request("GET", target, ("accept", "application/json"))), OFF, ALLOCATOR)
    assert asked[1:] == [ReadAllocator()]
    assert response.fields == (JSON,)
    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == ALLOCATOR


@pytest.mark.parametrize(
    ("query", "text"), [("action=wat", b"unrecognized query: wat"), ("action", b"unrecognized query: ")]
)
def test_other_actions_of_the_query(query: str, text: bytes) -> None:
    response, _ = drive(page(request("GET", f"/prof/?{query}")), OFF)
    assert refusal(response) == (400, text)
    response, _ = drive(page(request("GET", f"/prof/?{query}")), NONE, QUIET)
    assert response.status == 200


@pytest.mark.parametrize(("action", "active", "state"), [("activate", True, ON), ("deactivate", False, OFF)])
def test_switching_shows_the_page(action: str, active: bool, state: HeapMode) -> None:
    before = (QUIET,) if active else ()
    response, asked = answered(f"action={action}", OFF, *before, state, QUIET)
    assert SwitchHeapMode(active) in asked
    assert response.fields[0] == HTML


def test_switching_that_is_refused() -> None:
    response, _ = answered("action=deactivate", ON, HeapRefused("owned"))
    assert refusal(response) == (409, b"heap profiling is owned by the application")
    response, asked = answered("action=activate", OFF, SAMPLING)
    assert refusal(response) == (409, b"memory profiling cannot be activated while CPU profiling is running")
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("action", "format", "fields"),
    [
        ("dump_jeheap", "jeheap", (TEXT, ("content-disposition", 'attachment; filename="jeprof.heap"'))),
        ("dump_sym_mzfg", "mzfg", (TEXT, ("content-disposition", 'attachment; filename="trace.mzfg"'))),
        ("mem_fg", "html", (HTML,)),
    ],
)
def test_heap_actions(action: str, format: str, fields: tuple[tuple[str, str], ...]) -> None:  # noqa: A002
    response, asked = answered(f"action={action}", ON, b"heap")
    assert asked == [ReadHeapMode(), CaptureHeap(format)]
    assert (response.status, response.fields, response.body) == (200, fields, b"heap")
    response, _ = answered(f"action={action}", OFF, HeapRefused("inactive"))
    assert refusal(response) == INACTIVE


def test_a_flame_graph_of_time() -> None:
    response, asked = answered(
        "action=time_fg&time_secs=1&hz=50&threads=merge&mode=wall", OFF, CpuCapture(1), *waited(1), b"page"
    )
    begun, finished = asked[1], asked[-1]
    assert isinstance(begun, BeginCpu)
    assert isinstance(finished, FinishCpu)
    assert (begun.seconds, begun.hz, begun.clock, finished.format, finished.merge) == (1, 50, "wall", "html", True)
    assert (response.fields, response.body) == ((HTML,), b"page")
    _, asked = answered("action=time_fg&time_secs=1&hz=50&threads=yes", OFF, CpuCapture(1), *waited(1), b"page")
    assert not asked[-1].merge


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ("action=time_fg", 400, "Expected value for `time_secs`"),
        ("action=time_fg&hz=1", 400, "Expected value for `time_secs`"),
        ("action=time_fg&time_secs=1", 400, "Expected value for `hz`"),
        ("action=time_fg&time_secs=0&hz=1", 400, "`seconds` must be greater than zero"),
        ("action=time_fg&time_secs=3601&hz=1", 400, "`seconds` must be at most 3600"),
        ("action=time_fg&time_secs=1&hz=0", 400, "`hz` must be greater than zero"),
        ("action=time_fg&time_secs=1&hz=1&mode=x", 400, "unrecognized mode: x"),
        ("action=memray_capture", 400, "Expected value for `time_secs`"),
        ("action=memray_capture&time_secs=0", 400, "`seconds` must be greater than zero"),
        ("action=%3Cwat%3E", 400, "unrecognized `action` parameter: <wat>"),
        ("action=", 400, "unrecognized `action` parameter: "),
    ],
)
def test_what_cannot_be_done(body: str, status: int, text: str) -> None:
    response, asked = answered(body, OFF)
    assert refusal(response) == (status, text.encode())
    assert asked == [ReadHeapMode()]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("", "missing field `action`"),
        ("time_secs=1", "missing field `action`"),
        ("action=activate&action=activate", "duplicate field `action`"),
        ("action=activate&hz=many", f"hz: expected a whole number from 0 to {2**32 - 1}"),
        ("action=activate&hz=4294967296", f"hz: expected a whole number from 0 to {2**32 - 1}"),
        ("action=activate&time_secs=-1", f"time_secs: expected a whole number from 0 to {2**64 - 1}"),
        ("action=activate&time_secs=", f"time_secs: expected a whole number from 0 to {2**64 - 1}"),
    ],
)
def test_what_is_no_such_form(body: str, detail: str) -> None:
    response, asked = answered(body)
    assert refusal(response) == (422, f"Failed to deserialize form body: {detail}".encode())
    assert asked == []


@pytest.mark.parametrize("action", ["activate", "deactivate", "dump_jeheap", "dump_sym_mzfg", "mem_fg"])
def test_without_a_tracer_its_actions_are_unknown(action: str) -> None:
    response, _ = answered(f"action={action}", NONE)
    assert refusal(response) == (400, f"unrecognized `action` parameter: {action}".encode())
    response, _ = answered("action=time_fg&time_secs=1&hz=1", NONE, CpuCapture(1), *waited(1), b"page")
    assert response.status == 200


def test_native_memory() -> None:
    capture = NativeCapture("the engine's own")
    response, asked = answered("action=memray_capture&time_secs=1", OFF, capture, *waited(1), b"file")
    begun, finished = asked[1], asked[-1]
    assert isinstance(begun, BeginNative)
    assert begun.seconds == 1
    assert isinstance(finished, FinishNative)
    assert finished.capture is capture
    assert response.fields[1] == ("content-disposition", 'attachment; filename="memray.bin"')
    assert response.body == b"file"


@pytest.mark.parametrize(
    ("reason", "status", "text"),
    [
        ("missing", 400, b"memray is not installed: it comes with the extra `memray` of fanlight"),
        ("running", 409, b"native memory profiling is already running"),
        ("failed", 500, b"native memory profiling failed"),
    ],
)
def test_native_memory_that_is_refused(reason: NativeReason, status: int, text: bytes) -> None:
    response, _ = answered("action=memray_capture&time_secs=1", OFF, NativeRefused(reason))
    assert refusal(response) == (status, text)
    response, _ = answered(
        "action=memray_capture&time_secs=1", OFF, NativeCapture(1), *waited(1), NativeRefused(reason)
    )
    assert refusal(response) == (status, text)


def test_a_client_that_leaves_ends_its_recording() -> None:
    routine, body = send("action=memray_capture&time_secs=9")
    capture = NativeCapture("the engine's own")
    for answer in (body, OFF, capture, Now(0.0, 0.0)):
        routine.send(answer)
    assert isinstance(routine.send(Now(0.0, 0.0)), Sleep)
    asked = routine.throw(ClientGone())
    assert isinstance(asked, EndNative)
    assert asked.capture is capture
    with pytest.raises(ClientGone):
        routine.send(None)


@given(st.text(max_size=40))
def test_any_form_is_answered_or_refused(body: str) -> None:
    routine, data = send(body)
    assert refused_at_once(routine, data) in (None, 400, 422)
