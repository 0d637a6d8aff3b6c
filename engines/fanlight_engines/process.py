"""The live relations of the process: everything in the schema `process`, and the audit log.

One tuple of declarations, and the same bound to a running server.  Each is
walked in the worker's thread that reads it, gives way while it is walked, and
ends after 100,000 rows.  Nothing is computed that nobody asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanlight.relations import Relation

from . import process_memory, process_metrics, process_registry, process_server
from .process_files import FILES
from .process_frames import FRAMES
from .process_heap import GC_GENERATIONS, GC_OBJECTS, GC_SIZES
from .process_logs import LOG_RECORDS, RecentLogs
from .process_memory import HEAP, MEMORY
from .process_metrics import METRICS
from .process_modules import MODULES
from .process_registry import OBJECTS, WORKERS
from .process_server import AUDIT_EVENTS, AUTH_EVENTS, CONNECTIONS, REQUESTS, ROUTES, SESSIONS, SETTINGS
from .process_tasks import TASKS
from .process_threads import THREADS
from .process_trio import remember_run

if TYPE_CHECKING:
    from fanlight.server import Server

    from .profiles import HeapProfiler

DECLARED: tuple[Relation, ...] = (
    TASKS,
    THREADS,
    FRAMES,
    MODULES,
    GC_GENERATIONS,
    GC_OBJECTS,
    GC_SIZES,
    MEMORY,
    HEAP,
    METRICS,
    CONNECTIONS,
    REQUESTS,
    SETTINGS,
    ROUTES,
    WORKERS,
    OBJECTS,
    SESSIONS,
    AUTH_EVENTS,
    FILES,
    LOG_RECORDS,
    AUDIT_EVENTS,
)
"""Every relation, as it is documented; those of the server have no rows here."""


class ProcessRelations:
    """The relations of the process over `server` and its heap `profiler`, from now until `close`.

    Make it on the thread that serves, inside the loop where there is one: it
    keeps log records from then on.  `relations` are in the order of `DECLARED`.
    """

    def __init__(self, server: Server, profiler: HeapProfiler) -> None:
        self._logs = RecentLogs()
        remember_run()
        bound = (
            *process_server.bound(server),
            process_metrics.bound(server),
            *process_registry.bound(server, lambda: self.relations),
            *process_memory.bound(profiler),
            self._logs.relation(),
        )
        by_name = {relation.name: relation for relation in (*DECLARED, *bound)}
        self.relations: tuple[Relation, ...] = tuple(by_name.values())

    def close(self) -> None:
        """Keep no more log records.  Doing it twice is fine."""
        self._logs.close()
