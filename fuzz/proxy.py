"""PROXY headers: a header is whole or waits, names an address, and never takes more than is there."""

from __future__ import annotations

from ipaddress import ip_address

from fanlight.wire.proxy import BadProxyHeader, ProxyHeader, read_proxy_header


def _read(data: bytes) -> ProxyHeader | str | None:
    try:
        return read_proxy_header(data)
    except BadProxyHeader:
        return "bad"


def one_input(data: bytes) -> None:
    """Read the header at the start of `data`, and of each part of it."""
    found = _read(data)
    if isinstance(found, ProxyHeader):
        assert 16 <= found.size <= len(data)
        assert found.peer is None or str(ip_address(found.peer)) == found.peer
        assert _read(data[: found.size]) == found
        assert _read(data[: found.size - 1]) is None
    elif found is None:
        assert all(_read(data[:size]) is None for size in range(len(data)))
