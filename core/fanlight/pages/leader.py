"""`/api/leader/*`: whether this process leads, and the request that it should.

The bodies are fixed to the byte, and those of requests are not read.  What the
answers mean is decided by `leadership`.
"""

from __future__ import annotations

from ..http.request import Request
from ..http.response import Response, empty, json
from ..observe.records import Failure, Report

PROMOTED = json(200, b'{"result":"Success"}')
NOT_PROMOTED = json(400, b'{"result":{"Failure":{"message":"cannot promote leader while initializing"}}}')
SKIPPED = empty(204)
NOT_SKIPPED = json(400, b'{"message":"cannot skip catchup in this phase of initialization; try again later"}')


async def status(request: Request) -> Response:
    """`GET /api/leader/status`: 200 with the state, where catching up is told as initializing."""
    return json(200, f'{{"status":"{request.server.leadership.status}"}}'.encode())


async def promote(request: Request) -> Response:
    """`POST /api/leader/promote`: 200 when it was asked for, now or before; 400 before the process could lead."""
    if request.server.leadership.state == "ReadyToPromote":
        request.server.app.audit("alter", "leadership", {"PromoteV1": {}}, request.user())
    try:
        promoted = request.server.leadership.promote()
    except Exception as error:  # noqa: BLE001 - a watcher of the program's; the promotion stands, and it is that which was asked for
        await Report(Failure("a watcher of the leadership", error))
        promoted = True
    return PROMOTED if promoted else NOT_PROMOTED


async def skip_catchup(request: Request) -> Response:
    """`POST /api/leader/skip-catchup`: 204, or 400 before the process has begun to catch up."""
    leadership = request.server.leadership
    if leadership.state == "CatchingUp" and not leadership.skipped.happened:
        request.server.app.audit("alter", "leadership", {"SkipCatchupV1": {}}, request.user())
    try:
        skipped = leadership.skip_catchup()
    except Exception as error:  # noqa: BLE001 - as above
        await Report(Failure("a watcher of the leadership", error))
        skipped = True
    return SKIPPED if skipped else NOT_SKIPPED
