"""`fanlight.underway`: each effect has one number, one that waits for it, and one end."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from fanlight.asks import Effect, EffectFailed, Race, Sleep
from fanlight.health.latch import Await, Latch
from fanlight.http.pipeline import Exchange
from fanlight.outputs import Cancel, Perform
from fanlight.routine import Conversation, Thrown
from fanlight.underway import Underway


@frozen
class Fetch(Effect[str]):
    """Answered by the test."""

    name: str


def talk() -> Conversation:
    """A conversation about nothing of HTTP, whose routine is nobody's business here."""
    return Conversation(1, Exchange.__new__(Exchange))


@pytest.fixture
def said() -> list[Perform | Cancel]:
    return []


@pytest.fixture
def underway(said: list[Perform | Cancel]) -> Underway:
    return Underway(said)


def test_an_answer_finds_the_one_that_waits_for_it(underway: Underway, said: list[Any]) -> None:
    ada, bob = talk(), talk()
    underway.perform(ada, Fetch("a"), 0)
    underway.perform(bob, Fetch("b"), 0)
    assert said == [Perform(1, Fetch("a")), Perform(2, Fetch("b"))]
    assert underway.answered(2, "B", None) == (bob, "B")
    assert underway.answered(1, None, None) == (ada, None)
    assert said[2:] == []
    assert (ada.performing, bob.performing) == ({}, {})


def test_a_failure_is_raised_with_its_name_and_its_cause_is_for_the_log(underway: Underway) -> None:
    ada, error = talk(), ValueError("said the engine")
    underway.perform(ada, Fetch("a"), 0)
    resumed = underway.answered(1, "no answer", error)
    assert resumed is not None
    who, thrown = resumed
    assert who is ada
    assert isinstance(thrown, Thrown)
    assert isinstance(thrown.error, EffectFailed)
    assert str(thrown.error) == "ValueError"
    assert thrown.error.__cause__ is error


@pytest.mark.parametrize("error", [None, ValueError("late")])
def test_the_loser_of_a_race_is_cancelled_and_its_answer_finds_nobody(
    underway: Underway, said: list[Any], error: ValueError | None
) -> None:
    ada, race = talk(), Race((Fetch("a"), Fetch("b")))
    ada.racing, ada.asks = True, race.asks
    underway.perform(ada, Fetch("a"), 0)
    underway.perform(ada, Fetch("b"), 1)
    assert underway.answered(2, "won", None) == (ada, (1, "won"))
    assert said[2:] == [Cancel(1, Fetch("a"))]
    assert underway.answered(1, "late", error) is None
    assert underway.answered(7, "unheard of", error) is None
    assert len(said) == 3


def test_who_withdraws_leaves_latches_and_times_too(underway: Underway) -> None:
    ada, bob, latch = talk(), talk(), Latch()
    for conversation in (ada, bob):
        conversation.asks = (Await(latch), Sleep(1.0))
        latch.waiting[conversation] = None  # type: ignore[assignment]  # it is never opened here
        conversation.wake_at = conversation.beat_at = conversation.read_by = 5.0
    underway.withdraw(ada)
    underway.withdraw(ada)
    assert list(latch.waiting) == [bob]
    assert (ada.wake_at, ada.beat_at, ada.read_by) == (inf, inf, inf)
    assert (bob.wake_at, bob.beat_at, bob.read_by) == (5.0, 5.0, 5.0)


class EffectsOfMany(RuleBasedStateMachine):
    """Many conversations; answers come in any order, late, twice, or for nobody."""

    conversations: Bundle[Conversation] = Bundle("conversations")

    @initialize(target=conversations)
    def begin(self) -> Any:
        self.said: list[Perform | Cancel] = []
        self.underway = Underway(self.said)
        self.those = [talk() for _ in range(3)]
        self.waiting: dict[int, tuple[Conversation, Fetch]] = {}
        self.numbers = 0
        return multiple(*self.those)

    def said_since(self) -> list[Perform | Cancel]:
        since = self.said[:]
        self.said.clear()
        return since

    @rule(conversation=conversations, name=st.sampled_from("ab"))
    def perform(self, conversation: Conversation, name: str) -> None:
        self.numbers += 1
        self.underway.perform(conversation, Fetch(name), 0)
        assert self.said_since() == [Perform(self.numbers, Fetch(name))]
        self.waiting[self.numbers] = (conversation, Fetch(name))

    @rule(number=st.integers(0, 30), failed=st.booleans())
    def answer(self, number: int, failed: bool) -> None:
        resumed = self.underway.answered(number, number, ValueError() if failed else None)
        who, _ = self.waiting.pop(number, (None, None))
        assert (resumed[0] if resumed is not None else None) is who
        if resumed is not None:
            assert isinstance(resumed[1], Thrown) if failed else resumed[1] == number
        assert self.said_since() == []

    @rule(conversation=conversations)
    def withdraw(self, conversation: Conversation) -> None:
        self.underway.withdraw(conversation)
        gone = {number: effect for number, (who, effect) in self.waiting.items() if who is conversation}
        assert self.said_since() == [Cancel(number, effect) for number, effect in gone.items()]
        for number in gone:
            del self.waiting[number]

    @invariant()
    def shares_add_up(self) -> None:
        for conversation in self.those:
            share = {number: effect for number, (who, effect) in self.waiting.items() if who is conversation}
            assert (conversation.performing or {}) == share


TestEffectsOfMany = EffectsOfMany.TestCase
