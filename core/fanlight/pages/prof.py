"""`/prof/heap` and `/prof/mode`: heap profiles and the switch for them, under Go's name too.

The pages check what was asked and turn refusals into texts; an engine traces,
groups and encodes.  Nothing here ever looks at the heap.
"""

from __future__ import annotations

from typing import Any

from ..asks import Sleep
from ..http.body import read_json, repeated, wrong_shape
from ..http.query import read_query
from ..http.request import Request
from ..http.response import Refused, Response, json, text
from ..profiling.effects import (
    CaptureHeap,
    HeapMode,
    HeapRefused,
    MarkHeap,
    ReadHeapMode,
    ReadProfilers,
    Reason,
    SwitchHeapMode,
)
from ..profiling.formats import Format
from .prof_cpu import MOST_SECONDS, check_bounds, download, find_format, query_number

_REFUSALS = {
    "unavailable": text(400, "This software was compiled without heap profiling support."),
    "inactive": text(403, "heap profiling not activated"),
    "owned": text(409, "heap profiling is owned by the application"),
    "busy": text(503, "heap snapshot already running"),
    "failed": text(500, "heap snapshot failed"),
}
"""The engine's reasons as answers; statuses and texts are those that clients know."""
_NO_SWITCH = text(403, "memory profiling is unavailable in this build")
DURING_CPU = text(409, "memory profiling cannot be activated while CPU profiling is running")


async def heap(request: Request) -> Response:
    """`GET /prof/heap` and `/debug/pprof/heap`: the live blocks by the stack that allocated them.

    Query: `format` (see `formats`), `seconds` (1 to 3,600: the difference of
    two snapshots that far apart).  No content disposition and no content
    encoding: the pprof format is gzip by itself.
    """
    query = read_query(request, "format", "seconds")
    chosen = find_format(query.get("format", "pprof"))
    if "seconds" in query:
        seconds = query_number(query, "seconds", 0)
        # As long as a CPU profile at most: the mark holds memory until then.
        check_bounds("seconds", seconds, MOST_SECONDS)
        return await _difference(chosen, seconds)
    return _profile(chosen, await CaptureHeap(chosen.name))


async def mode(request: Request) -> Response:
    """`GET /prof/mode`: what is being profiled."""
    return _state(await ReadHeapMode(), (await ReadProfilers()).cpu_active)


async def switch_mode(request: Request) -> Response:
    """`POST /prof/mode`: switch heap profiling, or nothing, and tell the state that follows.

    Body: `{"memory_active": true|false|null}`.  403 where tracing is not
    possible, 409 where it is the application's own and, to switch it on, while
    a CPU profile is taken; otherwise 200.
    """
    wanted = _wanted(await read_json(request))
    profilers = await ReadProfilers()
    if wanted is None:
        return _state(await ReadHeapMode(), profilers.cpu_active)
    if wanted and profilers.cpu_active:
        return DURING_CPU
    answer = await SwitchHeapMode(wanted)
    if isinstance(answer, HeapMode):
        return _state(answer, profilers.cpu_active)
    if answer.reason != "unavailable":
        return _REFUSALS[answer.reason]
    # What cannot be on is off already.
    return _NO_SWITCH if wanted else _state(await ReadHeapMode(), profilers.cpu_active)


async def _difference(chosen: Format, seconds: int) -> Response:
    """What is allocated between now and `seconds` later, and still alive then.

    The mark is let go with this routine, also when the client leaves.
    """
    mark = await MarkHeap()
    if isinstance(mark, HeapRefused):
        return _REFUSALS[mark.reason]
    # No thread waits: the host's timer does, and a client that leaves ends it.
    await Sleep(seconds)
    return _profile(chosen, await CaptureHeap(chosen.name, mark))


def _profile(chosen: Format, answer: bytes | HeapRefused) -> Response:
    """200 with the encoded profile, or the answer to a refusal."""
    if isinstance(answer, HeapRefused):
        return refusal(answer.reason)
    # pprof has no name to be saved under: tools that fetch it know better.
    return Response(200, (chosen.field,), answer) if chosen.name == "pprof" else download(chosen, "heap", answer)


def refusal(reason: Reason) -> Response:
    """The answer to a heap profile or a switch that the engine refused."""
    return _REFUSALS[reason]


def _wanted(body: Any) -> bool | None:
    """What the body asks for: `memory_active`, null and absent alike mean "leave it".

    Refuses (422) another shape, and the member given twice: of two switches no
    one is the right one.
    """
    if not isinstance(body, dict):
        raise Refused(wrong_shape("expected an object"))
    if "memory_active" in repeated(body):
        raise Refused(wrong_shape("duplicate field `memory_active`"))
    wanted = body.get("memory_active")
    if wanted is None or isinstance(wanted, bool):
        return wanted
    raise Refused(wrong_shape("memory_active: expected a boolean"))


def _state(mode: HeapMode, cpu_active: bool) -> Response:
    """The state as JSON; the order of the first three members is part of the contract."""
    members = (
        f'"cpu_active":{_bool(cpu_active)}',
        f'"memory_available":{_bool(mode.available)}',
        f'"memory_active":{_bool(mode.active)}',
        f'"memory_backend":"{mode.backend}"',
        f'"memory_frames":{mode.frames}',
        f'"memory_traced_bytes":{mode.traced_bytes}',
    )
    return json(200, f"{{{','.join(members)}}}".encode())


def _bool(flag: bool) -> str:
    return "true" if flag else "false"
