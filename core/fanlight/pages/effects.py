"""What the catalog, coordinator and tracing pages ask of an engine.  Values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from attrs import field, frozen

from ..asks import Effect
from ..catalog.catalog import Module
from ..config.log_filter import Level
from ..relations import Relation

LogLevel = Level


@frozen
class ProcessSnapshot:
    """What only the process itself can tell a catalog.

    `process`: `pid`, `argv0`, `python` (its version) and `start_time` (RFC
    3339, UTC).  `modules` are sorted by name; `relations` are the live ones of
    the process, with their declarations.
    """

    process: Mapping[str, Any]
    modules: tuple[Module, ...] = field(repr=False)
    relations: tuple[Relation, ...] = field(repr=False)


@frozen
class ReadLogLevel(Effect[LogLevel]):
    """The level from which on the root logger lets records through."""

    runs: ClassVar[Literal["worker", "loop"]] = "loop"


# Compared by identity: an interrupt is for one effect, not for all that look like it.


@frozen(eq=False)
class SnapshotProcess(Effect[ProcessSnapshot]):
    """Collect a `ProcessSnapshot`.  Interrupted, it holds the modules seen so far."""


@frozen(eq=False)
class SnapshotCoordinator(Effect["Mapping[str, Any]"]):
    """Collect the state of loops, threads, queries and connections.

    The answer is made of mappings, lists, strings, numbers, booleans and None,
    under exactly the keys of `COORDINATOR_KEYS`.  It holds no text of a query
    and no value of the program.
    """


COORDINATOR_KEYS = (
    "global_timelines",
    "active_conns",
    "txn_read_holds",
    "pending_peeks",
    "client_pending_peeks",
    "pending_linearize_read_txns",
    "controller",
)
