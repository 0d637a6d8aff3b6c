"""The dumps through the whole core: what is in them, how they are sent, and how they fail."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from fanlight.app import App
from fanlight.asks import Effect
from fanlight.catalog.catalog import Module
from fanlight.http.router import Route
from fanlight.pages import catalog as pages
from fanlight.pages.effects import COORDINATOR_KEYS, ProcessSnapshot, SnapshotCoordinator, SnapshotProcess
from fanlight.relations import Column, Relation
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.sim import Sim, table

ROUTES = (
    Route("GET", "/api/catalog/dump", "internal", pages.catalog_dump, privileged=True),
    Route("GET", "/api/coordinator/dump", "internal", pages.coordinator_dump, privileged=True),
    Route("GET", "/api/catalog/check", "internal", pages.catalog_check, privileged=True),
    Route("GET", "/api/coordinator/check", "internal", pages.coordinator_check, privileged=True),
    Route("POST", "/api/catalog/inject-audit-events", "internal", pages.inject_audit_events, privileged=True),
)
INTERNAL = (("x-materialize-user", "mz_system"),)
BAD_OPTIONS = b'Failed to deserialize "options" map'


def nothing() -> Iterable[tuple[Any, ...]]:
    return ()


TASKS = Relation("tasks", (Column("id", "bigint"),), nothing, "Tasks.")
SNAPSHOT = ProcessSnapshot({"pid": 7, "argv0": "demo.py"}, (Module("json", "2.0.9", "json.py"),), (TASKS,))
STATE = {key: {"1": key} for key in COORDINATOR_KEYS}
ANSWERS: dict[type[Effect[Any]], Any] = {SnapshotProcess: SNAPSHOT, SnapshotCoordinator: STATE}


def made() -> App:
    return App(pages=False, routes=ROUTES)


@pytest.fixture(params=["1.1", "2"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def get(sim: Sim, version: str, target: str, fields: tuple[tuple[str, str], ...] = INTERNAL) -> Answer:
    return HttpConnection(sim.connect(), version).exchange(Outgoing(target=target, fields=fields))


def test_the_catalog_shows_what_app_server_and_process_expose(version: str) -> None:
    app = made()
    app.relation(id=int)(orders)
    app.catalog.add("Table", "invoices", definition={"columns": ["id"]})
    app.catalog.add("Secret", "stripe")
    answer = get(Sim(app, answering=table(ANSWERS)), version, "/api/catalog/dump")
    assert answer.status == 200
    assert answer.done
    assert ("content-type", "application/json") in answer.fields
    dump = json.loads(answer.body)
    kinds = {entry["name"]["item"]: next(iter(entry["item"])) for entry in dump["entry_by_id"].values()}
    assert kinds == {"tasks": "View", "orders": "View", "invoices": "Table", "stripe": "Secret"}
    assert dump["process"] == {"pid": 7, "argv0": "demo.py"}
    assert dump["modules"] == {"json": {"version": "2.0.9", "file": "json.py"}}
    assert dump["storage_metadata"] == {"unfinalized_shards": []}
    assert dump["system_parameter_defaults"]["limits.streams"] == "100"
    assert dump["system_parameter_defaults"]["listeners.main.address"] == "127.0.0.1:6876"
    assert dump["roles_by_name"]["mz_system"] == "s1"
    assert dump["routes"]["main"][0] == {
        "group": "internal",
        "method": "GET",
        "path": "/api/catalog/dump",
        "roles": "NormalAndInternal",
        "authentication": "None",
    }


def orders() -> list[tuple[int]]:
    return [(1,)]


def test_ids_are_the_same_in_the_next_dump(version: str) -> None:
    app = made()
    app.relation(id=int)(orders)
    sim = Sim(app, answering=table(ANSWERS))
    first = get(sim, version, "/api/catalog/dump").body
    app.catalog.add("Table", "invoices")
    second = json.loads(get(sim, version, "/api/catalog/dump").body)["entry_by_id"]
    for identity, entry in json.loads(first)["entry_by_id"].items():
        assert second[identity] == entry


def test_the_coordinator_has_exactly_its_seven_members(version: str) -> None:
    answer = get(Sim(made(), answering=table(ANSWERS)), version, "/api/coordinator/dump")
    assert answer.status == 200
    assert ("content-type", "application/json") in answer.fields
    assert json.loads(answer.body) == STATE
    assert list(json.loads(answer.body)) == list(COORDINATOR_KEYS)


@pytest.mark.parametrize("path", ["/api/catalog/dump", "/api/coordinator/dump"])
def test_only_internal_users_get_one(version: str, path: str) -> None:
    answer = get(Sim(made(), answering=table(ANSWERS)), version, path, ())
    assert (answer.status, answer.body) == (401, b"unauthorized")


@pytest.mark.parametrize("path", ["/api/catalog/dump", "/api/coordinator/dump"])
def test_options_are_read_before_anything_is_done(version: str, path: str) -> None:
    answer = get(Sim(made(), answering=table({})), version, path + "?options=surely_not_json")
    assert (answer.status, answer.body) == (400, BAD_OPTIONS)
    for query in ("?options=", "?options=%7B%22a%22:%22b%22%7D", "?options=1&options=2", "?x=1"):
        assert get(Sim(made(), answering=table(ANSWERS)), version, path + query).status == 200


@pytest.mark.parametrize("path", ["/api/catalog/dump", "/api/coordinator/dump"])
def test_what_fails_before_the_head_is_a_500_that_tells_nothing(version: str, path: str) -> None:
    # The table has no answer: the effect fails.
    answer = get(Sim(made(), answering=table({})), version, path)
    assert answer.status == 500
    assert answer.done
    assert b"table" not in answer.body
    assert ("content-type", "text/plain; charset=utf-8") in answer.fields
    broken: dict[type[Effect[Any]], Any] = {SnapshotProcess: SNAPSHOT, SnapshotCoordinator: {}}
    if path == "/api/coordinator/dump":
        assert get(Sim(made(), answering=table(broken)), version, path).status == 500


def test_a_dump_gives_way_between_its_pieces(version: str) -> None:
    app = made()
    for number in range(2000):
        app.catalog.add("Table", f"t{number}", definition={"columns": ["a", "b"]})
    sim = Sim(app, answering=table(ANSWERS))
    answer = get(sim, version, "/api/catalog/dump")
    assert len(json.loads(answer.body)["entry_by_id"]) == 2001
    lines = [line.what for line in sim.transcript]
    assert lines.count("timeout") > 50
    # Between two turns of the host's loop nothing larger than a piece is written.
    assert max(len(line.detail) for line in sim.transcript if line.what == "send") < 40 * 1024


def test_a_slow_reader_slows_the_dump_down(version: str) -> None:
    app = made()
    for number in range(5000):
        app.catalog.add("Table", f"t{number}", definition={"columns": ["a" * 100]})
    sim = Sim(app, answering=table(ANSWERS))
    wire = sim.connect(credit=False)
    connection = HttpConnection(wire, version)
    connection.begin(Outgoing(target="/api/catalog/dump", fields=INTERNAL))
    sim.advance(1.0)
    written = sum(len(line.detail) for line in sim.transcript if line.what == "send")
    assert 0 < written < 200 * 1024


def test_a_client_that_leaves_interrupts_the_work(version: str) -> None:
    sim = Sim(made())
    connection = HttpConnection(sim.connect(), version)
    connection.begin(Outgoing(target="/api/coordinator/dump", fields=INTERNAL))
    assert [type(pending.effect) for pending in sim.pending] == [SnapshotCoordinator]
    connection.wire.abort()
    assert [type(pending.effect) for pending in sim.cancelled] == [SnapshotCoordinator]


CHECKS = ("/api/catalog/check", "/api/coordinator/check")
INJECT = "/api/catalog/inject-audit-events"
EVENT = {"event_type": "create", "object_type": "table", "details": {"IdNameV1": {"id": "u1"}}, "user": "ada"}


@pytest.mark.parametrize("target", CHECKS)
def test_a_check_finds_nothing_and_says_so(target: str, version: str) -> None:
    app = made()
    for number in range(1000):
        app.catalog.add("Table", f"t{number}")
    answer = get(Sim(app), version, target)
    assert (answer.status, answer.body) == (200, b'""')
    assert ("content-type", "application/json") in answer.fields


def test_a_check_finds_what_does_not_agree(version: str) -> None:
    app = made()
    identity = app.catalog.add("Table", "orders")
    app.catalog._referrers[identity] = {"u9": None}
    sim = Sim(app)
    lists: dict[str, Any] = {"internal_fields": [], "roles": [], "comments": [], "items": [], "resource_counts": None}
    inconsistencies = {**lists, "object_dependencies": [{"NonExistentReferrer": ["u1", "u9"]}]}
    answer = get(sim, version, CHECKS[0])
    assert (answer.status, json.loads(answer.body)) == (200, {"err": inconsistencies})
    state: dict[str, Any] = {"read_holds": [], "active_webhooks": [], "cluster_statuses": []}
    answer = get(sim, version, CHECKS[1])
    assert json.loads(answer.body) == {"err": {"catalog_inconsistencies": inconsistencies, **state}}
    sim.server.appenders["u8"] = object()
    err = json.loads(get(sim, version, CHECKS[1]).body)["err"]
    assert err["active_webhooks"] == [{"NonExistentWebhook": "u8"}]


def test_what_is_put_right_meanwhile_is_not_told(version: str) -> None:
    app = made()
    identity = app.catalog.add("Table", "orders")
    app.catalog._referrers[identity] = {"u9": None}
    sim = Sim(app)
    wire = sim.connect()
    wire.send(b"GET /api/catalog/check HTTP/1.1\r\nhost: localhost\r\nx-materialize-user: mz_system\r\n\r\n")
    sim.advance(pages.MOMENT_SECONDS / 2)
    assert bytes(wire.received) == b""
    app.catalog._referrers.clear()
    sim.advance(1.0)
    assert bytes(wire.received).endswith(b'\r\n\r\n""')


def post(sim: Sim, version: str, body: object, fields: tuple[tuple[str, str], ...] = INTERNAL) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = ("content-type", "application/json")
    return HttpConnection(sim.connect(), version).exchange(
        Outgoing(method="POST", target=INJECT, fields=(kind, *fields), body=data)
    )


def test_events_are_appended_all_or_none(version: str) -> None:
    sim = Sim(made())
    log = sim.server.app.audit_log
    answer = post(sim, version, [EVENT, {**EVENT, "user": None}])
    assert (answer.status, answer.body, answer.get("content-type")) == (200, b"", None)
    assert [(each.id, each.event.user, each.occurred_at) for each in log.events()] == [
        (1, "ada", sim.now.wall),
        (2, None, sim.now.wall),
    ]
    refused = post(sim, version, [EVENT, {**EVENT, "event_type": ""}])
    assert (refused.status, refused.body) == (400, b"event 1: event_type is no name")
    assert post(sim, version, EVENT).status == 422
    assert post(sim, version, b"[").status == 400
    assert len(log.events()) == 2


@pytest.mark.parametrize("target", [*CHECKS, INJECT])
def test_checks_and_events_are_for_internal_users(target: str, version: str) -> None:
    sim = Sim(made())
    assert get(sim, version, target, ()).status == 401
    assert post(sim, version, [EVENT], ()).status == 401
    assert sim.server.app.audit_log.events() == []


@pytest.mark.parametrize("target", CHECKS)
def test_checks_refuse_malformed_options(target: str, version: str) -> None:
    assert get(Sim(made()), version, f"{target}?options=1").body == BAD_OPTIONS
