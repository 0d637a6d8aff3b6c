"""`/prof/cpu` and `/prof/profile`: CPU profiles.

The pages check what was asked, wait as long as the capture lasts, and turn
refusals into texts; an engine samples and encodes.  While it does, no thread
waits here: the host's timer does, and a client that leaves ends the capture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from ..asks import Moment, Sleep
from ..http.body import read_json, repeated, wrong_shape
from ..http.form import U32, U64
from ..http.query import bad_query, read_query
from ..http.request import Request
from ..http.response import Refused, Response, empty, text
from ..profiling.effects import BeginCpu, Clock, CpuRefused, EndCpu, FinishCpu
from ..profiling.formats import FORMATS, Format

MOST_SECONDS = 3600
MOST_HZ = 1_000_000
"""Accepted; an engine samples less often where it must and says so."""
SECONDS, HZ = 30, 99
"""What a GET without parameters means, as in Go; 99, to keep no step with what runs 100 times a second."""
LOOK_SECONDS = 0.25
"""How late a capture may hear that the server stops."""

_REFUSALS = {
    "running": text(409, "CPU profiling is already running"),
    "failed": text(500, "CPU profiling failed"),
}
_FORBIDDEN = empty(403)
_CLOCKS: Mapping[str, Clock] = {"cpu": "cpu", "wall": "wall"}


@frozen(kw_only=True)
class Asked:
    """A CPU profile that may be taken: its numbers are within bounds."""

    seconds: int
    hz: int
    merge: bool = False
    clock: Clock = "cpu"
    format: Format = FORMATS["pprof"]


async def cpu(request: Request) -> Response:
    """`POST /prof/cpu`: a CPU profile; body `{"seconds": 10, "hz": 99}`.

    Optional: `merge_threads`, `format` (see `formats`) and `mode` (`cpu` or
    `wall`).  400 for numbers out of bounds, 409 while another capture runs.
    """
    body = _object(await read_json(request))
    return await answer(
        request,
        check(
            _integer(body, "seconds", U64),
            _integer(body, "hz", U32),
            merge=_typed(body, "merge_threads", bool, default=False),
            mode=_typed(body, "mode", str, default="cpu"),
            format=_typed(body, "format", str, default="pprof"),
        ),
    )


async def profile(request: Request) -> Response:
    """`GET /prof/profile` and `/debug/pprof/profile`: the same with `seconds`, `hz`, `format` and `mode` in the query.

    403 for a request that a page of another site made: a GET that costs as much
    as this one is no safe method.
    """
    if "cross-site" in request.head.all("sec-fetch-site"):
        raise Refused(_FORBIDDEN)
    query = read_query(request, "seconds", "hz", "format", "mode")
    seconds, hz = query_number(query, "seconds", SECONDS), query_number(query, "hz", HZ)
    asked = check(seconds, hz, mode=query.get("mode", "cpu"), format=query.get("format", "pprof"))
    return await answer(request, asked)


def check(seconds: int, hz: int, *, merge: bool = False, mode: str = "cpu", format: str = "pprof") -> Asked:  # noqa: A002
    """What was asked, if it is within bounds; raises `Refused` with 400, in this order of checks."""
    check_bounds("seconds", seconds, MOST_SECONDS)
    check_bounds("hz", hz, MOST_HZ)
    if mode not in _CLOCKS:
        raise Refused(text(400, f"unrecognized mode: {mode}"))
    return Asked(seconds=seconds, hz=hz, merge=merge, clock=_CLOCKS[mode], format=find_format(format))


def check_bounds(name: str, value: int, most: int) -> None:
    """Raise `Refused` with 400 for a number that is 0 or above `most`."""
    if value == 0:
        raise Refused(text(400, f"`{name}` must be greater than zero"))
    if value > most:
        raise Refused(text(400, f"`{name}` must be at most {most}"))


def find_format(name: str) -> Format:
    """The row of `FORMATS`; raises `Refused` with 400 for a name that is none."""
    if name not in FORMATS:
        raise Refused(text(400, f"unrecognized format: {name}"))
    return FORMATS[name]


async def answer(request: Request, asked: Asked) -> Response:
    """Take the profile: 200 as a download, or the answer to a refusal."""
    taken = await _capture(request, asked)
    return _REFUSALS[taken.reason] if isinstance(taken, CpuRefused) else download(asked.format, "cpu", taken)


def download(chosen: Format, kind: str, body: bytes) -> Response:
    """200 with an encoded profile, under the name that its format gives to a profile of that kind."""
    if chosen.file is None:
        return Response(200, (chosen.field,), body)
    file = chosen.file.format(kind)
    return Response(200, (chosen.field, ("content-disposition", f'attachment; filename="{file}"')), body)


async def _capture(request: Request, asked: Asked) -> bytes | CpuRefused:
    """Begin, wait, finish; whatever happens, nothing goes on sampling for a client that has left."""
    capture = await BeginCpu(asked.seconds, asked.hz, asked.clock)
    if isinstance(capture, CpuRefused):
        return capture
    finished = False
    try:
        await wait(request, asked.seconds)
        made = await FinishCpu(capture, asked.format.name, asked.merge)
        finished = True
        return made
    finally:
        if not finished:
            await EndCpu(capture)


async def wait(request: Request, seconds: int) -> None:
    """Let `seconds` pass, fewer when the server stops: what was seen until then is an answer too."""
    until = (await Moment()).mono + seconds
    while not request.server.stopping:
        left = until - (await Moment()).mono
        if left <= 0:
            return
        await Sleep(min(left, LOOK_SECONDS))


def query_number(query: Mapping[str, str], name: str, default: int) -> int:
    """The parameter `name` as a whole number of at most 20 digits; 400 for everything else."""
    value = query.get(name)
    if value is None:
        return default
    # Length and ASCII first: `int` also reads other scripts' digits, and takes quadratic time for long ones.
    if not (value.isascii() and value.isdigit() and len(value) <= 20):
        raise Refused(bad_query(f"`{name}` must be a whole number"))
    return int(value)


def _object(body: Any) -> dict[str, Any]:
    """The body, which must be an object that says nothing of ours twice; else 422."""
    if not isinstance(body, dict):
        raise Refused(wrong_shape("expected an object"))
    for name in ("seconds", "hz", "merge_threads", "mode", "format"):
        if name in repeated(body):
            raise Refused(wrong_shape(f"duplicate field `{name}`"))
    return body


def _integer(body: Mapping[str, Any], name: str, most: int) -> int:
    value = body.get(name)
    if name not in body:
        raise Refused(wrong_shape(f"missing field `{name}`"))
    if type(value) is not int or not 0 <= value <= most:
        raise Refused(wrong_shape(f"{name}: expected a whole number from 0 to {most}"))
    return value


def _typed(body: Mapping[str, Any], name: str, kind: type, *, default: Any) -> Any:
    value = body.get(name, default)
    if type(value) is not kind:
        raise Refused(wrong_shape(f"{name}: expected a {'boolean' if kind is bool else 'string'}"))
    return value
