"""The catalog: ids that stay, what is refused, and a dump that is whole, valid and sliced."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fanlight.catalog.catalog import KINDS, LARGEST_DEFINITION, Catalog, Entry, Exposed, Kind, Module, Place
from fanlight.jsontext import PIECE_FRAGMENTS
from fanlight.relations import Column, Relation
from fanlight.workers import WorkerRegistry

KEYS = [
    "database_by_name",
    "database_by_id",
    "entry_by_id",
    "entry_by_global_id",
    "ambient_schemas_by_name",
    "ambient_schemas_by_id",
    "clusters_by_name",
    "clusters_by_id",
    "roles_by_name",
    "roles_by_id",
    "network_policies_by_name",
    "network_policies_by_id",
    "default_privileges",
    "system_privileges",
    "comments",
    "source_references",
    "storage_metadata",
    "system_parameter_defaults",
    "cluster_replica_sizes",
    "egress_addresses",
    "routes",
    "modules",
    "process",
]


def nothing() -> Iterable[tuple[Any, ...]]:
    return ()


TASKS = Relation(
    "tasks", (Column("id", "bigint", "Its id."), Column("cpu", "double", "", "seconds")), nothing, "Tasks."
)
FRAMES = Relation("frames", (Column("depth", "bigint"),), nothing, cost="High.", privileged=True)
ORDERS = Relation("orders", (Column("id", "bigint"),), nothing, schema="public")


def dumped(catalog: Catalog, exposed: Exposed | None = None) -> Any:
    """The dump, read back; every byte of it is ASCII."""
    return json.loads(b"".join(catalog.dump(exposed or Exposed())).decode("ascii"))


def test_an_empty_catalog_has_every_section() -> None:
    dump = dumped(Catalog())
    assert list(dump) == KEYS
    assert dump["storage_metadata"] == {"unfinalized_shards": []}
    assert dump["database_by_name"] == {"materialize": "u1"}
    assert dump["database_by_id"]["u1"]["schemas_by_name"] == {"process": "s1", "public": "u1"}
    assert dump["entry_by_id"] == {}


def test_relations_are_entries() -> None:
    catalog = Catalog()
    dump = dumped(catalog, Exposed(system=(TASKS, FRAMES), published=(ORDERS,)))
    assert list(dump["entry_by_id"]) == ["s1", "s2", "u1"]
    assert dump["entry_by_global_id"] == {"s1": "s1", "s2": "s2", "u1": "u1"}
    assert dump["entry_by_id"]["s1"] == {
        "id": "s1",
        "oid": dump["entry_by_id"]["s1"]["oid"],
        "name": {"database": "materialize", "schema": "process", "item": "tasks"},
        "owner_id": "s1",
        "item": {
            "View": {
                "columns": [
                    {"name": "id", "type": "bigint", "unit": "", "comment": "Its id."},
                    {"name": "cpu", "type": "double", "unit": "seconds", "comment": ""},
                ],
                "privileged": False,
                "cost": "",
            }
        },
        "referenced_by": [],
    }
    assert dump["entry_by_id"]["s2"]["item"]["View"]["privileged"] is True
    assert dump["entry_by_id"]["u1"]["name"]["schema"] == "public"
    assert dump["comments"] == {"s1": "Tasks."}
    oids = [entry["oid"] for entry in dump["entry_by_id"].values()]
    assert len(set(oids)) == 3


def test_ids_stay_whatever_else_comes_and_goes() -> None:
    catalog = Catalog()
    assert catalog.identify(ORDERS) == "u1"
    first = catalog.add("Table", "a")
    second = catalog.add("Table", "b")
    catalog.remove(first)
    assert catalog.add("Table", "a") not in {first, second}
    assert catalog.identify(FRAMES, system=True) == "s1"
    dump = dumped(catalog, Exposed(system=(TASKS, FRAMES), published=(ORDERS,)))
    assert dump["entry_by_id"]["s1"]["name"]["item"] == "frames"
    assert dump["entry_by_id"]["s2"]["name"]["item"] == "tasks"
    assert dump["entry_by_id"]["u1"]["name"]["item"] == "orders"
    assert dump["entry_by_id"][second]["name"]["item"] == "b"
    assert dumped(catalog, Exposed(system=(TASKS, FRAMES), published=(ORDERS,))) == dump
    anew = Relation("orders", (Column("x", "text"),), nothing, schema="public")
    assert dumped(catalog, Exposed(published=(anew,)))["entry_by_id"]["u1"]["item"]["View"]["columns"][0]["name"] == "x"


@pytest.mark.parametrize("kind", KINDS)
def test_objects_of_every_kind(kind: Kind) -> None:
    catalog = Catalog()
    definition = None if kind == "Secret" else {"columns": ["a"], "n": 1}
    identity = catalog.add(kind, "thing", definition=definition, comment="A thing.", system=True, schema="shop")
    assert identity == "s1"
    assert (identity in catalog, len(catalog), catalog.find("thing", schema="shop")) == (True, 1, "s1")
    dump = dumped(catalog)
    assert dump["entry_by_id"]["s1"]["item"] == {kind: definition or {}}
    assert dump["comments"] == {"s1": "A thing."}
    assert dump["database_by_id"]["u1"]["schemas_by_name"]["shop"] == "u2"


def test_references_are_shown_the_other_way_round() -> None:
    catalog = Catalog()
    orders = catalog.identify(ORDERS)
    base = catalog.add("Table", "base")
    view = catalog.add("View", "v", references=(base, orders))
    other = catalog.add("View", "w", references=(base,))
    entries = dumped(catalog, Exposed(published=(ORDERS,)))["entry_by_id"]
    assert entries[base]["referenced_by"] == [view, other]
    assert entries[orders]["referenced_by"] == [view]
    with pytest.raises(ValueError, match=f"{base} is referred to by {view}"):
        catalog.remove(base)
    catalog.remove(view)
    catalog.remove(other)
    catalog.remove(base)
    assert dumped(catalog, Exposed(published=(ORDERS,)))["entry_by_id"][orders]["referenced_by"] == []
    with pytest.raises(KeyError):
        catalog.remove(base)


def test_what_the_catalog_refuses() -> None:
    catalog = Catalog()
    catalog.add("Table", "taken")
    with pytest.raises(ValueError, match="the kind is one of"):
        catalog.add("Index", "i")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="already in the catalog"):
        catalog.add("View", "taken")
    with pytest.raises(ValueError, match="no object with id 'u9'"):
        catalog.add("View", "v", references=("u9",))
    with pytest.raises(ValueError, match="a name and nothing else"):
        catalog.add("Secret", "s", definition={"value": "sesame"})
    with pytest.raises(ValueError, match="characters of JSON"):
        catalog.add("Table", "t", definition={"x": ["y" * 1000] * (LARGEST_DEFINITION // 1000 + 1)})
    assert len(catalog) == 1
    assert catalog.add("Table", "next") == "u2"


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_no_secret_and_no_hostile_object_gets_through() -> None:
    catalog = Catalog()
    catalog.add("Secret", "stripe")
    catalog.add("Sink", "s", definition={"url": "https://ada:sesame@h/", "password": "sesame", "x": Hostile()})
    process = {"pid": 1, "argv0": Hostile(), "token": "sesame"}
    modules = (Module("a\udc80b", None, "\udcff"),)
    text = json.dumps(dumped(catalog, Exposed(process=process, modules=modules, defaults={"a": "\ud800"})))
    assert "sesame" not in text
    assert text.count("<unprintable>") == 2
    assert "stripe" in text


def test_the_surroundings_are_shown() -> None:
    exposed = Exposed(
        roles={"mz_system": True, "mz_support": True, "anonymous": False},
        routes={"main": [{"method": "GET", "path": "/"}]},
        defaults={"limits.streams": "100", "dialect.session_cookie": "mz_session"},
        modules=(Module("json", "2.0.9", "json/__init__.py"), Module("sys", None, None)),
        process={"pid": 7, "python": "3.11.7"},
        addresses=("127.0.0.1:6876",),
    )
    dump = dumped(Catalog("shop"), exposed)
    assert dump["database_by_name"] == {"shop": "u1"}
    assert dump["roles_by_name"] == {"mz_system": "s1", "mz_support": "s2", "anonymous": "u1"}
    assert dump["roles_by_id"]["s2"] == {"id": "s2", "name": "mz_support", "attributes": {"internal": True}}
    assert dump["clusters_by_name"] == {"process": "s1"}
    processes = [{"process": 0, "addr": "127.0.0.1:6876"}]
    assert dump["clusters_by_id"]["s1"]["replicas"] == {"s1": {"name": "r1", "pid": 7, "processes": processes}}
    assert dump["routes"] == {"main": [{"method": "GET", "path": "/"}]}
    assert dump["system_parameter_defaults"] == {"limits.streams": "100", "dialect.session_cookie": "mz_session"}
    assert dump["modules"] == {
        "json": {"version": "2.0.9", "file": "json/__init__.py"},
        "sys": {"version": None, "file": None},
    }
    assert dump["process"] == {"pid": 7, "python": "3.11.7"}


def test_a_dump_is_made_in_bounded_steps_and_shows_the_objects_of_its_start() -> None:
    catalog = Catalog()
    for number in range(3000):
        catalog.add("Table", f"t{number}", definition={"columns": ["a", "b"]})
    steps = catalog.dump(Exposed())
    pieces = [next(steps)]
    for number in range(3000):
        catalog.remove(f"u{number + 1}")
    catalog.add("Table", "late")
    pieces.extend(steps)
    dump = json.loads(b"".join(pieces))
    assert len(dump["entry_by_id"]) == 3000
    assert "late" not in json.dumps(dump["entry_by_id"])
    # An entry is three fragments or so; no piece may hold more of them than fragments are allowed.
    assert max(piece.count(b'"owner_id"') for piece in pieces) <= PIECE_FRAGMENTS // 2
    assert len(pieces) > 3000 * 3 // PIECE_FRAGMENTS


def test_two_dumps_at_once_each_show_their_own_moment() -> None:
    catalog = Catalog()
    ids = [catalog.add("Table", f"t{number}") for number in range(1000)]
    first = catalog.dump(Exposed())
    begun = [next(first)]
    for identity in ids[:400]:
        catalog.remove(identity)
    second = catalog.dump(Exposed())
    begun_later = [next(second)]
    for identity in ids[400:900]:
        catalog.remove(identity)
    later = [catalog.add("Table", f"l{number}") for number in range(300)]
    assert list(json.loads(b"".join([*begun, *first]))["entry_by_id"]) == ids
    assert list(json.loads(b"".join([*begun_later, *second]))["entry_by_id"]) == ids[400:]
    assert list(dumped(catalog)["entry_by_id"]) == [*ids[900:], *later]


def test_many_relations_and_many_comments_are_sliced_too() -> None:
    catalog = Catalog()
    relations = tuple(
        Relation(f"r{number}", (Column("id", "bigint"),), nothing, "", schema="public") for number in range(2000)
    )
    pieces = list(catalog.dump(Exposed(published=relations)))
    assert len(json.loads(b"".join(pieces))["entry_by_id"]) == 2000
    assert max(len(piece) for piece in pieces) < 32 * 1024
    assert b"" in pieces  # Passing over 2,000 missing comments is done in steps as well.


names = st.text(st.characters(codec="ascii", categories=["Ll"]), min_size=1, max_size=2)


class CatalogMachine(RuleBasedStateMachine):
    """Objects come and go; whatever the dump shows agrees with what was done."""

    @initialize()
    def start(self) -> None:
        self.catalog = Catalog()
        self.known: dict[str, tuple[str, frozenset[str]]] = {}
        self.given: set[str] = set()

    @rule(name=names, system=st.booleans(), data=st.data())
    def add(self, name: str, system: bool, data: st.DataObject) -> None:
        references = data.draw(st.sets(st.sampled_from(sorted(self.known)), max_size=3)) if self.known else set()
        try:
            identity = self.catalog.add("View", name, references=tuple(sorted(references)), system=system)
        except ValueError:
            assert name in {taken for taken, _ in self.known.values()}
        else:
            assert identity not in self.given
            assert identity[0] == ("s" if system else "u")
            self.given.add(identity)
            self.known[identity] = (name, frozenset(references))

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if not self.known:
            return
        identity = data.draw(st.sampled_from(sorted(self.known)))
        try:
            self.catalog.remove(identity)
        except ValueError:
            assert any(identity in references for _, references in self.known.values())
        else:
            assert not any(identity in references for _, references in self.known.values())
            del self.known[identity]

    @invariant()
    def the_dump_agrees(self) -> None:
        entries: Mapping[str, Any] = dumped(self.catalog)["entry_by_id"]
        assert {identity: entry["name"]["item"] for identity, entry in entries.items()} == {
            identity: name for identity, (name, _) in self.known.items()
        }
        for identity, entry in entries.items():
            assert entry["id"] == identity
            referrers = {other for other, (_, references) in self.known.items() if identity in references}
            assert set(entry["referenced_by"]) == referrers


TestCatalogMachine = CatalogMachine.TestCase
TestCatalogMachine.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


def test_objects_are_found_by_id() -> None:
    catalog = Catalog()
    orders = catalog.add("Source", "orders")
    audit = catalog.add("Table", "audit", schema="process", system=True)
    assert catalog.place(orders) == Place("orders", "public", "materialize")
    assert catalog.place(audit) == Place("audit", "process", "")
    assert catalog.place("u99") is None
    catalog.remove(orders)
    assert catalog.place(orders) is None
    identity = catalog.identify(ORDERS)
    assert catalog.place(identity) == Place("orders", "public", "materialize")


def test_entries_are_everything_that_a_dump_shows() -> None:
    catalog = Catalog()
    secret = catalog.add("Secret", "key")
    entries = list(catalog.entries([TASKS, FRAMES], [ORDERS]))
    assert [(entry.kind, entry.place.name) for entry in entries] == [
        ("View", "tasks"),
        ("View", "frames"),
        ("View", "orders"),
        ("Secret", "key"),
    ]
    assert entries[-1] == Entry(secret, "Secret", Place("key", "public", "materialize"))
    shown = dumped(catalog, Exposed(system=[TASKS, FRAMES], published=[ORDERS]))["entry_by_id"]
    assert {entry.id: entry.place.name for entry in entries} == {
        identity: entry["name"]["item"] for identity, entry in shown.items()
    }


def test_workers_are_clusters_of_the_dump() -> None:
    workers = WorkerRegistry()
    shop = workers.add_cluster("shop")
    workers.add_replica(shop, "r1", ["unix:/a", "127.0.0.1:1"])
    workers.add_replica(shop, "r2", lambda: ["nowhere"])
    dump = dumped(Catalog(), Exposed(replicas=workers.replicas))
    assert dump["clusters_by_name"] == {"process": "s1", "shop": "u1"}
    processes = [{"process": 0, "addr": "unix:/a"}, {"process": 1, "addr": "127.0.0.1:1"}]
    assert dump["clusters_by_id"]["u1"]["replicas"] == {
        "u2": {"name": "r1", "pid": None, "processes": processes},
        "u3": {"name": "r2", "pid": None, "processes": [{"process": 0, "addr": None}]},
    }
