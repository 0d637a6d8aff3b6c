"""The app: everything a program says about the server that it embeds.

A plain object that is built once and then served by a transport.  It may be
changed while it is served where that makes sense: relations and readiness from
any thread.  It opens nothing; mistakes are raised here, before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from .config.limits import Limits
from .config.listeners import Listener, vet
from .config.settings import ConfigurationError, Dialect, Remark, Settings
from .health.leadership import Leader, Leadership, ManualLeader, SoloLeader
from .health.liveness import Liveness
from .health.readiness import Readiness
from .http.router import Handler, Route
from .relations import Relation

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from .auth.effects import SessionStore
    from .auth.frontegg import FronteggSettings
    from .auth.groups import RouteGroup
    from .auth.identity import Kind
    from .auth.oidc import OidcSettings
    from .auth.users import Users
    from .catalog.audit_log import AuditLog
    from .catalog.catalog import Catalog
    from .config.system import SystemVariables
    from .observe.queries import MetricQuerySet
    from .workers import WorkerRegistry

Source = TypeVar("Source", bound=Callable[[], Iterable[Any]])


class App:
    """What is served: listeners, routes, relations, metrics.

    `registry` is the host's prometheus_client registry (None: the default one).
    `sql_writers` says who may write by SQL: internal users and superusers, or
    everybody; `sql_connections` sessions may be open at once, and one result
    may have `sql_result_bytes`; SUBSCRIBE looks every `sql_poll_seconds` (at least 0.05).
    `heap_frames` (1 to 64) is how deep heap profiles look;
    `fork` "never" keeps the heap profiler from forking.  `metric_rules` are
    enrichment rules by metric name.  `pages` False leaves out every route of
    our own, so that only `routes` are served.  `users` are those of kind
    Password; a `users_file` of the settings replaces them when serving starts.
    `session_store` keeps logins over a restart (None: a `sessions_file` of the
    settings does, or nothing).  `oidc` and `frontegg` describe the providers of
    those kinds; both may be replaced while they are used.  `leader` says what
    makes this process the leader of several; with `ready_requires_leader` only
    the leader is ready.

    Raises `ConfigurationError` for listeners that may not start; what else a
    person should know is in `remarks`.
    """

    def __init__(
        self,
        *,
        listeners: Sequence[Listener] = (Listener(),),
        routes: Iterable[Route] = (),
        registry: CollectorRegistry | None = None,
        settings: Settings | None = None,
        dialect: Dialect | None = None,
        limits: Limits | None = None,
        sql_writers: Literal["privileged", "everybody"] = "privileged",
        sql_connections: int = 5000,
        sql_result_bytes: int = 1_000_000_000,
        sql_poll_seconds: float = 1.0,
        heap_frames: int = 16,
        fork: Literal["auto", "never"] = "auto",
        metric_rules: Mapping[str, list[dict[str, Any]]] | None = None,
        pages: bool = True,
        users: Users | None = None,
        session_store: SessionStore | None = None,
        oidc: OidcSettings | None = None,
        frontegg: FronteggSettings | None = None,
        leader: Leader | None = None,
        ready_requires_leader: bool = False,
    ) -> None:
        if not 1 <= heap_frames <= 64:
            raise ValueError("heap_frames is 1 to 64")
        if not sql_poll_seconds >= 0.05:
            raise ValueError("sql_poll_seconds is at least 0.05")
        self.listeners = tuple(sorted(listeners, key=lambda listener: listener.name))
        self.settings = settings or Settings()
        self.remarks: tuple[Remark, ...] = vet(self.listeners, self.settings)
        self.dialect = dialect or Dialect()
        self.limits = limits or Limits()
        self.sql_writers: Literal["privileged", "everybody"] = sql_writers
        self.sql_connections = sql_connections
        self.sql_result_bytes = sql_result_bytes
        self.sql_poll_seconds = sql_poll_seconds
        self.heap_frames = heap_frames
        self.fork: Literal["auto", "never"] = fork
        self.metric_rules: Mapping[str, list[dict[str, Any]]] = metric_rules or {}
        if self.metric_rules:
            from .federation.rules import read_rules

            read_rules(self.metric_rules)
        self.readiness = Readiness()
        self.liveness = Liveness()
        self.leader: Leader = leader or SoloLeader()
        self.leadership = Leadership()
        self.ready_requires_leader = ready_requires_leader
        self._led = False
        self.relations: dict[str, Relation] = {}
        self._registry = registry
        self._catalog: Catalog | None = None
        self._workers: WorkerRegistry | None = None
        self._metric_sets: dict[str, MetricQuerySet] | None = None
        self._users = users
        self.session_store = session_store
        self.oidc = oidc
        self.frontegg = frontegg
        if frontegg is None and any(listener.authenticator == "Frontegg" for listener in self.listeners):
            raise ConfigurationError("frontegg", "a listener of kind Frontegg needs the settings of a tenant")
        self._routes = list(routes)
        self._pages = pages

    @property
    def registry(self) -> CollectorRegistry:
        """The registry that `/metrics` shows."""
        if self._registry is None:
            from prometheus_client import REGISTRY

            self._registry = REGISTRY
        return self._registry

    def issuer(self, kind: Kind) -> str | None:
        """Who issues tokens for listeners of `kind`, as far as that is to be published."""
        if kind == "Oidc":
            return self.oidc.issuer if self.oidc is not None else None
        return self.frontegg.issuer if kind == "Frontegg" and self.frontegg is not None else None

    @property
    def users(self) -> Users:
        """The users of kind Password; may be changed from any thread while they are served."""
        if self._users is None:
            from .auth.users import Users

            self._users = Users()
        return self._users

    @property
    def catalog(self) -> Catalog:
        """The objects that `/api/catalog/dump` lists besides our own."""
        if self._catalog is None:
            from .catalog.catalog import Catalog

            self._catalog = Catalog()
        return self._catalog

    @cached_property
    def audit_log(self) -> AuditLog:
        """The events of `mz_catalog.mz_audit_events`."""
        from .catalog.audit_log import AuditLog

        return AuditLog()

    @cached_property
    def system(self) -> SystemVariables:
        """The system variables; may be set from any thread while they are served."""
        from .config.system import SystemVariables

        return SystemVariables()

    def lead(self) -> Leadership:
        """The leadership of a server that begins now.

        Whoever watches `leadership` goes on watching it.  The program's own
        moves stand; any other leadership begins anew with each server.
        """
        if self._led and not isinstance(self.leader, ManualLeader):
            self.leadership = self.leadership.again()
        self._led = True
        return self.leadership

    @property
    def workers(self) -> WorkerRegistry:
        """The worker processes; may be changed from any thread while they are served."""
        if self._workers is None:
            from .workers import WorkerRegistry

            self._workers = WorkerRegistry()
        return self._workers

    @property
    def metric_sets(self) -> Mapping[str, MetricQuerySet]:
        """The metrics from SQL by name; each is served at `/metrics/{name}`."""
        return self._sets()

    def metrics_from_sql(self, queries: MetricQuerySet) -> None:
        """Serve `queries` at `/metrics/{name}`, in place of what was there; a new name only before serving starts."""
        self._sets()[queries.name] = queries

    def _sets(self) -> dict[str, MetricQuerySet]:
        if self._metric_sets is None:
            from .observe.default_queries import DEFAULTS

            self._metric_sets = {each.name: each for each in DEFAULTS}
        return self._metric_sets

    @property
    def routes(self) -> list[Route]:
        """Every route, ours and the program's; listeners serve those of their groups."""
        if not self._pages:
            return list(self._routes)
        from .pages.loading import page
        from .pages.table import ROUTES

        known = {route.path for route in ROUTES}
        # Without sets of the program's there are those of the table, which need not be imported to be known.
        sets = [each.path for each in (self._metric_sets or {}).values() if each.path not in known]
        more = [Route("GET", path, "metrics", page("promsql.query_set")) for path in sets]
        return [*ROUTES, *more, *self._routes]

    def route(
        self, method: str, path: str, *, group: RouteGroup = "base", privileged: bool = False, websocket: bool = False
    ) -> Callable[[Handler], Handler]:
        """A decorator that serves `async def handler(request)` at `path`, before serving starts."""

        def add(handler: Handler) -> Handler:
            self._routes.append(Route(method, path, group, handler, privileged, websocket))
            return handler

        return add

    def relation(self, **declared: Any) -> Callable[[Source], Source]:
        """A decorator that publishes the rows of a function in SQL (see `fanlight.publish`)."""
        from . import publish  # brings inspect and decimal, which only this needs

        return publish.relation(self.relations, **declared)
