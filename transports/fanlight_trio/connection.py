"""One client under trio: carries bytes between a socket and its connection.

One task reads; a second one writes only while the socket's buffer is full.  It
does what `poll` says and nothing of its own.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import enable_ki_protection, notify_closing, wait_readable, wait_writable

from fanlight.outputs import Cancel, Close, Note, Perform, Send
from fanlight_engines.performer import now

if TYPE_CHECKING:
    from fanlight.connection import Connection

    from .server import Host

READ = 65_536


class Client:
    """The socket of one connection.  `drain` is the one rule for hosts."""

    __slots__ = ("_blocked", "_draining", "_host", "_sock", "_unwritten", "_wake", "connection")

    def __init__(self, host: Host, connection: Connection, sock: socket.socket) -> None:
        self.connection = connection
        self._host = host
        self._sock: socket.socket | None = sock
        self._unwritten: deque[memoryview] = deque()
        self._blocked = False
        self._draining = False
        self._wake: trio.Event | None = None

    @enable_ki_protection  # Ctrl-C is for the host
    async def run(self) -> None:
        """Read until the connection closes the socket."""
        self.drain()
        while self._sock is not None:
            if not self.connection.wants_read:
                self._wake = trio.Event()
                await self._wake.wait()
                continue
            try:
                await wait_readable(self._sock)
            except trio.ClosedResourceError:
                return
            self._read()

    def _read(self) -> None:
        if self._sock is None:
            return
        try:
            data = self._sock.recv(READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lose()
            return
        self.feed(self.connection.receive_data, data)

    def feed(self, call: Any, *args: Any) -> None:
        """One input, then drain; a bug in it drops this client only."""
        try:
            call(*args, now())
        except Exception as error:  # noqa: BLE001  never into the host
            self._host.broken(self, error)
        self.drain()

    def drain(self) -> None:
        """Do everything that the connection says, give credit back, re-arm the server's deadline."""
        if self._draining:
            return
        self._draining = True
        try:
            while (output := self.connection.poll()) is not None:
                self._do(output)
        except Exception as error:  # noqa: BLE001  never into the host
            self._host.broken(self, error)
        finally:
            self._draining = False
        self._host.settle(self)
        if self._wake is not None and (self._sock is None or self.connection.wants_read):
            self._wake.set()
            self._wake = None

    def _do(self, output: Any) -> None:
        kind = type(output)
        if kind is Send:
            self._send(output.data)
        elif kind is Perform:
            self._perform(output)
        elif kind is Note:
            self._host.performer.note(output.record)
        elif kind is Cancel:
            self._host.performer.interrupt(output.effect)
        elif kind is Close:
            self._close(output.half)

    def _send(self, data: bytes) -> None:
        size = len(data)
        taken = 0
        if not self._unwritten and self._sock is not None:
            try:
                taken = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                self._lose()
                return
        if taken:
            self.connection.sent(taken, now())
        if taken < size and self._sock is not None:
            self._unwritten.append(memoryview(data)[taken:])
            if not self._blocked:
                self._blocked = True
                self._host.start(self._write)

    @enable_ki_protection
    async def _write(self) -> None:
        """Write what the socket did not take at once, as it takes it."""
        while self._unwritten and self._sock is not None:
            try:
                await wait_writable(self._sock)
                taken = self._sock.send(self._unwritten[0])
            except (BlockingIOError, InterruptedError):
                continue
            except (OSError, trio.ClosedResourceError):
                self._lose()
                break
            rest = self._unwritten[0][taken:]
            if rest:
                self._unwritten[0] = rest
            else:
                self._unwritten.popleft()
            self.feed(self.connection.sent, taken)
        self._blocked = False

    def _perform(self, output: Perform) -> None:
        performer = self._host.performer
        if output.effect.runs == "worker":
            performer.submit(output.effect, self._host.answer_later(self, output.number))
            return
        try:
            answer = performer.perform(output.effect)
        except Exception as error:  # noqa: BLE001  never into the host
            self.connection.reply(output.number, None, error, now())
        else:
            self.connection.reply(output.number, answer, None, now())

    def _lose(self) -> None:
        """The socket failed under our hands."""
        self.abort()
        self.feed(self.connection.lost)

    def abort(self) -> None:
        """Close the socket at once."""
        sock, self._sock = self._sock, None
        self._unwritten.clear()
        if sock is not None:
            notify_closing(sock)
            sock.close()
        if self._wake is not None:
            self._wake.set()
            self._wake = None

    def _close(self, half: bool) -> None:
        if not half:
            self.abort()
        elif self._sock is not None:
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the peer was quicker
