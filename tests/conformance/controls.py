"""The `control` steps of the operations cases: changes to a running server from outside."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from fanlight.app import App
from fanlight.config.system import SystemVariables
from fanlight.workers import SELF

from .model import Json, Skipped, require
from .stage import Stage

_FEATURES = {
    "webhook_define": "webhooks",
    "webhook_drop": "webhooks",
    "webhook_rename": "webhooks",
    "webhook_hold": "webhooks",
    "webhook_release": "webhooks",
    "sink_error": "webhooks",
    "secret_remove": "webhooks",
}


VARIABLES = tuple(variable.name for variable in SystemVariables().declared())
"""Live configuration variables that there are."""


def set_variable(app: App, name: str, value: Json) -> None:
    """What an operator would do to a running server."""
    app.system.set(name, value if isinstance(value, str) else str(value).lower())


def refuse_unbuilt(step: Mapping[str, Json]) -> None:
    """Raise `Skipped` for a verb whose feature is not built yet."""
    verb = step["verb"]
    if verb == "set_config" and step["name"] not in VARIABLES:
        raise Skipped(f"not built yet: the variable {step['name']}")
    if verb in _FEATURES:
        raise Skipped(f"not built yet: {_FEATURES[verb]}")
    if verb not in _VERBS:
        raise ValueError(f"the case uses an unknown control verb {verb}")


def control(stage: Stage, step: Mapping[str, Json]) -> None:
    """Do what the step says, from this thread, as the host's own code would."""
    refuse_unbuilt(step)
    _VERBS[step["verb"]](stage, step)


def _engine_ready(stage: Stage, step: Mapping[str, Json]) -> None:
    del step
    stage.app.readiness.set("engine", True)


def _engine_fail(stage: Stage, step: Mapping[str, Json]) -> None:
    del step
    stage.app.readiness.fail("engine")


def _corrupt(stage: Stage, step: Mapping[str, Json]) -> None:
    """What only a bug would do."""
    if step["what"] == "webhook_cache":
        stage.server.appenders["u404"] = object()
    elif step["what"] == "dangling_reference":
        catalog = stage.app.catalog
        catalog._referrers.setdefault(catalog.add("Table", "referred"), {})["u404"] = None
    else:
        stage.app.workers._replicas["u404", "u404"] = SELF


def _leader(stage: Stage, step: Mapping[str, Json]) -> None:
    raised = False
    try:
        getattr(stage.app.leadership, step["call"])()
    except RuntimeError:
        raised = True
    require(raised == step.get("raises", False), f"{step['call']} {'raised' if raised else 'did not raise'}")


def _leader_event(stage: Stage, step: Mapping[str, Json]) -> None:
    leadership = stage.app.leadership
    happened = {"skip": leadership.skipped, "promote": leadership.promoted}[step["name"]].happened
    require(happened == step["fired"], f"{step['name']} {'fired' if happened else 'did not fire'}")


def _set_config(stage: Stage, step: Mapping[str, Json]) -> None:
    set_variable(stage.app, step["name"], step["value"])


def _replica_remove(stage: Stage, step: Mapping[str, Json]) -> None:
    ids = step["cluster_id"], step["replica_id"]
    for replica in stage.app.workers.replicas:
        if (replica.cluster.id, replica.id) == ids:
            stage.app.workers.remove_replica(replica)


def _log_level(stage: Stage, step: Mapping[str, Json]) -> None:
    del stage
    logging.getLogger().setLevel(step["level"])


def _heap(stage: Stage, step: Mapping[str, Json]) -> None:
    del stage
    set_heap(bool(step["active"]))


def set_heap(active: bool) -> None:
    """Start or stop the tracing of allocations, as `/prof/mode` would find it."""
    import tracemalloc

    if active and not tracemalloc.is_tracing():
        tracemalloc.start(1)
    elif not active and tracemalloc.is_tracing():
        tracemalloc.stop()


_VERBS: dict[str, Callable[[Stage, Mapping[str, Json]], None]] = {
    "engine_ready": _engine_ready,
    "engine_fail": _engine_fail,
    "corrupt": _corrupt,
    "leader": _leader,
    "leader_event": _leader_event,
    "set_config": _set_config,
    "replica_remove": _replica_remove,
    "log_level": _log_level,
    "heap": _heap,
}
