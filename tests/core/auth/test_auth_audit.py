"""The audit: every decision is counted, the last are kept, and nobody drowns a log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.audit import Admission, Audit, Unwritten
from fanlight.auth.gates import Refusal
from fanlight.observe.metrics import HttpMetrics

PEER = "192.0.2.7"


def refusal(text: str = "invalid credentials", peer: str = PEER, status: int = 401) -> Refusal:
    return Refusal(text, status, "main", "base", "Password", peer, '"ada"')


def count(metrics: HttpMetrics, outcome: str) -> float:
    return metrics._auth.cell("main", "Password", outcome)._value


def test_decisions_are_counted_and_kept() -> None:
    metrics = HttpMetrics()
    audit = Audit(metrics)
    assert not audit.admitted(Admission("main", "base", "Password", PEER, '"ada"'), 5.0)
    assert audit.refused(refusal(), 6.0, 1.0) == [refusal()]
    assert audit.refused(refusal("too many attempts", status=429), 7.0, 1.0) == [
        refusal("too many attempts", status=429)
    ]
    assert [(event.wall, event.outcome, event.reason) for event in audit.events] == [
        (5.0, "accepted", ""),
        (6.0, "refused", "invalid credentials"),
        (7.0, "limited", "too many attempts"),
    ]
    assert [count(metrics, outcome) for outcome in ("accepted", "refused", "limited")] == [1, 1, 1]
    audit.tells_admissions = True
    assert audit.admitted(Admission("main", "base", "Password", PEER, '"ada"'), 5.0)


def test_equal_refusals_are_told_in_one_line() -> None:
    audit = Audit(HttpMetrics())
    written = [len(audit.refused(refusal(), 0.0, 1.5)) for _ in range(30)]
    assert written == [1] * 10 + [0] * 20
    assert audit.refused(refusal(peer="192.0.2.8"), 0.0, 1.6) == [refusal(peer="192.0.2.8")]
    assert audit.refused(refusal("other"), 0.0, 1.6) == [refusal("other")]
    assert audit.refused(refusal(), 0.0, 2.0) == [Unwritten(20, "invalid credentials", PEER), refusal()]
    assert audit.refused(refusal(), 0.0, 3.0) == [refusal()]


def test_a_flood_from_everywhere_is_bounded() -> None:
    audit = Audit(HttpMetrics())
    written = sum(
        len(audit.refused(refusal(peer=f"10.0.{number // 250}.{number % 250}"), 0.0, 1.0)) for number in range(5000)
    )
    assert written == 1024 + 10
    assert len(audit.events) == 1000


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 5)), max_size=200))
def test_nothing_is_lost(steps: list[tuple[str, float]]) -> None:
    metrics, told = HttpMetrics(), 0
    audit = Audit(metrics)
    mono = 0.0
    for text, seconds in [*steps, ("end", 10.0)]:
        mono += seconds / 10
        for record in audit.refused(refusal(text), 0.0, mono):
            told += record.count if isinstance(record, Unwritten) else 1
    assert told == count(metrics, "refused") == len(steps) + 1
