"""The audit: every decision is counted, the last are kept, and nobody drowns a log."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.audit import KEPT, Audit
from fanlight.auth.decisions import Admission, Refusal
from fanlight.auth.identity import Identity
from fanlight.http.request import Request
from fanlight.moment import Now
from fanlight.observe.metrics import HttpMetrics
from fanlight.observe.records import Exposure
from fanlight.observe.restraint import KINDS_MOST, SINGLY

PEER = "192.0.2.7"


def refusal(text: str = "invalid credentials", peer: str = PEER, status: int = 401) -> Refusal:
    return Refusal(text, status, "main", "base", "Password", peer, '"ada"')


def admitted(audit: Audit, wall: float, user: str = "ada") -> Admission | None:
    request = cast(Request, SimpleNamespace(listener=SimpleNamespace(name="main"), peer=PEER))
    return audit.admitted(request, Identity(user, "Password"), "base", "HTTP request", wall)


def count(metrics: HttpMetrics, outcome: str) -> float:
    return metrics.decisions("main", "Password", outcome)._value


def test_decisions_are_counted_and_kept() -> None:
    metrics = HttpMetrics()
    audit = Audit(metrics)
    assert admitted(audit, 5.0) is None
    assert audit.told(refusal(), Now(1.0, 6.0))
    assert audit.told(refusal("too many attempts", status=429), Now(1.0, 7.0))
    assert [(event.wall, event.outcome, event.reason) for event in audit.events] == [
        (5.0, "accepted", ""),
        (6.0, "refused", "invalid credentials"),
        (7.0, "limited", "too many attempts"),
    ]
    assert [count(metrics, outcome) for outcome in ("accepted", "refused", "limited")] == [1, 1, 1]
    audit.tells_admissions = True
    record = admitted(audit, 8.0, "a\nb")
    assert record == Admission("main", "base", "Password", PEER, '"a\\nb"')
    assert audit.told(record, Now(1.0, 8.0))
    assert audit.events[-1].user == '"a\\nb"'
    assert count(metrics, "accepted") == 2


def test_what_is_no_decision_is_told_and_not_kept() -> None:
    audit = Audit(HttpMetrics())
    assert audit.told("something else", Now(1.0, 5.0))
    assert [audit.told(Exposure("main", PEER), Now(1.0, 5.0)) for _ in range(2)] == [True, False]
    assert not audit.events


def test_equal_refusals_are_told_in_one_line() -> None:
    audit = Audit(HttpMetrics())
    assert [audit.told(refusal(), Now(1.5, 0.0)) for _ in range(30)] == [True] * 10 + [False] * 20
    assert audit.told(refusal(peer="192.0.2.8"), Now(1.6, 0.0))
    assert audit.told(refusal("other"), Now(1.6, 0.0))
    assert len(audit.events) == 12
    assert audit.summaries(2.0) == []
    assert audit.deadline == 2.5
    assert [(each.count, each.text, each.network) for each in audit.summaries(2.5)] == [
        (20, "invalid credentials", PEER)
    ]
    assert audit.told(refusal(), Now(3.0, 0.0))


def test_a_flood_from_everywhere_is_bounded() -> None:
    audit = Audit(HttpMetrics())
    told = [audit.told(refusal(peer=f"10.0.{number // 250}.{number % 250}"), Now(1.0, 0.0)) for number in range(5000)]
    assert sum(told) == KINDS_MOST + SINGLY
    assert len(audit.events) == KEPT


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 5)), max_size=200))
def test_nothing_is_lost(steps: list[tuple[str, float]]) -> None:
    metrics, told = HttpMetrics(), 0
    audit = Audit(metrics)
    mono = 0.0
    for text, seconds in steps:
        mono += seconds / 10
        told += sum(each.count for each in audit.summaries(mono))
        told += audit.told(refusal(text), Now(mono, 0.0))
    told += sum(each.count for each in audit.summaries(mono + 10))
    assert told == count(metrics, "refused") == len(steps)
