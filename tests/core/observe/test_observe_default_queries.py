"""`fanlight.observe.default_queries`: names of the contract, queries that the real engine runs, for everybody."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fanlight import App, Listener
from fanlight.auth.scram import derive
from fanlight.auth.users import Role, Users
from fanlight.observe.default_queries import DEFAULTS
from fanlight.observe.queries import MetricQuerySet
from fanlight.observe.records import MetricSkipped
from fanlight.pages.table import DEFAULT_SETS
from fanlight_engines.performer import performer_for
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.sim import Sim, performed

pytest.importorskip("duckdb")

LABELS = {
    "mz_compute_cluster_status": (
        "compute_cluster_id compute_replica_id compute_cluster_name compute_replica_name size availability_zone "
        "mz_version"
    ),
    "mz_workload_clusters": "cluster_id cluster_name workload_class",
    "mz_clusters_count": "",
    "mz_cluster_reps_count": "size",
    "mz_sources_count": "type envelope_type size",
    "mz_views_count": "",
    "mz_secrets_count": "",
    "mz_sinks_count": "type envelope_type size",
    "mz_connections_count": "type",
    "mz_tables_count": "",
    "mz_catalog_items": "label",
    "mz_object_id": "label1 label2",
    "mz_write_frontier": "collection_id",
    "mz_read_frontier": "collection_id",
    "mz_replica_write_frontiers": "collection_id instance_id replica_id",
    "mz_arrangement_record_count": "worker_id collection_id",
    "mz_compute_replica_park_duration_seconds_total": "worker_id",
    "mz_compute_replica_peek_count": "worker_id",
    "mz_dataflow_elapsed_seconds_total": "worker_id collection_id",
    "mz_dataflow_error_count": "collection_id",
    "mz_storage_objects": (
        "id type object_type connection_type envelope_type networking_type format_connection "
        "format_connection_networking cluster_id replica_id synthesized_pod"
    ),
}
"""The labels that the contract gives each name."""


@pytest.fixture
def sim() -> Iterator[Sim]:
    app = App()
    app.catalog.add("Source", "orders")
    app.catalog.add("Secret", "key")
    app.workers.add_cluster("empty")
    made = Sim(app)
    performer = performer_for(made.server)
    made.answering = performed(performer.perform)
    yield made
    performer.close()


def found(sim: Sim, name: str) -> dict[str, list[Any]]:
    answer = HttpConnection(sim.connect(), "1.1").exchange(Outgoing(target=f"/metrics/{name}"))
    assert answer.status == 200
    families = text_string_to_metric_families(answer.text())
    return {family.name: family.samples for family in families}


def test_the_endpoints_are_those_of_the_contract() -> None:
    assert tuple(each.name for each in DEFAULTS) == DEFAULT_SETS
    assert {query.metric_name for each in DEFAULTS for query in each.queries} == LABELS.keys()


@pytest.mark.parametrize("queries", DEFAULTS, ids=lambda each: each.name)
def test_each_query_runs_and_has_its_labels(sim: Sim, queries: MetricQuerySet) -> None:
    shown = found(sim, queries.name)
    assert [note for note in sim.notes if isinstance(note, MetricSkipped)] == []
    assert shown.keys() == {query.metric_name for query in queries.queries}
    for query in queries.queries:
        more = {"replica_full_name", "instance_id", "replica_id"} if query.per_replica else set()
        for sample in shown[query.metric_name]:
            assert sample.labels.keys() == {*LABELS[query.metric_name].split(), *more}, query.metric_name


def test_what_they_tell(sim: Sim) -> None:
    usage = found(sim, "mz_usage")
    (status,) = usage["mz_compute_cluster_status"]
    assert (status.labels["compute_cluster_name"], status.labels["compute_replica_name"]) == ("process", "r1")
    assert int(status.labels["size"]) >= 1
    assert [usage[name][0].value for name in ("mz_sources_count", "mz_secrets_count", "mz_sinks_count")] == [1, 1, 0]
    names = {sample.labels["label2"] for sample in usage["mz_object_id"]}
    assert {"process.tasks", "materialize.public.orders", "materialize.public.key"} <= names
    storage = found(sim, "mz_storage")["mz_storage_objects"]
    assert [sample.labels["object_type"] for sample in storage] == ["source"]
    frontiers = found(sim, "mz_frontier")
    now = frontiers["mz_write_frontier"][0].value
    assert now > 1.7e12
    assert len(frontiers["mz_read_frontier"]) == len(frontiers["mz_write_frontier"])
    assert all(sample.value <= now + 60_000 for sample in frontiers["mz_read_frontier"])


def test_an_ordinary_user_misses_only_what_needs_privileges() -> None:
    users = Users({"ada": Role(str(derive("wonderland", bytes(32), 4096)))})
    listener = Listener("main", "127.0.0.1:6876", groups={"metrics": "Normal"}, authenticator="Password")
    sim = Sim(App(listeners=[listener], users=users))
    performer = performer_for(sim.server)
    sim.answering = performed(performer.perform)
    basic = ("authorization", "Basic " + b64encode(b"ada:wonderland").decode())
    try:
        for queries in DEFAULTS:
            request = Outgoing(target=queries.path, fields=(basic,))
            assert HttpConnection(sim.connect(), "1.1").exchange(request).status == 200
    finally:
        performer.close()
    assert [note.metric for note in sim.notes if isinstance(note, MetricSkipped)] == [
        "mz_read_frontier",
        "mz_dataflow_error_count",
    ]
