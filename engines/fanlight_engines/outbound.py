"""Requests to other servers: to an identity provider and nobody else.

One performer for the one effect that leaves the house (the program's own
workers, on this machine, are asked by `replicas`).  It connects to an
address that it has looked at itself, so a name that changes its mind between
look and use gains nothing; it reads no proxy from the environment, keeps no
cookie and sends no credentials but the body that it is given.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from fanlight.auth.effects import FetchDocument, Fetched, FetchFailed
from fanlight.observe.escape import escape

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

MOST_REDIRECTS = 3
LOOKUP_SECONDS = 5.0
MOST_LOOKUPS = 4
_PIECE = 64 * 1024
_TRACE = "frontegg-trace-id"
_PORTS = {"http": 80, "https": 443}

_lookups = threading.BoundedSemaphore(MOST_LOOKUPS)

Address = IPv4Address | IPv6Address
Answer = Fetched | FetchFailed


class Outbound:
    """The engine that fetches documents, in two threads of its own: a slow provider holds up nobody else."""

    interrupts: Mapping[type, Callable[[Any], None]] = {}
    own_effects: frozenset[type] = frozenset({FetchDocument})
    own_threads = 2

    def __init__(self, certificates: str | None = None) -> None:
        self._certificates = certificates
        self.handlers: Mapping[type, Callable[[Any], Any]] = {FetchDocument: self._fetch}

    def _fetch(self, effect: FetchDocument) -> Answer:
        try:
            import urllib3
        except ImportError:
            return FetchFailed("no library")
        try:
            return self._follow(effect, time.monotonic() + effect.seconds)
        except urllib3.exceptions.NewConnectionError:
            return FetchFailed("refused")
        except (TimeoutError, urllib3.exceptions.TimeoutError):
            return FetchFailed("timeout")
        except (OSError, ValueError, urllib3.exceptions.HTTPError):
            return FetchFailed("unreachable")

    def _follow(self, effect: FetchDocument, until: float) -> Answer:
        """The request, and what it is redirected to."""
        parts = urlsplit(effect.url)
        first = parts
        for _ in range(MOST_REDIRECTS + 1):
            addresses = resolve(parts, until)
            if any(map(is_private, addresses)) and not _may_be_private(effect, until):
                return FetchFailed("address not allowed")
            answer = self._somewhere(effect, parts, addresses, until)
            if not isinstance(answer, str):
                return answer
            target = urlsplit(urljoin(parts.geturl(), answer))
            elsewhere = effect.same_host and target.netloc != first.netloc
            if target.scheme != first.scheme or elsewhere or effect.body is not None:
                break
            parts = target
        return FetchFailed("redirected")

    def _somewhere(
        self, effect: FetchDocument, parts: SplitResult, addresses: Sequence[Address], until: float
    ) -> Answer | str:
        """The same at the first address where somebody listens."""
        from urllib3.exceptions import NewConnectionError

        for address in addresses[:-1]:
            try:
                return self._one(effect, parts, address, until)
            except NewConnectionError:
                continue
        return self._one(effect, parts, addresses[-1], until)

    def _one(self, effect: FetchDocument, parts: SplitResult, address: Address, until: float) -> Answer | str:
        """One request to one address: an answer, or where it redirects to."""
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        fields = {"Host": parts.netloc.rpartition("@")[2], "Accept": "application/json"}
        if effect.body is not None:
            fields["Content-Type"] = "application/json"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with self._pool(parts, address, left) as pool:
            response = pool.urlopen(
                "GET" if effect.body is None else "POST",
                target,
                body=effect.body,
                headers=fields,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                location = response.headers.get("location")
                if response.status in (301, 302, 303, 307, 308) and location:
                    return location
                body = _read(response, effect.limit, until)
            finally:
                response.close()
        trace = response.headers.get(_TRACE)
        if body is None:
            return FetchFailed("too large")
        return Fetched(response.status, body, escape(trace, 64) if trace else "")

    def _pool(self, parts: SplitResult, address: Address, left: float) -> HTTPConnectionPool:
        """Connected to `address`, and over TLS sure to speak with the host of the URL."""
        import urllib3

        port = parts.port or _PORTS[parts.scheme]
        timeout = urllib3.Timeout(connect=left, read=left)
        if parts.scheme == "http":
            return urllib3.HTTPConnectionPool(str(address), port, timeout=timeout)
        return urllib3.HTTPSConnectionPool(
            str(address),
            port,
            timeout=timeout,
            server_hostname=parts.hostname,
            assert_hostname=parts.hostname,
            ca_certs=self._certificates,
        )

    def close(self) -> None:
        """Nothing is held: each request has a connection of its own."""


def _read(response: BaseHTTPResponse, limit: int, until: float) -> bytes | None:
    """The body, piece by piece under one deadline; None when it is longer than `limit`."""
    body = bytearray()
    while piece := response.read1(_PIECE):
        body += piece
        if len(body) > limit:
            return None
        if time.monotonic() > until:
            raise TimeoutError
    return bytes(body)


def resolve(parts: SplitResult, until: float) -> list[Address]:
    """Where the host of a URL is.

    OSError when nobody knows; TimeoutError when nobody says so in
    `LOOKUP_SECONDS` or by `until` (monotonic), since the system's own patience
    with a name server can be half a minute.
    """
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("no URL of http or https")
    seconds = min(LOOKUP_SECONDS, until - time.monotonic())
    found = _looked_up(parts.hostname, parts.port or _PORTS[parts.scheme], seconds)
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _looked_up(host: str, port: int, seconds: float) -> list[Any]:
    """`getaddrinfo`, in a thread that is left to itself when it takes too long: nothing can interrupt it.

    So many at once and no more: the threads of a name server that never
    answers do not pile up.
    """
    if not _lookups.acquire(timeout=max(0.0, seconds)):
        raise TimeoutError
    answers: SimpleQueue[list[Any] | OSError] = SimpleQueue()

    def look() -> None:
        try:
            answers.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except OSError as error:
            answers.put(error)
        except ValueError as error:  # a name that is none, such as one with an empty label
            answers.put(OSError(type(error).__name__))
        finally:
            _lookups.release()

    try:
        threading.Thread(target=look, name="fanlight-lookup", daemon=True).start()
    except RuntimeError:  # the process is ending
        _lookups.release()
        raise OSError("no thread") from None
    try:
        answer = answers.get(timeout=max(0.0, seconds))
    except Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _may_be_private(effect: FetchDocument, until: float) -> bool:
    """Only for a host that was configured, or where the provider itself is at such an address."""
    trusted = effect.unless_private
    return trusted is None or any(map(is_private, resolve(urlsplit(trusted), until)))


def is_private(address: Address) -> bool:
    """Of this machine, of the link, of a network that is not the public one."""
    plain = (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
    return not plain.is_global or plain.is_multicast
