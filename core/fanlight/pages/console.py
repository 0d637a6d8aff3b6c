"""The console: its page, its files, and what a login page has to know before anybody is logged in.

The built-in page asks with SQL, over the same endpoint and with the same
rights as everybody; a console elsewhere can stand in its place (`upstream`).
`/api/console/config` is public: it tells nothing but the names of the identity
provider and of the console's own client there.
"""

from __future__ import annotations

import json as json_text
from typing import TYPE_CHECKING

from ..asks import Sleep
from ..http.response import Response, empty, html, json, text
from .document import document, paths, scripted
from .files import static
from .health import POLL_SECONDS
from .upstream import forward

if TYPE_CHECKING:
    from ..http.request import Request

PATIENCE = 30.0
"""Seconds that a stranger may wait for the engine; then it is as if it were gone."""

UNAVAILABLE = text(500, "Adapter client unavailable")
REDIRECT = empty(307, ("location", "/internal-console/"))


async def config(request: Request) -> Response:
    """GET /api/console/config: 200 with three strings, in this order, empty where nothing is set.

    Waits while the condition `engine` of the readiness is pending; 500 when it
    failed, or did not come true in `PATIENCE` seconds.
    """
    if not await _engine(request):
        return UNAVAILABLE
    oidc = request.server.app.oidc
    values = {
        "console_oidc_client_id": oidc.console_client_id if oidc else "",
        "console_oidc_scopes": oidc.console_scopes if oidc else "",
        "oidc_issuer": (oidc.issuer if oidc else None) or "",
    }
    return json(200, json_text.dumps(values, separators=(",", ":")).encode())


async def _engine(request: Request) -> bool:
    readiness = request.server.app.readiness
    left = PATIENCE
    while (state := readiness.states().get("engine")) == "pending" and left > 0 and not request.server.stopping:
        await Sleep(POLL_SECONDS)
        left -= POLL_SECONDS
    return state in (None, "met")


async def redirect(request: Request) -> Response:
    """GET /internal-console: 307 to the path with the slash."""
    return REDIRECT


async def page(request: Request) -> Response:
    """GET /internal-console/: the built-in console, or the one upstream."""
    upstream = request.server.app.settings.console_upstream
    if upstream is not None:
        return await forward(request, upstream)
    body = scripted("Console", served=paths(request), here="/internal-console/")
    # Its own path to the files: a listener may serve the console and no `/static/`.
    whole = document("Console", body, styles=("console",), script="console", static="/internal-console/static")
    return html(200, whole)


async def files(request: Request) -> Response:
    """GET /internal-console/{*path}: upstream's; of the built-in console the files below `static/`, else 404."""
    upstream = request.server.app.settings.console_upstream
    return await (static(request) if upstream is None else forward(request, upstream))
