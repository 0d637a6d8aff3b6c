"""Origins: which web pages may read answers, and which requests a stranger's page wrote.

Browsers say in Origin (RFC 6454) and Sec-Fetch-Site which page a request comes
from; programs say nothing and are not hindered here.  An origin is compared as
scheme, host and port together.  This module knows no user and grants nothing:
it only refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from .groups import Group
from .host import split_host

if TYPE_CHECKING:
    from ..http.request import Head
    from .identity import Kind

_ORIGIN = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#@]+)")
_PORTS = {"http": 80, "https": 443}
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "[::1]"))

WriteRule = Literal["never", "always", "cookie", "session"]
"""When a foreign write is refused: with any, with a session cookie, with one and no Authorization."""


def default_origins(ports: Iterable[int]) -> tuple[str, ...]:
    """The origins allowed when none are configured: loopback names, at each bound port of the server."""
    return tuple(
        f"{scheme}://{host}:{port}"
        for port in dict.fromkeys(ports)
        for scheme in ("http", "https")
        for host in ("localhost", "127.0.0.1", "[::1]")
    )


class Origins:
    """A server's list of allowed origins.

    An entry is an origin, compared byte by byte; `*.suffix`, for every origin
    whose host is below that name, whatever its scheme and port; or `*`.
    """

    __slots__ = ("_exact", "_suffixes", "any")

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        entries = tuple(allowed)
        self.any = "*" in entries
        # `null` is the origin of every sandboxed frame and local file: no list can mean just one of them.
        self._exact = frozenset(entries) - {"null", "*"}
        self._suffixes = tuple(entry[1:] for entry in entries if entry.startswith("*."))

    def allows(self, origin: str) -> bool:
        """Is `origin` (an Origin field) on the list?"""
        if self.any or origin in self._exact:
            return True
        parts = origin_parts(origin) if self._suffixes else None
        return parts is not None and any(
            parts[1].endswith(suffix) and len(parts[1]) > len(suffix) for suffix in self._suffixes
        )


def origin_parts(origin: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port (the scheme's own when absent) of an Origin field; None when it is none."""
    match = _ORIGIN.fullmatch(origin)
    where = match and split_host(match["authority"])
    if not match or not where:
        return None
    host, port = where
    return match["scheme"], host, port if port is not None else _PORTS.get(match["scheme"])


def is_own(origin: str, authority: str | None, secure: bool) -> bool:
    """Is `origin` that of a page which this very listener served under the Host `authority`?"""
    parts = origin_parts(origin)
    where = split_host(authority) if authority else None
    if parts is None or where is None:
        return False
    scheme = "https" if secure else "http"
    port = where[1] if where[1] is not None else _PORTS[scheme]
    return (parts[0], parts[1].lower(), parts[2]) == (scheme, where[0].lower(), port)


def is_loopback(origin: str) -> bool:
    """Is its host spelt `localhost`, `127.0.0.1` or `[::1]`, at any port?"""
    parts = origin_parts(origin)
    return parts is not None and parts[1] in _LOOPBACK


def sends_cookie(head: Head, name: str) -> bool:
    """Does the request carry a cookie called `name` (exactly), usable or not?"""
    return "cookie" in head.values and any(
        pair.partition("=")[0].strip(" \t") == name for value in head.all("cookie") for pair in value.split(";")
    )


def write_rule(group: Group, kind: Kind) -> WriteRule:
    """The rule for foreign writes of a group on a listener of `kind`.

    On kind None everything runs on ambient authority: the browser's place in
    the network.  On the kinds with sessions, the cookie is it.  Frontegg has
    neither.
    """
    how = group.foreign_writes
    if kind == "Frontegg" or how == "pass":
        return "never"
    if how == "refused":
        return "always"
    if how == "refused with cookie":
        return "cookie"
    if kind == "None":
        return "never" if how == "guarded by itself" else "always"
    return "never" if how == "guarded on None" else "session"


def is_foreign_write(head: Head, good_origin: bool) -> bool:
    """Did a page of another site make this request, with a method that may change something?

    `good_origin`: the Origin, if there is one, is allowed or our own.  It
    outranks Sec-Fetch-Site.
    """
    if head.method in _SAFE:
        return False
    if "origin" in head.values:
        return not good_origin
    return "sec-fetch-site" in head.values and "cross-site" in head.all("sec-fetch-site")
