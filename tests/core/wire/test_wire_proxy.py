"""PROXY protocol, version 2: whom it names, and what is no header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.wire.proxy import SIGNATURE, BadProxyHeader, ProxyHeader, read_proxy_header

V4 = bytes((192, 0, 2, 1, 198, 51, 100, 7)) + b"\x30\x39\x1a\xdc"
V6 = bytes.fromhex("20010db8000000000000000000000001") + bytes(16) + b"\x30\x39\x1a\xdc"


def header(command: int = 0x21, family: int = 0x11, addresses: bytes = V4, length: int | None = None) -> bytes:
    size = len(addresses) if length is None else length
    return SIGNATURE + bytes((command, family)) + size.to_bytes(2, "big") + addresses


@pytest.mark.parametrize(
    ("data", "peer", "size"),
    [
        (header(), "192.0.2.1", 28),
        (header(family=0x21, addresses=V6), "2001:db8::1", 52),
        (header(addresses=V4 + b"\x04\x00\x01x"), "192.0.2.1", 32),
        (header(command=0x20), None, 28),
        (header(command=0x20, family=0, addresses=b""), None, 16),
        (header(family=0x00, addresses=b"whatever"), None, 24),
        (header(family=0x12), None, 28),
        (header(family=0x31, addresses=bytes(216)), None, 232),
        (header(addresses=V4 + bytes(1012)), "192.0.2.1", 1040),
    ],
)
def test_whom_a_header_names(data: bytes, peer: str | None, size: int) -> None:
    assert read_proxy_header(data + b"GET / HTTP/1.1\r\n") == ProxyHeader(peer, size)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 1 2\r\n",
        b"\r\n\r\nX",
        header(command=0x11),
        header(command=0x31),
        header(command=0x22),
        header(addresses=V4[:11]),
        header(family=0x21, addresses=V6[:35]),
        header(addresses=b"", length=1025),
        header(addresses=b"", length=65_535),
    ],
)
def test_what_is_no_header(data: bytes) -> None:
    with pytest.raises(BadProxyHeader):
        read_proxy_header(data)


@given(st.integers(0, 27))
def test_a_header_that_is_not_whole_waits(size: int) -> None:
    assert read_proxy_header(header()[:size]) is None


@given(st.binary(max_size=60))
def test_any_bytes_are_judged(tail: bytes) -> None:
    try:
        found = read_proxy_header(SIGNATURE + tail)
    except BadProxyHeader:
        return
    assert found is None or 16 <= found.size <= 12 + len(tail)
