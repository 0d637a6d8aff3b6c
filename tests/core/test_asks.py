"""Asks: what a routine hands out, and how its answer comes back."""

from __future__ import annotations

import pytest
from attrs import frozen
from attrs.exceptions import FrozenInstanceError

from fanlight.asks import Ask, ClientGone, Effect, EffectFailed, Op, Race, Routine, Sleep
from fanlight.http.request import ReadBody


@frozen
class Weigh(Effect[int]):
    """How heavy it is."""

    thing: str


@frozen
class Glance(Effect[int]):
    """Answered inline."""

    runs = "loop"


async def asking(ask: Ask[int]) -> int:
    return await ask


def test_awaiting_hands_out_the_very_ask_and_returns_its_answer() -> None:
    ask = Weigh("moon")
    routine = asking(ask)
    assert routine.send(None) is ask
    with pytest.raises(StopIteration) as stop:
        routine.send(7)
    assert stop.value.value == 7


def test_an_answer_that_is_thrown_is_raised_at_the_await() -> None:
    async def careful() -> str:
        try:
            await Weigh("moon")
        except EffectFailed:
            return "caught"
        return "missed"

    routine = careful()
    routine.send(None)
    with pytest.raises(StopIteration) as stop:
        routine.throw(EffectFailed("broken"))
    assert stop.value.value == "caught"


def test_a_departure_passes_those_who_catch_exceptions_and_runs_their_cleanup() -> None:
    async def holding() -> None:
        try:
            await Weigh("moon")
        except Exception as error:
            raise AssertionError("a departure is no error of the program") from error
        finally:
            await Weigh("cleanup")

    routine: Routine[None] = holding()
    routine.send(None)
    assert routine.throw(ClientGone()) == Weigh("cleanup")
    with pytest.raises(ClientGone):
        routine.send(None)


@pytest.mark.parametrize(("kind", "runs"), [(Weigh, "worker"), (Glance, "loop"), (Effect, "worker")])
def test_an_effect_says_where_it_runs(kind: type[Effect[int]], runs: str) -> None:
    assert kind.runs == runs


@pytest.mark.parametrize("kind", [Ask, Effect, Op, Sleep, Race, Weigh, ReadBody])
def test_asks_are_small(kind: type) -> None:
    assert "__dict__" not in {name for base in kind.__mro__ for name in vars(base)}


@pytest.mark.parametrize("ask", [Weigh("moon"), Sleep(1.0), Race((Sleep(1.0), Weigh("moon")))])
def test_asks_are_values(ask: Ask[object]) -> None:
    with pytest.raises(FrozenInstanceError):
        ask.seconds = 2  # type: ignore[attr-defined]
    assert Sleep(1.0) == Sleep(1.0) != Sleep(2.0)


def test_the_two_families_are_told_apart() -> None:
    assert not isinstance(Sleep(0), Effect)
    assert not isinstance(Weigh("moon"), Op)
    assert isinstance(Race(()), Op)
