"""Deadlines of many things as one number: against a plain table of who is due when."""

from __future__ import annotations

import gc
import weakref
from math import inf

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fanlight.timers import Deadlines

MOMENTS = st.floats(0, 100) | st.just(inf)


class Item:
    """Something with a deadline."""

    def __init__(self, deadline: float = inf) -> None:
        self.deadline = deadline
        self.armed = inf


def test_nothing_is_due_of_nothing() -> None:
    deadlines = Deadlines[Item]()
    assert deadlines.next == inf
    assert deadlines.due(1e9, 8) == []


def test_a_deadline_of_never_is_not_armed() -> None:
    deadlines = Deadlines[Item]()
    item = Item()
    deadlines.arm(item)
    assert (deadlines.next, item.armed) == (inf, inf)


def test_due_at_the_very_moment_and_once() -> None:
    deadlines, item = Deadlines[Item](), Item(5)
    deadlines.arm(item)
    assert deadlines.next == item.armed == 5
    assert deadlines.due(4.999, 8) == []
    assert deadlines.due(5, 8) == [item]
    assert (deadlines.due(5, 8), deadlines.next, item.armed) == ([], inf, inf)


def test_a_deadline_that_moved_away_is_looked_at_early_and_armed_anew() -> None:
    deadlines, item = Deadlines[Item](), Item(5)
    deadlines.arm(item)
    item.deadline = 9
    deadlines.arm(item)
    assert deadlines.next == 5, "moving away costs nothing"
    assert deadlines.due(6, 8) == []
    assert deadlines.next == item.armed == 9


def test_a_deadline_that_came_nearer_is_met() -> None:
    deadlines, item = Deadlines[Item](), Item(5)
    deadlines.arm(item)
    item.deadline = 2
    deadlines.arm(item)
    assert deadlines.due(2, 8) == [item]
    assert deadlines.due(5, 8) == []


def test_what_is_dropped_is_never_due_and_may_be_armed_again() -> None:
    deadlines, item = Deadlines[Item](), Item(5)
    deadlines.drop(item)
    deadlines.arm(item)
    deadlines.drop(item)
    assert (deadlines.next, item.armed, deadlines.due(9, 8)) == (inf, inf, [])
    deadlines.arm(item)
    assert deadlines.due(9, 8) == [item]


def test_nothing_keeps_a_dropped_item_alive() -> None:
    deadlines, item = Deadlines[Item](), Item(5)
    deadlines.arm(Item(1))
    deadlines.arm(item)
    kept = weakref.ref(item)
    deadlines.drop(item)
    del item
    gc.collect()
    assert kept() is None


def test_a_few_at_a_time_the_earliest_first() -> None:
    deadlines = Deadlines[Item]()
    items = [Item(float(moment)) for moment in (5, 1, 4, 2, 3)]
    for item in items:
        deadlines.arm(item)
    assert [item.deadline for item in deadlines.due(4, 3)] == [1, 2, 3]
    assert deadlines.next == 4
    assert [item.deadline for item in deadlines.due(4, 3)] == [4]


def test_dead_entries_do_not_pile_up() -> None:
    deadlines, first, moving = Deadlines[Item](), Item(0.5), Item()
    deadlines.arm(first)
    for step in range(20_000):
        moving.deadline = 20_000.0 - step / 2
        deadlines.arm(moving)
    assert len(deadlines._heap) < 2_000
    assert deadlines.due(1, 8) == [first]
    assert deadlines.next == moving.deadline


@given(st.lists(st.floats(0, 100), max_size=40), st.floats(0, 100))
def test_all_that_are_due_come_and_no_other(moments: list[float], mono: float) -> None:
    deadlines, items = Deadlines[Item](), [Item(moment) for moment in moments]
    for item in items:
        deadlines.arm(item)
    ready = deadlines.due(mono, len(items) + 1)
    assert sorted(item.deadline for item in ready) == sorted(moment for moment in moments if moment <= mono)
    assert deadlines.next == min((moment for moment in moments if moment > mono), default=inf)


class DeadlinesMachine(RuleBasedStateMachine):
    """Items whose deadlines move; the model looks at every one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.deadlines = Deadlines[Item]()
        self.items = [Item() for _ in range(5)]
        self.mono = 0.0

    @rule(index=st.integers(0, 4), deadline=MOMENTS)
    def move(self, index: int, deadline: float) -> None:
        self.items[index].deadline = deadline
        self.deadlines.arm(self.items[index])

    @rule(index=st.integers(0, 4))
    def finish(self, index: int) -> None:
        self.deadlines.drop(self.items[index])
        self.items[index] = Item()

    @rule(seconds=st.floats(0, 30), most=st.integers(1, 5))
    def pass_time(self, seconds: float, most: int) -> None:
        self.mono += seconds
        overdue = [item for item in self.items if item.deadline <= self.mono]
        ready = self.deadlines.due(self.mono, most)
        assert len(ready) == min(most, len(overdue))
        assert all(item in overdue for item in ready)
        for item in ready:
            item.deadline = inf

    @invariant()
    def nobody_is_forgotten(self) -> None:
        assert self.deadlines.next <= min(item.deadline for item in self.items)


TestDeadlinesMachine = DeadlinesMachine.TestCase
