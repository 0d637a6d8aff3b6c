"""The throttle: tokens, their way back, reservations, the order of those who wait, bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanlight.auth.throttle import Rate, Reservation, Throttle

from .driving import Crowd

PEER = "192.0.2.7"


def throttle(burst: int = 3, refill: float = 60.0, peer: int = 0, most: int = 1000) -> Throttle:
    return Throttle(Rate(burst, refill), Rate(peer, 1.0), most)


def reserve(crowd: Crowd, made: Throttle, user: str = "ada", network: str = PEER) -> Any:
    """A reservation, or seconds, or the actor if it waits."""
    actor = crowd.start(made.reserve(network, user))
    return actor.result if actor.ended else actor


def fail(crowd: Crowd, made: Throttle, user: str = "ada", network: str = PEER) -> float:
    """A failed attempt; 0, or the seconds that it was refused with."""
    reservation = reserve(crowd, made, user, network)
    if not isinstance(reservation, Reservation):
        return float(reservation)
    reservation.release(failed=True)
    return 0.0


def test_a_burst_and_its_way_back() -> None:
    crowd, made = Crowd(), throttle()
    assert [fail(crowd, made) for _ in range(5)] == [0, 0, 0, 60, 60]
    crowd.pass_time(59)
    assert fail(crowd, made) == pytest.approx(1)
    assert made.delay(PEER, "ada", crowd.now.mono) == pytest.approx(1)
    crowd.pass_time(1)
    assert [fail(crowd, made) for _ in range(2)] == [0, 60]
    crowd.pass_time(10_000)
    assert [fail(crowd, made) for _ in range(4)] == [0, 0, 0, 60]


def test_success_takes_nothing_and_gives_nothing_back() -> None:
    crowd, made = Crowd(), throttle()
    assert fail(crowd, made) == fail(crowd, made) == 0
    for _ in range(20):
        reserve(crowd, made).release(failed=False)
    assert [fail(crowd, made) for _ in range(2)] == [0, 60]


def test_nobody_else_is_locked_out() -> None:
    crowd, made = Crowd(), throttle()
    while not fail(crowd, made):
        pass
    assert fail(crowd, made, network="192.0.2.8") == 0
    assert fail(crowd, made, user="bob") == 0


def test_a_network_has_a_bucket_for_all_names() -> None:
    crowd, made = Crowd(), throttle(peer=5)
    assert [fail(crowd, made, user=f"user {number}") for number in range(7)] == [0, 0, 0, 0, 0, 1, 1]
    assert fail(crowd, made, network="192.0.2.8") == 0
    made.spend("192.0.2.9", crowd.now.mono)
    assert [fail(crowd, made, f"user {number}", "192.0.2.9") for number in range(5)] == [0, 0, 0, 0, 1]


def test_parallel_guesses_get_the_burst_and_then_wait() -> None:
    crowd, made = Crowd(), throttle()
    held = [reserve(crowd, made) for _ in range(3)]
    waiting = [reserve(crowd, made) for _ in range(3)]
    assert not any(actor.ended for actor in waiting)
    held[0].release(failed=False)
    crowd.run()
    assert [actor.ended for actor in waiting] == [True, False, False]
    assert isinstance(waiting[0].result, Reservation)
    for reservation in (*held[1:], waiting[0].result):
        reservation.release(failed=True)
    crowd.run()
    assert [actor.result for actor in waiting[1:]] == [60.0, 60.0]


def test_nobody_overtakes_those_who_wait() -> None:
    crowd, made = Crowd(), throttle(burst=1)
    held = reserve(crowd, made)
    first, second = (reserve(crowd, made) for _ in range(2))
    held.release(failed=False)
    newcomer = reserve(crowd, made)  # before the first has seen that its turn has come
    crowd.run()
    assert isinstance(first.result, Reservation)
    assert not second.ended
    assert not newcomer.ended
    first.result.release(failed=False)
    crowd.run()
    assert isinstance(second.result, Reservation)
    assert not newcomer.ended


def test_who_leaves_the_line_hands_the_turn_on() -> None:
    crowd, made = Crowd(), throttle(burst=1)
    held = reserve(crowd, made)
    first, second, third = (reserve(crowd, made) for _ in range(3))
    first.leave()
    held.release(failed=False)
    second.leave()  # its turn has come, and it has not seen it yet
    crowd.run()
    assert isinstance(third.result, Reservation)


def test_the_line_is_bounded() -> None:
    crowd, made = Crowd(), throttle(burst=1)
    reserve(crowd, made)
    outcomes = [reserve(crowd, made) for _ in range(70)]
    assert [outcome for outcome in outcomes if isinstance(outcome, float)] == [1.0] * 6


def test_full_buckets_are_not_kept() -> None:
    crowd, made = Crowd(), throttle()
    reserve(crowd, made).release(failed=False)
    assert len(made) == 0
    fail(crowd, made)
    assert len(made) == 1
    crowd.pass_time(60)
    made.settle(crowd.now.mono)
    assert len(made) == 0


def test_a_full_table_shares_buckets_by_wider_networks() -> None:
    crowd, made = Crowd(), throttle(most=10)
    for number in range(10):
        fail(crowd, made, network=f"192.0.{number}.1")
    assert [fail(crowd, made, network=f"198.51.100.{number}") for number in range(4)] == [0, 0, 0, 60]
    assert made.delay("198.51.0.9", "other", crowd.now.mono) == 60
    assert fail(crowd, made, network="203.0.113.1") == 0
    assert fail(crowd, made, network="2001:db8::/64") == 0
    assert fail(crowd, made, network="") == 0
    for number in range(200):
        fail(crowd, made, network=f"2001:db8:{number:x}::/64")
    assert len(made) <= 21


def crowded_table(crowd: Crowd, burst: int, peer: int) -> Throttle:
    """A table that is full of used buckets, and of more than are looked at in one go."""
    made = throttle(burst, peer=peer, most=80)
    for number in range(40):
        fail(crowd, made, network=f"10.0.{number}.1")
    assert len(made) == 80
    return made


def test_how_wide_the_shared_buckets_are() -> None:
    for network, same, other in (
        ("198.51.100.1", "198.51.0.9", "198.50.0.1"),
        ("198.51.100.1", "198.51.200.9", "198.50.0.1"),
        ("2001:db8:1:1::/64", "2001:db8:1:ffff::/64", "2001:db8:2::/64"),
        ("", "", "198.51.100.1"),
    ):
        crowd = Crowd()
        made = crowded_table(crowd, burst=3, peer=2)
        assert [fail(crowd, made, f"user {number}", network) for number in range(3)] == [0, 0, 1]
        # All names of the wider network share one, and the network's own is another: neither stands for the other.
        assert made.peer_delay(same, crowd.now.mono) == 1
        assert made.peer_delay(other, crowd.now.mono) == 0
        assert made.delay(other, "ada", crowd.now.mono) == 0
        crowd.pass_time(1)
        assert fail(crowd, made, "somebody", same) == 0


def test_a_name_is_not_taken_for_a_network() -> None:
    crowd, made = Crowd(), throttle(burst=1, peer=100)
    fail(crowd, made, user="overflow", network=PEER)
    assert made.peer_delay(PEER, crowd.now.mono) == 0
    # Nor where many share a bucket.
    made = crowded_table(crowd, burst=1, peer=100)
    fail(crowd, made, network=PEER)
    assert made.delay(PEER, "somebody else", crowd.now.mono) == 60
    assert made.peer_delay(PEER, crowd.now.mono) == 0


def test_the_network_is_not_asked_where_it_has_no_bucket() -> None:
    crowd, made = Crowd(), throttle(burst=1)
    fail(crowd, made)
    assert made.peer_delay(PEER, crowd.now.mono) == 0
    assert made.peer_delay("192.0.2.200", crowd.now.mono) == 0


def test_without_buckets_everything_passes() -> None:
    crowd, made = Crowd(), throttle(burst=0)
    assert [fail(crowd, made) for _ in range(100)] == [0] * 100
    made.spend(PEER, crowd.now.mono)
    assert len(made) == 0


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(st.just("come"), st.floats(0.1, 100), st.tuples(st.integers(0, 9), st.booleans()), st.integers(0, 9)),
        max_size=40,
    )
)
def test_never_more_failures_than_tokens(steps: list[Any]) -> None:
    """Whoever comes, fails, passes or leaves in any order: failures stay within burst and refill."""
    crowd, made = Crowd(), throttle(burst=2, refill=10.0)
    actors: list[Any] = []
    failed, began = 0, crowd.now.mono
    for step in steps:
        held = [actor for actor in actors if isinstance(actor.result, Reservation)]
        lined = [actor for actor in actors if not actor.ended]
        if step == "come":
            actors.append(crowd.start(made.reserve(PEER, "ada")))
        elif isinstance(step, float):
            crowd.pass_time(step)
        elif isinstance(step, tuple) and held:
            actor = held[step[0] % len(held)]
            actor.result.release(failed=step[1])
            failed += step[1]
            actor.result = None
            crowd.run()
        elif isinstance(step, int) and lined:
            lined[step % len(lined)].leave()
        held = [actor for actor in actors if isinstance(actor.result, Reservation)]
        assert failed + len(held) <= 2 + (crowd.now.mono - began) / 10.0 + 1e-6
        # Whoever waits, waits for somebody.
        assert held or all(actor.ended for actor in actors)
