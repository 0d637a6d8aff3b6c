"""Upgraded streams: a WebSocket's messages for its routine, with back-pressure.

Reads ahead only while every earlier reply is on its way, so that replies keep
their place before a Close; frames themselves are the wire's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..http.response import Response
from ..http.websocket import NextMessage
from ..wire.body import BrokenBody
from .exchanges import Exchanges
from .ops import LOST

if TYPE_CHECKING:
    from ..http.response import Fields
    from ..routine import Conversation
    from ..wire.ws import Item


class Upgraded(Exchanges):
    """The part of a connection that knows WebSocket conversations."""

    __slots__ = ()

    def accept_websocket(self, conversation: Conversation, fields: Fields, limit: int) -> None:
        """Answer the handshake; the stream's bytes are frames from here on."""
        from ..wire.ws import WebSocket  # wsproto is imported when the first one comes

        conversation.socket = WebSocket(limit=limit, overhead=self.limits.message_overhead_bytes)
        self.open_tunnel(conversation, fields)

    def open_tunnel(self, conversation: Conversation, fields: Fields) -> None:
        """Answer a handshake; whose the stream's bytes are from here on is for the caller to say."""
        fields = conversation.exchange.fields(Response(101, fields))
        conversation.tunnel = conversation.socket is None
        self.wire.upgrade(conversation.stream, fields, self.server.date(self))
        conversation.unended = True
        if self.wire.protocol != "h2":
            self.speak("websocket")
        self._head_written(conversation, 200 if conversation.exchange.request.head.version == "2" else 101)

    def end_tunnel(self, conversation: Conversation) -> None:
        """End it at once: what a Close would be is for those at its ends to say."""
        self.wire.reset(conversation.stream)
        self._abandon(conversation)
        if self.wire.over:
            self.hang_up(abort=True)

    def read_items(self, conversation: Conversation) -> None:
        """Take messages while the routine can use them; it reads ahead, but not past an unsent reply."""
        socket = conversation.socket
        assert socket is not None
        while conversation.routine is not None and not socket.over and self._may_read(conversation):
            data, ended, again = b"", False, socket.unread
            if not again:  # more only when all that came before is read: what waits, waits where it is counted
                try:
                    data, ended = self.wire.take_body(conversation.stream)
                except BrokenBody:  # the stream has been given up, and its reset is on the way
                    return
            if data:
                socket.receive(data)
            item, count = socket.next_item(self.budget)
            self.budget -= count
            if item is not None:
                conversation.inbox.append(item)
                self._retry(conversation)
                continue
            self.flush_websocket(conversation)
            if socket.unread:
                break
            if ended and not data:
                self._leave_websocket(conversation)
            if not data and not again:
                return
        if not socket.over and self.budget <= 0:
            self.unfinished = True

    def _may_read(self, conversation: Conversation) -> bool:
        return (
            self.budget > 0
            and not conversation.gone
            and not conversation.pending
            and self.backlog <= self.limits.high_water
            and self._may_wait(conversation)
        )

    def _may_wait(self, conversation: Conversation) -> bool:
        """Whether one more message may be read before the routine asks for it."""
        inbox = conversation.inbox
        if conversation.alone:
            return not inbox and any(isinstance(ask, NextMessage) for ask in conversation.asks)
        if not inbox:
            return True
        held = sum(len(item) for item in inbox if isinstance(item, (str, bytes)))
        return len(inbox) < self.limits.waiting_messages and held < self.limits.waiting_bytes

    def _leave_websocket(self, conversation: Conversation) -> None:
        """The end without a Close: a routine that listens is told, another one is interrupted.

        On HTTP/2 it may be the end of this stream alone.
        """
        conversation.inbox.append(LOST)
        self._retry(conversation)
        whole = self.wire.eof
        if conversation.routine is not None and not whole:
            self.wire.reset(conversation.stream)
        self._abandon(conversation)
        if whole:
            self.hang_up(abort=True)

    def close_websocket(self, conversation: Conversation, code: int, reason: str) -> None:
        """Send Close; to the routine it is as if its peer had left, so it ends what it has under way."""
        assert conversation.socket is not None
        conversation.socket.close(code, reason)
        self.flush_websocket(conversation)
        conversation.inbox.append(LOST)
        self._retry(conversation)

    def take_item(self, conversation: Conversation) -> Any:
        """The next item of the inbox for a routine; a close is answered when it is taken."""
        item: Item = conversation.inbox.popleft()
        if isinstance(item, (str, bytes)):
            return item
        socket = conversation.socket
        assert socket is not None
        closed = socket.answer_close(item)
        self.flush_websocket(conversation)
        return closed

    def flush_websocket(self, conversation: Conversation) -> None:
        """Hand frames that were made to the stream."""
        socket = conversation.socket
        assert socket is not None
        if socket.out:
            data = b"".join(socket.out)
            socket.out.clear()
            if not conversation.gone:
                self.write(conversation, data)

    def end_websocket(self, conversation: Conversation) -> None:
        """The routine is done: Close if nobody said it yet, then the end of the stream."""
        assert conversation.socket is not None
        conversation.socket.close(1000, "")
        self.flush_websocket(conversation)
        self._end(conversation)
