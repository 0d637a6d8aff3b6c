"""One client under asyncio: bytes between a socket and its connection, nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from fanlight_engines.hosting import Client
from fanlight_engines.sockets import peer_of, prepare

if TYPE_CHECKING:
    from fanlight.connection.connection import Connection
    from fanlight.moment import Now

    from .server import Host


class Accepting(asyncio.Protocol):
    """The callbacks of one socket, until and after the server has taken it."""

    __slots__ = ("_host", "_listener", "client")

    def __init__(self, host: Host, listener: str) -> None:
        self._host = host
        self._listener = listener
        self.client: SocketClient | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)  # uvloop's is of no such class
        connection = self._host.welcome(self._listener, peer_of(stream.get_extra_info("peername")))
        if connection is None:
            stream.abort()
            return
        # Credit is given back when the kernel has everything, so that Close finds nothing unwritten.
        stream.set_write_buffer_limits(high=0)
        self.client = self._host.clients[connection] = SocketClient(self._host, connection, stream)
        try:
            prepare(stream.get_extra_info("socket"))
        except OSError:
            pass  # gone already: the first read will tell
        self.client.drain()

    def data_received(self, data: bytes) -> None:
        if self.client is not None:
            self.client.feed(self.client.connection.receive_data, data)

    def eof_received(self) -> bool:
        self.data_received(b"")
        return True  # stay open: the connection says when to close

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client is not None:
            self.client.forget_socket()
            self.client.feed(self.client.connection.lost)

    def pause_writing(self) -> None:
        if self.client is not None:
            self.client.paused = True

    def resume_writing(self) -> None:
        if self.client is not None:
            self.client.resume(self._host.now())


class SocketClient(Client):
    """The socket's side of a connection.

    Where there are others, what is written in one turn of the loop goes to the
    kernel at the beginning of the next, with theirs: so a peer on the same
    machine is woken once for many answers, which costs more than writing them.
    `paused` says that the kernel has not taken everything yet.
    """

    __slots__ = ("_due", "_host", "_reading", "_transport", "_unwritten", "paused")

    def __init__(self, host: Host, connection: Connection, transport: asyncio.Transport) -> None:
        super().__init__(host, connection)
        self._host = host
        self._transport: asyncio.Transport | None = transport
        self._unwritten: list[bytes] = []
        self._due = False
        self._reading = True
        self.paused = False

    def write(self, data: bytes) -> None:
        # What is written after a failure is thrown away and must earn no credit: the loss is told soon.
        if self._transport is None or self._transport.is_closing():
            return
        self.credit += len(data)
        self._unwritten.append(data)
        if len(self._host.clients) == 1:
            self._hand_over()
            self.held = self.paused
        elif not self._due:
            self._due = self.held = True
            self._host.flush_soon(self)

    def flush(self) -> None:
        """Hand over what was written, and give the credit back if the kernel took it all."""
        self._due = False
        self._hand_over()
        if not self.paused:
            self.resume(self.connection.now)  # it was written a moment ago

    def _hand_over(self) -> None:
        data = b"".join(self._unwritten)
        self._unwritten.clear()
        if data and self._transport is not None and not self._transport.is_closing():
            try:
                self._transport.write(data)
            except Exception as error:  # noqa: BLE001  never into the host
                self._host.broken(self, error)

    def resume(self, now: Now) -> None:
        """Everything that was handed over has been taken by `now`."""
        self.paused = False
        if not self._due:
            self.held = False
            self.give_back(now)

    def shut(self, half: bool) -> None:
        if not half:
            self.abort()
        elif self._transport is not None and not self._transport.is_closing():
            self._hand_over()  # a farewell of TLS
            try:
                self._transport.write_eof()
            except OSError:
                pass  # the peer was quicker

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def attend(self) -> None:
        if self._transport is not None and self.connection.wants_read is not self._reading:
            self._reading = not self._reading
            (self._transport.resume_reading if self._reading else self._transport.pause_reading)()

    def forget_socket(self) -> None:
        """The socket is gone."""
        self._transport = None
