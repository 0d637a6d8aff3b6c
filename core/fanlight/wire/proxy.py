"""The PROXY protocol, version 2: who really called, said by a proxy that is trusted.

A pure parser over the first bytes of a connection.  It decides nothing about
trust, and reads no version 1 header.
"""

from __future__ import annotations

from ipaddress import ip_address

from attrs import frozen

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_MOST = 1024
_FAMILIES = {0x11: 4, 0x21: 16}  # TCP over IPv4 and IPv6: bytes of one address


class BadProxyHeader(Exception):
    """What came is no valid header: close."""


@frozen
class ProxyHeader:
    """`peer` is the caller's address, None to keep the socket's; `size` the bytes of the header."""

    peer: str | None
    size: int


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header at the start of `data`; None while it is incomplete.

    LOCAL, and families other than TCP over IP, keep the socket's address; IPv4
    inside IPv6 is IPv4; TLVs are skipped.  Raises `BadProxyHeader`, also for more than 1,024 bytes.
    """
    if not data.startswith(SIGNATURE[: len(data)]):
        raise BadProxyHeader
    if len(data) < 16:
        return None
    version, command = data[12] >> 4, data[12] & 0xF
    length = int.from_bytes(data[14:16], "big")
    if version != 2 or command > 1 or length > _MOST:
        raise BadProxyHeader
    if len(data) < 16 + length:
        return None
    size = _FAMILIES.get(data[13])
    if command == 0 or size is None:
        return ProxyHeader(None, 16 + length)
    if length < 2 * size + 4:
        raise BadProxyHeader
    address = ip_address(data[16 : 16 + size])
    mapped = address.ipv4_mapped if address.version == 6 else None  # or all of IPv4 would be one network
    return ProxyHeader(str(mapped or address), 16 + length)
