"""Which worker processes were last seen down, so that the log is told of changes and not of scrapes.

It asks nobody and reads no clock; what is no longer registered is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..workers import Replica

Process = tuple[str, str, int]


class Outages:
    """Those of one server."""

    def __init__(self) -> None:
        self._down: set[Process] = set()

    def news(self, seen: Iterable[tuple[Replica, int, str]]) -> tuple[list[str], list[str]]:
        """Whose outage begins, with the trouble, and who is back, out of `(replica, process, trouble or "")` of all."""
        failed: list[str] = []
        back: list[str] = []
        down: set[Process] = set()
        for replica, number, trouble in seen:
            process = (replica.cluster.id, replica.id, number)
            name = f"{replica.full_name}/{number}"
            if trouble:
                down.add(process)
                if process not in self._down:
                    failed.append(f"{name}: {trouble}")
            elif process in self._down:
                back.append(name)
        self._down = down
        return failed, back
