"""`GET /metrics/mz_usage` and its like, on the real engine: mapping, roles, bounds, and what one failure costs."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from fanlight import App, Effect, Listener, MetricQuery, MetricQuerySet
from fanlight.auth.scram import derive
from fanlight.auth.users import Role, Users
from fanlight.federation.effects import AskWorkers, NoReply, Replied, Reply
from fanlight.observe.queries import MOST_ROWS, SCRAPE_SECONDS
from fanlight.observe.records import MetricSkipped
from fanlight.sql.effects import Execute, OpenSession, SessionRefused, Settle, StartEngine
from fanlight.sql.errors import SqlError
from fanlight_engines.performer import Performer, performer_for
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.core.observe.decoding import families
from tests.samples import Samples, samples_of
from tests.sim import LATER, Answered, Later, Outcome, Sim, performed

pytest.importorskip("duckdb")

Answers = Mapping[type, Callable[[Any], Any]]
Serving = Callable[..., Sim]


@pytest.fixture
def serve() -> Iterator[Serving]:
    """Serves on the real engines, on this thread; some effects answered by the test."""
    running: list[Performer] = []

    def start(app: App, answers: Answers | None = None) -> Sim:
        sim = Sim(app)
        performer = performer_for(sim.server)
        running.append(performer)
        real = performed(performer.perform)

        def answer(effect: Effect[Any]) -> Outcome:
            mine = (answers or {}).get(type(effect))
            given = mine(effect) if mine is not None else None
            if isinstance(given, Later):
                return given
            return real(effect) if given is None else Answered(given)

        sim.answering = answer
        return sim

    yield start
    for performer in running:
        performer.close()


def query(text: str, name: str = "m", **given: Any) -> MetricQuery:
    return MetricQuery(metric_name=name, help="h", query=text, **given)


def application(*queries: MetricQuery, **given: Any) -> App:
    app = App(registry=CollectorRegistry(), **given)
    app.metrics_from_sql(MetricQuerySet("mz_usage", queries))
    return app


def get(sim: Sim, target: str = "/metrics/mz_usage", *fields: tuple[str, str], version: str = "1.1") -> Answer:
    return HttpConnection(sim.connect(), version).exchange(Outgoing(target=target, fields=fields))


def samples(answer: Answer) -> Samples:
    assert answer.status == 200, answer.text()
    return samples_of(answer.text())


def skipped(sim: Sim) -> list[tuple[str, str]]:
    return [(note.metric, note.why) for note in sim.notes if isinstance(note, MetricSkipped)]


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_rows_become_samples(serve: Serving, version: str) -> None:
    text = "SELECT * FROM (VALUES ('kafka', 3, NULL), ('pg', 4.5, 's')) t(type, value, size)"
    sim = serve(application(query(text)))
    answer = get(sim, version=version)
    assert answer.get("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert samples(answer) == {
        ("m", (("size", ""), ("type", "kafka"))): 3,
        ("m", (("size", "s"), ("type", "pg"))): 4.5,
    }
    assert "# HELP m h\n# TYPE m gauge\n" in answer.text()
    assert skipped(sim) == []


def test_cells_of_every_kind(serve: Serving) -> None:
    text = """SELECT true AS b, 7 AS i, 1.50::DECIMAL(4,2) AS d, 0.5::DOUBLE AS f, NULL AS n,
        'q"\\' AS s, DATE '2026-01-02' AS t, 2 AS value"""
    found = samples(get(serve(application(query(text)))))
    labels = {"b": "true", "i": "7", "d": "1.50", "f": "0.5", "n": "", "s": 'q"\\', "t": "2026-01-02"}
    assert found == {("m", tuple(sorted(labels.items()))): 2}


def test_values_of_every_kind(serve: Serving) -> None:
    cases = {"1": 1, "1.25::DECIMAL(9,2)": 1.25, "true": 1, "false": 0, "NULL": 0, "'4e2'": 400, "'x'": 0}
    queries = [query(f"SELECT {text} AS value", f"m{number}") for number, text in enumerate(cases)]
    found = samples(get(serve(application(*queries))))
    assert [found[f"m{number}", ()] for number in range(len(cases))] == list(cases.values())


def test_a_column_that_is_missing_is_zero(serve: Serving) -> None:
    assert samples(get(serve(application(query("SELECT 'a' AS k"))))) == {("m", (("k", "a"),)): 0}


def test_no_rows_are_a_family_without_samples(serve: Serving) -> None:
    answer = get(serve(application(query("SELECT 1 AS value WHERE false"))))
    assert answer.text() == "# HELP m h\n# TYPE m gauge\n"


def test_every_result_is_a_gauge_and_the_last_row_counts(serve: Serving) -> None:
    text = "SELECT * FROM (VALUES ('a', 1), ('a', 9)) t(k, value)"
    answer = get(serve(application(query(text, "m_total"))))
    assert answer.text() == '# HELP m_total h\n# TYPE m_total gauge\nm_total{k="a"} 9.0\n'


def test_definitions_of_one_name_share_a_family(serve: Serving) -> None:
    sim = serve(
        application(
            query("SELECT 'a' AS k, 1 AS value"),
            query("SELECT 'b' AS k, 2 AS value"),
            query("SELECT 'c' AS other, 3 AS value"),
        )
    )
    assert samples(get(sim)) == {("m", (("k", "a"),)): 1, ("m", (("k", "b"),)): 2}
    assert skipped(sim) == [("m", "its labels are not those of an earlier definition of that name")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SELECT error('boom')", "boom"),
        ("SELEC 1", "syntax error"),
        ("SELECT 1 AS value; SELECT 2 AS value", "5 results where there should be 4"),
        ("BEGIN; SELECT 1", "5 results where there should be 4"),
        ("COMMIT", "no rows"),
        ('SELECT 1 AS "a-b", 2 AS value', "no label can be called 'a-b'"),
        ("SELECT 1 AS __a, 2 AS value", "no label can be called '__a'"),
        ("SELECT 1 AS a, 2 AS a, 3 AS value", "two columns of one name"),
        (f"SELECT i, 1 AS value FROM range({MOST_ROWS + 1}) t(i)", f"more than {MOST_ROWS} rows"),
        ("CREATE TABLE t(a int)", ""),
        ("SELECT * FROM read_csv('/etc/passwd')", ""),
    ],
)
def test_one_that_fails_is_left_out(serve: Serving, text: str, why: str) -> None:
    sim = serve(application(query(text, "bad"), query("SELECT 1 AS value", "good")))
    assert samples(get(sim)) == {("good", ()): 1}
    ((name, reason),) = skipped(sim)
    assert name == "bad"
    assert why in reason


def test_as_many_rows_as_may_be(serve: Serving) -> None:
    sim = serve(application(query(f"SELECT i, i AS value FROM range({MOST_ROWS}) t(i)")))
    found = samples(get(sim))
    assert len(found) == MOST_ROWS
    assert found["m", (("i", "9999"),)] == 9999


def test_it_runs_with_the_rights_of_the_caller(serve: Serving) -> None:
    stored = str(derive("wonderland", bytes(32), 4096))
    groups: Any = {"metrics": "NormalAndInternal"}
    listener = Listener("main", "127.0.0.1:6876", authenticator="Password", groups=groups)
    users = Users({"ada": Role(stored), "mz_system": Role(stored)})
    text = "SELECT count(*) > 0 AS any_, 1 AS value FROM process.settings"
    sim = serve(application(query(text), query("SELECT 2 AS value", "n"), listeners=[listener], users=users))
    for user, found in (("ada:wonderland", 1), ("mz_system:wonderland", 2)):
        field = ("authorization", "Basic " + base64.b64encode(user.encode()).decode())
        assert len(samples(get(sim, "/metrics/mz_usage", field))) == found
    ((name, why),) = skipped(sim)
    assert (name, "permission denied" in why) == ("m", True)
    assert get(sim).status == 401


def test_the_representation_is_negotiated(serve: Serving) -> None:
    sim = serve(application(query("SELECT 'a' AS k, 1.5 AS value")))
    wanted = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
    answer = get(sim, "/metrics/mz_usage", ("accept", wanted))
    assert answer.get("content-type") == wanted
    assert [family.name for family in families(answer.body)] == ["m"]
    answer = get(sim, "/metrics/mz_usage", ("accept", "application/openmetrics-text"))
    assert answer.text().endswith('m{k="a"} 1.5\n# EOF\n')


def test_refusals_before_any_query(serve: Serving) -> None:
    app = application(query("SELECT 1 AS value"))
    assert get(serve(app), "/metrics/mz_usage?options=1").status == 400
    gone = serve(app, {OpenSession: lambda effect: LATER})
    gone.answering = lambda effect: Answered({OpenSession: None, StartEngine: False}[type(effect)])
    answer = get(gone)
    assert (answer.status, answer.text()) == (500, "adapter client missing")
    refused = serve(app, {OpenSession: lambda effect: SessionRefused(403, SqlError("no", "MZ010"))})
    assert (get(refused).status, json.loads(get(refused).body)["code"]) == (403, "MZ010")


def test_options_are_those_of_the_session(serve: Serving) -> None:
    sim = serve(application(query("SELECT count(*) AS value FROM tasks")))
    assert samples(get(sim)) == {}
    assert len(samples(get(sim, "/metrics/mz_usage?options=%7B%22search_path%22%3A%22process%22%7D"))) == 1


def test_a_query_without_end_costs_itself(serve: Serving) -> None:
    stuck: list[Execute] = []

    def hang(effect: Execute) -> Any:
        if "forever" not in effect.text:
            return None
        stuck.append(effect)
        return LATER

    queries = query("SELECT 'forever' AS k, 1 AS value", "bad"), query("SELECT 1 AS value", "good")
    sim = serve(application(*queries), {Execute: hang})
    real = sim.answering
    sim.answering = lambda effect: Answered(None) if isinstance(effect, Settle) else real(effect)
    began = sim.now.mono
    http = HttpConnection(sim.connect(), "1.1")
    answer = http.exchange(Outgoing(target="/metrics/mz_usage"), 30)
    assert samples(answer) == {("good", ()): 1}
    assert len(stuck) == 1
    assert 4.9 <= sim.now.mono - began < 6
    ((name, why),) = skipped(sim)
    assert (name, "timeout" in why) == ("bad", True)


def test_all_queries_together_have_a_limit(serve: Serving) -> None:
    queries = [query("SELECT 1 AS value", f"m{number}") for number in range(8)]
    sim = serve(application(*queries), {Execute: lambda effect: LATER})
    real = sim.answering
    sim.answering = lambda effect: Answered(None) if isinstance(effect, Settle) else real(effect)
    began = sim.now.mono
    answer = HttpConnection(sim.connect(), "1.1").exchange(Outgoing(target="/metrics/mz_usage"), 60)
    assert samples(answer) == {}
    assert sim.now.mono - began <= SCRAPE_SECONDS + 1
    assert [why for _, why in skipped(sim)][-1] == "no time left for it"


# --- Replicas. ---


def result(rows: list[list[Any]], *columns: str, count: int = 4) -> Replied:
    last = {"tag": "SELECT", "rows": rows, "desc": {"columns": [{"name": name} for name in columns]}, "notices": []}
    document = {"results": [*[{"ok": "SET"}] * (count - 1), last]}
    return Replied(200, (), json.dumps(document, separators=(",", ":")).encode())


def federated(serve: Serving, replies: Mapping[str, Reply], *queries: MetricQuery) -> tuple[Sim, list[AskWorkers]]:
    app = application(*queries)
    app.workers.add_replica(app.workers.add_cluster("quick'start"), "r1", ["unix:/0", "unix:/1"])
    asked: list[AskWorkers] = []

    def answer(effect: AskWorkers) -> tuple[Reply, ...]:
        asked.append(effect)
        return tuple(replies.get(str(call.address), NoReply("timeout")) for call in effect.calls)

    return serve(app, {AskWorkers: answer}), asked


def test_one_per_replica_runs_there_and_here(serve: Serving) -> None:
    replies = {
        "unix:/0": result([["0", "7"]], "worker_id", "value"),
        "unix:/1": result([["1", 8]], "worker_id", "value"),
    }
    sim, asked = federated(serve, replies, query("SELECT 'own' AS worker_id, 1 AS value", per_replica=True))
    there = (("instance_id", "u1"), ("replica_full_name", "quick'start.r1"), ("replica_id", "u2"))
    assert samples(get(sim)) == {
        (
            "m",
            (
                ("instance_id", "s1"),
                ("replica_full_name", "process.r1"),
                ("replica_id", "s1"),
                ("worker_id", "own"),
            ),
        ): 1,
        ("m", (*there, ("worker_id", "0"))): 7,
        ("m", (*there, ("worker_id", "1"))): 8,
    }
    (effect,) = asked
    call = effect.calls[0]
    assert (call.method, call.target, dict(call.fields)) == (
        "POST",
        "/api/sql",
        {"content-type": "application/json"},
    )
    assert json.loads(call.body) == {
        "query": "SET auto_route_catalog_queries = false; SET cluster = 'quick''start'; SET cluster_replica = 'r1'; "
        "SELECT 'own' AS worker_id, 1 AS value"
    }


def test_replicas_are_asked_only_for_what_is_per_replica(serve: Serving) -> None:
    sim, asked = federated(serve, {}, query("SELECT 1 AS value"))
    assert len(samples(get(sim))) == 1
    assert asked == []


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (NoReply("refused"), "quick'start.r1: refused"),
        (Replied(401, (), b"unauthorized"), "quick'start.r1: status 401"),
        (Replied(200, (), b"<html>"), "quick'start.r1: the answer is no result of SQL"),
        (Replied(200, (), b'{"results":[{"error":{"message":"boom"}}]}'), "1 results where there should be 4: boom"),
        (result([["1"]], "value", count=5), "5 results where there should be 4"),
        (result([["1"]] * (MOST_ROWS + 1), "value"), f"more than {MOST_ROWS} rows"),
        (result([["1", "2"]], "replica_id", "value"), "two columns of one name"),
    ],
)
def test_a_replica_that_fails_costs_its_own_samples(serve: Serving, reply: Reply, why: str) -> None:
    replies = {"unix:/0": reply, "unix:/1": result([["8"]], "value")}
    sim, _ = federated(serve, replies, query("SELECT 1 AS value", per_replica=True), query("SELECT 1 AS value", "n"))
    assert sorted(samples(get(sim)).values()) == [1, 1, 8]
    ((name, reason),) = skipped(sim)
    assert (name, why in reason) == ("m", True)


def test_an_internal_caller_is_the_same_there(serve: Serving) -> None:
    stored = str(derive("wonderland", bytes(32), 4096))
    groups: Any = {"metrics": "NormalAndInternal"}
    listener = Listener("main", "127.0.0.1:6876", authenticator="Password", groups=groups)
    users = Users({"ada": Role(stored), "mz_system": Role(stored)})
    app = application(query("SELECT 1 AS value", per_replica=True), listeners=[listener], users=users)
    app.workers.add_replica(app.workers.add_cluster("quickstart"), "r1", ["unix:/0"])
    asked: list[AskWorkers] = []

    def answer(effect: AskWorkers) -> tuple[Reply, ...]:
        asked.append(effect)
        return (NoReply("refused"),)

    sim = serve(app, {AskWorkers: answer})
    for user in ("ada", "mz_system"):
        basic = base64.b64encode(f"{user}:wonderland".encode()).decode()
        get(sim, "/metrics/mz_usage", ("authorization", f"Basic {basic}"))
    assert [dict(effect.calls[0].fields).get("x-materialize-user") for effect in asked] == [None, "mz_system"]
    assert "wonderland" not in repr(asked)


# --- Endpoints. ---


def test_a_set_of_the_program_has_a_path_of_its_own(serve: Serving) -> None:
    app = application(query("SELECT 1 AS value"))
    app.metrics_from_sql(MetricQuerySet("shop", (query("SELECT 5 AS value", "shop_open"),)))
    sim = serve(app)
    assert samples(get(sim, "/metrics/shop")) == {("shop_open", ()): 5}
    app.metrics_from_sql(MetricQuerySet("shop", (query("SELECT 6 AS value", "shop_open"),)))
    assert samples(get(sim, "/metrics/shop")) == {("shop_open", ()): 6}
    assert get(sim, "/metrics/shop2").status == 404


def test_what_is_left_out_is_logged_at_info(serve: Serving, caplog: pytest.LogCaptureFixture) -> None:
    performer = performer_for(Sim(App()).server)
    with caplog.at_level(logging.INFO, logger="fanlight"):
        performer.note(MetricSkipped("/metrics/mz_usage", "m", "a\nb"))
    performer.close()
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == (
        "INFO",
        '/metrics/mz_usage: metric m is left out: "a\\nb"',
    )
