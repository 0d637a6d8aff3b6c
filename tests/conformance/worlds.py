"""Makes the application that a `World` asks for: the runner's own, never the product's default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from prometheus_client import CollectorRegistry, Gauge

from fanlight.app import App
from fanlight.auth.scram import derive
from fanlight.auth.users import Role, Users
from fanlight.config.listeners import Listener
from fanlight.config.settings import Settings
from fanlight.health.leadership import Leadership, ManualLeader
from fanlight.observe.queries import MetricQuery, MetricQuerySet

from .controls import set_variable
from .model import Json
from .stage import Listening, World
from .stubs import ReplicaOf, query_of
from .tls import files

DEFAULT_PORT = 6876

ROUNDS = 4096
"""Of the hashes of a case's users."""
WAYS: Mapping[str | None, tuple[Callable[[Leadership], object], ...]] = {
    "CatchingUp": (Leadership.set_catching_up,),
    "ReadyToPromote": (Leadership.set_ready_to_promote,),
    "Promoting": (Leadership.set_ready_to_promote, Leadership.promote),
    "IsLeader": (Leadership.set_is_leader,),
}
"""How a program gets to a state of the leadership."""


def port_of(listening: Listening) -> int:
    """The port that a case believes its listener to have."""
    return int(listening.options.get("port", DEFAULT_PORT))


def application(world: World, *, any_port: bool) -> App:
    """The application of a case.  `any_port` binds a free port: the case's own is only written in requests then."""
    registry = CollectorRegistry()
    for gauge in world.gauges:
        labels = gauge.get("labels", {})
        made = Gauge(gauge["name"], gauge["help"], list(labels), registry=registry)
        (made.labels(**labels) if labels else made).set(gauge["value"])
    options = world.listeners[0].options if world.listeners else {}
    certificate: dict[str, Any] = {}
    if any(listening.options.get("tls") for listening in world.listeners):
        certificate = dict(zip(("tls_certificate", "tls_key"), files().paths, strict=True))
    settings = Settings(
        http_host_name=options.get("http_host_name"),
        allowed_origins=tuple(options["allowed_origins"]) if "allowed_origins" in options else None,
        **{"scram_iterations": ROUNDS, **world.settings, **certificate},
    )
    app = App(
        listeners=[_listener(listening, any_port) for listening in world.listeners],
        registry=registry,
        settings=settings,
        sql_writers="everybody",
        sql_poll_seconds=0.1,
        metric_rules=world.rules,
        users=Users({name: role_of(given) for name, given in world.users.items()}),
        oidc=world.providers.oidc() if world.providers is not None else world.oidc,
        frontegg=world.providers.frontegg(options.get("frontegg_oauth_issuer_url")) if world.providers else None,
        leader=ManualLeader() if world.leadership is not None else None,
    )
    for move in WAYS.get(world.leadership, ()):
        move(app.leadership)
    if world.result_limit is not None:
        app.sql_result_bytes = world.result_limit
    if world.connections is not None:
        app.sql_connections = world.connections
    for name, value in world.config.items():
        set_variable(app, name, value)
    for endpoint, definitions in world.promsql.items():
        app.metrics_from_sql(MetricQuerySet(endpoint, tuple(map(_definition, definitions))))
    for replica in world.replicas:
        register(app, replica)
    if world.engine == "pending":
        app.readiness.set("engine", False)
    elif world.engine == "failed":
        app.readiness.fail("engine")
    return app


def register(app: App, replica: ReplicaOf) -> None:
    """Make a replica known, in a cluster of its own."""
    cluster = app.workers.add_cluster(replica.cluster_name, id=replica.cluster_id)
    app.workers.add_replica(cluster, replica.replica_name, replica.addresses, id=replica.replica_id)


def _definition(given: Mapping[str, Json]) -> MetricQuery:
    """A definition of a case, with a query that gives its rows."""
    return MetricQuery(
        metric_name=given["metric_name"],
        help=given["help"],
        query=query_of(given["metric_name"], given),
        value_column_name=given["value_column_name"],
        per_replica=given["per_replica"],
    )


def role_of(given: Mapping[str, Json]) -> Role:
    """A user of a case, with a real hash of few rounds."""
    password = given.get("password")
    stored = _hashed(password) if password is not None else None
    return Role(stored, given.get("login", True), given.get("superuser", False), given.get("epoch", 0))


@lru_cache
def _hashed(password: str) -> str:
    return str(derive(password, sha256(password.encode()).digest(), ROUNDS))


def _listener(listening: Listening, any_port: bool) -> Listener:
    port = 0 if any_port else port_of(listening)
    groups: Mapping[Any, Any] = listening.routes
    kind: Any = listening.kind
    given: Mapping[str, Json] = listening.options
    return Listener(
        name=listening.name,
        address=f"127.0.0.1:{port}",
        authenticator=kind,
        tls=given.get("tls", False),
        groups=groups,
        plaintext_policy=given.get("plaintext_policy", "close"),
        allowed_hosts=tuple(given.get("allowed_hosts", ())),
    )
