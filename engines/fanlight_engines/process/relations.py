"""The live relations of the process: everything in the schema `process`, and the audit log.

One tuple of declarations, and the same bound to a running server.  Each is
walked in the worker's thread that reads it, gives way while it is walked, and
ends after 100,000 rows.  Nothing is computed that nobody asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanlight.relations import Relation

from . import logs as process_logs
from . import memory as process_memory
from . import metrics as process_metrics
from . import registry as process_registry
from . import server as process_server
from .files import FILES
from .frames import FRAMES
from .heap import GC_GENERATIONS, GC_OBJECTS, GC_SIZES
from .logs import LOG_RECORDS
from .memory import HEAP, MEMORY
from .metrics import METRICS
from .modules import MODULES
from .registry import OBJECTS, WORKERS
from .server import AUDIT_EVENTS, AUTH_EVENTS, CONNECTIONS, REQUESTS, ROUTES, SESSIONS, SETTINGS
from .tasks import TASKS
from .threads import THREADS
from .trio_tasks import remember_run

if TYPE_CHECKING:
    from fanlight.server import Server

    from ..profiling.heap import HeapProfiler
    from .recent_logs import RecentLogs

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
    """The relations of the process over `server`, its heap `profiler` and its `logs`.

    Make it on the thread that serves, inside the loop where there is one.
    `relations` are in the order of `DECLARED`.
    """

    def __init__(self, server: Server, profiler: HeapProfiler, logs: RecentLogs) -> None:
        remember_run()
        bound = (
            *process_server.bound(server),
            process_metrics.bound(server),
            *process_registry.bound(server, lambda: self.relations),
            *process_memory.bound(profiler),
            process_logs.bound(logs),
        )
        by_name = {relation.name: relation for relation in (*DECLARED, *bound)}
        self.relations: tuple[Relation, ...] = tuple(by_name.values())
