"""`/prof/`: the page from which a person profiles, and the forms that it sends.

Forms and links only: what is drawn comes as a page of its own.  Everything
that a form can ask for is a row of a table here; an engine does it.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Mapping
from typing import Any

from ..asks import Routine
from ..http.form import U32, U64, form_number, read_form, wrong_form
from ..http.query import read_query
from ..http.request import Request
from ..http.response import Refused, Response, html, json, text
from ..profiling.effects import (
    BeginNative,
    CaptureHeap,
    EndNative,
    FinishNative,
    HeapMode,
    HeapRefused,
    NativeRefused,
    ReadAllocator,
    ReadHeapMode,
    ReadProfilers,
    SwitchHeapMode,
)
from ..profiling.formats import FORMATS, JEHEAP, Format
from .document import FORMS
from .prof import DURING_CPU, refusal
from .prof_cpu import MOST_SECONDS, answer, check, check_bounds, download, wait
from .prof_shell import document

_NATIVE = {
    "missing": text(400, "memray is not installed: it comes with the extra `memray` of fanlight"),
    "running": text(409, "native memory profiling is already running"),
    "failed": text(500, "native memory profiling failed"),
}
_MEMRAY = (("content-type", "application/octet-stream"), ("content-disposition", 'attachment; filename="memray.bin"'))

_NUMBERS = {"time_secs": U64, "hz": U32}
"""The fields that are numbers, and the most that each can be."""

Form = Mapping[str, str]
Action = Callable[[Request, Form], Routine[Response]]


async def page(request: Request) -> Response:
    """`GET /prof/`: the page; with `?action=dump_stats` statistics of the allocators.

    These come as JSON for `Accept: application/json` and as text for every
    other.  400 for another action; where heap profiling is not available no
    action is looked at.
    """
    query = read_query(request, "action")
    mode = await ReadHeapMode()
    if "action" not in query or not mode.available:
        return await _page(mode)
    if query["action"] != "dump_stats":
        raise Refused(text(400, f"unrecognized query: {query['action']}"))
    if request.head.all("accept") == ["application/json"]:
        return json(200, jsonlib.dumps(dict(await ReadAllocator())).encode())
    return text(200, "\n".join(_lines(await ReadAllocator(details=True))))


async def form(request: Request) -> Response:
    """`POST /prof/`: do what the field `action` says.

    Other fields: `threads` (`merge`), `time_secs`, `hz`, and `mode` (`cpu` or
    `wall`).  415 and 422 for what is no such form, 400 for an unknown action.
    """
    fields = await read_form(request, "action", "threads", "time_secs", "hz", "mode")
    # All numbers are read before anything is done: a form is right or it is not.
    for name, most in _NUMBERS.items():
        form_number(fields, name, most)
    if "action" not in fields:
        raise Refused(wrong_form("missing field `action`"))
    return await _action(fields["action"], await ReadHeapMode())(request, fields)


def _action(name: str, mode: HeapMode) -> Action:
    action = _ACTIONS.get(name)
    if action is None or not (mode.available or name in _WITHOUT_HEAP):
        raise Refused(text(400, f"unrecognized `action` parameter: {name}"))
    return action


async def _page(mode: HeapMode) -> Response:
    profilers = await ReadProfilers()
    return html(200, document(mode, profilers), FORMS)


def _switch(active: bool) -> Action:
    async def switch(request: Request, form: Form) -> Response:
        """Begin or end tracing, and show the page."""
        if active and (await ReadProfilers()).cpu_active:
            return DURING_CPU
        mode = await SwitchHeapMode(active)
        return refusal(mode.reason) if isinstance(mode, HeapRefused) else await _page(mode)

    return switch


def _heap(chosen: Format) -> Action:
    async def capture(request: Request, form: Form) -> Response:
        """The heap in one format, as a download if that has a name."""
        taken = await CaptureHeap(chosen.name)
        return refusal(taken.reason) if isinstance(taken, HeapRefused) else download(chosen, "heap", taken)

    return capture


async def _time(request: Request, form: Form) -> Response:
    """A flame graph of CPU time."""
    seconds, hz = _needed(form, "time_secs"), _needed(form, "hz")
    merge = form.get("threads") == "merge"
    return await answer(request, check(seconds, hz, merge=merge, mode=form.get("mode", "cpu"), format="html"))


async def _memray(request: Request, form: Form) -> Response:
    """A recording of native allocations, for memray's own reporters."""
    seconds = _needed(form, "time_secs")
    check_bounds("seconds", seconds, MOST_SECONDS)
    capture = await BeginNative(seconds)
    if isinstance(capture, NativeRefused):
        return _NATIVE[capture.reason]
    finished = False
    try:
        await wait(request, seconds)
        taken = await FinishNative(capture)
        finished = True
    finally:
        if not finished:
            await EndNative(capture)
    return _NATIVE[taken.reason] if isinstance(taken, NativeRefused) else Response(200, _MEMRAY, taken)


def _needed(form: Form, name: str) -> int:
    value = form_number(form, name, _NUMBERS[name])
    if value is None:
        raise Refused(text(400, f"Expected value for `{name}`"))
    return value


_ACTIONS: Mapping[str, Action] = {
    "activate": _switch(True),
    "deactivate": _switch(False),
    "dump_jeheap": _heap(JEHEAP),
    "dump_sym_mzfg": _heap(FORMATS["mzfg"]),
    "mem_fg": _heap(FORMATS["html"]),
    "time_fg": _time,
    "memray_capture": _memray,
}
_WITHOUT_HEAP = ("time_fg", "memray_capture")


def _lines(found: Mapping[str, Any]) -> list[str]:
    """Statistics for people: a heading for each group, a line for each number, then the interpreter's own text."""
    lines: list[str] = []
    for group, facts in found.items():
        if group != "details":
            lines += [group, *_facts(facts), ""]
    return [*lines, *str(found.get("details", "")).splitlines(), ""]


def _facts(facts: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, value in facts.items():
        if isinstance(value, list):
            lines += [f"  {name} {number}: {_row(row)}" for number, row in enumerate(value)]
        else:
            lines.append(f"  {name}: {value}")
    return lines


def _row(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())
