"""Collectors that may block, and those that raise: the effects for both.

A host marks such a collector with the attribute `fanlight_blocking = True`
(on the class or on the object); everything else is asked on the thread that
serves the scrape.  Declarations only: an engine asks, and writes the log.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from attrs import field, frozen

from ..asks import Effect

MARK = "fanlight_blocking"
PATIENCE = 10.0
"""Seconds that a scrape waits for its blocking collectors (Prometheus gives up after ten by default)."""


@frozen
class Gathered:
    """What one collector gave: its families as far as it came, and the exception that ended it."""

    families: tuple[Any, ...]
    failure: Exception | None = None


# Compared by identity: an answer is for one scrape, not for all that look like it.


@frozen(eq=False)
class GatherMetrics(Effect[Gathered]):
    """Ask `collector` for its families.

    A collector that raises, or that is still busy with an earlier scrape, is
    an answer with a `failure`, never an error of the effect.
    """

    collector: Any = field(repr=False)


@frozen(eq=False)
class ReportCollector(Effect[None]):
    """Write to the log that `collector` raised `error`."""

    collector: str
    error: Exception = field(repr=False)
    runs: ClassVar[Literal["worker", "loop"]] = "loop"


def is_blocking(collector: object) -> bool:
    """Whether the host marked `collector` as one that may block."""
    return getattr(collector, MARK, False) is True
