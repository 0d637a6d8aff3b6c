"""One client under trio: bytes between a socket and its connection, nothing else.

One task reads; a second one writes, only while the socket's buffer is full.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection, notify_closing, wait_readable, wait_writable

from fanlight_engines.hosting import Client

if TYPE_CHECKING:
    from fanlight.connection.connection import Connection

    from .server import Host

READ = 65_536


class SocketClient(Client):
    """The socket's side of a connection."""

    __slots__ = ("_host", "_sock", "_unwritten", "_wake", "_writing")

    def __init__(self, host: Host, connection: Connection, sock: socket.socket) -> None:
        super().__init__(host, connection)
        self._host = host
        self._sock: socket.socket | None = sock
        self._unwritten: list[memoryview] = []
        self._wake: trio.Event | None = None
        self._writing = False

    @enable_ki_protection  # Ctrl-C is for the host
    async def run(self) -> None:
        """Read until the connection closes the socket; a bug ends this client, never the nursery.

        One coroutine: each frame more would be kept by every idle connection.
        """
        try:
            self.drain()
            while self._sock is not None:
                if not self.connection.wants_read:
                    self._wake = trio.Event()
                    await self._wake.wait()
                    continue
                await wait_readable(self._sock)
                self._read()
        except trio.ClosedResourceError:
            return
        except Exception as error:  # noqa: BLE001  never into the host
            self._broken(error)

    def _broken(self, error: Exception) -> None:
        self._host.broken(self, error)
        self.drain()

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

    def write(self, data: bytes) -> None:
        taken = 0
        if not self._unwritten and self._sock is not None:
            try:
                taken = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                self._lose()
                return
        self.credit += taken
        if taken < len(data) and self._sock is not None:
            self._unwritten.append(memoryview(data)[taken:])
            if not self._writing:
                self._writing = True
                self._host.start(self._write_on)

    @enable_ki_protection
    async def _write_on(self) -> None:
        """Write what the socket did not take at once, as it takes it; there is one such task at most."""
        try:
            await self._write_all()
        except Exception as error:  # noqa: BLE001  never into the host
            self._broken(error)
        finally:
            self._writing = False

    async def _write_all(self) -> None:
        while self._unwritten and (sock := self._sock) is not None:
            try:
                await wait_writable(sock)
                if self._sock is not sock:
                    return  # closed by the reader before this task had its turn
                taken = sock.send(self._unwritten[0])
            except (BlockingIOError, InterruptedError):
                continue
            except (OSError, trio.ClosedResourceError):
                self._lose()
                return
            rest = self._unwritten.pop(0)[taken:]
            if rest:
                self._unwritten.insert(0, rest)
            self.give_back(self._host.now(), taken)

    def _lose(self) -> None:
        """The socket failed under our hands."""
        self.abort()
        self.feed(self.connection.lost)

    def abort(self) -> None:
        sock, self._sock = self._sock, None
        self._unwritten.clear()
        if sock is not None:
            notify_closing(sock)
            sock.close()
        self._awake()

    def shut(self, half: bool) -> None:
        if not half:
            self.abort()
        elif self._sock is not None:
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the peer was quicker

    def attend(self) -> None:
        if self._wake is not None and self.connection.wants_read:
            self._awake()

    def _awake(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            wake.set()
