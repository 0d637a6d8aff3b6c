"""Routines driven by hand: no connection, no host, only a function that answers what they ask."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def unasked(ask: Any) -> Any:
    """For routines that ask for nothing."""
    raise AssertionError(f"it asked for {ask}")


def driven(routine: Coroutine[Any, Any, T], answering: Callable[[Any], Any] = unasked) -> T:
    """What `routine` returns when `answering` answers every ask; an exception for an answer is raised at the `await`.

    Whatever the routine raises comes out unchanged.
    """
    answer: Any = None
    while True:
        try:
            ask = routine.throw(answer) if isinstance(answer, BaseException) else routine.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        answer = answering(ask)
