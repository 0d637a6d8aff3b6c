"""Who counts as one peer."""

from __future__ import annotations

import pytest

from fanlight.peer import UNCOUNTED, network_of


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("", ""),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
    ],
)
def test_one_peer_is_an_address_or_a_network(peer: str, network: str) -> None:
    assert network_of(peer) == network


def test_the_next_network_is_another_peer() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")


def test_this_machine_is_not_counted() -> None:
    assert {"", "127.0.0.1", "::1"} == UNCOUNTED
