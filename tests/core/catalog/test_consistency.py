"""Consistency: nothing is found where nothing is wrong, each thing that is wrong is found, in bounded steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight import App, Route
from fanlight.catalog.catalog import Catalog
from fanlight.catalog.consistency import MOST, Inconsistencies, look_at_catalog, look_at_server
from fanlight.config.settings import Dialect
from fanlight.server import Server
from tests.sim import START, Seeded, Sim

EMPTY: dict[str, Any] = {
    "internal_fields": [],
    "roles": [],
    "comments": [],
    "object_dependencies": [],
    "items": [],
    "resource_counts": None,
}


def server(app: App | None = None) -> Server:
    return Server(app or App(), now=START, entropy=Seeded())


def look(made: Server) -> dict[str, Any]:
    found = Inconsistencies()
    for _ in look_at_catalog(made, found):
        pass
    assert bool(found) == (found.json() != EMPTY)
    return {name: value for name, value in found.json().items() if value}


def filled() -> Server:
    made = server()
    catalog = made.app.catalog
    table = catalog.add("Table", "orders")  # u1
    catalog.add("View", "totals", references=[table])  # u2
    catalog.add("Sink", "lake", references=[table, "u2"])  # u3
    return made


def test_the_six_members_and_their_order() -> None:
    assert list(Inconsistencies().json().items()) == list(EMPTY.items())


def test_nothing_is_wrong() -> None:
    assert look(server()) == {}
    made = filled()
    assert look(made) == {}
    made.app.catalog.remove("u3")
    assert look(made) == {}


CORRUPTIONS: list[tuple[Callable[[Catalog], object], dict[str, Any]]] = [
    (
        lambda catalog: catalog._items.pop("u3"),
        {
            "internal_fields": [{"NameWithoutObject": ["public", "lake", "u3"]}],
            "object_dependencies": [
                {"NonExistentReferrer": ["u1", "u3"]},
                {"NonExistentReferrer": ["u2", "u3"]},
            ],
        },
    ),
    (
        lambda catalog: catalog._items.__setitem__("u3", catalog._items["u2"]),
        {"internal_fields": [{"ObjectWithoutId": "u3"}, {"NameWithoutObject": ["public", "lake", "u3"]}]},
    ),
    (
        lambda catalog: catalog._places.pop(("public", "lake")),
        {"internal_fields": [{"ObjectWithoutName": ["public", "lake", "u3"]}]},
    ),
    (
        lambda catalog: catalog._places.__setitem__(("public", "ghost"), "u9"),
        {"internal_fields": [{"NameWithoutObject": ["public", "ghost", "u9"]}]},
    ),
    (
        lambda catalog: catalog._referrers["u1"].pop("u2"),
        {"object_dependencies": [{"MissingReferrer": ["u1", "u2"]}]},
    ),
    (
        lambda catalog: catalog._referrers["u1"].__setitem__("u9", None),
        {"object_dependencies": [{"NonExistentReferrer": ["u1", "u9"]}]},
    ),
    (
        lambda catalog: setattr(catalog._items["u2"], "references", ("u1", "u9")),
        {"object_dependencies": [{"NonExistentReference": ["u2", "u9"]}]},
    ),
    (
        lambda catalog: setattr(catalog._items["u2"], "text", '{"id":"u7",'),
        {"items": [{"ObjectOfAnotherId": "u2"}]},
    ),
    (
        lambda catalog: setattr(catalog._items["u1"], "gone", 1),
        {"resource_counts": {"objects": {"counted": 3, "recounted": 2}}},
    ),
]


@pytest.mark.parametrize(("corrupt", "found"), CORRUPTIONS)
def test_what_is_wrong_is_found(corrupt: Callable[[Catalog], object], found: dict[str, Any]) -> None:
    made = filled()
    corrupt(made.app.catalog)
    assert look(made) == found


def test_an_owner_that_is_not_there() -> None:
    app = App(dialect=Dialect(internal_users=(), user_header_values=()))
    assert look(server(app)) == {"roles": [{"NonExistentOwner": "s1"}]}


def test_a_route_that_nobody_can_answer() -> None:
    app = App(pages=False, routes=[Route("GET", "/x", "base", None)])  # type: ignore[arg-type]
    assert look(server(app)) == {"items": [{"RouteWithoutHandler": ["main", "GET", "/x"]}]}


def test_findings_are_bounded_and_steps_are_many() -> None:
    made = server()
    for number in range(5000):
        made.app.catalog.add("Table", f"t{number}")
    made.app.catalog._places.clear()
    found = Inconsistencies()
    assert sum(1 for _ in look_at_catalog(made, found)) >= 5000 / 256
    assert len(found.internal_fields) == MOST


@given(
    st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 9), st.sets(st.integers(0, 9))), max_size=30)
)
def test_no_order_of_changes_makes_it_inconsistent(acts: list[tuple[str, int, set[int]]]) -> None:
    made = server()
    catalog, ids = made.app.catalog, dict[int, str]()
    for act, number, references in acts:
        try:
            if act == "add":
                known = [ids[other] for other in references if other in ids]
                ids[number] = catalog.add("Table", f"t{number}", references=known)
            elif number in ids:
                catalog.remove(ids.pop(number))
        except ValueError:  # taken, or referred to
            ids |= {number: catalog.find(f"t{number}") or ""}
    assert look(made) == {}


def test_changes_in_the_midst_of_a_look_are_no_findings() -> None:
    made = filled()
    found = Inconsistencies()
    for step, _ in enumerate(look_at_catalog(made, found)):
        made.app.catalog.add("Table", f"t{step}")
        if step == 1:
            made.app.catalog.remove("u3")
    assert not found


def test_the_state_of_a_server_at_work_agrees() -> None:
    sim = Sim(App())
    wires = [sim.connect() for _ in range(3)]
    wires[0].abort()
    assert look_at_server(sim.server) == {"read_holds": [], "active_webhooks": [], "cluster_statuses": []}


def test_workers_are_registered_and_their_clusters_too() -> None:
    made = server()
    workers = made.app.workers
    cluster = workers.add_cluster("pickers")
    replica = workers.add_replica(cluster, "r1", ["127.0.0.1:7000"])
    assert look_at_server(made)["cluster_statuses"] == []
    workers._clusters.pop(cluster.id)
    workers._replicas["u8", "u9"] = replica
    assert look_at_server(made)["cluster_statuses"] == [
        {"NonExistentReplica": [cluster.id, replica.id]},
        {"NonExistentReplica": ["u8", "u9"]},
    ]


def test_what_is_wrong_with_the_state_is_found() -> None:
    sim = Sim(App())
    wire = sim.connect()
    sim.server.enlisted[7] = (wire.connection, None)  # type: ignore[assignment]
    sim.server.connections.discard(wire.connection)
    sim.server.appenders["u5"] = object()
    sim.server.appenders[sim.server.app.catalog.add("Source", "shop")] = object()
    found = look_at_server(sim.server)
    assert found["read_holds"] == [{"NonExistentConnection": "1"}, {"MiscountedConnections": ["main", 1, 0]}]
    assert found["active_webhooks"] == [{"NonExistentWebhook": "u5"}]
