"""`GET /metrics/public`, without a socket: who is asked for what, and what becomes of the answers."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily

from fanlight import App
from fanlight.federation.effects import RULES, AskWorkers, Call, NoReply, Replied, Reply, WorkOut, finish
from fanlight.federation.rules import encode_rules
from fanlight.observe.gathering import ReportCollector
from fanlight.observe.records import Trouble
from fanlight.pages.public import PATIENCE
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.samples import Samples, samples_of
from tests.sim import LATER, Sim, table

TEXT = (("content-type", "text/plain; version=0.0.4"),)
CHILD = b'# HELP demo child help\n# TYPE demo gauge\ndemo{k="c"} 5\n'
CLUSTER_RULE = {"kind": "cluster_name_lookup", "cluster_id_label": "c", "output_label": "n"}


def application(registry: CollectorRegistry | None = None, **given: Any) -> App:
    made = registry or CollectorRegistry()
    Gauge("demo", "parent help", ["k"], registry=made).labels("p").set(1)
    app = App(registry=made, **given)
    app.workers.add_replica(app.workers.add_cluster("quickstart"), "r1", ["unix:/0", "127.0.0.1:7001"])
    return app


def serving(app: App, replies: Mapping[str, Reply]) -> tuple[Sim, list[AskWorkers]]:
    """A server whose workers answer out of a table, by address."""
    asked: list[AskWorkers] = []

    def answer(effect: AskWorkers) -> tuple[Reply, ...]:
        asked.append(effect)
        return tuple(replies.get(str(call.address), NoReply("refused")) for call in effect.calls)

    work = {AskWorkers: answer, WorkOut: lambda effect: finish(effect.steps(*effect.arguments)), ReportCollector: None}
    return Sim(app, answering=table(work)), asked


def get(sim: Sim, *fields: tuple[str, str], version: str = "1.1", target: str = "/metrics/public") -> Answer:
    return HttpConnection(sim.connect(), version).exchange(Outgoing(target=target, fields=fields))


def samples(answer: Answer) -> Samples:
    return samples_of(answer.text())


def ids(process: int, **more: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"cluster_id": "u1", "replica_id": "u2", "process": str(process), **more}.items()))


NAMES = {"cluster_name": "quickstart", "replica_name": "r1"}


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_all_are_asked_and_merged(version: str) -> None:
    sim, asked = serving(application(), {"unix:/0": Replied(200, TEXT, CHILD)})
    answer = get(sim, ("accept", "application/openmetrics-text"), version=version)
    assert (answer.status, answer.get("content-type")) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = samples(answer)
    assert found["demo", (("k", "p"),)] == 1
    assert found["demo", ids(0, k="c", **NAMES)] == 5
    assert found["fanlight_federation_up", ids(0)] == 1
    assert found["fanlight_federation_up", ids(1)] == 0
    assert answer.text().count("# HELP demo parent help\n# TYPE demo gauge\n") == 1
    (effect,) = asked
    assert [(call.method, call.target, str(call.address)) for call in effect.calls] == [
        ("GET", "/metrics", "unix:/0"),
        ("GET", "/metrics", "127.0.0.1:7001"),
    ]
    fields = dict(effect.calls[0].fields)
    assert fields["x-materialize-accept-enrich-rules"] == "1"
    assert fields["accept"].startswith(
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited,"
    )
    assert effect.patience < PATIENCE


def test_nothing_of_the_caller_goes_to_a_worker() -> None:
    sim, asked = serving(application(), {})
    get(sim, ("authorization", "Basic YTpi"), ("cookie", "mz_session=1"), ("x-materialize-user", "mz_system"))
    assert {name for call in asked[0].calls for name, _ in call.fields} == {
        "accept",
        "x-materialize-accept-enrich-rules",
    }


def test_who_is_down_is_told_once_for_a_scrape() -> None:
    app = application()
    app.workers.add_replica("quickstart", "r2", [f"unix:/r2/{number}" for number in range(6)])
    sim, _ = serving(app, {"unix:/0": Replied(200, TEXT, CHILD), "127.0.0.1:7001": Replied(200, TEXT, b"<html>")})
    assert get(sim).status == 200
    assert [note.text for note in sim.notes if isinstance(note, Trouble)] == [
        (
            "workers left out of a scrape: quickstart.r1/1: a line that is no sample; quickstart.r2/0: refused; "
            "quickstart.r2/1: refused; quickstart.r2/2: refused; quickstart.r2/3: refused and 2 more"
        )
    ]


def test_a_process_whose_address_is_of_no_use_is_down() -> None:
    app = application()
    app.workers.add_replica("quickstart", "r2", lambda: ["10.0.0.1:80"])
    sim, asked = serving(app, {})
    found = samples(get(sim))
    assert found["fanlight_federation_up", (("cluster_id", "u1"), ("process", "0"), ("replica_id", "u3"))] == 0
    assert len(asked[0].calls) == 2


def test_without_workers_nobody_is_asked() -> None:
    sim, asked = serving(App(registry=CollectorRegistry()), {})
    answer = get(sim)
    assert "fanlight_federation_up" not in answer.text()
    assert "mz_http_requests_active" in answer.text()
    assert asked == []


def test_rules_of_both_sides() -> None:
    field = (RULES, encode_rules({"demo": [{**CLUSTER_RULE, "cluster_id_label": "cluster_id"}]}))
    registry = CollectorRegistry()
    Gauge("own", "x", ["c"], registry=registry).labels("u1").set(1)
    app = application(registry, metric_rules={"own": [CLUSTER_RULE]})
    found = samples(get(serving(app, {"unix:/0": Replied(200, (*TEXT, field), CHILD)})[0]))
    assert found["own", (("c", "u1"), ("n", "quickstart"))] == 1
    assert found["demo", ids(0, k="c", n="quickstart", **NAMES)] == 5
    assert found["demo", (("k", "p"),)] == 1


def test_objects_of_the_program_are_named() -> None:
    registry = CollectorRegistry()
    rule = {
        "kind": "object_name_lookup",
        "object_id_label": "o",
        "output_object_label": "name",
        "output_schema_label": "schema",
        "output_database_label": "database",
    }
    gauge = Gauge("own", "x", ["o"], registry=registry)
    app = application(registry, metric_rules={"own": [rule]})
    app.relation(id=int)(orders)
    gauge.labels(app.catalog.identify(app.relations["orders"])).set(1)
    assert 'own{database="materialize",name="orders",o="u1",schema="public"} 1.0' in get(serving(app, {})[0]).text()


def orders() -> list[tuple[int]]:
    return [(1,)]


def test_it_can_be_switched_off_while_it_is_served() -> None:
    app = application()
    app.system.set("enable_public_metrics_endpoint", "false")
    sim, asked = serving(app, {})
    answer = get(sim)
    assert (answer.status, answer.body, asked) == (503, b"", [])
    assert get(sim, target="/metrics/public?options=1").status == 400
    app.system.set("enable_public_metrics_endpoint", None)
    assert get(sim).status == 200


def test_a_collector_that_raises_is_left_out() -> None:
    class Raises:
        def collect(self) -> Any:
            yield GaugeMetricFamily("before", "x", value=1)
            raise RuntimeError("no")

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Raises())
    found = samples(get(serving(application(registry), {})[0]))
    assert found["before", ()] == 1
    assert found["fanlight_metrics_collector_errors_total", (("collector", "Raises"),)] == 1


def test_a_large_answer_is_streamed_and_gzipped() -> None:
    many = "".join(f'demo{{k="{number}"}} 1\n' for number in range(20_000)).encode()
    sim, _ = serving(application(), {"unix:/0": Replied(200, TEXT, many)})
    plain = get(sim)
    zipped = get(sim, ("accept-encoding", "gzip"))
    assert zipped.get("content-encoding") == "gzip"
    assert plain.get("content-length") is None
    assert gzip.decompress(zipped.body).count(b"\ndemo{") == plain.text().count("\ndemo{") == 20_001


def test_workers_have_ten_seconds_in_all() -> None:
    sim, _ = serving(application(), {})
    sim.answering = lambda effect: LATER
    http = HttpConnection(sim.connect(), "1.1")
    began = sim.now.mono
    answer = http.exchange(Outgoing(target="/metrics/public"), 20)
    assert answer.status == 200
    assert sim.now.mono - began <= PATIENCE
    assert samples(answer)["fanlight_federation_up", ids(0)] == 0
    assert samples(answer)["demo", (("k", "p"),)] == 1


def test_a_client_that_leaves_has_the_round_cancelled() -> None:
    sim, _ = serving(application(), {})
    sim.answering = lambda effect: LATER
    wire = sim.connect()
    HttpConnection(wire, "1.1").begin(Outgoing(target="/metrics/public"))
    (waiting,) = sim.pending
    assert isinstance(waiting.effect, AskWorkers)
    assert isinstance(waiting.effect.calls[0], Call)
    wire.abort()
    assert sim.pending == []
    assert [item.effect for item in sim.cancelled] == [waiting.effect]


def test_another_type_of_a_worker_is_left_out_and_reported() -> None:
    histogram = b'# TYPE demo histogram\ndemo_bucket{le="+Inf"} 1\ndemo_sum 1\ndemo_count 1\n'
    sim, _ = serving(application(), {"unix:/0": Replied(200, TEXT, histogram)})
    reported: list[tuple[str, str]] = []
    answering = sim.answering

    def watch(effect: Any) -> Any:
        if isinstance(effect, ReportCollector):
            reported.append((effect.collector, str(effect.error)))
        return answering(effect)

    sim.answering = watch
    assert "demo_bucket" not in get(sim).text()
    assert reported == [("demo", "a worker has another type of it: left out")]
