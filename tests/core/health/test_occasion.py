"""Occasions: once, told to everybody who watches, whoever raises."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from fanlight.health.occasion import Occasion


def test_who_watches_is_told_once() -> None:
    occasion, told = Occasion(), list[str]()
    occasion.watch(lambda: told.append("before"))
    assert told == []
    occasion.happen()
    occasion.watch(lambda: told.append("after"))
    occasion.happen()
    assert occasion.happened
    assert told == ["before", "after"]


def test_who_watches_no_more_is_not_told() -> None:
    occasion, told = Occasion(), list[str]()
    forget = occasion.watch(lambda: told.append("never"))
    forget()
    forget()
    occasion.happen()
    assert told == []


def test_one_who_raises_keeps_nobody_from_hearing() -> None:
    occasion, told = Occasion(), list[str]()
    occasion.watch(lambda: told.append("first"))

    def bad() -> None:
        raise ValueError("of the program")

    occasion.watch(bad)
    occasion.watch(lambda: told.append("last"))
    with pytest.raises(ValueError, match="of the program"):
        occasion.happen()
    assert sorted(told) == ["first", "last"]
    occasion.happen()


def test_two_threads_tell_each_once() -> None:
    for _ in range(200):
        occasion, told = Occasion(), list[int]()
        for number in range(20):
            occasion.watch(partial(told.append, number))
        barrier = threading.Barrier(2)

        def race(occasion: Occasion = occasion, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            occasion.happen()

        threads = [threading.Thread(target=race) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(told) == list(range(20))
