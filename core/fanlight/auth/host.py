"""The Host of a request: its grammar, and which names a listener answers to.

A web page can make a browser send requests to any address under a name that it
controls (DNS rebinding).  A listener that believes everybody therefore answers
only under names that no stranger's DNS can hold.  Forwarding fields are never
read, and nothing here resolves a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..http.response import empty, text

if TYPE_CHECKING:
    from ..http.request import Head
    from ..http.response import Response

# RFC 3986 section 3.2.2: reg-name (IPv4 addresses are of its form, too) or a bracketed literal; then a port.
_HOST = re.compile(
    r"(?P<host>(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+|\[[0-9A-Fa-f:.]+\]|\[[vV][0-9A-Fa-f]+\."
    r"[A-Za-z0-9._~!$&'()*+,;=:-]+\])(?::(?P<port>[0-9]{0,5}))?"
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")

NO_HOST = text(400, "no host available")


def split_host(value: str) -> tuple[str, int | None] | None:
    """`host[:port]` by the grammar of RFC 3986, else None.

    The host is returned as written, brackets included; an empty or absent port
    is None.  A bracketed literal must be an IPv6 address (or of a future kind),
    a port at most 65535.
    """
    match = _HOST.fullmatch(value)
    if match is None:
        return None
    host, port = match["host"], match["port"]
    if host[0] == "[" and host[1] not in "vV" and not is_ipv6(host[1:-1]):
        return None
    if not port:
        return host, None
    return (host, int(port)) if int(port) <= 0xFFFF else None


def is_ipv4(host: str) -> bool:
    """Four decimal octets without leading zeros; every other spelling of an address is a name."""
    return _IPV4.fullmatch(host) is not None


def is_ipv6(host: str) -> bool:
    """An IPv6 address without brackets and without a zone."""
    # Imported when the first such address comes: most servers never see one.
    from ipaddress import AddressValueError, IPv6Address

    try:
        return IPv6Address(host).scope_id is None
    except AddressValueError:
        return False


def resolve_host(configured: str | None, host: str | None) -> str | None:
    """The host under which this server publishes itself, `host[:port]`; None: there is none.

    The configured name if it is not blank, else the Host of the request, each
    trimmed.  A configured name that is no host does not fall back to the
    request's.
    """
    chosen = configured.strip() if configured else ""
    if not chosen:
        chosen = (host or "").strip(" \t")
    return chosen if split_host(chosen) is not None else None


def redirect_to_https(head: Head, configured: str | None) -> Response:
    """308 to the same target over https, or 400 where no host is known.  Reads no credentials."""
    host = resolve_host(configured, head.authority)
    if host is None:
        return NO_HOST
    query = f"?{head.query}" if head.query else ""
    return empty(308, ("location", f"https://{host}{head.path}{query}"))


def comparable(host: str) -> str:
    """A host name as names are compared: without regard to ASCII case, without one trailing dot."""
    return host.lower().removesuffix(".")


class HostGuard:
    """Which Host a listener of kind None answers to.

    Always: an IPv4 or bracketed IPv6 literal, `localhost` and names below it.
    Besides: the host of `http_host_name`, and the entries of `allowed`: a name,
    `*.suffix` for all names below one, or `*` for every name.
    """

    __slots__ = ("_any", "_names", "_suffixes")

    def __init__(self, allowed: Iterable[str] = (), http_host_name: str | None = None) -> None:
        entries = [comparable(entry) for entry in allowed]
        public = split_host(http_host_name.strip()) if http_host_name else None
        self._any = "*" in entries
        self._suffixes = (".localhost", *(entry[1:] for entry in entries if entry.startswith("*.")))
        self._names = {"localhost", *(entry for entry in entries if "*" not in entry)}
        if public is not None:
            self._names.add(comparable(public[0]))

    def admits(self, host: str) -> bool:
        """May a request for `host` (of `split_host`, without port) be served?"""
        if self._any or host[0] == "[" or is_ipv4(host):
            # Of bracketed hosts `split_host` passes IPv6 addresses, and future kinds that no browser has.
            return self._any or host[1:2] not in ("v", "V")
        name = comparable(host)
        if name in self._names:
            return True
        return any(name.endswith(suffix) and len(name) > len(suffix) for suffix in self._suffixes)
