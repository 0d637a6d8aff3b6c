"""fanlight: an HTTP server inside a running process, to look into it.

This is the façade: the names that a program needs to describe what is served.
A transport serves it: `fanlight_asyncio.serve(app)` or `fanlight_trio.serve(app)`.
Importing this package imports no event loop, no socket and no thread.
"""

from typing import TYPE_CHECKING, Any

from .app import App as App
from .asks import Ask as Ask
from .asks import ClientGone as ClientGone
from .asks import Effect as Effect
from .asks import EffectFailed as EffectFailed
from .asks import Op as Op
from .asks import Race as Race
from .asks import Routine as Routine
from .asks import Sleep as Sleep
from .auth.identity import Identity as Identity
from .config.limits import Limits as Limits
from .config.listeners import ALL_GROUPS as ALL_GROUPS
from .config.listeners import DEFAULT_GROUPS as DEFAULT_GROUPS
from .config.listeners import Listener as Listener
from .config.settings import ConfigurationError as ConfigurationError
from .config.settings import Dialect as Dialect
from .config.settings import Settings as Settings
from .health.leadership import FileLockLeader as FileLockLeader
from .health.leadership import Leadership as Leadership
from .health.leadership import ManualLeader as ManualLeader
from .health.leadership import PostgresAdvisoryLockLeader as PostgresAdvisoryLockLeader
from .health.leadership import SoloLeader as SoloLeader
from .http.request import Request as Request
from .http.response import Refused as Refused
from .http.response import Response as Response
from .http.response import SendBody as SendBody
from .http.router import Route as Route
from .moment import Entropy as Entropy
from .moment import Now as Now
from .relations import Column as Column
from .relations import Relation as Relation

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .connection.connection import Connection as Connection
    from .observe.queries import MetricQuery as MetricQuery
    from .observe.queries import MetricQuerySet as MetricQuerySet
    from .server import Server as Server

# Only a transport needs the first two, and with them the parsers, and few programs the others: a program
# that merely describes what is served does not pay for them.
_LATER = {
    "Connection": "connection",
    "Server": "server",
    "MetricQuery": "observe.queries",
    "MetricQuerySet": "observe.queries",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LATER[name]}", __name__), name)
