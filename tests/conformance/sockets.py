"""Servers on real sockets: the transports, in a thread."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from fanlight.auth.identity import Identity
from fanlight.server import Server
from fanlight_engines.performer import Performer

from .. import hosts
from ..clients.wires import SocketWire, Wire
from . import controls, worlds
from .performing import Watched
from .stage import Stage, World
from .tls import client_context


class SocketStage:
    """One server on loopback sockets, at any free port."""

    def __init__(self, host: hosts.Host, world: World) -> None:
        self._host = host
        self._world = world
        self.app = worlds.application(world, any_port=True)
        host.shift.wall = 0.0 if world.now is None else world.now - time.time()
        self._served = host.serve(self.app, self._watch)
        self.server = self._served.server
        controls.set_heap(world.heap)

    def _watch(self, server: Server, performer: Performer) -> Watched:
        self.watched = Watched(performer, self._world)
        server.notes_access = True
        return self.watched

    @property
    def notes(self) -> list[Any]:
        """The records that the core wrote."""
        return self.watched.notes

    @property
    def performed(self) -> Counter[str]:
        """The effects that were performed, by the name of their type."""
        return self.watched.performed

    @property
    def identities(self) -> list[Identity]:
        """Those of SQL sessions."""
        return self.watched.identities

    def connect(self, listener: str, version: str = "1.1") -> Wire:
        """A socket."""
        tls = client_context(version) if self._world.secure else None
        return SocketWire(self._served.address(listener), tls=tls)

    def authority(self, listener: str) -> str:
        """Loopback and the port that was bound."""
        address = self._served.address(listener)
        return address if isinstance(address, str) else f"{address[0]}:{address[1]}"

    def statements(self) -> int:
        """Those whose effect is under way."""
        return self.watched.statements

    def sleep(self, seconds: float) -> None:
        """Real time."""
        time.sleep(seconds)

    def wall(self) -> float:
        """The host's."""
        return self._host.shift.now().wall

    def jump(self, seconds: float) -> None:
        """The host's clocks are real ones plus a shift."""
        self._host.shift.move(seconds)
        self._host.wake()

    def stop(self) -> None:
        """Cancel the server and wait for its end."""
        self._served.stop()


class SocketTarget:
    """A transport in a thread, for all cases of a run."""

    def __init__(self, over: str) -> None:
        self.name = over
        self._host = hosts.host(over)

    def start(self, world: World) -> Stage:
        """A server for one case."""
        return SocketStage(self._host, world)

    def close(self) -> None:
        """End the thread."""
        self._host.close()
