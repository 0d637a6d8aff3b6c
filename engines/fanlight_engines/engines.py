"""Which engines a server gets: the one list, in one place.

Importing this module loads all the Python that serving needs, so that nothing
is imported on a running loop later; the heavy libraries behind it (DuckDB)
still load at first use.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import fanlight.pages.table  # pyright: ignore[reportUnusedImport]
import fanlight.server  # pyright: ignore[reportUnusedImport]  # noqa: F401

from .duckdb import DuckDbEngine
from .gather import Gatherer
from .host import HostFacts
from .introspection import Introspection
from .outbound import Outbound
from .passwords import Passwords
from .profiles import HeapProfiler
from .sessions import SqliteSessions, StoredSessions
from .tokens import Signatures
from .users import UsersFile

if TYPE_CHECKING:
    from fanlight.relations import Relation
    from fanlight.server import Server

    from .performer import Engine


class _SqlOfServer:
    """What the SQL engine is told: the app's settings, and its relations with those of the process."""

    def __init__(self, server: Server, process: tuple[Relation, ...]) -> None:
        app = server.app
        self.sql_writers: Literal["privileged", "everybody"] = app.sql_writers
        self.sql_connections: int = app.sql_connections
        # Keys of the process have a dot, which no published name has: a program's `tasks` is its own.
        own = {f"{relation.schema}.{relation.name}": relation for relation in process}
        self.relations: Mapping[str, Relation] = ChainMap(app.relations, own)


def engines_for(server: Server) -> list[Engine]:
    """The engines that the pages of `server` ask, made on the thread that serves it.

    Heavy ones start when they are first asked.
    """
    profiler = HeapProfiler(server.app)
    process = Introspection(server, profiler)
    sql = DuckDbEngine(_SqlOfServer(server, process.relations))
    engines: list[Engine] = [HostFacts(), Gatherer(), profiler, process, sql, Passwords(), Outbound()]
    signatures = Signatures()
    engines.append(signatures)
    if any(listener.authenticator in ("Oidc", "Frontegg") for listener in server.app.listeners):
        signatures.prepare()
    file = server.app.settings.sessions_file
    store = server.app.session_store or (SqliteSessions(file) if file is not None else None)
    engines.append(StoredSessions(store))
    path = server.app.settings.users_file
    if path is not None and server.provers is not None:
        engines.append(UsersFile(path, server.app.users))
    return engines
