"""Asks collectors that may block, in a worker's thread, and logs those that raise.

One collector is asked by one scrape at a time: while it is stuck, further
scrapes are told so instead of losing a thread each.  Never renders anything
and never asks a collector that the host did not mark.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from fanlight.observe.gathering import Gathered, GatherMetrics, ReportCollector

log = logging.getLogger("fanlight")


class StillBusy(RuntimeError):
    """The collector has not come back from an earlier scrape."""


class Gatherer:
    """The engine behind `GatherMetrics` and `ReportCollector`."""

    def __init__(self) -> None:
        self.handlers: Mapping[type, Callable[[Any], Any]] = {
            GatherMetrics: self.gather,
            ReportCollector: self.report,
        }
        self.interrupts: Mapping[type, Callable[[Any], None]] = {}
        self._lock = threading.Lock()
        self._busy: set[int] = set()

    def gather(self, effect: GatherMetrics) -> Gathered:
        """The collector's families as far as it comes, and what it raised."""
        mark = id(effect.collector)
        with self._lock:
            if mark in self._busy:
                return Gathered((), StillBusy("still busy with an earlier scrape"))
            self._busy.add(mark)
        families: list[Any] = []
        try:
            families.extend(effect.collector.collect())
        except Exception as error:  # noqa: BLE001  a host's collector may raise anything
            return Gathered(tuple(families), error)
        finally:
            with self._lock:
                self._busy.discard(mark)
        return Gathered(tuple(families))

    def report(self, effect: ReportCollector) -> None:
        """Write the failure to the log `fanlight`, with its traceback."""
        log.warning("metrics collector %s failed", effect.collector, exc_info=effect.error)

    def close(self) -> None:
        """Nothing to let go: a stuck collector keeps its daemon thread."""
