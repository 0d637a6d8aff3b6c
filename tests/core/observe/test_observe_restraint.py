"""Restraint: few records alike, none lost without being counted, and a bounded memory."""

from __future__ import annotations

from math import inf
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.decisions import Refusal
from fanlight.observe.records import Exposure, RefusalsOmitted
from fanlight.observe.restraint import ELSEWHERE, KINDS_MOST, PEERS_MOST, SINGLY, WINDOW, Restraint

REFUSAL = Refusal("invalid credentials", 401, "main", "base", "None", "192.0.2.7", '"ada"')


def omitted(count: int, network: str = "192.0.2.7", text: str = "invalid credentials") -> RefusalsOmitted:
    return RefusalsOmitted(text, 401, "main", "base", "None", network, count)


def test_ten_are_told_one_by_one_and_the_rest_in_one_summary() -> None:
    made = Restraint()
    assert [made.admits(REFUSAL, 5.0) for _ in range(25)] == [True] * SINGLY + [False] * 15
    assert made.deadline == 5.0 + WINDOW
    assert made.summaries(5.0 + WINDOW - 0.001) == []
    assert made.summaries(5.0 + WINDOW) == [omitted(15)]
    assert (made.deadline, made.summaries(9.0)) == (inf, [])
    assert made.admits(REFUSAL, 5.0 + WINDOW)


def test_a_few_a_second_are_all_told_and_leave_nothing_to_wait_for() -> None:
    made = Restraint()
    assert all(made.admits(REFUSAL, second + count / SINGLY) for second in range(5) for count in range(SINGLY))
    assert made.deadline == inf


def test_a_summary_that_is_late_misses_nothing() -> None:
    made = Restraint()
    for mono in (0.0, 3.0, 7.0):
        for _ in range(SINGLY):
            made.admits(REFUSAL, mono)
            made.admits(REFUSAL, mono)
    assert made.summaries(8.0) == [omitted(5 * SINGLY)]


def test_a_name_of_the_caller_s_choosing_does_not_make_another_refusal() -> None:
    made = Restraint()
    names = [evolve(REFUSAL, user=f'"{number}"') for number in range(SINGLY + 5)]
    assert sum(made.admits(each, 0.0) for each in names) == SINGLY


def test_other_networks_and_other_reasons_count_apart() -> None:
    made = Restraint()
    for _ in range(SINGLY + 1):
        made.admits(REFUSAL, 0.0)
    others: list[dict[str, Any]] = [
        {"peer": "192.0.2.8"},
        {"text": "bad request"},
        {"listener": "inner"},
        {"status": 400},
    ]
    for other in others:
        assert made.admits(evolve(REFUSAL, **other), 0.0)
    same_network = [evolve(REFUSAL, peer=f"2001:db8::{number:x}") for number in range(SINGLY + 1)]
    assert [made.admits(each, 0.0) for each in same_network] == [True] * SINGLY + [False]


def test_callers_without_number_share_what_is_left() -> None:
    made = Restraint()
    crowd = [evolve(REFUSAL, peer=f"10.{number >> 8}.{number & 255}.1") for number in range(KINDS_MOST + 500)]
    assert sum(made.admits(each, 0.0) for each in crowd) == KINDS_MOST + SINGLY
    assert made.summaries(WINDOW) == [omitted(500 - SINGLY, ELSEWHERE)]


def test_an_exposure_is_told_once_for_a_network() -> None:
    made = Restraint()
    peers = ["192.0.2.7", "192.0.2.7", "", "", "2001:db8::1", "2001:db8::2", "192.0.2.8"]
    told = [made.admits(Exposure("main", peer), float(moment)) for moment, peer in enumerate(peers)]
    assert told == [True, False, True, False, True, False, True]


def test_the_oldest_exposure_is_forgotten_first() -> None:
    made = Restraint()
    for number in range(PEERS_MOST + 1):
        assert made.admits(Exposure("main", f"10.{number >> 8}.{number & 255}.1"), 0.0)
    assert not made.admits(Exposure("main", "10.0.1.1"), 0.0)
    assert made.admits(Exposure("main", "10.0.0.1"), 0.0)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.floats(0, 0.3), st.booleans()), max_size=120))
def test_whatever_comes_each_refusal_is_told_or_counted(steps: list[tuple[str, float, bool]]) -> None:
    made, mono, told, left_out = Restraint(), 0.0, 0, 0
    for text, passed, looks in steps:
        mono += passed
        told += made.admits(evolve(REFUSAL, text=text), mono)
        if looks:
            left_out += sum(each.count for each in made.summaries(mono))
    left_out += sum(each.count for each in made.summaries(max(mono, made.deadline) if made.deadline < inf else mono))
    assert told + left_out == len(steps)
