"""`/.well-known/oauth-protected-resource`: where tokens for this server come from (RFC 9728).

Public, and the same document under three paths.  It is there on listeners whose
kind takes tokens; elsewhere the paths are answered as if they were not there.
The host is the configured one or that of the request, never a forwarding
field's; the issuer comes from the settings, and is shown as it stands there.
"""

from __future__ import annotations

from json import dumps
from typing import TYPE_CHECKING

from ..asks import Sleep
from ..auth.host import NO_HOST, resolve_host
from ..auth.keyring import issuer_problem
from ..http.response import empty, json, text

if TYPE_CHECKING:
    from ..http.request import Request
    from ..http.response import Response

WAIT_SECONDS = 2.0
_POLL_SECONDS = 0.1
_NOT_FOUND = empty(404)
_KEPT = ("cache-control", "private, max-age=3600")


async def protected_resource(request: Request) -> Response:
    """GET: 200 with the document; 404, 400 or 503 (spec auth.md M4)."""
    app, kind = request.server.app, request.listener.listener.authenticator
    if not request.listener.gates.advertises_oauth:
        return _NOT_FOUND
    host = resolve_host(app.settings.http_host_name, request.head.authority)
    if host is None:
        return NO_HOST
    if kind == "Oidc" and not await _ready(request):
        return text(503, "adapter not ready")
    issuer = app.issuer(kind)
    if issuer is None:
        return _NOT_FOUND
    problem = issuer_problem(issuer)
    if problem is not None:
        return text(503, problem)
    document = {
        "resource": f"https://{host}/api/mcp",
        "authorization_servers": [issuer],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["mcp.read"],
    }
    return json(200, dumps(document, separators=(",", ":")).encode(), _KEPT)


async def _ready(request: Request) -> bool:
    """Whether the server is ready, or becomes so within two seconds."""
    readiness = request.server.app.readiness
    for _ in range(int(WAIT_SECONDS / _POLL_SECONDS)):
        if readiness.ready or readiness.failed or request.server.stopping:
            break
        await Sleep(_POLL_SECONDS)
    return readiness.ready
