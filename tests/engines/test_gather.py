"""`fanlight_engines.gather`: collectors asked in a worker, one scrape at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric

from fanlight.observe.gathering import Gathered, GatherMetrics, ReportCollector
from fanlight_engines.gather import Gatherer, StillBusy


class Gives:
    """Two families, then whatever is to be raised."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.threads: list[threading.Thread] = []

    def collect(self) -> Iterator[Metric]:
        self.threads.append(threading.current_thread())
        yield GaugeMetricFamily("a", "", value=1)
        yield GaugeMetricFamily("b", "", value=2)
        if self.error is not None:
            raise self.error


class Stuck:
    """Does not come back until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go = threading.Event()

    def collect(self) -> list[Metric]:
        self.entered.set()
        assert self.go.wait(10)
        return [GaugeMetricFamily("late", "", value=1)]


def ask(engine: Gatherer, collector: object) -> Gathered:
    answer = engine.handlers[GatherMetrics](GatherMetrics(collector))
    assert isinstance(answer, Gathered)
    return answer


def test_families_are_collected() -> None:
    answer = ask(Gatherer(), Gives())
    assert [family.name for family in answer.families] == ["a", "b"]
    assert answer.failure is None


def test_what_was_given_before_a_failure_stands() -> None:
    error = RuntimeError("no")
    answer = ask(Gatherer(), Gives(error))
    assert [family.name for family in answer.families] == ["a", "b"]
    assert answer.failure is error


def test_no_collector_at_all_is_an_answer() -> None:
    assert isinstance(ask(Gatherer(), object()).failure, AttributeError)


def test_a_stuck_collector_costs_one_thread_and_no_other_collector() -> None:
    engine, stuck = Gatherer(), Stuck()
    answers: list[Gathered] = []
    thread = threading.Thread(target=lambda: answers.append(ask(engine, stuck)))
    thread.start()
    assert stuck.entered.wait(10)
    busy = ask(engine, stuck)
    assert (busy.families, type(busy.failure)) == ((), StillBusy)
    assert len(ask(engine, Gives()).families) == 2
    stuck.go.set()
    thread.join(10)
    assert [family.name for family in answers[0].families] == ["late"]
    assert [family.name for family in ask(engine, stuck).families] == ["late"], "never free again"


def test_a_collector_that_raised_may_be_asked_again() -> None:
    engine, collector = Gatherer(), Gives(RuntimeError("no"))
    assert isinstance(ask(engine, collector).failure, RuntimeError)
    assert isinstance(ask(engine, collector).failure, RuntimeError)


def test_failures_are_logged_with_their_traceback(caplog: pytest.LogCaptureFixture) -> None:
    engine = Gatherer()
    with caplog.at_level(logging.WARNING, logger="fanlight"):
        engine.handlers[ReportCollector](ReportCollector("Broken", RuntimeError("no")))
    (record,) = caplog.records
    assert record.getMessage() == "metrics collector Broken failed"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], RuntimeError)
    engine.close()
    assert not engine.interrupts
