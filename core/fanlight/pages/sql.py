"""`POST /api/sql`: one session for one request, its results as one JSON document.

The order of checks is fixed: options, session, content type, body, shape,
execution.  The session exists before the body is looked at, and ends with the
request, whatever happens to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..http.body import not_json, read_typed, wrong_shape
from ..http.options import parse_options
from ..http.response import JSON, Refused, Response, SendBody, json, text
from ..sql.batch import request_in, run_request
from ..sql.effects import CloseSession, OpenSession, ReadSpool, Release, SessionRefused, SqlSession, StartEngine
from ..sql.reply import Collector
from ..sql.request import WRONG_SHAPE, SqlRequest
from ..sql.session import Session
from ..sql.system import SystemAccess
from ..sql.variables import Variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..http.request import Request

ENGINE_GONE = text(500, "adapter client missing")


async def sql(request: Request) -> Response:
    """Run the statements of the body and answer with their results.

    A SQL error is an entry of a 200.  Raises `Refused` for what goes wrong
    before anything runs.
    """
    options = parse_options(request.query)
    handle = await open_session(request)
    try:
        body = await _body(request)
        session = Session(handle, Variables(variables_of(request)), request.server.app.sql_result_bytes)
        session.system = system_of(request)
        await session.start(tuple(options.items()))
        return await _answer(session, body)
    finally:
        await end_session(handle)


async def open_session(request: Request) -> SqlSession:
    """A session of the engine for whoever sent `request`; the caller ends it.

    Raises `Refused`: 500 where there is no engine, and what the engine says
    where it opens no session.
    """
    opened = await try_session(request)
    if opened is None:
        raise Refused(ENGINE_GONE)
    if isinstance(opened, SessionRefused):
        raise Refused(json(opened.status, opened.error.json()))
    return opened


async def try_session(request: Request) -> SqlSession | SessionRefused | None:
    """A session for whoever sent `request`, or why there is none; None where there is no engine."""
    identity = request.identity
    if identity is None:
        raise RuntimeError("no identity: the request is not authenticated yet")
    opening = OpenSession(identity, request.listener.open_relations)
    opened = await opening
    if opened is None and await StartEngine():
        opened = await opening
    return opened


async def end_session(handle: SqlSession) -> None:
    """Stop what runs in a session, roll back, close it."""
    if not await Release(handle):
        await CloseSession(handle)


async def _body(request: Request) -> SqlRequest:
    read = await request_in(await read_typed(request))
    if isinstance(read, str):
        raise Refused(not_json(read))
    if read is None:
        raise Refused(wrong_shape(WRONG_SHAPE))
    return read


def variables_of(request: Request) -> Mapping[str, str]:
    """The variables that say something about this server."""
    from .. import __version__

    limit = request.server.app.sql_result_bytes
    return {"fanlight_version": __version__, "max_result_size": "1GB" if limit == 10**9 else f"{limit}B"}


def system_of(request: Request) -> SystemAccess:
    """What whoever sent `request` may do with the system variables."""
    app, identity = request.server.app, request.identity
    privileged = identity is not None and identity.privileged
    sees = privileged or request.listener.open_relations
    return SystemAccess(app.system, app.audit_log, request.user(), privileged, sees)


async def _answer(session: Session, body: SqlRequest) -> Response:
    """Run the request and answer; the spool stays open until it was sent."""
    collector = Collector()
    sending = False
    try:
        refused = await run_request(session, body, collector)
        if refused is not None:
            return text(400, refused)
        whole = collector.whole()
        if whole is not None:
            return json(200, whole)
        sending = True
        return Response(200, (JSON,), lambda: _send(collector))
    finally:
        if not sending:
            await collector.close()


async def _send(collector: Collector) -> None:
    try:
        for part in collector.parts():
            await SendBody(await part if isinstance(part, ReadSpool) else part)
    finally:
        await collector.close()
