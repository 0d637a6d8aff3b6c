"""The `post` cases of the SQL suite, over the handler and the real engine, without a connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from fanlight.app import App
from tests.conformance.match_sql import match
from tests.engines.duckdb_driving import post

engine_module = pytest.importorskip("fanlight_engines.duckdb.engine")

CASES = Path(__file__).parents[1] / "conformance" / "cases" / "sql.jsonl"

# What needs a connection, a listener or another engine; the runner over cores and sockets has those.
ELSEWHERE = {"auth:password", "http2", "hook:active_statements", "engine:postgres", "notice:exists"}


def _cases() -> list[Any]:
    cases = [json.loads(line) for line in CASES.read_text().splitlines()]
    chosen = [case for case in cases if case["transport"] == "post" and not ELSEWHERE & set(case["requires"])]
    return [pytest.param(case, id=case["name"]) for case in chosen if "method" not in case["requests"][0]]


def _body(step: Mapping[str, Any]) -> bytes:
    if "json" in step:
        return json.dumps(step["json"]).encode()
    if "body_hex" in step:
        return bytes.fromhex(step["body_hex"])
    if "body_fill" in step:
        fill = step["body_fill"]
        count = fill["total"] - len(fill["head"]) - len(fill["tail"])
        return b"".join([fill["head"].encode(), fill["fill"].encode() * count, fill["tail"].encode()])
    body: str = step.get("body", "")
    return body.encode()


def _fields(step: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    given = step.get("headers", {"content-type": "application/json"} if "json" in step else {})
    return tuple((name.lower(), value) for name, value in given.items())


@pytest.mark.parametrize("case", _cases())
def test_case(case: dict[str, Any]) -> None:
    app = App(sql_writers="everybody")
    if "limits:result-1mib" in case["requires"]:
        app.sql_result_bytes = 1024 * 1024
    engine = engine_module.DuckDbEngine(app)
    try:
        for step, expected in zip(case["requests"], case["expect"], strict=True):
            query = step.get("query_string", "")
            if "options" in step:
                query = "options=" + quote(json.dumps(step["options"]), safe="")
            response, body = post(engine, app, _body(step), fields=_fields(step), query=query)
            seen: dict[str, Any] = {
                "status": response.status,
                "content_type": dict(response.fields).get("content-type"),
                "text": body.decode(),
                "raw_body": body.decode(),
            }
            if "json" in expected:
                seen["json"] = json.loads(body)
            for name, matcher in expected.items():
                assert match(matcher, seen[name], name) is None, body[:600]
    finally:
        engine.close()
