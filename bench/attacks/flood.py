"""One hostile connection: sends as fast as it is let, reads or refuses to, and tells how it ended."""

from __future__ import annotations

import itertools
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import frozen

MOST_SENT = 64 * 1024 * 1024
KEPT = 256 * 1024
HEAD = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n"


@frozen
class Outcome:
    """Bytes sent, how the connection ended, and the first and last that the server said."""

    sent: int
    end: str
    first: bytes
    last: bytes

    def __str__(self) -> str:
        return f"{self.end} after {self.sent / 1e6:.2f} MB{self._said()}"

    def _said(self) -> str:
        for pattern, name in ((GOAWAY, "GOAWAY"), (CLOSE, "Close"), (STATUS, "status")):
            found = pattern.findall(self.last) or pattern.findall(self.first)
            if found:
                said: bytes = found[-1]
                number = said.decode() if name == "status" else str(int.from_bytes(said, "big"))
                return f", {name} {number}"
        return ""


GOAWAY = re.compile(rb"\x00\x00.\x07\x00\x00\x00\x00\x00....(....)", re.DOTALL)
CLOSE = re.compile(rb"\x88[\x02-\x7d](..)[^\x00-\x1f]{0,123}$", re.DOTALL)
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def connect(port: int) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", port), timeout=5)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def endless(chunk: bytes) -> Iterator[bytes]:
    """The same bytes for ever, in pieces of about 64 KiB."""
    return itertools.repeat(chunk * max(1, 65_536 // len(chunk)))


def flood(port: int, chunks: Iterable[bytes], until: float, *, reads: bool = True, upgrade: bytes = b"") -> Outcome:
    """Send `chunks` until they end, the moment `until`, 64 MiB, or the server hangs up.

    With `reads` False nothing is read before the end, so that the server's own
    output has nowhere to go.  `upgrade` is sent first and its answer awaited.
    """
    connection = connect(port)
    answer = b""
    if upgrade:
        connection.sendall(upgrade)
        answer = connection.recv(4096)
    connection.setblocking(False)
    return _Flood(connection, iter(chunks), until, reads, answer).run()


class _Flood:
    def __init__(
        self, connection: socket.socket, chunks: Iterator[bytes], until: float, reads: bool, answer: bytes
    ) -> None:
        self._connection = connection
        self._chunks = chunks
        self._until = until
        self._reads = reads
        self._waiting = memoryview(b"")
        self._sent = 0
        self._first = answer
        self._last = b""

    def run(self) -> Outcome:
        end = "open"
        try:
            while time.monotonic() < self._until:
                self._turn()
            self._drain()
        except _HungUp as error:
            end = str(error)
        self._connection.close()
        return Outcome(self._sent, end, self._first, self._last)

    def _turn(self) -> None:
        if not self._waiting:
            self._waiting = memoryview(next(self._chunks, b"") if self._sent < MOST_SENT else b"")
        reading = [self._connection] if self._reads else []
        writing = [self._connection] if self._waiting else []
        if not reading and not writing:
            time.sleep(0.02)
            return
        readable, writable, _ = select.select(reading, writing, [], 0.05)
        if readable:
            self._read()
        if writable:
            self._write()

    def _write(self) -> None:
        try:
            sent = self._connection.send(self._waiting)
        except BlockingIOError:
            return
        except OSError:
            self._read_what_is_left()
            raise _HungUp("hung up") from None
        self._sent += sent
        self._waiting = self._waiting[sent:]

    def _read(self) -> None:
        try:
            data = self._connection.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            raise _HungUp("reset") from None
        if not data:
            raise _HungUp("closed")
        if len(self._first) < 1024:
            self._first += data[:1024]
        self._last = (self._last + data)[-KEPT:]

    def _read_what_is_left(self) -> None:
        try:
            for _ in range(64):
                self._read()
        except _HungUp:
            pass

    def _drain(self) -> None:
        for _ in range(64):
            if not select.select([self._connection], [], [], 0.01)[0]:
                return
            self._read()


class _HungUp(Exception):
    """The server ended the connection; the text says how."""


def many(count: int, one: Callable[[], Outcome]) -> list[Outcome]:
    """`count` hostile connections at once, each in a thread."""
    found: list[Outcome] = []
    threads = [threading.Thread(target=lambda: found.append(one())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def summary(found: Sequence[Outcome]) -> str:
    """One line for several connections: the first outcome, how many, and all that was sent."""
    if not found:
        return "no connection"
    total = sum(outcome.sent for outcome in found)
    return f"{len(found)} connections, {total / 1e6:.2f} MB; one: {found[0]}"
