"""What the program registered: `workers`, its processes, and `objects`, what is in the catalog.

Names only: no definition of an object, and no question to a worker.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve

from fanlight.relations import Column, Relation

from .pace import line, polite
from .server import unserved

if TYPE_CHECKING:
    from fanlight.server import Server


def _workers(server: Server) -> Iterator[tuple[object, ...]]:
    for replica in polite(server.app.workers.replicas):
        cluster = replica.cluster
        for number, address in enumerate(replica.addresses()):
            where = line(str(address)) if address is not None else None
            own = replica.locate is None
            names = cluster.id, line(cluster.name), replica.id, line(replica.name)
            yield *names, number, where, own, os.getpid() if own else None


def _objects(server: Server, system: Callable[[], tuple[Relation, ...]]) -> Iterator[tuple[object, ...]]:
    app = server.app
    for entry in polite(app.catalog.entries(system(), list(app.relations.values()))):
        place = entry.place
        yield entry.id, entry.kind, line(place.database), line(place.schema), line(place.name)


WORKERS = Relation(
    name="workers",
    columns=(
        Column("cluster_id", "text", "The cluster's id; `s1` is this process."),
        Column("cluster_name", "text", "Its name."),
        Column("replica_id", "text", "The replica's id."),
        Column("replica_name", "text", "Its name."),
        Column("process", "integer", "The number of the process in its replica."),
        Column("address", "text", "Where it listens; null for this process, and for an address of no use."),
        Column("own", "boolean", "Whether it is this process."),
        Column("pid", "bigint", "The system's number of this process; null for all others."),
    ),
    rows=unserved,
    doc="This process, and the worker processes that the program registered, whether they live or not.",
    cost="A microsecond for each process.",
)

OBJECTS = Relation(
    name="objects",
    columns=(
        Column("id", "text", "The id, as in the catalog dump; `s` for the system's, `u` for the program's."),
        Column("kind", "text", "`View` (relations, too), `Table`, `Source`, `Sink`, `Secret`, `Func` or `Type`."),
        Column("database_name", "text", "The database; empty for objects of the system."),
        Column("schema_name", "text", "The schema."),
        Column("name", "text", "The name."),
    ),
    rows=unserved,
    doc="The objects of the catalog, by name: the relations of the process and of the program, and what it added.",
    cost="A few microseconds for each object.",
)


def bound(server: Server, system: Callable[[], tuple[Relation, ...]]) -> tuple[Relation, ...]:
    """These relations over one server; `system` gives the relations of the process."""
    return (
        evolve(WORKERS, rows=partial(_workers, server)),
        evolve(OBJECTS, rows=partial(_objects, server, system)),
    )
