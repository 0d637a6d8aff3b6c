"""Which engines a server gets: the one list, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanlight.server import Server

    from .performer import Engine


def engines_for(server: Server) -> list[Engine]:
    """The engines that the pages of `server` ask; none of them has started anything yet."""
    from .host import HostFacts
    from .profiles import HeapProfiler

    return [HostFacts(), HeapProfiler(server.app)]
