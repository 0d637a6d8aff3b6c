"""The catalog: a registry of what a process exposes, and its dump as JSON in slices.

Relations are known to it by themselves; whatever else a program exposes
(tables, sources, sinks, functions, the names of secrets) is added here.  The
dump is a generator of pieces, each a bounded amount of work, so that a catalog
of any size can be sent from the host's own loop.  The catalog never holds the
value of a secret and never looks into the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, count
from typing import Any, Literal

from attrs import define, field, frozen

from ..jsontext import elements, encode, fragments, members, pieces, quoted
from ..relations import Relation
from ..workers import OWN, OWN_CLUSTER_NAME, OWN_REPLICA_NAME, Replica

Kind = Literal["Table", "View", "Source", "Sink", "Secret", "Func", "Type"]
KINDS: tuple[Kind, ...] = ("Table", "View", "Source", "Sink", "Secret", "Func", "Type")
"""The kinds in the words of the dump; relations are dumped as `View`."""

LARGEST_DEFINITION = 64 * 1024
"""Characters of JSON of one object's definition: a piece of the dump cannot be smaller than one."""

_AT_ONCE = 256
"""Objects that a dump takes out of the catalog at a time."""
FIRST_OID = 16384
"""Below it PostgreSQL keeps the oids of its own objects, and clients know some of them."""
OWNER = "s1"
CLUSTER = OWN
DATABASE = "u1"
SYSTEM_SCHEMA = "process"
"""Ids that never change: there is one owner, one cluster, one database in a process."""

Told = Callable[[str, str, Mapping[str, Any]], object]
"""Told of a change: its event type, the object's type and the details, as the audit log has them."""

_Members = Iterator[tuple[str, Iterable[str]]]
"""Names with the fragments of their values, as `jsontext.members` takes them."""


@frozen
class Module:
    """A loaded module: its version and file where it tells them."""

    name: str
    version: str | None
    file: str | None


@frozen(kw_only=True)
class Exposed:
    """What a dump shows beside the catalog's own objects.

    `system` are the relations of the process, `published` those of the host.
    `roles` maps the names of roles to whether they are internal, the first
    owns everything.  `routes` are those of each listener, `defaults` the
    configuration's names with their default texts, `process` says which
    process this is, `addresses` where it listens, `replicas` its workers.
    """

    system: Sequence[Relation] = ()
    published: Sequence[Relation] = ()
    roles: Mapping[str, bool] = field(factory=dict[str, bool])
    routes: Mapping[str, Sequence[Mapping[str, str]]] = field(factory=dict[str, Sequence[Mapping[str, str]]])
    defaults: Mapping[str, str] = field(factory=dict[str, str])
    modules: Sequence[Module] = ()
    process: Mapping[str, Any] = field(factory=dict[str, Any])
    addresses: Sequence[str] = ()
    replicas: Sequence[Replica] = ()


@frozen
class Place:
    """An object by its names; `database` is empty for objects of the system."""

    name: str
    schema: str
    database: str


@frozen
class Entry:
    """An object of the catalog in a few words; `kind` is that of the dump."""

    id: str
    kind: Kind
    place: Place


@define(eq=False)
class Item:
    """An object as it was added; `text` is its entry up to the open list of what refers to it.

    Kept as text: what the host handed in is read once, when it is added, and a
    later change of its objects changes no dump.  `gone` is 0, or the number of
    its departure.
    """

    id: str
    kind: Kind
    place: tuple[str, str]
    text: str
    comment: str
    references: tuple[str, ...]
    gone: int = 0


def _as_of(order: list[Item], length: int, moment: int) -> Iterator[list[Item]]:
    """The first `length` of `order`, without those that had gone by `moment`.

    Taken a few at a time: a list of all would hold up the host while it is made,
    and once more while the cyclic collector goes through it.
    """
    for start in range(0, length, _AT_ONCE):
        part = order[start : min(start + _AT_ONCE, length)]
        yield [item for item in part if not item.gone or item.gone > moment]


class Catalog:
    """What the process exposes, by id: `s1`, `s2`, … for the system's, `u1`, … for the host's.

    An id is given once and stands for its object as long as the process lives.
    A relation keeps the id of its schema and name, even when it is published
    anew.  Each method is a few operations on dicts and may be called from any
    thread; a dump that is under way shows the objects of its start.
    """

    def __init__(self, database: str = "materialize", told: Told | None = None) -> None:
        self.database = database
        self._told = told
        self._serials = {"s": count(1), "u": count(1)}
        self._oids = count(FIRST_OID)
        self._schemas: dict[str, tuple[str, int]] = {}
        self._relations: dict[tuple[str, str], tuple[str, int]] = {}
        self._relation_ids: set[str] = set()
        self._relation_places: dict[str, tuple[str, str]] = {}
        self._items: dict[str, Item] = {}
        # The items as they came, and those that have gone, until these are too many.
        self._order: list[Item] = []
        self._gaps = 0
        self._departures = count(1)
        self._places: dict[tuple[str, str], str] = {}
        # By id, in order of coming: a dict serves as an ordered set.
        self._referrers: dict[str, dict[str, None]] = {}
        # Both exist from the start, so their ids are the same in every process.
        for schema in (SYSTEM_SCHEMA, "public"):
            self._schema(schema)

    def add(
        self,
        kind: Kind,
        name: str,
        *,
        schema: str = "public",
        definition: Mapping[str, Any] | None = None,
        references: Sequence[str] = (),
        comment: str = "",
        system: bool = False,
    ) -> str:
        """Expose an object and return its id.

        `definition` is shown as JSON (secrets in it are redacted) and read now,
        once.  `references` are ids of objects that this one is made of.  Raises
        `ValueError` for a kind that there is not, a name that is taken in its
        schema, an unknown reference, a definition that is too large, and a
        Secret with a definition: of secrets only names are known here.
        """
        if kind not in KINDS:
            raise ValueError(f"the kind is one of {', '.join(KINDS)}")
        if kind == "Secret" and definition:
            raise ValueError("a Secret has a name and nothing else here")
        if (schema, name) in self._places:
            raise ValueError(f"{schema}.{name} is already in the catalog")
        # Only ids that exist already: so there are no circles, and `remove` can take objects out one by
        # one.
        strangers = [reference for reference in references if reference not in self]
        if strangers:
            raise ValueError(f"no object with id {strangers[0]!r}")
        body = f'{{"{kind}":{encode(definition or {})}}}'
        if len(body) > LARGEST_DEFINITION:
            raise ValueError(f"the definition of {schema}.{name} is over {LARGEST_DEFINITION} characters of JSON")
        identity = self._put("s" if system else "u", kind, (schema, name), body, tuple(references), comment)
        self._tell("create", kind, identity, (schema, name))
        return identity

    def remove(self, id: str) -> None:  # noqa: A002 - the word of the dump
        """Take out an object that was added.

        Raises `KeyError` for an id that is not one, `ValueError` while another
        object refers to it.

        Its id is never given to another object.
        """
        item = self._items[id]
        if self._referrers.get(id):
            raise ValueError(f"{id} is referred to by {next(iter(self._referrers[id]))}")
        del self._items[id]
        item.gone = next(self._departures)
        self._gaps += 1
        if self._gaps > _AT_ONCE and self._gaps > len(self._items):
            self._close_gaps()
        del self._places[item.place]
        for reference in item.references:
            self._referrers[reference].pop(id, None)
        self._tell("drop", item.kind, id, item.place)

    def find(self, name: str, *, schema: str = "public") -> str | None:
        """The id of an object that was added, or of a relation that was dumped or identified.

        None where there is neither.  Objects come before relations of the same
        name.
        """
        relation = self._relations.get((schema, name))
        return self._places.get((schema, name)) or (relation[0] if relation else None)

    def identify(self, relation: Relation, *, system: bool = False) -> str:
        """The id of a relation, given at first sight.

        The next dump shows the same id, even when the relation was never dumped
        before.
        """
        return self._identity(relation, system)[0]

    def place(self, id: str) -> Place | None:  # noqa: A002 - the word of the dump
        """Where the object with that id is; None for an id that nobody has, or a relation nobody has identified."""
        item = self._items.get(id)
        found = item.place if item is not None else self._relation_places.get(id)
        return self._placed(id, found) if found is not None else None

    def entries(self, system: Iterable[Relation], published: Iterable[Relation]) -> Iterator[Entry]:
        """Every object: the relations of the process, those of the host, and what was added."""
        for relations, own in ((system, True), (published, False)):
            for relation in relations:
                identity = self.identify(relation, system=own)
                yield Entry(identity, "View", self._placed(identity, (relation.schema, relation.name)))
        for item in list(self._items.values()):
            yield Entry(item.id, item.kind, self._placed(item.id, item.place))

    def _placed(self, identity: str, place: tuple[str, str]) -> Place:
        schema, name = place
        return Place(name, schema, "" if identity.startswith("s") else self.database)

    def __contains__(self, id: object) -> bool:  # noqa: A002 - the word of the dump
        return id in self._items or id in self._relation_places

    def __len__(self) -> int:
        """How many objects were added; relations are not counted."""
        return len(self._items)

    def counted(self) -> int:
        """How many objects were added, as their order has it; put right where two threads changed it at once."""
        if len(self._order) - self._gaps != len(self._items):
            self._close_gaps()
        return len(self._order) - self._gaps

    def slices(self) -> Iterator[list[Item]]:
        """The objects of now, a few at a time; what is added or removed meanwhile does not show."""
        return _as_of(self._order, len(self._order), next(self._departures))

    def dump(self, exposed: Exposed) -> Iterator[bytes]:
        """The catalog as one JSON object, in pieces (see `jsontext.pieces`)."""
        return pieces(members(self._sections(exposed)))

    def _tell(self, event: str, kind: Kind, identity: str, place: tuple[str, str]) -> None:
        """An event for the audit log, if somebody keeps one."""
        if self._told is not None:
            schema, name = place
            names = {"id": identity, "database": self.database, "schema": schema, "item": name}
            self._told(event, kind.lower(), {"IdFullNameV1": names})

    def _put(
        self, letter: str, kind: Kind, place: tuple[str, str], body: str, references: tuple[str, ...], comment: str
    ) -> str:
        """Give the object an id and an oid and enter it.  Everything was checked before: nothing here fails."""
        schema, name = place
        self._schema(schema)
        identity = f"{letter}{next(self._serials[letter])}"
        text = self._opening(identity, next(self._oids), schema, name) + body
        for reference in references:
            self._referrers.setdefault(reference, {})[identity] = None
        item = self._items[identity] = Item(identity, kind, place, text, comment, references)
        self._order.append(item)
        self._places[place] = identity
        return identity

    def _close_gaps(self) -> None:
        """Forget those that have gone; a dump that is under way keeps the order that it began with."""
        self._order = list(self._items.values())
        self._gaps = 0

    def _schema(self, name: str) -> tuple[str, int]:
        """The id and oid of a schema, made at first sight.  A schema never goes, even when it is empty."""
        known = self._schemas.get(name)
        if known is None:
            letter = "s" if name == SYSTEM_SCHEMA else "u"
            number = 1 + sum(identity[0] == letter for identity, _ in self._schemas.values())
            # `setdefault` is one step: of two threads that make the same schema both get the first one's.
            known = self._schemas.setdefault(name, (f"{letter}{number}", next(self._oids)))
        return known

    def _identity(self, relation: Relation, system: bool) -> tuple[str, int]:
        """The id and oid of the relation at its schema and name, given at first sight."""
        place = (relation.schema, relation.name)
        known = self._relations.get(place)
        if known is None:
            letter = "s" if system else "u"
            fresh = (f"{letter}{next(self._serials[letter])}", next(self._oids))
            known = self._relations.setdefault(place, fresh)
            self._relation_places[known[0]] = place
            self._schema(relation.schema)
        return known

    def _sections(self, exposed: Exposed) -> _Members:
        """The members of the dump in order; each is made when the one before it is out."""
        self.counted()
        # The objects of the start: what is added or removed while the dump goes out does not show.
        parts = partial(_as_of, self._order, len(self._order), next(self._departures))

        def items() -> Iterator[Item]:
            return chain.from_iterable(parts())

        roles = role_ids(exposed.roles)
        clusters = _clusters(exposed)
        yield "database_by_name", fragments({self.database: DATABASE})
        yield "database_by_id", fragments({DATABASE: self._database()})
        yield "entry_by_id", members(chain(self._relation_entries(exposed), self._item_entries(items())))
        ids = chain((identity for (identity, _), _ in self._identified(exposed)), (item.id for item in items()))
        yield "entry_by_global_id", members((identity, (quoted(identity),)) for identity in ids)
        yield "ambient_schemas_by_name", fragments({})
        yield "ambient_schemas_by_id", fragments({})
        yield "clusters_by_name", fragments({cluster["name"]: id_ for id_, cluster in clusters.items()})
        yield "clusters_by_id", fragments(clusters)
        yield "roles_by_name", fragments({role["name"]: id_ for id_, role in roles.items()})
        yield "roles_by_id", fragments(roles)
        for empty in ("network_policies_by_name", "network_policies_by_id", "default_privileges", "system_privileges"):
            yield empty, fragments({})
        yield "comments", _comments(self._identified(exposed), items())
        yield "source_references", fragments({})
        yield "storage_metadata", fragments({"unfinalized_shards": []})
        defaults = exposed.defaults.items()
        yield "system_parameter_defaults", members((name, (quoted(text),)) for name, text in defaults)
        yield "cluster_replica_sizes", fragments({})
        yield "egress_addresses", fragments([])
        yield "routes", fragments(exposed.routes)
        yield (
            "modules",
            members(
                (module.name, fragments({"version": module.version, "file": module.file})) for module in exposed.modules
            ),
        )
        yield "process", fragments(exposed.process)

    def _database(self) -> Mapping[str, Any]:
        """The one database with its schemas; small, since schemas are few."""
        schemas = {
            identity: {"id": identity, "oid": oid, "name": name, "owner_id": OWNER}
            for name, (identity, oid) in list(self._schemas.items())
        }
        return {
            "id": DATABASE,
            "name": self.database,
            "owner_id": OWNER,
            "schemas_by_id": schemas,
            "schemas_by_name": {schema["name"]: identity for identity, schema in schemas.items()},
        }

    def _opening(self, identity: str, oid: int, schema: str, name: str) -> str:
        """The start of an entry, up to its definition."""
        where = f'{{"database":{quoted(self.database)},"schema":{quoted(schema)},"item":{quoted(name)}}}'
        return f'{{"id":"{identity}","oid":{oid},"name":{where},"owner_id":"{OWNER}","item":'

    def _identified(self, exposed: Exposed) -> Iterator[tuple[tuple[str, int], Relation]]:
        """Every relation with its id and oid, the process's own first."""
        for relation in exposed.system:
            yield self._identity(relation, True), relation
        for relation in exposed.published:
            yield self._identity(relation, False), relation

    def _relation_entries(self, exposed: Exposed) -> _Members:
        """Entries of relations, made as they are read: a declaration is small and may have changed."""
        for (identity, oid), relation in self._identified(exposed):
            opening = self._opening(identity, oid, relation.schema, relation.name)
            yield identity, chain((opening,), fragments({"View": _view(relation)}), self._closing(identity))

    def _item_entries(self, items: Iterable[Item]) -> _Members:
        """Entries of objects that were added: their text is there already."""
        for item in items:
            yield item.id, chain((item.text,), self._closing(item.id))

    def _closing(self, identity: str) -> Iterable[str]:
        """The end of an entry, with the ids of what refers to it.

        Last in the entry because it is the only part that changes afterwards.
        """
        referrers = self._referrers.get(identity)
        if not referrers:
            return (',"referenced_by":[]}',)
        return chain((',"referenced_by":',), elements((quoted(referrer),) for referrer in tuple(referrers)), ("}",))


def _view(relation: Relation) -> Mapping[str, Any]:
    """A relation's definition: it is a view over the process, whoever published it."""
    columns = [
        {"name": column.name, "type": column.type, "unit": column.unit, "comment": column.doc}
        for column in relation.columns
    ]
    return {"columns": columns, "privileged": relation.privileged, "cost": relation.cost}


def _comments(relations: Iterable[tuple[tuple[str, int], Relation]], items: Iterable[Item]) -> Iterator[str]:
    """The comments by id.  What has none gives an empty fragment: passing over it is work, too."""
    comments = chain(
        ((identity, relation.doc) for (identity, _), relation in relations),
        ((item.id, item.comment) for item in items),
    )
    separator = "{"
    for identity, comment in comments:
        if comment:
            yield f"{separator}{quoted(identity)}:"
            yield from fragments(comment)
            separator = ","
        else:
            yield ""
    yield "{}" if separator == "{" else "}"


def role_ids(roles: Mapping[str, bool]) -> dict[str, dict[str, Any]]:
    """Roles by id: internal ones are `s1`, `s2`, …, others `u1`, …, in the order given."""
    serials = {"s": count(1), "u": count(1)}
    numbered: dict[str, dict[str, Any]] = {}
    for name, internal in roles.items():
        letter = "s" if internal else "u"
        identity = f"{letter}{next(serials[letter])}"
        numbered[identity] = {"id": identity, "name": name, "attributes": {"internal": internal}}
    return numbered


def _clusters(exposed: Exposed) -> dict[str, dict[str, Any]]:
    """Clusters by id, each with its replicas by id: this process, reached without a socket, then its workers."""
    process = {"process": 0, "addr": exposed.addresses[0] if exposed.addresses else None}
    replica = {"name": OWN_REPLICA_NAME, "pid": exposed.process.get("pid"), "processes": [process]}
    clusters: dict[str, dict[str, Any]] = {
        CLUSTER: {"id": CLUSTER, "name": OWN_CLUSTER_NAME, "replicas": {CLUSTER: replica}}
    }
    for each in exposed.replicas:
        if each.locate is not None:
            new = {"id": each.cluster.id, "name": each.cluster.name, "replicas": {}}
            shown = [
                {"process": number, "addr": str(where) if where is not None else None}
                for number, where in enumerate(each.addresses())
            ]
            known = clusters.setdefault(each.cluster.id, new)
            known["replicas"][each.id] = {"name": each.name, "pid": None, "processes": shown}
    return clusters
