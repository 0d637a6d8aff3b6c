"""`/api/tracing` and the endpoints that settings have replaced, through the whole core."""

from __future__ import annotations

import pytest

from fanlight.app import App
from fanlight.http.router import Route
from fanlight.pages import tracing
from fanlight.pages.effects import ReadLogLevel
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.sim import Sim, table

ROUTES = (
    Route("GET", "/api/tracing", "internal", tracing.tracing),
    Route("PUT", "/api/opentelemetry/config", "internal", tracing.opentelemetry_config),
    Route("PUT", "/api/stderr/config", "internal", tracing.stderr_config),
)
PATHS = {"/api/opentelemetry/config": "opentelemetry_filter", "/api/stderr/config": "log_filter"}


@pytest.fixture(params=["1.1", "2"])
def client(request: pytest.FixtureRequest) -> HttpConnection:
    sim = Sim(App(pages=False, routes=ROUTES), answering=table({ReadLogLevel: "debug"}))
    return HttpConnection(sim.connect(), request.param)


def put(client: HttpConnection, path: str, body: bytes, *kind: str) -> Answer:
    fields = tuple(("content-type", value) for value in kind)
    return client.exchange(Outgoing(method="PUT", target=path, body=body, fields=fields))


def test_the_level_is_told(client: HttpConnection) -> None:
    answer = client.exchange(Outgoing(target="/api/tracing"))
    assert answer.status == 200
    assert answer.body == b'{"current_level_filter":"debug"}'
    assert ("content-type", "application/json") in answer.fields


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b'{"targets":"debug"}', b' {"x":[],"targets":""} '])
@pytest.mark.parametrize("kind", ["application/json", "application/vnd.x+json; charset=utf-8"])
def test_what_was_replaced_says_by_what(client: HttpConnection, path: str, body: bytes, kind: str) -> None:
    answer = put(client, path, body, kind)
    assert answer.status == 400
    assert ("content-type", "text/plain; charset=utf-8") in answer.fields
    text = f"This endpoint has been replaced. Use the `{PATHS[path]}` system variable."
    assert answer.body.decode() == text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "kind", "status", "prefix"),
    [
        (b"{}", (), 415, "Expected request with `Content-Type: application/json`"),
        (b'{"targets":"x"}', ("text/plain",), 415, "Expected request with `Content-Type: application/json`"),
        (b"{", ("application/json",), 400, "Failed to parse the request body as JSON: "),
        (b"", ("application/json",), 400, "Failed to parse the request body as JSON: "),
        (b'{"x":1}', ("application/json",), 422, "Failed to deserialize the JSON body into the target type: "),
        (b'{"targets":1}', ("application/json",), 422, "Failed to deserialize the JSON body into the target type: "),
        (b'["targets"]', ("application/json",), 422, "Failed to deserialize the JSON body into the target type: "),
    ],
)
def test_a_body_of_another_shape_is_refused_first(
    client: HttpConnection, path: str, body: bytes, kind: tuple[str, ...], status: int, prefix: str
) -> None:
    answer = put(client, path, body, *kind)
    assert answer.status == status
    assert answer.body.decode().startswith(prefix)
    assert ("content-type", "text/plain; charset=utf-8") in answer.fields


def test_a_body_that_is_too_long_is_not_read(client: HttpConnection) -> None:
    answer = put(client, "/api/stderr/config", b" " * (5 * 1024 * 1024 + 1), "application/json")
    assert answer.status == 413
    assert answer.body == b"Failed to buffer the request body: length limit exceeded"
