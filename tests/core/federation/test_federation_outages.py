"""Changes are news, repetition is none, and what is gone is forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanlight.federation.outages import Outages
from fanlight.workers import Cluster, Replica

R1, R2 = (Replica(f"u{number}", f"r{number}", Cluster("u1", "shops")) for number in (1, 2))


def test_the_beginning_and_the_end() -> None:
    outages = Outages()
    assert outages.news([(R1, 0, ""), (R1, 1, "refused"), (R2, 0, "")]) == (["shops.r1/1: refused"], [])
    assert outages.news([(R1, 0, ""), (R1, 1, "timeout"), (R2, 0, "")]) == ([], [])
    assert outages.news([(R1, 0, "timeout"), (R1, 1, ""), (R2, 0, "")]) == (["shops.r1/0: timeout"], ["shops.r1/1"])


def test_who_is_gone_is_forgotten() -> None:
    outages = Outages()
    outages.news([(R1, 0, "refused")])
    assert outages.news([]) == ([], [])
    assert outages.news([(R1, 0, "refused")]) == (["shops.r1/0: refused"], [])


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3)))
def test_each_is_told_as_often_as_it_changes(scrapes: list[list[bool]]) -> None:
    outages, changes, told = Outages(), 0, 0
    before = [False] * 3
    for down in scrapes:
        failed, back = outages.news([(R1, number, "refused" if each else "") for number, each in enumerate(down)])
        told += len(failed) + len(back)
        changes += sum(one is not other for one, other in zip(before, down, strict=True))
        before = down
    assert told == changes
