"""The lobby: how many may wait, for a listener and for one peer network."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanlight import Limits
from fanlight.connection.lobby import Lobby


def lobby(most: int = 10, of_peer: int = 2) -> Lobby:
    return Lobby(Limits(first_messages=most, first_messages_per_peer=of_peer))


def test_one_network_takes_its_share_only() -> None:
    made = lobby()
    assert [made.enter("2001:db8::1"), made.enter("2001:db8::2"), made.enter("2001:db8::3")] == [True, True, False]
    assert made.enter("192.0.2.7")
    made.leave("2001:db8::2")
    assert made.enter("2001:db8::3")


def test_this_machine_takes_what_is_there() -> None:
    made = lobby()
    assert [made.enter(peer) for peer in ("", "127.0.0.1", "::1") * 4] == [True] * 10 + [False] * 2


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["", "192.0.2.1", "192.0.2.2", "2001:db8::1"]))))
def test_whatever_comes_and_goes_the_counts_are_right(steps: list[tuple[bool, str]]) -> None:
    made = lobby(5, 2)
    inside: list[str] = []
    for comes, peer in steps:
        if comes:
            admitted = made.enter(peer)
            assert admitted == (len(inside) < 5 and (peer == "" or inside.count(peer) < 2))
            inside += [peer] * admitted
        elif peer in inside:
            made.leave(peer)
            inside.remove(peer)
        assert made.inside == len(inside)
