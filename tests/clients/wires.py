"""What carries a test client's bytes: a blocking socket, or a connection in memory.

`Wire` is all that a test sees of either.  The one in memory is in `tests.sim`.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from typing import Protocol


class Wire(Protocol):
    """A byte stream to a server.  Seconds are those of the server's world."""

    def send(self, data: bytes) -> None:
        """Write all of `data`, or what the peer takes of it; a closed peer is no error."""
        ...

    def receive(self, seconds: float) -> bytes | None:
        """What arrived (b"" is the end), or None when nothing did within `seconds`."""
        ...

    def finish(self) -> None:
        """Send no more (half close)."""
        ...

    def close(self) -> None:
        """Close in order."""
        ...

    def abort(self) -> None:
        """Drop the connection (RST where there is such a thing)."""
        ...

    def clock(self) -> float:
        """The monotonic time of the server's world, in seconds."""
        ...


class SocketWire:
    """A wire over a real, blocking socket, TCP or Unix, plain or TLS."""

    def __init__(
        self, address: str | tuple[str, int], *, tls: ssl.SSLContext | None = None, name: str = "localhost"
    ) -> None:
        family = (
            socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        )
        raw = socket.socket(family, socket.SOCK_STREAM)
        raw.settimeout(10)
        raw.connect(address)
        if family is not socket.AF_UNIX:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = tls.wrap_socket(raw, server_hostname=name) if tls is not None else raw
        self._arrived: list[bytes] = []
        self._deaf = False

    @property
    def socket(self) -> socket.socket:
        """The socket itself, for tests that set its options."""
        return self._socket

    def alpn(self) -> str | None:
        """The protocol agreed by ALPN, over TLS."""
        return self._socket.selected_alpn_protocol() if isinstance(self._socket, ssl.SSLSocket) else None

    def send(self, data: bytes) -> None:
        """Write all of `data`, reading meanwhile so that neither side waits for the other."""
        view = memoryview(data)
        self._socket.settimeout(0)
        give_up = time.monotonic() + 10
        while view and not self._deaf and time.monotonic() < give_up:
            readable, writable, _ = select.select([self._socket], [self._socket], [], 10)
            if readable:
                self._take()
            if writable:
                view = view[self._write(view) :]

    def _write(self, view: memoryview) -> int:
        try:
            return self._socket.send(view[: 256 * 1024])
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError:
            self._deaf = True
            return 0

    def _take(self) -> None:
        if self._arrived and not self._arrived[-1]:
            self._deaf = True  # the end was read: the peer takes nothing more
            return
        try:
            self._arrived.append(self._socket.recv(256 * 1024))
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            self._arrived.append(b"")

    def receive(self, seconds: float) -> bytes | None:
        """What arrived, b"" for the end or a reset, None for silence."""
        if self._arrived:
            return self._arrived.pop(0)
        self._socket.settimeout(max(seconds, 0.0001))
        try:
            return self._socket.recv(256 * 1024)
        except TimeoutError:
            return None
        except OSError:
            return b""

    def finish(self) -> None:
        """Half close."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        """Close."""
        self._socket.close()

    def abort(self) -> None:
        """Close with RST."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        except OSError:
            pass
        self._socket.close()

    def clock(self) -> float:
        """Real time."""
        return time.monotonic()
