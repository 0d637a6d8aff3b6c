"""`/api/catalog/*` and `/api/coordinator/*`: what the process exposes, what it is doing, and whether that agrees.

A dump is one JSON object that is made and sent in slices: between two of them
the host's loop has its turn, however large the object is; a check works in
slices, too.  The pages decide what is in a dump; an engine looks into the
process.  Who may see them was decided before (the routes are privileged).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..asks import Moment, Sleep
from ..catalog import inventory
from ..catalog.audit_log import RefusedEvent, WrongShape, read_drafts
from ..catalog.catalog import Exposed
from ..catalog.consistency import Inconsistencies, look_at_catalog, look_at_server
from ..http.body import read_json, wrong_shape
from ..http.options import parse_options
from ..http.request import Request
from ..http.response import JSON, Refused, Response, SendBody, empty, json, text
from ..jsontext import encode, fragments, members, pieces
from ..server import Server
from .effects import COORDINATOR_KEYS, ProcessSnapshot, SnapshotCoordinator, SnapshotProcess

MOMENT_SECONDS = 0.05


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


async def catalog_check(request: Request) -> Response:
    """`GET /api/catalog/check`: 200 with `""`, or with `err` and what does not agree; 400 for malformed `options`."""
    parse_options(request.query)
    found = await _look_twice(request.server)
    return _verdict(found.json() if found else None)


async def coordinator_check(request: Request) -> Response:
    """`GET /api/coordinator/check`: the same for the catalog and the server's own state."""
    parse_options(request.query)
    found = await _look_twice(request.server)
    state = look_at_server(request.server)
    agrees = not found and not any(state.values())
    return _verdict(None if agrees else {"catalog_inconsistencies": found.json(), **state})


async def inject_audit_events(request: Request) -> Response:
    """`POST /api/catalog/inject-audit-events`: 200, empty, when all events of the array are in the audit log.

    422 for another shape, 400 for an event that cannot be kept: then none is.
    """
    parse_options(request.query)
    try:
        drafts = read_drafts(await read_json(request))
    except WrongShape as error:
        raise Refused(wrong_shape(str(error))) from None
    except RefusedEvent as error:
        raise Refused(text(400, str(error))) from None
    request.server.app.audit_log.add(drafts, (await Moment()).wall)
    return empty(200)


async def _look_twice(server: Server) -> Inconsistencies:
    """What does not agree in the catalog, and still does not a moment later: somebody may have been changing it."""
    found = await _look(server)
    if found:
        await Sleep(MOMENT_SECONDS)
        found = await _look(server)
    return found


async def _look(server: Server) -> Inconsistencies:
    found = Inconsistencies()
    for _ in look_at_catalog(server, found):
        await Sleep(0)
    return found


def _verdict(err: Mapping[str, Any] | None) -> Response:
    """Both answers are 200: the look was possible."""
    return json(200, b'""' if err is None else encode({"err": err}).encode())


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
