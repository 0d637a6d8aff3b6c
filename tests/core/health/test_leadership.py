"""The machine of leadership: its table of moves, from any thread, and what is told of them."""

from __future__ import annotations

import threading

import pytest

from fanlight.health.leadership import (
    MOVES,
    STATES,
    FileLockLeader,
    Leadership,
    Move,
    PostgresAdvisoryLockLeader,
    State,
    lead_when_ready,
)
from fanlight.health.readiness import Readiness

WAYS: dict[State, list[Move]] = {
    "Initializing": [],
    "CatchingUp": ["set_catching_up"],
    "ReadyToPromote": ["set_ready_to_promote"],
    "Promoting": ["set_ready_to_promote", "promote"],
    "IsLeader": ["set_is_leader"],
}
TABLE: dict[tuple[State, Move], State] = {
    ("Initializing", "set_catching_up"): "CatchingUp",
    ("Initializing", "set_ready_to_promote"): "ReadyToPromote",
    ("Initializing", "set_is_leader"): "IsLeader",
    ("CatchingUp", "set_ready_to_promote"): "ReadyToPromote",
    ("ReadyToPromote", "promote"): "Promoting",
    ("Promoting", "set_is_leader"): "IsLeader",
}


def at(state: State) -> Leadership:
    leadership = Leadership()
    for move in WAYS[state]:
        assert leadership.move(move)
    assert leadership.state == state
    return leadership


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("move", MOVES)
def test_every_pair_of_state_and_move(state: State, move: Move) -> None:
    leadership, told = at(state), list[State]()
    leadership.watch(told.append)
    target = TABLE.get((state, move))
    assert leadership.move(move) == (target is not None)
    assert leadership.state == (target or state)
    assert told == ([target] if target else [])


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("move", ["set_catching_up", "set_ready_to_promote", "set_is_leader"])
def test_a_move_of_the_program_from_a_wrong_state_is_its_mistake(state: State, move: Move) -> None:
    leadership = at(state)
    if (state, move) in TABLE:
        getattr(leadership, move)()
        return
    with pytest.raises(RuntimeError, match=f"^{move}\\(\\) in state {state}$"):
        getattr(leadership, move)()
    assert leadership.state == state


@pytest.mark.parametrize(
    ("state", "promoted", "skipped", "status"),
    [
        ("Initializing", False, False, "Initializing"),
        ("CatchingUp", False, True, "Initializing"),
        ("ReadyToPromote", True, True, "ReadyToPromote"),
        ("Promoting", True, True, "Promoting"),
        ("IsLeader", True, True, "IsLeader"),
    ],
)
def test_what_clients_may_ask(state: State, promoted: bool, skipped: bool, status: State) -> None:
    assert at(state).status == status
    assert at(state).promote() == promoted
    leadership = at(state)
    assert leadership.skip_catchup() == skipped
    assert leadership.state == state


def test_the_program_hears_what_clients_ask() -> None:
    leadership, heard = Leadership(), list[str]()
    leadership.set_catching_up().watch(lambda: heard.append("skip"))
    for _ in range(2):
        leadership.skip_catchup()
    leadership.set_ready_to_promote().watch(lambda: heard.append(leadership.state))
    for _ in range(2):
        leadership.promote()
    assert heard == ["skip", "Promoting"]


def test_skipping_later_is_no_skip() -> None:
    leadership = at("ReadyToPromote")
    assert leadership.skip_catchup()
    assert not leadership.skipped.happened


def test_a_leader_from_the_start_was_never_promoted() -> None:
    leadership = at("IsLeader")
    assert leadership.promote()
    assert not leadership.promoted.happened


def test_a_watcher_that_raises_undoes_nothing() -> None:
    leadership, told = at("ReadyToPromote"), list[State]()

    def bad(state: State) -> None:
        raise ValueError(state)

    unwatch = leadership.watch(bad)
    leadership.watch(told.append)
    with pytest.raises(ValueError, match="Promoting"):
        leadership.promote()
    assert (leadership.state, told, leadership.promoted.happened) == ("Promoting", ["Promoting"], True)
    unwatch()
    leadership.set_is_leader()
    assert told == ["Promoting", "IsLeader"]


def test_loss_is_told_once_and_leads_nowhere() -> None:
    leadership, told = at("IsLeader"), list[str]()
    leadership.lost.watch(lambda: told.append(leadership.reason))
    leadership.lose("the lock is gone")
    leadership.lose("again")
    assert told == ["the lock is gone"]
    assert not leadership.leads
    assert leadership.state == "IsLeader"


def test_another_server_begins_anew_and_the_watchers_stay() -> None:
    first, told = at("IsLeader"), list[State]()
    first.watch(told.append)
    second = first.again()
    assert second.state == "Initializing"
    second.set_is_leader()
    assert told == ["IsLeader"]


def test_of_many_threads_one_makes_the_move() -> None:
    for _ in range(100):
        leadership, told, won = at("ReadyToPromote"), list[State](), list[bool]()
        leadership.watch(told.append)
        barrier = threading.Barrier(4)

        def race(
            leadership: Leadership = leadership, won: list[bool] = won, barrier: threading.Barrier = barrier
        ) -> None:
            barrier.wait()
            won.append(leadership.move("promote"))

        threads = [threading.Thread(target=race) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False, False, False, True]
        assert told == ["Promoting"]


def test_alone_it_leads_at_once_or_when_the_engine_is_ready() -> None:
    alone = Leadership()
    lead_when_ready(alone, Readiness())
    assert alone.leads

    leadership, readiness = Leadership(), Readiness()
    readiness.set("engine", False)
    readiness.set("cache", False)
    lead_when_ready(leadership, readiness)
    readiness.set("cache", True)
    assert not leadership.leads
    readiness.set("engine", True)
    readiness.set("engine", False)
    assert leadership.state == "IsLeader"


def test_alone_it_never_leads_without_its_engine() -> None:
    leadership, readiness = Leadership(), Readiness()
    readiness.fail("engine")
    lead_when_ready(leadership, readiness)
    assert leadership.state == "Initializing"


def test_a_connection_string_is_never_shown() -> None:
    leader = PostgresAdvisoryLockLeader(conninfo="host=db password=staple", key="orders")
    assert "staple" not in repr(leader)


@pytest.mark.parametrize("seconds", [0, -1, 3601])
def test_seconds_make_sense(seconds: float) -> None:
    with pytest.raises(ValueError, match="retry_seconds"):
        FileLockLeader(path="x", retry_seconds=seconds)
    with pytest.raises(ValueError, match="check_seconds"):
        PostgresAdvisoryLockLeader(conninfo="", key=1, check_seconds=seconds)
