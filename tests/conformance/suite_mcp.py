"""Plays the MCP cases: format in `cases/README-mcp.md`."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from ..clients.messages import Answer, Outgoing
from . import controls, prom
from .match_mcp import ABSENT, match
from .model import Case, Json, Mismatch, Skipped, agree, require, short
from .reach import built
from .stage import Talk, Target, World, staged

_META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
_ACCEPT = "application/json, text/event-stream"
VARIABLES = {"cluster": "default", "sys.rel": "process.threads", "sys.schema": "process", "server": "fanlight"}


def expanded(value: Json, variables: Mapping[str, str]) -> Json:
    """`value` with `{{name}}`, `$repeat` and `$concat` worked out."""
    if isinstance(value, str):
        for name, text in variables.items():
            value = value.replace("{{" + name + "}}", text)
        return value
    if isinstance(value, list):
        return [expanded(each, variables) for each in value]
    if isinstance(value, dict):
        if set(value) == {"$repeat"}:
            text, count = value["$repeat"]
            return expanded(text, variables) * count
        if set(value) == {"$concat"}:
            return "".join(expanded(each, variables) for each in value["$concat"])
        return {name: expanded(each, variables) for name, each in value.items()}
    return value


def _modern(body: dict[str, Json], fields: list[tuple[str, str]]) -> None:
    """What `"modern": true` adds to the body and to the fields, unless given."""
    params = body.setdefault("params", {})
    params.setdefault("_meta", dict(_META))
    added = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": body.get("method")}
    added["Mcp-Name"] = params.get("name", params.get("uri"))
    given = {name.lower() for name, _ in fields}
    fields += [(name, value) for name, value in added.items() if value is not None and name.lower() not in given]


def request_of(step: Mapping[str, Json], authority: str, variables: Mapping[str, str]) -> Outgoing:
    """The HTTP request of a step."""
    request = expanded(step.get("request", {}), variables)
    fields = [(name, value) for name, value in request.get("headers", [])]
    data = b""
    if "json" in request:
        if request.get("modern"):
            _modern(request["json"], fields)
        data = json.dumps(request["json"], ensure_ascii=False, separators=(",", ":")).encode()
    elif "body" in request:
        data = request["body"].encode()
    if "json" in request or "body" in request:
        implied = [("accept", _ACCEPT)]
        implied += [] if request.get("no_content_type") else [("content-type", "application/json")]
        given = {name.lower() for name, _ in fields}
        fields += [(name, value) for name, value in implied if name not in given]
    if "basic" in request.get("auth", {}):
        fields.append(
            ("authorization", "Basic " + base64.b64encode(":".join(request["auth"]["basic"]).encode()).decode())
        )
    elif "bearer" in request.get("auth", {}):
        fields.append(("authorization", "Bearer " + request["auth"]["bearer"]))
    target = step["path"] if "path" in step else f"/api/mcp/{step['endpoint']}"
    target += "?" + request["query"] if "query" in request else ""
    return Outgoing(
        method=request.get("method", "POST"), target=target, fields=tuple(fields), body=data, authority=authority
    )


def check(expected: Mapping[str, Json], answer: Answer, seconds: float) -> str | None:
    """Why the answer is not as expected, or None."""
    statuses = expected.get("status", answer.status)
    if answer.status not in (statuses if isinstance(statuses, list) else [statuses]):
        return f"status {answer.status}, expected {statuses}; body {short(answer.body)}"
    for name, matcher in expected.get("headers", {}).items():
        value = answer.get(name)
        why = match(matcher, ABSENT if value is None else value, f"header {name}")
        if why:
            return why
    if expected.get("empty") and answer.body:
        return f"body {short(answer.body)}, expected none"
    if seconds * 1000 > expected.get("max_ms", float("inf")):
        return f"took {seconds * 1000:.0f} ms, at most {expected['max_ms']}"
    if "body" in expected:
        return match(expected["body"], answer.text(), "body")
    if "json" in expected:
        if (answer.get("content-type") or "").partition(";")[0] != "application/json":
            return f"content type {answer.get('content-type')}"
        return match(expected["json"], json.loads(answer.body), "body")
    return None


def _step(talk: Talk, step: Mapping[str, Json], variables: Mapping[str, str]) -> None:
    if "set_flag" in step:
        name, value = step["set_flag"]
        if name not in controls.VARIABLES:
            raise Skipped(f"not built yet: the variable {name}")
        controls.set_variable(talk.stage.app, name, value)
        return
    request = request_of(step, talk.authority(), variables)
    started = talk.start(request)
    before = started.http.wire.clock()
    answer = started.http.answer(started.stream)
    seconds = started.http.wire.clock() - before
    wanted = expanded(step["expect"], variables)
    reasons = [check(each, answer, seconds) for each in (wanted if isinstance(wanted, list) else [wanted])]
    agree(None if None in reasons else "; or ".join(why for why in reasons if why))


def _totals(talk: Talk, deltas: list[Mapping[str, Json]]) -> list[float]:
    if not deltas:
        return []
    shown = prom.read(talk.exchange(Outgoing(target="/metrics", authority=talk.authority())))
    return [sum(sample.value for sample in shown.samples(each["name"], each["labels"])) for each in deltas]


def play(case: Case, version: str, target: Target) -> None:
    """Play `case` over `version`; raises `Mismatch` with the step, or `Skipped`."""
    with staged(target, World(), version) as (stage, talk):
        if not built(stage.app, "/api/mcp/agent"):
            raise Skipped("not built yet: MCP")
        deltas = case.data.get("metrics_delta", [])
        before = _totals(talk, deltas)
        for index, step in enumerate(case.data["steps"]):
            try:
                _step(talk, step, VARIABLES)
            except Mismatch as mismatch:
                raise Mismatch(mismatch.reason, f"step {index + 1}") from None
        for wanted, earlier, later in zip(deltas, before, _totals(talk, deltas), strict=True):
            grown, expected = later - earlier, wanted["delta"]
            require(grown == expected, f"{wanted['name']} grew by {grown}, expected {expected}", "metrics")
