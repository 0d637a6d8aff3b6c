"""The console's upstream: one connection for each response, read bit by bit in threads of its own.

It speaks HTTP/1.1 with the standard library, follows no redirect, keeps no
cookie and reads no proxy from the environment.  It connects wherever an effect
says; whether that may be is decided by whoever made the effect.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from fanlight.asks import Effect
from fanlight.pages.upstream import CloseUpstream, OpenUpstream, ReadUpstream, Upstream

SECONDS = 30.0
"""For the connection, for the head, and between two pieces of the body."""
PIECE = 64 * 1024


class _Response:
    """A connection with a response on it."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.connection = connection
        self.response: http.client.HTTPResponse | None = None

    def abort(self) -> None:
        """Wake whoever reads; from any thread."""
        sock = self.connection.sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is not connected, or not any more

    def close(self) -> None:
        """Let go of everything."""
        if self.response is not None:
            self.response.close()
        self.connection.close()


class Upstreams:
    """Answers the effects of `fanlight.pages.upstream`; a slow server holds up nobody but its own readers."""

    own_effects: frozenset[type] = frozenset({OpenUpstream, ReadUpstream})
    own_threads = 4

    def __init__(self, context: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> None:
        self._context = context
        self._opening: WeakKeyDictionary[Effect[Any], _Response | None] = WeakKeyDictionary()
        self.handlers: Mapping[type, Callable[[Any], Any]] = {
            OpenUpstream: self._open,
            ReadUpstream: self._read,
            CloseUpstream: lambda effect: effect.handle.close(),
        }
        self.interrupts: Mapping[type, Callable[[Any], None]] = {
            OpenUpstream: self._interrupt,
            ReadUpstream: lambda effect: effect.handle.abort(),
        }

    def close(self) -> None:
        """Nothing is held: each response belongs to whoever asked for it."""

    def _open(self, effect: OpenUpstream) -> Upstream | None:
        made = _Response(self._connection(effect.url))
        if self._opening.setdefault(effect, made) is not made:
            return None  # interrupted before it began
        try:
            return self._head(effect, made)
        except (OSError, http.client.HTTPException, ValueError):
            made.close()
            return None

    def _connection(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
        return http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=self._context())

    def _head(self, effect: OpenUpstream, made: _Response) -> Upstream:
        target = effect.url.split("/", 3)[3]
        connection = made.connection
        connection.putrequest(effect.method, f"/{target}", skip_accept_encoding=True)
        for name, value in effect.fields:
            connection.putheader(name, value.encode("latin-1"))
        connection.putheader("connection", "close")
        connection.endheaders()
        made.response = connection.getresponse()
        fields = tuple((name.lower(), value) for name, value in made.response.getheaders())
        return Upstream(made.response.status, fields, made)

    def _read(self, effect: ReadUpstream) -> bytes | None:
        response = effect.handle.response
        try:
            data: bytes = response.read1(PIECE)
            # A body of known length that ends early ends without an error.
            return None if not data and response.length else data
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def _interrupt(self, effect: OpenUpstream) -> None:
        made = self._opening.setdefault(effect, None)
        if made is not None:
            made.abort()
