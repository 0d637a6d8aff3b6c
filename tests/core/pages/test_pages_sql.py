"""`POST /api/sql` on the real engine, without a connection: order of checks, refusals, sessions that end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from fanlight.app import App
from fanlight.auth.identity import Identity
from fanlight.http.response import Response
from fanlight.pages import sql as page
from fanlight.sql import effects
from fanlight.sql.errors import SqlError
from tests.engines.duckdb_driving import Driver, post, request_for

engine_module = pytest.importorskip("fanlight_engines.duckdb.engine")

SELECT = b'{"query":"select 1 as a"}'
Post = Callable[..., tuple[Response, bytes]]


@pytest.fixture
def app() -> App:
    return App(sql_writers="everybody", sql_connections=2)


@pytest.fixture
def engine(app: App) -> Iterator[Any]:
    engine = engine_module.DuckDbEngine(app)
    yield engine
    assert engine.open_sessions == 0
    engine.close()


def text(answer: tuple[Response, bytes]) -> tuple[int, str, str]:
    response, body = answer
    return response.status, dict(response.fields)["content-type"], body.decode()


def test_an_answer(app: App, engine: Any) -> None:
    column = '{"name":"a","type_oid":23,"type_len":4,"type_mod":-1}'
    document = f'{{"results":[{{"tag":"SELECT 1","rows":[["1"]],"desc":{{"columns":[{column}]}},"notices":[]}}]}}'
    assert text(post(engine, app, SELECT)) == (200, "application/json", document)


def test_a_kept_engine_needs_four_asks_for_a_statement(app: App, engine: Any) -> None:
    """Each worker's effect costs a hop between threads: one for a statement is the least there can be."""
    post(engine, app, SELECT)
    driver = Driver(engine, SELECT)
    driver.run(page.sql(request_for(app)))
    kinds = [type(ask).__name__ for ask in driver.asked]
    assert kinds == ["OpenSession", "ReadBody", "Race", "Release"]


PLAIN = "text/plain; charset=utf-8"


def test_options_are_looked_at_before_anything_else(app: App, engine: Any) -> None:
    answer = post(engine, app, b"junk", fields=(("content-type", "text/plain"),), query="options=1")
    assert text(answer) == (400, PLAIN, 'Failed to deserialize "options" map')


def answering(handlers: dict[type, Any]) -> Any:
    return SimpleNamespace(handlers=handlers)


def test_without_an_engine(app: App) -> None:
    nothing = answering({effects.OpenSession: lambda effect: None, effects.StartEngine: lambda effect: False})
    assert text(post(nothing, app, b"junk", fields=())) == (500, PLAIN, "adapter client missing")


def test_a_session_that_is_refused_is_a_bare_error_object(app: App) -> None:
    refusal = effects.SessionRefused(403, SqlError("session denied", "MZ011", detail="d"))
    full = answering({effects.OpenSession: lambda effect: refusal})
    assert text(post(full, app, b"junk", fields=())) == (
        403,
        "application/json",
        '{"message":"session denied","code":"MZ011","detail":"d"}',
    )


def test_a_bad_body_costs_a_session_too(app: App, engine: Any) -> None:
    """The session is there before the body is looked at."""
    engine.handlers[effects.StartEngine](effects.StartEngine())
    held = [engine.handlers[effects.OpenSession](effects.OpenSession(Identity("ada"))) for _ in range(2)]
    status, kind, body = text(post(engine, app, b"junk", fields=()))
    assert (status, kind) == (500, "application/json")
    assert json.loads(body) == {
        "message": "creating connection would violate max_connections limit (desired: 3, limit: 2, current: 2)",
        "code": "53000",
        "hint": "Drop an existing connection or contact support to request a limit increase.",
    }
    for session in held:
        assert engine.handlers[effects.Release](effects.Release(session))
    assert post(engine, app, b"junk", fields=())[0].status == 415


@pytest.mark.parametrize(
    ("body", "status", "start"),
    [
        (b"", 400, "Failed to parse the request body as JSON: EOF while parsing a value at line 1 column 0"),
        (b"{", 400, "Failed to parse the request body as JSON: "),
        (b'{"query":"select 1"} x', 400, "Failed to parse the request body as JSON: trailing characters"),
        (b'{"query":NaN}', 400, "Failed to parse the request body as JSON: "),
        (b'\xef\xbb\xbf{"query":"x"}', 400, "Failed to parse the request body as JSON: "),
        (b'{"query":"\\ud83e"}', 400, "Failed to parse the request body as JSON: "),
        (b'{"query":"\xff"}', 400, "Failed to parse the request body as JSON: "),
        (b'{"query":"a","query":"b"}', 422, "Failed to deserialize the JSON body into the target type: data did not"),
        (
            b'{"sql":"select 1"}',
            422,
            "Failed to deserialize the JSON body into the target type: data did not match any",
        ),
        (b'{"queries":[{"query":"a; b"}]}', 200, '{"results":[{"error":'),
        (
            b'{"queries":[{"query":"select 1; select 2"}]}',
            400,
            'each query must contain exactly 1 statement, but "select 1; select 2" contains 2',
        ),
        (b" " * (5 * 1024 * 1024 + 1), 413, "Failed to buffer the request body: length limit exceeded"),
    ],
)
def test_bodies(app: App, engine: Any, body: bytes, status: int, start: str) -> None:
    response, answer = post(engine, app, body)
    assert (response.status, answer.decode()[: len(start)]) == (status, start)


def test_options_are_settings_and_refused_ones_are_notices(app: App, engine: Any) -> None:
    options = {"TimeZone": "Nowhere", "application_name": "x", "nope": "1"}
    query = "options=" + quote(json.dumps(options))
    _, body = post(engine, app, b'{"query":"show application_name; selekt"}', query=query)
    (entry,) = json.loads(body)["results"]
    assert entry["error"]["code"] == "42601"
    assert [notice["message"] for notice in entry["notices"]] == [
        'startup setting TimeZone not set: invalid value for parameter "TimeZone": "Nowhere"',
        'startup setting nope not set: unrecognized configuration parameter "nope"',
    ]
    _, body = post(engine, app, b'{"query":"show application_name"}', query=query)
    assert json.loads(body)["results"][0]["rows"] == [["x"]]


def test_nothing_survives_the_request(app: App, engine: Any) -> None:
    first = "set application_name = 'x'; create temp table kept (a int); prepare p as select 1; begin"
    post(engine, app, json.dumps({"query": first}).encode())
    for text_, code in (("select * from kept", "42P01"), ("execute p", "26000")):
        _, body = post(engine, app, json.dumps({"query": text_}).encode())
        assert json.loads(body)["results"][0]["error"]["code"] == code
    _, body = post(engine, app, b'{"query":"show application_name"}')
    assert json.loads(body)["results"][0]["rows"] == [[""]]


def test_a_long_answer_is_sent_in_pieces(app: App, engine: Any) -> None:
    query = "select i, repeat('x', 100) as x from range(20000) t(i)"
    response, body = post(engine, app, json.dumps({"query": query}).encode())
    assert callable(response.body)
    (entry,) = json.loads(body)["results"]
    assert entry["tag"] == "SELECT 20000"
    assert [int(row[0]) for row in entry["rows"]] == list(range(20000))


def test_one_that_goes_through_a_spool_is_the_same(app: App, engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    query = json.dumps({"query": "select i, repeat('y', 90) as x from range(20000) t(i); select 1 as b"}).encode()
    _, plain = post(engine, app, query)
    monkeypatch.setattr("fanlight.sql.reply.MEMORY", 600_000)
    _, spooled = post(engine, app, query)
    assert spooled == plain


@pytest.mark.parametrize("after", range(6))
def test_a_client_that_leaves_takes_its_session_along(app: App, engine: Any, after: int) -> None:
    """Wherever the routine waits: for the engine, the body, the syntax check, the first or the second statement."""
    driver = Driver(engine, b'{"query":"begin; create table t (a int); select 1"}')
    routine = page.sql(request_for(app))
    ask = routine.send(None)
    for _ in range(after):
        ask = routine.send(driver.answer(ask))
    driver.leave(routine)
    assert engine.open_sessions == 0
    assert ask is not None


def test_who_sees_what(app: App, engine: Any) -> None:
    from fanlight.relations import Column, Relation

    app.relations["frames"] = Relation("frames", (Column("id", "bigint"),), lambda: [(1,)], privileged=True)
    query = b'{"query":"select * from process.frames"}'
    assert b'"code":"42501"' in post(engine, app, query)[1]
    assert b'[["1"]]' in post(engine, app, query, open_relations=True)[1]
    assert b'[["1"]]' in post(engine, app, query, identity=Identity("mz_system", internal=True))[1]
    assert b'"code":"42501"' in post(engine, app, query)[1]


def test_the_result_limit_is_the_apps(app: App, engine: Any) -> None:
    app.sql_result_bytes = 1024
    _, body = post(engine, app, b'{"query":"select 1 as a; select repeat(\'x\', 2000) as b"}')
    first, second = json.loads(body)["results"]
    assert first["tag"] == "SELECT 1"
    assert second["error"] == {"message": "result exceeds max size of 1.0 KiB", "code": "53200"}
