"""`/api/tracing` and the two endpoints that settings have replaced.

What they say is fixed but for the level, which an engine reads from the
process.  Nothing here changes a level.
"""

from __future__ import annotations

from ..http.body import read_json, wrong_shape
from ..http.request import Request
from ..http.response import Refused, Response, json, text
from .effects import ReadLogLevel

_REPLACED = "This endpoint has been replaced. Use the `{}` system variable."
OPENTELEMETRY_REPLACED = text(400, _REPLACED.format("opentelemetry_filter"))
STDERR_REPLACED = text(400, _REPLACED.format("log_filter"))


async def tracing(request: Request) -> Response:
    """`GET /api/tracing`: 200 with the level that the root logger lets through."""
    del request
    level = await ReadLogLevel()
    return json(200, f'{{"current_level_filter":"{level}"}}'.encode())


async def opentelemetry_config(request: Request) -> Response:
    """`PUT /api/opentelemetry/config`: 400, once the body is what it was when this did something."""
    await _check_targets(request)
    return OPENTELEMETRY_REPLACED


async def stderr_config(request: Request) -> Response:
    """`PUT /api/stderr/config`: 400, like `opentelemetry_config`."""
    await _check_targets(request)
    return STDERR_REPLACED


async def _check_targets(request: Request) -> None:
    """Refuse (415, 413, 400, 422) a body that is not `{"targets": "<string>"}`; other members are ignored."""
    body = await read_json(request)
    # The checks stay though nothing is set any more: old clients rely on which mistake gets which
    # status.
    if not isinstance(body, dict):
        raise Refused(wrong_shape("expected an object"))
    if "targets" not in body:
        raise Refused(wrong_shape("missing field `targets`"))
    if not isinstance(body["targets"], str):
        raise Refused(wrong_shape("targets: expected a string"))
