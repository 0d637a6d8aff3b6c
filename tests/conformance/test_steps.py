"""The steps whose pages are not built yet, played against a small model of those pages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from fanlight import App, Listener, Request, Response, Route
from fanlight.auth.identity import Identity
from fanlight.config.listeners import ALL_GROUPS
from fanlight.http.response import json as json_response
from fanlight.http.response import text
from fanlight.http.websocket import AcceptWebSocket, CloseWebSocket, NextMessage, PeerClosed, SendMessage
from tests.clients.wires import Wire
from tests.conformance import suite_auth, suite_mcp, suite_operations, suite_sql, targets
from tests.conformance.model import Case, Mismatch, load, suite_of
from tests.conformance.stage import Stage, World
from tests.sim import Sim

CASES = Path(__file__).parent / "cases"
READY = {"type": "ReadyForQuery", "payload": "I"}
STARTUP = (
    {"type": "ParameterStatus", "payload": {"name": "application_name", "value": "model"}},
    {"type": "BackendKeyData", "payload": {"conn_id": 7, "secret_key": 8}},
    READY,
)


async def model_socket(request: Request) -> None:
    """Greets, then answers each request with its own text and ReadyForQuery; `boo` is a reason to close."""
    del request
    await AcceptWebSocket(limit=1_000_000)
    first = await NextMessage()
    if first == '{"token": 5}':
        await CloseWebSocket(1002, "unauthorized")
        return
    for message in STARTUP:
        await SendMessage(json.dumps(message))
    while not isinstance(asked := await NextMessage(), PeerClosed):
        shown = asked if isinstance(asked, str) else asked.decode()
        await SendMessage(json.dumps({"type": "Row", "payload": [shown]}))
        await SendMessage(json.dumps(READY))


async def model_sql(request: Request) -> Response:
    """`POST /api/sql`: the body comes back."""
    return json_response(200, await request.body())


async def model_mcp(request: Request) -> Response:
    """`POST /api/mcp/agent`: the body, and the fields that the runner adds."""
    body = json.loads(await request.body() or b"null")
    if body is None:
        return text(202, "")
    seen = {name: request.field(name) for name in ("mcp-method", "mcp-name", "accept", "content-type")}
    return json_response(200, json.dumps({"body": body, "fields": seen}).encode())


ROUTES = (
    Route("GET", "/api/experimental/sql", "metrics", model_socket, websocket=True),
    Route("POST", "/api/sql", "metrics", model_sql),
    Route("POST", "/api/mcp/agent", "metrics", model_mcp),
)


class ModelStage:
    """The model pages in memory."""

    def __init__(self) -> None:
        self.app = App(listeners=[Listener(groups=ALL_GROUPS)], routes=ROUTES, pages=False)
        self.sim = Sim(self.app)
        self.server = self.sim.server
        self.performed: Counter[str] = Counter()
        self.identities: list[Identity] = []
        self.notes: list[Any] = self.sim.notes

    def connect(self, listener: str, version: str = "1.1") -> Wire:
        return self.sim.connect(listener)

    def authority(self, listener: str) -> str:
        del listener
        return "127.0.0.1:6876"

    def statements(self) -> int:
        return 0

    def sleep(self, seconds: float) -> None:
        self.sim.advance(seconds)

    def wall(self) -> float:
        return self.sim.now.wall

    def jump(self, seconds: float) -> None:
        self.sim.advance(seconds)

    def stop(self) -> None:
        for wire in self.sim.wires:
            wire.abort()


class ModelTarget:
    """A target that always has the model."""

    name = "model"

    def start(self, world: World) -> Stage:
        del world
        return ModelStage()

    def close(self) -> None:
        return


def play(requests: list[Mapping[str, Any]], expect: list[Mapping[str, Any]], version: str = "1.1") -> None:
    """Play a `ws` case against the model."""
    data = {"transport": "ws", "requires": [], "requests": requests, "expect": expect, "name": "x", "feature": "x"}
    suite_sql.play(Case(suite_of(data), "x", data), version, ModelTarget())


def row(told: str) -> dict[str, Any]:
    """What the model answers to that text."""
    return {"batch": [{"type": "Row", "payload": [told]}, READY]}


GOOD: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = [
    ({"send": {"query": "a"}}, row('{"query": "a"}')),
    ({"send_text": "abc", "fragments": 3}, row("abc")),
    ({"send_text": "", "frame": "binary"}, row("")),
    ({"send_hex": "616263"}, row("abc")),
    (
        {"send_fill": {"head": "<", "fill": "-", "tail": ">", "total": 70_000}},
        {"batch": [{"$has": {"type": "Row"}}, READY]},
    ),
    ({"send": {"query": "${conn_id}"}}, row('{"query": "7"}')),
    ({"send_many": [1, 2]}, {"batches": [row("1")["batch"], row("2")["batch"]]}),
    ({"send": 1, "nowait": True}, {}),
    ({"read": True}, {"stream": [{"type": "Row", "payload": ["1"]}]}),
    ({"ping": "6869"}, {}),
    ({"quiet": 0.5}, {"quiet": True}),
    ({"sleep": 1}, {}),
    ({"post": {"json": {"a": "${conn_id}"}}}, {"status": 200, "json": {"a": "7"}}),
    ({"await_idle": 1}, {"idle": True}),
    ({"count_pings": 1}, {"pings_min": 0}),
    ({"close": {"code": 1000}}, {"close": {"code": 1000}}),
]


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize(("step", "expected"), GOOD, ids=lambda value: next(iter(value), "nothing"))
def test_a_step_that_holds(step: Mapping[str, Any], expected: Mapping[str, Any], version: str) -> None:
    if "read" in step:
        play([{"send": 1, "nowait": True}, step], [{}, expected], version)
    else:
        play([step], [expected], version)


@pytest.mark.parametrize(
    ("steps", "expected", "why"),
    [
        ([{"send": 1}], [row("2")], "expected '2'"),
        ([{"send": 1}], [{"stream": [{"type": "Row", "payload": ["2"]}]}], "no message in time"),
        ([{"send": 1}], [{"close": {"code": 1000}}], "stays open"),
        ([{"send": 1, "nowait": True}, {"quiet": 1}], [{}, {"quiet": True}], "not quiet"),
        ([{"ping": "61"}], [{"pong": "62"}], "instead of the Pong"),
        ([{"count_pings": 1}], [{"pings_min": 1}], "0 pings"),
        ([{"close": {"code": 1000}}], [{"close": {"code": 1001}}], "expected 1001"),
        ([{"abort": True}, {"send": 1}], [{}, row("1")], "no open WebSocket"),
        ([{"auth": {"user": "u"}}], [{"startup": {"parameters": {"zone": "x"}}}], "zone: missing"),
        ([{"auth": {"user": "u"}}], [{"close": {"code": 1002}}], "stays open"),
        ([{"open": {"headers": {"sec-websocket-version": "8"}}}], [{"handshake": 101}], "got 400"),
        ([{"post": {"json": 1}}], [{"status": 201}], "expected 201"),
        ([{"unheard": 1}], [{}], "unknown step"),
        ([{"send": 1}], [{"unheard": 1}], "unknown"),
    ],
)
def test_a_step_that_does_not_hold(steps: list[Any], expected: list[Any], why: str) -> None:
    with pytest.raises(Mismatch, match=why):
        play(steps, expected)


def test_first_messages() -> None:
    play([{"auth": {"user": "u"}, "then_send": [1]}], [{"startup": {"parameters": {"application_name": "model"}}}])
    play([{"auth_text": '{"token": 5}'}], [{"close": {"code": 1002, "reason": "unauthorized"}}])
    play([{"open": {}}, {"auth": {}}], [{"handshake": 101}, {"startup": {}}])
    play([{"second_socket": {"auth": {}}}], [{"startup": {}}])


@pytest.mark.parametrize(
    ("given", "status"),
    [({}, 101), ({"drop": ["upgrade"]}, 400), ({"headers": {"upgrade": "WebSocket"}}, 101), ({"method": "POST"}, 405)],
)
def test_handshakes(given: Mapping[str, Any], status: int) -> None:
    play([{"open": given}], [{"handshake": status}])


def mcp(steps: list[Mapping[str, Any]], version: str = "1.1") -> None:
    """Play an MCP case against the model."""
    data = {"id": "x", "profile": "fl", "config": "base", "steps": steps}
    suite_mcp.play(Case(suite_of(data), "x", data), version, ModelTarget())


def test_mcp_steps() -> None:
    body = {"method": "tools/call", "params": {"name": "{{cluster}}"}}
    fields = {"mcp-method": "tools/call", "mcp-name": "default", "content-type": "application/json"}
    wanted = {"body": {"params": {"name": "default", "_meta": {"$present": True}}}, "fields": fields}
    good = {"status": [200, 201], "json": wanted, "headers": {"etag": {"$absent": True}}, "max_ms": 1000}
    step = {"endpoint": "agent", "request": {"json": body, "modern": True}, "expect": [{"status": 404}, good]}
    mcp([step, {"path": "/api/mcp/agent", "expect": {"status": 202, "empty": True}}])
    with pytest.raises(Mismatch, match="status 200, expected 404"):
        mcp([{**step, "expect": {"status": 404}}])
    with pytest.raises(Mismatch, match="mcp-name"):
        mcp([{**step, "expect": {"json": {"fields": {"mcp-name": "other"}}}}])


def test_a_replica_that_comes_while_it_runs() -> None:
    replica = {
        "cluster_id": "u5",
        "cluster_name": "late",
        "replica_id": "u6",
        "replica_name": "r",
        "processes": ["echo"],
    }
    links = {"text": {"contains_all": ["/api/cluster/u5/replica/u6/process/0/"]}}
    steps = [
        {"op": "control", "verb": "replica_add", **replica},
        {"op": "http", "path": "/clusters", "expect": {"status": 200, "body": links}},
    ]
    case = Case("operations", "x", {"id": "x", "area": "x", "server": {}, "steps": steps})
    suite_operations.play(case, "1.1", targets.make("core", "duckdb:"))


def test_a_flow_changes_its_world() -> None:
    """What a step replaces holds from then on, and in no other case."""
    case = next(case for case in load(CASES / "auth.jsonl") if case.name == "flow-oidc-issuer-switch-old-token-refused")
    world, steps = case.data["world"], case.data["steps"]
    before = json.dumps(world)
    down = [{"set_world": {"http": []}}, {"set_world": {"oidc": {**world["oidc"], "issuer": "https://third.test"}}}]
    refused = {"status": 401, "body": "failed to fetch OIDC provider configuration"}
    last = [*down, {"request": steps[0]["request"], "expect": refused}]
    suite_auth.play(evolve(case, data={**case.data, "steps": [*steps, *last]}), "1.1", targets.make("core", "duckdb:"))
    assert json.dumps(world) == before
    odd = evolve(case, data={**case.data, "steps": [{"set_world": {"moon": 1}}]})
    with pytest.raises(Mismatch, match="something unknown"):
        suite_auth.play(odd, "1.1", targets.make("core", "duckdb:"))
