"""Which engines a server gets: the one list, in one place.

Few are at work from the beginning.  What only some pages ask for is named here
with the modules that define its effects, and comes with the first of those
pages (`deferred`), by a worker; the heavy libraries behind an engine (DuckDB)
load still later, when it is used.  Importing this module loads all that a
server needs to begin, so that nothing is imported on a running loop.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import fanlight.config.system  # pyright: ignore[reportUnusedImport]
import fanlight.observe.metrics  # pyright: ignore[reportUnusedImport]
import fanlight.pages.table  # pyright: ignore[reportUnusedImport]
import fanlight.server  # pyright: ignore[reportUnusedImport]  # noqa: F401

from .deferred import Deferred, Imports
from .leadership.leaders import Leaders
from .log_filters import LogFilters
from .process.recent_logs import RecentLogs

if TYPE_CHECKING:
    from fanlight.server import Server

    from .performer import Engine
    from .process.introspection import Introspection
    from .profiling.heap import HeapProfiler


def engines_for(server: Server) -> tuple[list[Engine], list[Deferred]]:
    """The engines that the pages of `server` ask: those at work from now on, and the others.

    Called on the thread that serves, in its loop.

    Raises what keeps a server from starting: `ConfigurationError` and OSError
    for a users file, `ConfigurationError` for libraries that are not installed.
    """
    made = _Engines(server)
    deferred = [
        Deferred(("fanlight.health.checks",), ("checks",), made.checks),
        Deferred(("fanlight.pages.files", "fanlight.pages.root"), ("host",), made.host),
        Deferred(("fanlight.observe.gathering",), ("gather",), made.gatherer),
        Deferred(("fanlight.federation.effects",), ("replicas",), made.replicas),
        Deferred(("fanlight.pages.upstream",), made.upstream_modules, made.upstreams),
        Deferred(("fanlight.pages.effects",), ("process.introspection", "profiling.heap"), lambda: [made.process]),
        Deferred(
            ("fanlight.profiling.effects",),
            ("profiling.allocator", "profiling.cpu", "profiling.heap", "profiling.native", "profiling.stacks"),
            made.profilers,
        ),
        Deferred(("fanlight.sql.effects",), ("process.introspection", "profiling.heap", "duckdb.engine"), made.sql),
    ]
    at_work = made.auth() if made.asks_for_proof else []  # may raise, so before others begin
    if not made.asks_for_proof:
        modules = ("auth.passwords", "auth.sessions", "auth.tokens", "outbound")
        deferred.append(Deferred(("fanlight.auth.effects",), modules, made.auth))
    imports = Imports(deferred)
    imports.load_wanted()
    return [*at_work, imports, made.logs, Leaders(server), LogFilters(server)], deferred


class _Engines:
    """Makes the engines of one server.  What several of them need is made once."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def checks(self) -> list[Engine]:
        from .checks import Checks

        return [Checks()]

    def host(self) -> list[Engine]:
        from .host import HostFacts

        return [HostFacts()]

    def gatherer(self) -> list[Engine]:
        from .gather import Gatherer

        return [Gatherer()]

    def replicas(self) -> list[Engine]:
        from .replicas import Replicas

        return [Replicas()]

    @property
    def upstream_modules(self) -> tuple[str, ...]:
        """They bring http.client and ssl, which few programs need here."""
        return ("upstream",) if self._server.app.settings.console_upstream is not None else ()

    def upstreams(self) -> list[Engine]:
        """None where the console comes from the package."""
        if not self.upstream_modules:
            return []
        from .upstream import Upstreams

        return [Upstreams()]

    @cached_property
    def logs(self) -> RecentLogs:
        """Kept from the beginning, for one of the relations."""
        return RecentLogs()

    @cached_property
    def process(self) -> Introspection:
        """It looks into the process, and has the relations that SQL reads."""
        from .process.introspection import Introspection

        return Introspection(self._server, self.heap, self.logs)

    @cached_property
    def heap(self) -> HeapProfiler:
        """Asked by pages, and by relations."""
        from .profiling.heap import HeapProfiler

        return HeapProfiler(self._server.app)

    def profilers(self) -> list[Engine]:
        from .profiling.allocator import Allocator
        from .profiling.cpu import CpuProfiler
        from .profiling.native import NativeRecorder
        from .profiling.stacks import StackReader

        app = self._server.app
        return [self.heap, CpuProfiler(self._server), StackReader(), Allocator(app), NativeRecorder()]

    def sql(self) -> list[Engine]:
        from .duckdb.engine import DuckDbEngine

        return [DuckDbEngine(self._server.app, self.process.relations)]

    @property
    def asks_for_proof(self) -> bool:
        """Whether somebody may have to prove who they are: what that takes is there before the first does."""
        app = self._server.app
        kept = app.session_store is not None or app.settings.sessions_file is not None
        return self._server.provers is not None or kept

    def auth(self) -> list[Engine]:
        from .auth.passwords import Passwords
        from .auth.sessions import SqliteSessions, StoredSessions
        from .auth.tokens import Signatures
        from .outbound import Outbound

        app, signatures = self._server.app, Signatures()
        if any(listener.authenticator in ("Oidc", "Frontegg") for listener in app.listeners):
            signatures.prepare()
        file, path = app.settings.sessions_file, app.settings.users_file
        store = app.session_store or (SqliteSessions(file) if file is not None else None)
        engines: list[Engine] = [Passwords(), Outbound(), signatures, StoredSessions(store)]
        if path is not None and self._server.provers is not None:
            from .auth.users import UsersFile

            engines.append(UsersFile(path, app.users))
        return engines
