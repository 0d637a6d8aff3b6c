"""`/internal-console/` in front of another server: its pages, streamed through (operations.md section 9).

Only GET and HEAD go through, with new requests that hold neither the caller's
credentials nor anything that belongs to one connection (`http.forwarding`).  Where requests go is
settled by the settings alone: of the caller's target only what follows the
prefix is used, and the label of a preview build, which is a strict word.  An
engine connects and reads.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ..asks import Effect
from ..auth.cookies import session_values
from ..http.forwarding import LOOP, has_passed, receivable, sendable
from ..http.query import BadQuery, parse_query
from ..http.response import Fields, Refused, Response, SendBody, empty, html
from .document import FORMS, document

if TYPE_CHECKING:
    from ..config.settings import Settings
    from ..http.request import Request

PREFIX = "/internal-console"
PARAMETER = "preview_build"
COOKIE = "mz_console_preview_build"

_LABEL = re.compile(r"console-git-[a-z0-9-]{0,50}[a-z0-9]")
"""The name of a preview build: with its prefix at most 63 characters, as the label of a host name."""
_ATTRIBUTES = "Path=/internal-console; Secure; HttpOnly; SameSite=Lax"
_UNREACHABLE = empty(400)
_NO_PREVIEW = empty(405, ("allow", "GET,HEAD"))

_CONFIRM = """<main><h1>Preview build</h1>
<p>This browser will be shown the console's build <code>{label}</code> instead of the usual one, for a day.</p>
<form method="post"><button type="submit">Use this build</button></form></main>"""
_FAILED = """<main><h1>The preview build cannot be reached</h1>
<p>Nobody answers for <code>{label}</code>. <a href="?{parameter}=">Go back to the usual console</a></p></main>"""


@frozen
class Upstream:
    """A response that has begun: its head, and `handle`, by which the engine knows the rest."""

    status: int
    fields: Fields
    handle: Any = field(repr=False)


@frozen(eq=False)
class OpenUpstream(Effect["Upstream | None"]):
    """Send a request without a body to `url` (http or https) and wait for the response head; None: nobody answered."""

    method: str
    url: str
    fields: Fields


@frozen
class ReadUpstream(Effect["bytes | None"]):
    """Some more of the body, b"" at its end, None when it broke off."""

    handle: Any = field(repr=False)


@frozen
class CloseUpstream(Effect[None]):
    """Let go of a response, read or not.  Doing it twice is fine."""

    handle: Any = field(repr=False)


async def forward(request: Request, upstream: str) -> Response:
    """GET below `/internal-console/` where an upstream is configured: its answer, or what to do with a preview build.

    Nobody answers: 400, empty; for a preview build 502 and a page that leads
    back.  508 for a request that has come through here before.
    """
    settings = request.server.app.settings
    if settings.console_preview_suffix is not None:
        wanted = _wanted(request)
        if wanted is not None:
            return _confirm(request, wanted)
    label = _chosen(request, settings)
    base = upstream.removesuffix("/") if label is None else f"https://{label}.{settings.console_preview_suffix}"
    rest = request.path.removeprefix(PREFIX) + (f"?{request.query}" if request.query else "")
    if has_passed(request):
        return LOOP
    opened = await OpenUpstream(request.method, base + rest, sendable(request))
    fields = receivable(opened.fields) if opened is not None else None
    if opened is None or fields is None:
        return _UNREACHABLE if label is None else _failure(label)
    if opened.status in (204, 304):
        await CloseUpstream(opened.handle)
        return empty(opened.status, *(pair for pair in fields if pair[0] != "content-length"))
    if request.method == "HEAD":
        # Its head says how long the body would be, so it may not look like one without a body.
        await CloseUpstream(opened.handle)
    return Response(opened.status, fields, lambda: _relay(opened.handle))


async def choose(request: Request) -> Response:
    """POST below `/internal-console/`: choose a preview build, or none; 405 where there are none."""
    if request.server.app.settings.console_preview_suffix is None:
        return _NO_PREVIEW
    wanted = _wanted(request)
    if wanted is None:
        return _NO_PREVIEW
    if wanted and not is_label(wanted):
        return _UNREACHABLE
    return _go_on(request, wanted)


def is_label(text: str) -> bool:
    """Whether `text` is the name of a preview build: one label of a host name that begins `console-git-`."""
    return _LABEL.fullmatch(text) is not None


async def _relay(handle: Any) -> None:
    """The body, as fast as the client takes it; one that breaks off there breaks off here, and is no bug of ours."""
    try:
        while data := await ReadUpstream(handle):
            await SendBody(data)
        if data is None:
            raise Refused(_UNREACHABLE)
    finally:
        await CloseUpstream(handle)


def _wanted(request: Request) -> str | None:
    """The parameter `preview_build`; None for a query without it, or one that cannot be read."""
    try:
        return parse_query(request.query, (PARAMETER,)).get(PARAMETER)
    except BadQuery:
        return None


def _chosen(request: Request, settings: Settings) -> str | None:
    """The label in the cookie; one that is none is ignored."""
    if settings.console_preview_suffix is None:
        return None
    return next(filter(is_label, session_values(request.head, COOKIE)), None)


def _confirm(request: Request, wanted: str) -> Response:
    """A page that asks: following a link alone changes nothing, but for going back."""
    if not wanted:
        return _go_on(request, wanted)
    if not is_label(wanted):
        return _UNREACHABLE
    return html(200, document("Preview build", _CONFIRM.format(label=escape(wanted))), FORMS)


def _failure(label: str) -> Response:
    body = _FAILED.format(label=escape(label), parameter=PARAMETER)
    return html(502, document("Preview build", body))


def _go_on(request: Request, label: str) -> Response:
    """303 to the same place without the parameter, with the cookie set or, for no label, cleared."""
    kept = [part for part in request.query.split("&") if part.partition("=")[0] != PARAMETER]
    query = "&".join(kept)
    location = request.path + (f"?{query}" if query else "")
    age = 86_400 if label else 0
    cookie = f"{COOKIE}={label}; Max-Age={age}; {_ATTRIBUTES}"
    return empty(303, ("location", location), ("set-cookie", cookie))
