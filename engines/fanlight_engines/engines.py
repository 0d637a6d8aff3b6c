"""Which engines a server gets: the one list, in one place.

Importing this module loads all the Python that serving needs, so that nothing
is imported on a running loop later; the heavy libraries behind it (DuckDB)
still load at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import fanlight.pages.table  # pyright: ignore[reportUnusedImport]
import fanlight.server  # pyright: ignore[reportUnusedImport]  # noqa: F401

from .auth.passwords import Passwords
from .auth.sessions import SqliteSessions, StoredSessions
from .auth.tokens import Signatures
from .auth.users import UsersFile
from .checks import Checks
from .duckdb.engine import DuckDbEngine
from .gather import Gatherer
from .host import HostFacts
from .leadership.leaders import Leaders
from .lines import Lines
from .log_filters import LogFilters
from .outbound import Outbound
from .process.introspection import Introspection
from .profiling.allocator import Allocator
from .profiling.cpu import CpuProfiler
from .profiling.heap import HeapProfiler
from .profiling.native import NativeRecorder
from .profiling.stacks import StackReader
from .replicas import Replicas

if TYPE_CHECKING:
    from fanlight.server import Server

    from .performer import Engine


def engines_for(server: Server) -> list[Engine]:
    """The engines that the pages of `server` ask, made on the thread that serves it.

    Heavy ones start when they are first asked.
    """
    profiler = HeapProfiler(server.app)
    process = Introspection(server, profiler)
    sql = DuckDbEngine(server.app, process.relations)
    engines: list[Engine] = [HostFacts(), Gatherer(), process, sql, Passwords(), Outbound(), Checks(), Leaders(server)]
    engines += [profiler, CpuProfiler(server), StackReader(), Allocator(server.app), NativeRecorder()]
    engines += [Replicas(), Lines(), LogFilters(server)]
    if server.app.settings.console_upstream is not None:
        from .upstream import Upstreams  # brings http.client and ssl, which few programs need here

        engines.append(Upstreams())
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
