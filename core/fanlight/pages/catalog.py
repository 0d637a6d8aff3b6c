"""`/api/catalog/dump` and `/api/coordinator/dump`: what the process exposes, and what it is doing.

Both answer with one JSON object that is made and sent in slices: between two
of them the host's loop has its turn, however large the object is.  The pages
decide what is in a dump; an engine looks into the process.  Who may see them
was decided before (the routes are privileged).
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import inventory
from ..asks import Sleep
from ..catalog import Exposed
from ..http.options import parse_options
from ..http.request import Request
from ..http.response import JSON, Response, SendBody
from ..jsontext import fragments, members, pieces
from ..server import Server
from .effects import COORDINATOR_KEYS, ProcessSnapshot, SnapshotCoordinator, SnapshotProcess


async def catalog_dump(request: Request) -> Response:
    """`GET /api/catalog/dump`: 200 with the catalog; 400 for malformed `options`."""
    parse_options(request.query)
    # The options were only checked: a client that sends them wrong should hear of it here as for SQL.
    snapshot = await SnapshotProcess()
    return _streamed(request.server.app.catalog.dump(_exposed(request.server, snapshot)))


async def coordinator_dump(request: Request) -> Response:
    """`GET /api/coordinator/dump`: 200 with the seven members of the state; 400 for malformed `options`."""
    parse_options(request.query)
    state = await SnapshotCoordinator()
    return _streamed(pieces(members((key, fragments(state[key])) for key in COORDINATOR_KEYS)))


def _exposed(server: Server, snapshot: ProcessSnapshot) -> Exposed:
    """What a dump shows beside the catalog's own objects, read from server and snapshot.

    Each listener is there, even one whose routes are all disabled.
    """
    app = server.app
    routes: dict[str, list[dict[str, str]]] = {name: [] for name in server.listeners}
    for route in inventory.routes(server):
        routes[route.listener].append(
            {
                "group": route.group,
                "method": route.method,
                "path": route.path,
                "roles": route.roles,
                "authentication": route.authentication,
            }
        )
    return Exposed(
        system=snapshot.relations,
        published=tuple(app.relations.values()),
        roles=inventory.roles(app),
        routes=routes,
        defaults={setting.name: setting.default for setting in inventory.settings(app)},
        modules=snapshot.modules,
        process=snapshot.process,
        addresses=inventory.addresses(server),
        replicas=app.workers.replicas,
    )


def _streamed(text: Iterator[bytes]) -> Response:
    """200 with the pieces of `text`, one for each turn of the host's loop.

    The first is made here, so that a dump that cannot begin is a 500 and not a
    200 that breaks off.
    """
    first = next(text)

    async def produce() -> None:
        await SendBody(first)
        for piece in text:
            # A turn for the host's loop before each piece, an empty one included: it was work as well.
            await Sleep(0)
            if piece:
                await SendBody(piece)

    return Response(200, (JSON,), produce)
