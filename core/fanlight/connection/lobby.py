"""The lobby: sockets that were let in and have not said yet who they are.

Counts them, for a listener and for each peer network, so that strangers who say
nothing cannot take all the room.  It knows no socket and keeps no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..peer import UNCOUNTED, network_of

if TYPE_CHECKING:
    from ..config.limits import Limits


class Lobby:
    """Those of one listener.  Every `enter` that is True is followed by one `leave`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._peers: dict[str, int] = {}
        self.inside = 0

    def enter(self, peer: str) -> bool:
        """One more of `peer`; False if it is one too many.  Peers on this machine have no bound of their own."""
        network = network_of(peer)
        of_peer = self._peers.get(network, 0)
        if self.inside >= self._limits.first_messages:
            return False
        if peer not in UNCOUNTED and of_peer >= self._limits.first_messages_per_peer:
            return False
        self._peers[network] = of_peer + 1
        self.inside += 1
        return True

    def leave(self, peer: str) -> None:
        """One of `peer` has said who it is, or left."""
        network = network_of(peer)
        left = self._peers[network] - 1
        self.inside -= 1
        if left:
            self._peers[network] = left
        else:
            del self._peers[network]
