"""Consistency: whether the catalog, and what the server knows of its own state, agree with themselves.

What is looked at is counted twice or reached by two ways; both must say the
same.  The look is a generator that does a bounded amount of work between two
steps, for the catalog may be large.  It repairs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from attrs import Factory, define, fields

from ..auth.groups import GROUPS
from .catalog import OWNER, role_ids
from .inventory import roles

if TYPE_CHECKING:
    from ..server import Server
    from .catalog import Catalog, Item

MOST = 1000
"""Entries of one list of findings; what is more is more of the same."""
_STEP = 256

Entry = dict[str, Any]
"""What was found, and where: `{"NonExistentReference": ["u1", "u2"]}`."""


@define
class Inconsistencies:
    """What does not agree in a catalog, in the words of Materialize.

    `internal_fields`: names and ids; `roles`: owners; `comments`: what a
    comment is on (one is kept with its object here, so it cannot be on
    another); `object_dependencies`: what refers to what; `items`: the objects
    themselves, and the handlers of routes; `resource_counts`: counts that a
    recount does not confirm.
    """

    internal_fields: list[Entry] = Factory(list)
    roles: list[Entry] = Factory(list)
    comments: list[Entry] = Factory(list)
    object_dependencies: list[Entry] = Factory(list)
    items: list[Entry] = Factory(list)
    resource_counts: dict[str, Any] | None = None

    def json(self) -> dict[str, Any]:
        """All six, in this order."""
        return {field.name: getattr(self, field.name) for field in fields(Inconsistencies)}

    def __bool__(self) -> bool:
        return any(self.json().values())


def look_at_catalog(server: Server, found: Inconsistencies) -> Iterator[None]:
    """Look at the catalog and the routes of `server`, and put what does not agree into `found`.

    Another thread may be in the midst of a change: who finds something looks
    again a moment later.
    """
    catalog = server.app.catalog
    if OWNER not in role_ids(roles(server.app)):
        found.roles.append({"NonExistentOwner": OWNER})
    for state in list(server.listeners.values()):
        for place in state.router.places():
            for route in place.routes.values():
                if route.group not in GROUPS or not callable(route.handler):
                    _add(found.items, "RouteWithoutHandler", [state.name, route.method, route.path])
        yield
    counted, recounted = catalog.counted(), 0
    for items in catalog.slices():
        for item in items:
            recounted += 1
            _look_at(catalog, item, found)
        yield
    if counted != recounted:
        found.resource_counts = {"objects": {"counted": counted, "recounted": recounted}}
    yield from _look_at_names(catalog, found)
    yield from _look_at_referrers(catalog, found)


def _look_at(catalog: Catalog, item: Item, found: Inconsistencies) -> None:
    """One object: found by its id and by its name, told as itself, and known to what it refers to."""
    if item.gone:
        return  # since a moment ago
    if catalog._items.get(item.id) is not item:
        _add(found.internal_fields, "ObjectWithoutId", item.id)
    if catalog._places.get(item.place) != item.id:
        _add(found.internal_fields, "ObjectWithoutName", [*item.place, item.id])
    if not item.text.startswith(f'{{"id":"{item.id}",'):
        _add(found.items, "ObjectOfAnotherId", item.id)
    for reference in item.references:
        if reference not in catalog:
            _add(found.object_dependencies, "NonExistentReference", [item.id, reference])
        elif item.id not in catalog._referrers.get(reference, ()):
            _add(found.object_dependencies, "MissingReferrer", [reference, item.id])


def _look_at_names(catalog: Catalog, found: Inconsistencies) -> Iterator[None]:
    for places in _slices(catalog._places):
        for place in places:
            identity = catalog._places.get(place, "")
            item = catalog._items.get(identity)
            if identity and (item is None or item.place != place):
                _add(found.internal_fields, "NameWithoutObject", [*place, identity])
        yield


def _look_at_referrers(catalog: Catalog, found: Inconsistencies) -> Iterator[None]:
    for ids in _slices(catalog._referrers):
        for identity in ids:
            for referrer in list(catalog._referrers.get(identity, ())):
                if identity not in catalog or referrer not in catalog:
                    _add(found.object_dependencies, "NonExistentReferrer", [identity, referrer])
        yield


def _slices(keys: Collection[Any]) -> Iterator[list[Any]]:
    """The keys of a dict that may change meanwhile, a few at a time; from the start again when it has changed.

    One that changes all the time is not seen to its end: a copy of it would hold up the host.
    """
    for _ in range(3):
        left = iter(keys)
        try:
            while part := list(islice(left, _STEP)):
                yield part
            return
        except RuntimeError:
            continue


def _add(entries: list[Entry], what: str, where: Any) -> None:
    entry = {what: where}
    if len(entries) < MOST and entry not in entries[-2:]:
        entries.append(entry)


def look_at_server(server: Server) -> dict[str, Any]:
    """What the server knows of its state and is not so, without the catalog: three lists.

    `read_holds`: work and sockets that are kept for connections that are gone,
    and connections that were miscounted; `active_webhooks`: webhooks that are
    ready to write and are not in the catalog; `cluster_statuses`: replicas
    of clusters that are not registered.
    """
    holds: list[Entry] = []
    for connection in (*(connection for connection, _ in server.enlisted.values()), *server.vouched.values()):
        if connection not in server.connections:
            _add(holds, "NonExistentConnection", str(connection.number))
    for state in server.listeners.values():
        counted = sum(connection.listener is state for connection in server.connections)
        if not state.open == counted == sum(state.peers.values()):
            _add(holds, "MiscountedConnections", [state.name, state.open, counted])
    webhooks: list[Entry] = []
    for identity in server.appenders:
        if identity not in server.app.catalog:
            _add(webhooks, "NonExistentWebhook", identity)
    statuses: list[Entry] = []
    workers = server.app.workers
    for (cluster, replica), known in list(workers._replicas.items()):
        if (known.cluster.id, known.id) != (cluster, replica) or workers.cluster_name(cluster) is None:
            _add(statuses, "NonExistentReplica", [cluster, replica])
    return {"read_holds": holds, "active_webhooks": webhooks, "cluster_statuses": statuses}
