"""Which engines a server gets: the one list, in one place.

Importing this module loads all the Python that serving needs, so that nothing
is imported on a running loop later; the heavy libraries behind it (DuckDB)
still load at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import fanlight.pages.table
import fanlight.server  # noqa: F401

from .duckdb import DuckDbEngine
from .gather import Gatherer
from .host import HostFacts
from .profiles import HeapProfiler

if TYPE_CHECKING:
    from fanlight.server import Server

    from .performer import Engine


def engines_for(server: Server) -> list[Engine]:
    """The engines that the pages of `server` ask; none of them has started anything yet."""
    return [HostFacts(), Gatherer(), HeapProfiler(server.app), DuckDbEngine(server.app)]
