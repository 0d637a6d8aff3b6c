"""The probes: alive, and ready.  They ask no engine, so they answer while one hangs."""

from __future__ import annotations

from ..asks import Sleep
from ..http.query import bad_query, read_query
from ..http.request import Request
from ..http.response import Refused, Response, text

ALIVE = text(200, "Liveness check successful!")
READY = text(200, "ready")
NOT_READY = text(503, "not ready")

POLL_SECONDS = 0.05
"""How late a waiting probe may be; conditions are set from any thread and wake nobody."""


async def livez(request: Request) -> Response:
    """GET /api/livez: 200, always."""
    return ALIVE


async def readyz(request: Request) -> Response:
    """GET /api/readyz: 200 `ready` or 503 `not ready`.

    `wait=true` waits, with no limit of its own, until the server is ready; it
    ends with 503 when it never can be or when the server stops.
    """
    readiness = request.server.app.readiness
    wait = _wait(request)
    while wait and not readiness.ready and not readiness.failed and not request.server.stopping:
        await Sleep(POLL_SECONDS)
    return READY if readiness.ready else NOT_READY


def _wait(request: Request) -> bool:
    """Whether the query asks to wait; 400 for another value than `true` or `false`."""
    value = read_query(request, "wait").get("wait", "false")
    if value not in ("true", "false"):
        raise Refused(bad_query("wait: provided string was not `true` or `false`"))
    return value == "true"
