"""One client under asyncio: carries bytes between a socket and its connection.

It does what `poll` says and nothing of its own: it knows no message, sets no
timer and has no opinion about when to close.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fanlight.outputs import Cancel, Close, Note, Perform, Send
from fanlight_engines.performer import now
from fanlight_engines.sockets import peer_of, prepare

if TYPE_CHECKING:
    from fanlight.connection import Connection

    from .server import Host


class Client(asyncio.Protocol):
    """The callbacks of one socket.  `drain` is the one rule for hosts."""

    __slots__ = ("_credit", "_draining", "_host", "_listener", "_paused", "_reading", "_transport", "connection")

    def __init__(self, host: Host, listener: str) -> None:
        self.connection: Connection | None = None
        self._host = host
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._credit = 0
        self._paused = False
        self._reading = True
        self._draining = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]
        connection = self._host.server.accept(self._listener, peer_of(transport.get_extra_info("peername")), now())
        if connection is None:
            transport.abort()  # type: ignore[attr-defined]
            return
        prepare(transport.get_extra_info("socket"))
        transport.set_write_buffer_limits(high=0)  # type: ignore[attr-defined]  # credit is given when all is gone
        self.connection = connection
        self._host.clients[connection] = self
        self.drain()

    def data_received(self, data: bytes) -> None:
        connection = self.connection
        if connection is not None:
            try:
                connection.receive_data(data, now())
            except Exception as error:  # noqa: BLE001  never into the host
                self._host.broken(self, error)
            self.drain()

    def eof_received(self) -> bool:
        self.data_received(b"")
        return True  # stay open: the connection says when to close

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.connection is not None:
            try:
                self.connection.lost(now())
            except Exception as error:  # noqa: BLE001  never into the host
                self._host.broken(self, error)
            self.drain()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self.drain()

    def drain(self) -> None:
        """Do everything that the connection says, give credit back, re-arm the server's deadline."""
        connection = self.connection
        if self._draining or connection is None:
            return
        self._draining = True
        try:
            while True:
                output = connection.poll()
                if output is not None:
                    self._do(output)
                elif self._credit and not self._paused:
                    credit, self._credit = self._credit, 0
                    connection.sent(credit, now())
                else:
                    break
        except Exception as error:  # noqa: BLE001  never into the host
            self._host.broken(self, error)
        finally:
            self._draining = False
        self._host.settle(self)
        if self._transport is not None and connection.wants_read is not self._reading:
            self._reading = connection.wants_read
            (self._transport.resume_reading if self._reading else self._transport.pause_reading)()

    def _do(self, output: Any) -> None:
        kind = type(output)
        if kind is Send:
            if self._transport is not None:
                self._transport.write(output.data)
            self._credit += len(output.data)
        elif kind is Perform:
            self._perform(output)
        elif kind is Note:
            self._host.performer.note(output.record)
        elif kind is Cancel:
            self._host.performer.interrupt(output.effect)
        elif kind is Close:
            self._close(output.half)

    def _perform(self, output: Perform) -> None:
        performer, connection = self._host.performer, self.connection
        assert connection is not None
        if output.effect.runs == "worker":
            performer.submit(output.effect, self._host.answer_later(self, output.number))
            return
        try:
            answer = performer.perform(output.effect)
        except Exception as error:  # noqa: BLE001  never into the host
            connection.reply(output.number, None, error, now())
        else:
            connection.reply(output.number, answer, None, now())

    def reply(self, number: int, answer: object, error: BaseException | None) -> None:
        """An answer has come from a worker."""
        if self.connection is not None:
            try:
                self.connection.reply(number, answer, error, now())
            except Exception as bug:  # noqa: BLE001  never into the host
                self._host.broken(self, bug)
            self.drain()

    def abort(self) -> None:
        """Drop the socket at once."""
        if self._transport is not None:
            self._transport.abort()

    def _close(self, half: bool) -> None:
        if self._transport is None:
            return
        if not half:
            self._transport.abort()
            self._transport = None
        elif self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
