"""Conversations: steps of a routine, open asks, races, and answers that come too late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from fanlight.asks import Ask, ClientGone, Effect, EffectFailed, Op, Race, Routine, Sleep
from fanlight.http.pipeline import Exchange
from fanlight.outputs import Cancel, Perform
from fanlight.routine import PARKED, Attempt, Conversation, Thrown, WrongAsk
from fanlight.underway import Underway


@frozen
class Fetch(Effect[str]):
    """Answered by the test."""

    name: str


@frozen
class Take(Op[str]):
    """Answered out of the shelf, or when something comes to be on it."""

    name: str


class Shelf:
    """A host whose only state is what lies on a shelf, and what was `said` of its effects."""

    def __init__(self, **things: Any) -> None:
        self.things = things
        self.opened: list[str] = []
        self.said: list[Perform | Cancel] = []
        self.underway = Underway(self.said)
        self.opens: Mapping[type, Attempt] = {Take: self._open, Sleep: lambda host, talk, op: PARKED}
        self.attempts: Mapping[type, Attempt] = {Take: self._take}

    def _open(self, host: Any, conversation: Conversation, op: Take) -> Any:
        self.opened.append(op.name)
        return self._take(host, conversation, op)

    def _take(self, host: Any, conversation: Conversation, op: Take) -> Any:
        return self.things.pop(op.name, PARKED)

    def answer(self, number: int, answer: object, error: Exception | None = None) -> Any:
        """What the routine that waits for an effect is to be resumed with."""
        resumed = self.underway.answered(number, answer, error)
        assert resumed is not None
        return resumed[1]


def talk(routine: Routine[Any]) -> Conversation:
    """A conversation about nothing of HTTP."""
    conversation = Conversation(1, Exchange.__new__(Exchange))
    conversation.routine = routine
    return conversation


async def asking(*asks: Ask[Any]) -> list[Any]:
    return [await ask for ask in asks]


async def racing(*asks: Ask[Any]) -> Any:
    return await Race(asks)


async def careful(ask: Ask[Any]) -> str:
    try:
        await ask
    except Exception as error:  # noqa: BLE001  as a program would
        return f"caught {type(error).__name__}"
    return "nothing to catch"


def test_a_routine_that_asks_nothing_ends_at_once() -> None:
    conversation = talk(asking())
    assert conversation.step(None, Shelf()) == []
    assert not conversation.waiting


def test_ops_that_are_answered_at_once_never_suspend() -> None:
    shelf = Shelf(a=1, b=2)
    conversation = talk(asking(Take("a"), Take("b")))
    assert conversation.step(None, shelf) == [1, 2]
    assert shelf.opened == ["a", "b"]


def test_an_op_waits_until_something_moves() -> None:
    shelf = Shelf()
    conversation = talk(asking(Take("a")))
    assert conversation.step(None, shelf) is PARKED
    assert conversation.asks == (Take("a"),)
    assert conversation.retry(shelf) is PARKED
    shelf.things["a"] = 7
    answer = conversation.retry(shelf)
    assert conversation.step(answer, shelf) == [7]
    assert not conversation.waiting
    assert shelf.opened == ["a"], "an op is opened once, however often it is tried"


def test_an_effect_is_handed_out_and_trying_again_does_not_repeat_it() -> None:
    shelf = Shelf()
    conversation = talk(asking(Fetch("a")))
    assert conversation.step(None, shelf) is PARKED
    assert conversation.retry(shelf) is PARKED
    assert shelf.said == [Perform(1, Fetch("a"))]
    assert conversation.step(shelf.answer(1, "A"), shelf) == ["A"]
    assert shelf.said[1:] == []


@pytest.mark.parametrize("nothing", [None, 0, b"", False])
def test_an_empty_answer_is_an_answer(nothing: Any) -> None:
    shelf = Shelf(a=nothing)
    assert talk(asking(Take("a"))).step(None, shelf) == [nothing]


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_the_first_answer_wins_a_race_and_the_others_are_withdrawn(answered: int) -> None:
    shelf = Shelf()
    conversation = talk(racing(Fetch("a"), Fetch("b"), Fetch("c")))
    assert conversation.step(None, shelf) is PARKED
    assert shelf.said == [Perform(1, Fetch("a")), Perform(2, Fetch("b")), Perform(3, Fetch("c"))]
    answer = shelf.answer(answered + 1, "won")
    losers = [performed for number, performed in enumerate(shelf.said[:3]) if number != answered]
    assert shelf.said[3:] == [Cancel(loser.number, loser.effect) for loser in losers]
    assert conversation.step(answer, shelf) == (answered, "won")


def test_a_race_that_is_won_while_it_is_opened_opens_no_more() -> None:
    shelf = Shelf(b="here")
    conversation = talk(racing(Fetch("a"), Take("b"), Fetch("c")))
    assert conversation.step(None, shelf) == (1, "here")
    assert shelf.said == [Perform(1, Fetch("a")), Cancel(1, Fetch("a"))]
    assert not conversation.racing


def test_an_op_may_win_a_race_later() -> None:
    shelf = Shelf()
    conversation = talk(racing(Fetch("a"), Take("b")))
    conversation.step(None, shelf)
    shelf.things["b"] = "now"
    assert conversation.step(conversation.retry(shelf), shelf) == (1, "now")
    assert shelf.said == [Perform(1, Fetch("a")), Cancel(1, Fetch("a"))]


def test_a_failure_in_a_race_is_raised_and_not_returned() -> None:
    shelf = Shelf()
    conversation = talk(careful(Race((Fetch("a"), Fetch("b")))))
    conversation.step(None, shelf)
    answer = shelf.answer(1, None, ValueError("x"))
    assert conversation.step(answer, shelf) == "caught EffectFailed"
    assert Cancel(2, Fetch("b")) in shelf.said


def test_after_a_race_a_single_ask_is_answered_plainly() -> None:
    async def both() -> Any:
        return [await Race((Fetch("a"), Sleep(1))), await Fetch("b")]

    shelf = Shelf()
    conversation = talk(both())
    conversation.step(None, shelf)
    assert conversation.step(shelf.answer(1, "A"), shelf) is PARKED
    assert conversation.step(shelf.answer(2, "B"), shelf) == [(0, "A"), "B"]


def test_a_thrown_answer_is_raised_at_the_await() -> None:
    shelf = Shelf(a=Thrown(EffectFailed("x")))
    assert talk(careful(Take("a"))).step(None, shelf) == "caught EffectFailed"


def test_what_the_routine_raises_comes_out_unchanged() -> None:
    error = ValueError("mine")

    async def raising() -> None:
        raise error

    with pytest.raises(ValueError, match="mine") as caught:
        talk(raising()).step(None, Shelf())
    assert caught.value is error


def test_a_departure_comes_out_when_the_cleanup_is_done() -> None:
    async def holding() -> None:
        try:
            await Fetch("a")
        finally:
            await Fetch("cleanup")

    shelf = Shelf()
    conversation = talk(holding())
    conversation.step(None, shelf)
    assert conversation.step(Thrown(ClientGone()), shelf) is PARKED
    assert shelf.said[-1] == Perform(2, Fetch("cleanup"))
    with pytest.raises(ClientGone):
        conversation.step(None, shelf)


class Stranger:
    """Awaitable, but no ask."""

    def __init__(self, yielded: Any) -> None:
        self.yielded = yielded

    def __await__(self) -> Any:
        yield self.yielded


@pytest.mark.parametrize("yielded", [None, 7, object(), Stranger(1), Fetch])
def test_awaiting_what_is_no_ask_is_a_bug_where_it_happened(yielded: Any) -> None:
    async def wrong() -> None:
        await Stranger(yielded)

    with pytest.raises(WrongAsk, match=f"not {type(yielded).__name__}") as caught:
        talk(wrong()).step(None, Shelf())
    assert [frame.name for frame in caught.traceback][-2:] == ["wrong", "__await__"]


@pytest.mark.parametrize("inner", [Race((Fetch("a"), Fetch("b"))), Op()])
def test_a_nested_race_and_an_unknown_op_are_bugs(inner: Ask[Any]) -> None:
    with pytest.raises(WrongAsk):
        talk(racing(Sleep(1), inner)).step(None, Shelf())


def test_an_inbox_is_made_when_it_is_needed_and_is_ones_own() -> None:
    first, second = talk(asking()), talk(asking())
    assert "inbox" not in vars(first)
    first.inbox.append("hello")
    assert not second.inbox
    for conversation in (first, second):
        conversation.step(None, Shelf())


def test_parked_says_what_it_is() -> None:
    assert repr(PARKED) == "PARKED"


@given(st.lists(st.sampled_from(["now", "later", "effect"]), max_size=30))
def test_answers_come_back_in_the_order_of_the_asks(script: list[str]) -> None:
    asks: list[Ask[Any]] = [Fetch(f"{i}") if how == "effect" else Take(f"{i}") for i, how in enumerate(script)]
    shelf = Shelf(**{f"{i}": i for i, how in enumerate(script) if how == "now"})
    conversation = talk(asking(*asks))
    result = conversation.step(None, shelf)
    while result is PARKED:
        (ask,) = conversation.asks
        assert isinstance(ask, Take | Fetch)
        number = int(ask.name)
        if isinstance(ask, Take):
            shelf.things[ask.name] = number
            answer = conversation.retry(shelf)
        else:
            answer = shelf.answer(len(shelf.said), number)
        result = conversation.step(answer, shelf)
    assert result == list(range(len(script)))


def test_many_answers_at_once_take_no_stack() -> None:
    async def greedy() -> int:
        return len([await Take("endless") for _ in range(5_000)])

    shelf = Shelf()
    shelf.opens = {Take: lambda host, conversation, op: "more"}
    assert talk(greedy()).step(None, shelf) == 5_000
