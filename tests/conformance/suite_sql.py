"""Plays the SQL cases: format in `cases/README-sql.md`.  The WebSocket steps are in `sql_socket`."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from urllib.parse import quote

from ..clients.messages import Answer, Outgoing
from . import sql_socket
from .match_sql import match
from .model import Case, Json, Mismatch, Skipped, agree, require, short
from .stage import Listening, Stage, Talk, Target, World, retried, staged

PATH = "/api/sql"
CREDENTIALS = ("ada", "lovelace-1843")

LACKING = {
    "duckdb": {
        "notice:exists": "DuckDB gives no notice when a thing exists already",
        "engine:postgres": "the case is for PostgreSQL",
        "engine:materialize": "the case is for Materialize",
    }
}
"""What an engine cannot do at all."""


def check_requirements(case: Case, engine: str) -> None:
    """Raise `Skipped` for the first requirement that is not met."""
    for token in case.data["requires"]:
        if token in LACKING[engine]:
            raise Skipped(LACKING[engine][token])


def _body(request: Mapping[str, Json]) -> bytes:
    if "json" in request:
        return json.dumps(request["json"], ensure_ascii=False).encode()
    if "body_hex" in request:
        return bytes.fromhex(request["body_hex"])
    if "body_fill" in request:
        return filled(request["body_fill"]).encode()
    return str(request.get("body", "")).encode()


def filled(fill: Mapping[str, Json]) -> str:
    """`head`, then `fill` as often as it takes, then `tail`: `total` characters (all ASCII)."""
    head, character, tail, total = str(fill["head"]), str(fill["fill"]), str(fill["tail"]), int(fill["total"])
    return head + character * (total - len(head) - len(tail)) + tail


def request_of(request: Mapping[str, Json], authority: str, credentials: tuple[str, str] | None = None) -> Outgoing:
    """The HTTP request of a `post` step; `credentials` are those of the case's listener."""
    method = request.get("method", "POST")
    fields = list(request.get("headers", {"content-type": "application/json"} if "json" in request else {}).items())
    default = {"user": credentials[0], "password": credentials[1]} if credentials else None
    auth = request.get("auth", default)
    if auth:
        pair = f"{auth['user']}:{auth['password']}".encode()
        fields.append(("authorization", "Basic " + base64.b64encode(pair).decode()))
    query = request.get("query_string")
    if "options" in request:
        query = "options=" + quote(json.dumps(request["options"]), safe="")
    target = PATH if query is None else f"{PATH}?{query}"
    body = _body(request) if method == "POST" else b""
    chunked = bool(request.get("chunked"))
    return Outgoing(method=method, target=target, fields=tuple(fields), body=body, chunked=chunked, authority=authority)


_POST = {"json", "body", "body_hex", "body_fill", "headers", "method", "options", "query_string", "chunked"}
_KNOWN = _POST | {"http", "auth", "abort_after", "await_idle"}


def check(expected: Mapping[str, Json], answer: Answer) -> None:
    """Compare an answer with the expectation of a `post` step; raises `Mismatch`."""
    require(answer.ended, f"no whole answer: {answer.broken or 'nothing in time'}")
    seen: dict[str, Json] = {"status": answer.status, "content_type": answer.get("content-type")}
    if "headers" in expected:
        seen["headers"] = {name: answer.get(name) for name in expected["headers"] if answer.get(name) is not None}
    for name in ("text", "raw_body", "json"):
        if name in expected:
            try:
                seen[name] = json.loads(answer.body) if name == "json" else answer.text()
            except ValueError as error:
                raise Mismatch(f"body is no {name}: {error}: {short(answer.body)}") from None
    unknown = expected.keys() - seen.keys()
    require(not unknown, f"the case expects something unknown: {sorted(unknown)}")
    for name, matcher in expected.items():
        why = match(matcher, seen[name], name)
        agree(why and f"{why}; status {answer.status}, body {short(answer.body)}")


def post(
    talk: Talk,
    request: Mapping[str, Json],
    expected: Mapping[str, Json],
    credentials: tuple[str, str] | None = None,
) -> None:
    """One step of a `post` case."""
    unknown = request.keys() - _KNOWN
    require(not unknown, f"the case uses unknown members {sorted(unknown)}")
    if "await_idle" in request:
        idle(talk.stage, request["await_idle"])
        require(expected == {"idle": True}, f"the case expects {expected}")
        return
    outgoing = request_of(request, talk.authority(), credentials)
    version = request.get("http")
    if "abort_after" in request:
        started = talk.start(outgoing, version=version)
        answer = started.http.answer(started.stream, request["abort_after"])
        started.http.wire.abort()
        require(not answer.done, f"answered {answer.status} before it was to be dropped")
        require(expected == {"aborted": True}, f"the case expects {expected}")
        return
    check(expected, talk.exchange(outgoing, version=version))


def idle(stage: Stage, seconds: float) -> None:
    """Wait until no statement runs, at most `seconds`."""

    def attempt() -> Exception | None:
        running = stage.statements()
        return Mismatch(f"{running} statements still run") if running else None

    retried(attempt, stage, seconds)


def credentials_of(case: Case) -> tuple[str, str] | None:
    """What the steps of `case` prove themselves with; None on a listener that asks for nothing."""
    return CREDENTIALS if "auth:password" in case.data["requires"] else None


def world_of(case: Case) -> World:
    """A fresh database that everybody may write to, behind a listener of kind None or Password."""
    requires = set(case.data["requires"])
    credentials = credentials_of(case)
    listening = Listening(kind="Password" if credentials else "None")
    users = {credentials[0]: {"password": credentials[1]}} if credentials else {}
    limit = 1024 * 1024 if "limits:result-1mib" in requires else None
    connections = 1 if "limits:one-connection" in requires else None
    return World(listeners=(listening,), users=users, result_limit=limit, connections=connections)


def play(case: Case, version: str, target: Target, engine: str = "duckdb") -> None:
    """Play `case`; raises `Mismatch` with the step, or `Skipped`."""
    check_requirements(case, engine)
    with staged(target, world_of(case), version) as (_, talk):
        _play(case, talk)


def _play(case: Case, talk: Talk) -> None:
    if case.data["transport"] == "ws":
        sql_socket.play(case, talk)
        return
    for index, (request, expected) in enumerate(zip(case.data["requests"], case.data["expect"], strict=True)):
        try:
            post(talk, request, expected, credentials_of(case))
        except Mismatch as mismatch:
            raise Mismatch(mismatch.reason, f"step {index + 1}") from None
