"""Operating a running process over real loops: log levels by SQL, the audit log, checks, leadership."""

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from fanlight import App, Listener, ManualLeader
from tests.hosts import Host, Served

ROOT = {"x-materialize-user": "mz_system"}
EVENT = {"event_type": "create", "object_type": "table", "details": {"IdNameV1": {"id": "u1", "name": "t"}}}


class Operator:
    """A client that says who it is."""

    def __init__(self, served: Served, fields: dict[str, str]) -> None:
        address = served.address()
        assert not isinstance(address, str)
        self._client = http.client.HTTPConnection(*address, timeout=20.0)
        self._fields = fields

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body)
        self._client.request(method, path, data, {**self._fields, "content-type": "application/json"})
        answer = self._client.getresponse()
        read = answer.read()
        return answer.status, json.loads(read) if answer.getheader("content-type") == "application/json" else read

    def sql(self, query: str) -> Any:
        return self.ask("POST", "/api/sql", {"query": query})[1]["results"][-1]

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def app() -> App:
    return App(listeners=(Listener("main", "127.0.0.1:0"),), leader=ManualLeader())


@pytest.fixture
def served(over: Host, app: App) -> Iterator[Served]:
    served = over.serve(app)
    yield served
    served.stop()


@pytest.fixture
def root(served: Served) -> Iterator[Operator]:
    operator = Operator(served, ROOT)
    yield operator
    operator.close()


@pytest.fixture
def anybody(served: Served) -> Iterator[Operator]:
    operator = Operator(served, {})
    yield operator
    operator.close()


def test_levels_are_set_by_sql_and_told(root: Operator, anybody: Operator) -> None:
    before = anybody.ask("GET", "/api/tracing")
    assert anybody.sql("alter system set log_filter = 'debug'")["error"]["code"] == "42501"
    assert root.sql("alter system set log_filter = 'tests.operations=trace,debug'") == {
        "ok": "ALTER SYSTEM",
        "notices": [],
    }
    assert anybody.ask("GET", "/api/tracing") == (200, {"current_level_filter": "debug"})
    assert root.sql("show log_filter")["rows"] == [["tests.operations=trace,debug"]]
    logging.getLogger("tests.operations").log(5, "hardly worth it")
    shown = root.sql("select level, message from process.log_records where logger = 'tests.operations'")["rows"]
    assert shown == [["Level 5", "hardly worth it"]]
    rows = root.sql("select value, default_value, source from process.settings where name = 'log_filter'")["rows"]
    assert rows == [["tests.operations=trace,debug", "", "program"]]
    root.sql("alter system reset log_filter")
    assert anybody.ask("GET", "/api/tracing") == before
    said = root.sql('select details, "user" from mz_catalog.mz_audit_events order by id')["rows"]
    assert said == [
        [{"SetV1": {"name": "log_filter", "value": "tests.operations=trace,debug"}}, "mz_system"],
        [{"SetV1": {"name": "log_filter", "value": None}}, "mz_system"],
    ]


def test_levels_are_as_they_were_when_the_server_has_ended(over: Host, app: App) -> None:
    logger = logging.getLogger("tests.operations")
    served = over.serve(app)
    operator = Operator(served, ROOT)
    operator.sql("alter system set log_filter = 'tests.operations=error'")
    assert logger.level == logging.ERROR
    operator.close()
    served.stop()
    assert logger.level == logging.NOTSET


def test_injected_events_are_rows(root: Operator, anybody: Operator) -> None:
    inject = "/api/catalog/inject-audit-events"
    assert anybody.ask("POST", inject, [EVENT])[0] == 401
    assert root.ask("POST", inject, [EVENT, {**EVENT, "user": "ada"}]) == (200, b"")
    assert root.ask("POST", inject, [EVENT, {**EVENT, "user": ""}])[0] == 400
    rows = root.sql('select id, event_type, details, "user" from mz_catalog.mz_audit_events order by id')["rows"]
    assert rows == [["1", "create", EVENT["details"], None], ["2", "create", EVENT["details"], "ada"]]


def test_a_process_at_work_is_consistent(root: Operator, app: App) -> None:
    table = app.catalog.add("Table", "orders")
    app.catalog.add("View", "totals", references=[table])
    root.sql("select count(*) from process.tasks")
    assert root.ask("GET", "/api/catalog/check") == (200, "")
    assert root.ask("GET", "/api/coordinator/check") == (200, "")
    app.catalog._referrers[table]["u9"] = None
    assert root.ask("GET", "/api/coordinator/check")[1]["err"]["catalog_inconsistencies"]["object_dependencies"] == [
        {"NonExistentReferrer": ["u1", "u9"]}
    ]


def test_a_process_is_promoted(root: Operator, app: App) -> None:
    app.leadership.set_catching_up()
    assert root.ask("POST", "/api/leader/promote")[0] == 400
    assert root.ask("POST", "/api/leader/skip-catchup") == (204, b"")
    app.leadership.set_ready_to_promote()
    assert root.ask("POST", "/api/leader/promote") == (200, {"result": "Success"})
    app.leadership.set_is_leader()
    assert root.ask("GET", "/api/leader/status") == (200, {"status": "IsLeader"})
    controller = root.ask("GET", "/api/coordinator/dump")[1]["controller"]
    assert controller["leadership"] == {"leader": "ManualLeader", "state": "IsLeader", "epoch": None, "lost": None}
