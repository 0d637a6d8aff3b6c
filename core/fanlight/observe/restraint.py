"""Restraint: how often the log is told the same thing (threats: T16, T17).

Whoever can provoke a log record can fill a disk, so alike refusals are recorded
a few times a second and then counted, and some warnings come once for each
peer.  What makes two refusals alike is never of a caller's choosing but for
the network that he is in.  Memory is bounded however many networks call.  It
writes no log and reads no clock.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from ..peer import network_of
from .records import Exposure, RefusalsOmitted

if TYPE_CHECKING:
    from ..auth.decisions import Refusal

SINGLY = 10
"""Alike refusals of one network in one `WINDOW` that are recorded one by one."""
WINDOW = 1.0
"""Seconds."""
KINDS_MOST = 1024
"""Pairs of network and refusal told apart in one window; all further ones count as of one network, `ELSEWHERE`."""
PEERS_MOST = 4096
"""Networks remembered as warned about; beyond, the oldest is forgotten."""
ELSEWHERE = "elsewhere"

_Key = tuple[str, str, int, str, str, str]


class Restraint:
    """The restraint of one server.

    `deadline` is when `summaries` has something to tell, in monotonic seconds;
    `inf` while nothing was left out.
    """

    def __init__(self) -> None:
        self.deadline = inf
        self._ends = -inf
        self._counts: dict[_Key, int] = {}
        self._warned: dict[str, None] = {}

    def admits(self, record: Refusal | Exposure, mono: float) -> bool:
        """Whether `record` is to be noted.

        An exposure is for the first one of its peer's network.  A refusal that
        is not counts in the next of `summaries`.
        """
        return self._is_first(record.peer) if isinstance(record, Exposure) else self._is_few(record, mono)

    def _is_few(self, refusal: Refusal, mono: float) -> bool:
        """Whether `refusal` is one of the first `SINGLY` of its kind in this window.

        The window is the server's and not the network's: it begins with the
        first refusal after the last window.  A name that a caller gave does not
        make his refusal another one.
        """
        # While something waits to be told, the counts stay, though the window may be over.
        if mono >= self._ends and self.deadline == inf:
            self._counts.clear()
            self._ends = mono + WINDOW
        what = (refusal.text, refusal.status, refusal.listener, refusal.group, refusal.kind)
        key = (network_of(refusal.peer), *what)
        if key not in self._counts and len(self._counts) >= KINDS_MOST:
            key = (ELSEWHERE, *what)
        count = self._counts[key] = self._counts.get(key, 0) + 1
        if count > SINGLY:
            self.deadline = self._ends
        return count <= SINGLY

    def summaries(self, mono: float) -> list[RefusalsOmitted]:
        """One record for each kind of refusal that was left out; empty before the `deadline`."""
        if mono < self.deadline or self.deadline == inf:
            return []
        self.deadline = inf
        counts, self._counts = self._counts, {}
        self._ends = -inf
        return [
            RefusalsOmitted(text, status, listener, group, kind, network, count - SINGLY)
            for (network, text, status, listener, group, kind), count in counts.items()
            if count > SINGLY
        ]

    def _is_first(self, peer: str) -> bool:
        """Whether nobody of the network of `peer` was warned about before."""
        network = network_of(peer)
        if network in self._warned:
            return False
        if len(self._warned) >= PEERS_MOST:
            del self._warned[next(iter(self._warned))]
        self._warned[network] = None
        return True
