"""Peers: who a socket is from, as far as its address tells.

Everything that counts callers by where they come from (sockets, guesses, log
records) counts the same networks.  Never resolves a name or trusts a field.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_network

UNCOUNTED = frozenset({"", "127.0.0.1", "::1"})
"""Peers on this machine: whoever is here already has better ways to do harm."""


@lru_cache(1024)
def network_of(peer: str) -> str:
    """The network that counts as one peer: an IPv4 address, or the /64 of an IPv6 one (threats: T1)."""
    if ":" not in peer:
        return peer
    return str(ip_network(f"{peer}/64", strict=False))
