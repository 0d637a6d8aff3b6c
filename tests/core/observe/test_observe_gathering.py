"""`fanlight.observe.gathering`: who is marked, and what shows of it."""

from __future__ import annotations

import pytest
from prometheus_client import Gauge

from fanlight.observe.gathering import GatherMetrics, ReportCollector, is_blocking


class SaysYes:
    """Has every attribute that is asked for."""

    def __getattr__(self, name: str) -> str:
        return name


class Marked:
    fanlight_blocking = True


def test_a_class_or_an_object_is_marked() -> None:
    gauge = Gauge("g", "", registry=None)
    assert not is_blocking(gauge)
    gauge.fanlight_blocking = True  # type: ignore[attr-defined]
    assert is_blocking(gauge)
    assert is_blocking(Marked())


@pytest.mark.parametrize("collector", [object(), None, SaysYes()])
def test_only_true_marks(collector: object) -> None:
    assert not is_blocking(collector)


def test_effects_show_nothing_of_the_host() -> None:
    assert "secret" not in repr(GatherMetrics("secret"))
    assert "secret" not in repr(ReportCollector("name", ValueError("secret")))
    assert GatherMetrics("same") != GatherMetrics("same")
    assert (GatherMetrics.runs, ReportCollector.runs) == ("worker", "loop")
