"""One request on a session: its texts are read, checked as a whole, and run group by group.

What is checked before anything runs, and what an error stops, differs between
the two forms; that difference is all there is here.
"""

from __future__ import annotations

from attrs import evolve

from ..asks import Sleep
from .effects import CheckSyntax, ReadRequest, ReadScript
from .errors import SqlError, Unreadable, batch_too_large
from .grammar import read_script
from .request import Simple, SqlRequest, read_text
from .session import TURN, Session
from .sink import Sink
from .statements import Prepare, Statement, prepared_body, prohibited, subscribed_query

TEXT_LIMIT = 1_000_000
"""Bytes of one query string."""

# Reading a text costs about half a microsecond a byte: longer ones are a worker's.
_INLINE = 2048
# So much of many short ones is read between two turns of the host's loop; each counts for some characters more.
_READ, _LEAST = 4096, 64

# A megabyte of JSON takes some hundredths of a second, half of one if it is all brackets.
_INLINE_JSON = 16 * 1024
_PIECE = 2048  # statements that are looked through between two turns of the loop

Script = tuple[Statement, ...]


async def request_in(data: bytes | str) -> SqlRequest | str | None:
    """The request that a JSON text is (see `read_text`); long ones are read by a worker."""
    return read_text(data) if len(data) <= _INLINE_JSON else await ReadRequest(data)


async def run_request(session: Session, request: SqlRequest, sink: Sink, *, streams: bool = False) -> str | None:
    """Run a request; its results, errors included, go to `sink`.

    Returns None, or why the request as a whole was refused; then nothing ran.
    `streams` says whether the transport carries SUBSCRIBE.
    """
    if isinstance(request, Simple):
        await _simple(session, request.query, sink, streams=streams)
        return None
    scripts: list[Script | SqlError] = []
    unread = _READ
    for each in request.queries:
        scripts.append(await _single(session, each.query))
        unread -= _LEAST + len(each.query)
        if unread < 0:
            unread = _READ
            await Sleep(0)
    for each, script in zip(request.queries, scripts, strict=True):
        if not isinstance(script, SqlError) and len(script) != 1:
            return f'each query must contain exactly 1 statement, but "{each.query}" contains {len(script)}'
    for index, (each, script) in enumerate(zip(request.queries, scripts, strict=True)):
        if index and not index % TURN:
            await Sleep(0)
        refused = script if isinstance(script, SqlError) else prohibited(script[0], streams=streams)
        if refused is not None:
            await sink.failed(refused, session.take_notices())
            return None
        if not isinstance(script, SqlError) and not await session.run_group([(script[0], each.params)], sink):
            return None
    return None


async def _simple(session: Session, text: str, sink: Sink, *, streams: bool) -> None:
    script = await _read(text)
    if not isinstance(script, SqlError) and len(script) > 1:
        script = await _checked(session, script)
    refused = script if isinstance(script, SqlError) else await _first_prohibited(script, streams=streams)
    if refused is not None:
        await sink.failed(refused, session.take_notices())
    elif not isinstance(script, SqlError):
        await session.run_group([(statement, ()) for statement in script], sink)


async def _single(session: Session, text: str) -> Script | SqlError:
    """One text of the extended form; one that holds several is read to its end, to tell them from bad syntax."""
    script = await _read(text)
    if isinstance(script, SqlError) or len(script) == 1:
        return script
    return await _checked(session, script)


async def _read(text: str) -> Script | SqlError:
    if len(text) > TEXT_LIMIT // 4 and len(text.encode()) > TEXT_LIMIT:
        return batch_too_large(TEXT_LIMIT)
    if len(text) > _INLINE:
        return await ReadScript(text)
    try:
        return read_script(text)
    except Unreadable as refusal:
        return refusal.error


async def _checked(session: Session, script: Script) -> Script | SqlError:
    """The script, or the first syntax error that the engine finds in it."""
    bodies: list[Statement | None] = []
    for start in range(0, len(script), _PIECE):
        if start:
            await Sleep(0)
        bodies += map(_body, script[start : start + _PIECE])
    texts = tuple(body.text for body in bodies if body is not None)
    found = iter(await CheckSyntax(session.handle, texts) if texts else ())
    for body in bodies:
        error = next(found) if body is not None else None
        if error is not None and body is not None:
            offset = body.offset
            known = error.position is not None and offset is not None
            return evolve(error, position=(error.position or 0) + (offset or 0) if known else None)
    return script


def _body(statement: Statement) -> Statement | None:
    """What the engine will have to read of a statement, if anything."""
    if isinstance(statement.action, Prepare):
        statement = prepared_body(statement, statement.action)
    return statement if statement.engine else subscribed_query(statement)


async def _first_prohibited(script: Script, *, streams: bool) -> SqlError | None:
    for at, statement in enumerate(script, 1):
        if not at % _PIECE:
            await Sleep(0)
        refused = prohibited(statement, streams=streams)
        if refused is not None:
            return refused
    return None
