"""The probes: alive, and ready.  They ask no engine for anything but the program's own checks."""

from __future__ import annotations

from ..asks import Sleep
from ..http.query import bad_query, read_query
from ..http.request import Request
from ..http.response import Refused, Response, text
from ..server import Server

ALIVE = text(200, "Liveness check successful!")
STUCK = text(503, "event loop unresponsive")
READY = text(200, "ready")
NOT_READY = text(503, "not ready")

POLL_SECONDS = 0.05
"""How late a waiting probe may be; conditions are set from any thread and wake nobody."""


async def livez(request: Request) -> Response:
    """GET /api/livez: 200; 503 while an event loop that the program has watched takes no turns."""
    return STUCK if request.server.app.liveness.stuck else ALIVE


async def readyz(request: Request) -> Response:
    """GET /api/readyz: 200 `ready` or 503 `not ready`; why not is in the log.

    `wait=true` waits, with no limit of its own, until the server is ready; it
    ends with 503 when it never can be or when the server stops.
    """
    server = request.server
    wait = _wait(request)
    while not (ready := await _ready(server)) and wait and not server.hopeless:
        await Sleep(POLL_SECONDS)
    return READY if ready else NOT_READY


async def _ready(server: Server) -> bool:
    """Every condition is met and every check passes: asked one after another until one does not."""
    if not server.ready:
        return False
    for check in server.app.readiness.checks:
        if not await check.passes():
            return False
    return server.ready  # it may have been withdrawn while the checks were at work


def _wait(request: Request) -> bool:
    """Whether the query asks to wait; 400 for another value than `true` or `false`."""
    value = read_query(request, "wait").get("wait", "false")
    if value not in ("true", "false"):
        raise Refused(bad_query("wait: provided string was not `true` or `false`"))
    return value == "true"
