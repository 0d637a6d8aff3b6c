"""The engine behind the dumps and the tracing page: it looks into the process.

It collects plain values (names, numbers, states) in a worker's thread, giving
way as it goes.  It changes nothing, reads no local variable, and never takes
the text of a query or anything else that a caller sent.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from fanlight.asks import Effect
from fanlight.catalog import inventory
from fanlight.pages.effects import LogLevel, ProcessSnapshot, ReadLogLevel, SnapshotCoordinator, SnapshotProcess
from fanlight.relations import Relation

from .heap import GC_GENERATIONS
from .modules import modules
from .pace import line, never, polite
from .relations import ProcessRelations
from .stacks import task_stack
from .tasks import Task, all_tasks, function_of
from .threads import THREADS

if TYPE_CHECKING:
    from fanlight.server import Server

    from ..profiling.heap import HeapProfiler
    from .recent_logs import RecentLogs

Stopped = Callable[[], bool]

STACK = 20
"""Frames of each task's stack in the coordinator dump; `process.frames` has all of them."""

_LEVELS: tuple[tuple[int, LogLevel], ...] = (
    (logging.DEBUG - 1, "trace"),
    (logging.DEBUG, "debug"),
    (logging.INFO, "info"),
    (logging.WARNING, "warn"),
    (logging.CRITICAL, "error"),
)
_STARTED = time.time()


class Introspection:
    """Answers `ReadLogLevel`, `SnapshotProcess` and `SnapshotCoordinator` for one server.

    Make it on the thread that serves, inside its loop.  `relations` are those
    of the process.
    """

    handlers: Mapping[type, Callable[[Any], Any]]
    interrupts: Mapping[type, Callable[[Any], None]]

    def __init__(self, server: Server, profiler: HeapProfiler, logs: RecentLogs) -> None:
        self._server = server
        self._process = ProcessRelations(server, profiler, logs)
        self._thread = threading.get_ident()
        # An interrupt may come before the work begins, so it is kept with the effect that it is for.
        self._interrupted: WeakSet[Effect[Any]] = WeakSet()
        self.handlers = {
            ReadLogLevel: lambda effect: log_level(),
            SnapshotProcess: self._snapshot_process,
            SnapshotCoordinator: self._snapshot_coordinator,
        }
        self.interrupts = {SnapshotProcess: self._interrupted.add, SnapshotCoordinator: self._interrupted.add}

    @property
    def relations(self) -> tuple[Relation, ...]:
        """The live relations of the process, for the SQL engine."""
        return self._process.relations

    def close(self) -> None:
        """Nothing is held."""

    def _stopped(self, effect: Effect[Any]) -> Stopped:
        return partial(self._interrupted.__contains__, effect)

    def _snapshot_process(self, effect: SnapshotProcess) -> ProcessSnapshot:
        loaded = tuple(modules(self._stopped(effect)))
        return ProcessSnapshot(process_facts(), loaded, self.relations)

    def _snapshot_coordinator(self, effect: SnapshotCoordinator) -> Mapping[str, Any]:
        return coordinator(self._server, self._thread, self._stopped(effect))


def log_level() -> LogLevel:
    """The least severe kind of record that the root logger lets through."""
    threshold = max(logging.root.getEffectiveLevel(), logging.root.manager.disable + 1)
    for most, level in _LEVELS:
        if threshold <= most:
            return level
    return "off"


def process_facts() -> dict[str, Any]:
    """Which process this is.  Of its arguments only the first is told: others may hold secrets."""
    return {
        "pid": os.getpid(),
        "argv0": sys.argv[0] if sys.argv else "",
        "python": platform.python_version(),
        "start_time": _moment(process_start()),
    }


def process_start() -> float:
    """When the process began, in Unix seconds: as the kernel says, or else when this module was loaded."""
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as stat:
            ticks = int(stat.read().rpartition(")")[2].split()[19])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return _STARTED


def coordinator(server: Server, thread: int, stopped: Stopped = never) -> dict[str, Any]:
    """The state of the engine, under the seven names that it has in Materialize.

    `thread` is the one whose loop serves.
    """
    rows = list(polite(inventory.connections(server), stopped=stopped))
    running = {row.number: _queries(row.effects) for row in rows}
    return {
        "global_timelines": _clocks(server),
        "active_conns": {str(row.number): _connection(row, running[row.number]) for row in rows},
        "txn_read_holds": {},
        "pending_peeks": {
            session: {"connection": number, "query_hash": query_hash}
            for number, queries in running.items()
            for session, query_hash in queries.items()
        },
        "client_pending_peeks": {str(number): sorted(queries) for number, queries in running.items() if queries},
        "pending_linearize_read_txns": [row.number for row in rows if _waits_for_engine(row.effects)],
        "controller": _controller(server, thread, stopped),
    }


def _clocks(server: Server) -> dict[str, Any]:
    wall, mono = time.time(), time.monotonic()
    return {
        "EpochMilliseconds": int(wall * 1000),
        "Monotonic": mono,
        "EventLoop": mono - server.started_at.mono,
    }


def _connection(row: inventory.ConnectionRow, queries: Mapping[str, str]) -> dict[str, Any]:
    return {
        "user": line(", ".join(row.users)) or None,
        "client_ip": row.peer or None,
        "listener": row.listener,
        "protocol": row.protocol or None,
        "since": _moment(row.since),
        "state": row.state,
        "requests": row.requests,
        "paths": list(row.paths),
        "current_query_hash": next(iter(queries.values()), None),
    }


def _queries(effects: tuple[Effect[Any], ...]) -> dict[str, str]:
    """The SQL statements under way: session number to a hash of the text, which itself stays where it is."""
    from fanlight.sql.effects import Execute

    return {
        str(effect.session.number): sha256(effect.text.encode(errors="replace")).hexdigest()[:16]
        for effect in effects
        if isinstance(effect, Execute)
    }


def _waits_for_engine(effects: tuple[Effect[Any], ...]) -> bool:
    from fanlight.sql.effects import StartEngine

    return any(isinstance(effect, StartEngine) for effect in effects)


def _controller(server: Server, thread: int, stopped: Stopped) -> dict[str, Any]:
    loops = _loops(stopped)
    unknown: dict[str, Any] = {"kind": None, "thread": thread, "tasks": []}
    serving = next((loop for loop in loops if loop["thread"] == thread), unknown)
    threads = [_record(THREADS, row) for row in polite(THREADS.rows(), stopped=stopped)]
    return {
        "event_loop": {**serving, "lag_ms": _lag(server)},
        "other_event_loops": [loop for loop in loops if loop is not serving],
        "threads": threads,
        "gc": [_record(GC_GENERATIONS, row) for row in GC_GENERATIONS.rows()],
        "server": {
            "stopping": server.stopping,
            "listeners": {state.name: {"connections": state.open} for state in list(server.listeners.values())},
            "readiness": server.app.readiness.states(),
        },
        "engine": {"sql_connections": server.app.sql_connections},
        "workers": {"threads": sum(str(row["name"]).startswith("fanlight-worker") for row in threads)},
        "webhooks": {},
        "leadership": {
            "leader": type(server.app.leader).__name__,
            "state": server.leadership.state,
            "lost": server.leadership.reason or None,
        },
    }


def _loops(stopped: Stopped) -> list[dict[str, Any]]:
    loops: dict[int, dict[str, Any]] = {}
    for task in polite(all_tasks(), stopped=stopped):
        if task.state == "done":
            continue  # Kept by somebody, but its loop, which may be gone, has forgotten it.
        loop = loops.setdefault(task.loop, {"kind": task.kind, "thread": task.thread, "tasks": []})
        loop["tasks"].append(_task(task))
    return list(loops.values())


def _lag(server: Server) -> float | None:
    """How late the serving loop has been on average, in milliseconds; None while nobody has measured."""
    lag = next(family for family in server.metrics.families if family.shape.name == "fanlight_event_loop_lag_seconds")
    counts = [(sum(cell.counts), cell.sum) for cell in lag.children]
    total = sum(count for count, _ in counts)
    return 1000 * sum(seconds for _, seconds in counts) / total if total else None


def _task(task: Task) -> dict[str, Any]:
    stack = task_stack(task.coroutine)[:STACK]
    return {
        "name": line(task.name),
        "coro": function_of(task.coroutine),
        "state": task.state,
        "stack": [f"{place.function} ({place.file}:{place.line})" for place in stack],
    }


def _record(relation: Relation, row: Any) -> dict[str, Any]:
    return {column.name: value for column, value in zip(relation.columns, row, strict=True)}


def _moment(wall: float) -> str:
    """RFC 3339, UTC, milliseconds."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
