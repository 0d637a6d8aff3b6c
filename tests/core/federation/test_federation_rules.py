"""`fanlight.federation.rules`: read, sent, applied; whatever is none is refused."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.catalog.catalog import Catalog
from fanlight.federation import rules
from fanlight.federation.rules import BadRules, Directory, decode_rules, encode_rules, enrich, read_rules
from fanlight.relations import Relation
from fanlight.workers import WorkerRegistry

CLUSTER = {"kind": "cluster_name_lookup", "cluster_id_label": "c", "output_label": "cluster"}
REPLICA = {
    "kind": "replica_name_lookup",
    "cluster_id_label": "c",
    "replica_id_label": "r",
    "output_label": "replica",
}
OBJECT = {
    "kind": "object_name_lookup",
    "object_id_label": "o",
    "output_object_label": "object",
    "output_schema_label": "schema",
    "output_database_label": "database",
}


@pytest.fixture
def directory() -> Directory:
    workers, catalog = WorkerRegistry(), Catalog()
    workers.add_replica(workers.add_cluster("quickstart"), "r1", [])
    catalog.add("Source", "orders")
    catalog.add("Table", "audit", system=True)
    return Directory(workers, catalog)


def applied(directory: Directory, rule: dict[str, Any], **labels: str) -> dict[str, str]:
    enrich(labels, read_rules({"m": [rule]})["m"], directory)
    return labels


def test_clusters_and_replicas_are_named(directory: Directory) -> None:
    assert applied(directory, CLUSTER, c="u1") == {"c": "u1", "cluster": "quickstart"}
    assert applied(directory, REPLICA, c="u1", r="u2") == {"c": "u1", "r": "u2", "replica": "r1"}
    assert applied(directory, CLUSTER, c="s1") == {"c": "s1", "cluster": "process"}


def test_objects_are_named_with_schema_and_database(directory: Directory) -> None:
    assert applied(directory, OBJECT, o="u1") == {
        "o": "u1",
        "object": "orders",
        "schema": "public",
        "database": "materialize",
    }
    assert applied(directory, OBJECT, o="s1")["database"] == ""


def test_relations_are_objects_once_they_have_an_id(directory: Directory) -> None:
    relation = Relation("tasks", (), tuple, schema="public")
    identity = directory.catalog.identify(relation)
    assert applied(directory, OBJECT, o=identity)["object"] == "tasks"


@pytest.mark.parametrize("rule", [CLUSTER, REPLICA, OBJECT])
def test_unknown_and_absent_ids_add_nothing(directory: Directory, rule: dict[str, Any]) -> None:
    assert applied(directory, rule) == {}
    assert applied(directory, rule, c="u9", r="u9", o="u9") == {"c": "u9", "r": "u9", "o": "u9"}


def test_a_label_that_is_there_stays(directory: Directory) -> None:
    assert applied(directory, CLUSTER, c="u1", cluster="mine") == {"c": "u1", "cluster": "mine"}
    assert applied(directory, OBJECT, o="u1", schema="")["schema"] == ""


def test_rules_see_what_the_ones_before_added(directory: Directory) -> None:
    second = {**CLUSTER, "cluster_id_label": "cluster", "output_label": "again"}
    labels = {"c": "u1"}
    enrich(labels, read_rules({"m": [CLUSTER, second, {**CLUSTER, "output_label": "c"}]})["m"], directory)
    assert labels == {"c": "u1", "cluster": "quickstart"}


@pytest.mark.parametrize(
    "document",
    [
        [],
        None,
        {"m": CLUSTER},
        {"m": [None]},
        {"m": [{}]},
        {"m": [{**CLUSTER, "kind": "other"}]},
        {"m": [{**CLUSTER, "kind": ["cluster_name_lookup"]}]},
        {"m": [{"kind": "cluster_name_lookup", "output_label": "x"}]},
        {"m": [{**CLUSTER, "output_label": 'x"} 1'}]},
        {"m": [{**CLUSTER, "output_label": "__name__"}]},
        {"m": [{**CLUSTER, "output_label": "le"}]},
        {"m": [{**REPLICA, "replica_id_label": 3}]},
        {1: []},
    ],
)
def test_what_is_no_rule_is_refused(document: Any) -> None:
    with pytest.raises(BadRules):
        read_rules(document)


def test_the_field_is_base64_of_gzip_of_json() -> None:
    document = {"m": [CLUSTER, REPLICA], "n": [OBJECT]}
    text = encode_rules(document)
    assert json.loads(gzip.decompress(base64.b64decode(text, validate=True))) == document
    assert decode_rules(text) == read_rules(document)


def zipped(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%%%",
        "AAAA",
        zipped(b"{"),
        zipped(b"[]"),
        zipped(b"\xff"),
        zipped(b"[" * 100_000),
        base64.b64encode(gzip.compress(b"{}")[:-4]).decode(),
        zipped(b"{}") + " ",
    ],
)
def test_what_cannot_be_decoded_is_refused(text: str) -> None:
    with pytest.raises(BadRules):
        decode_rules(text)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zipped(b'{"m":[' + b" " * 50_000_000 + b"]}")
    assert len(bomb) < 100_000
    with pytest.raises(BadRules, match="too long"):
        decode_rules(bomb)


def test_the_longest_rules_still_fit() -> None:
    padding = b" " * (rules.MOST_BYTES - 2)
    assert decode_rules(zipped(b"{" + padding + b"}")) == {}


@given(st.text() | st.binary().map(lambda data: base64.b64encode(data).decode()) | st.binary().map(zipped))
def test_decoding_refuses_or_reads_and_does_nothing_else(text: str) -> None:
    try:
        decode_rules(text)
    except BadRules:
        pass
