"""How a connection opens: PROXY header, TLS, and which HTTP version speaks.

A short-lived machine in front of the wire.  It turns received bytes into
plaintext for the wire that it chooses; after the choice only TLS stays.  It
accepts no peer and answers nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.h1 import H1Wire
from ..wire.proxy import SIGNATURE, BadProxyHeader, read_proxy_header
from ..wire.secure import ChannelBroken, SecureChannel

if TYPE_CHECKING:
    from ..server import ListenerState
    from ..wire.h2 import H2Wire

_SNIFF = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_TLS_RECORD = 0x16


class Unwelcome(Exception):
    """The connection must end without a word: flush what is pending, then close."""


class NoWire:
    """Stands in for the wire until the version is known: nothing comes, nothing goes."""

    protocol = ""
    held = 0
    begun = False
    eof = False
    over = False

    def written(self) -> bytes:
        """Nothing is written."""
        return b""

    def at(self, mono: float) -> None:
        """Nothing is counted."""

    def next_event(self) -> None:
        """Nothing has come."""

    def goodbye(self) -> bool:
        """Nothing is in hand."""
        return True


class Ingress:
    """The opening of one connection.

    `receive` gives the plaintext; `wire` is None until the version is known.
    `peer` is set by a PROXY header.
    """

    __slots__ = ("_buffer", "_channel", "_expects_proxy", "_listener", "peer", "proxied", "secure", "wire")

    def __init__(self, listener: ListenerState, *, proxied: bool, channel: SecureChannel | None) -> None:
        self.wire: H1Wire | H2Wire | None = None
        self.peer: str | None = None
        self.proxied = proxied
        self.secure = channel is not None
        self._listener = listener
        self._channel = channel
        self._expects_proxy = proxied
        self._buffer = b""

    @property
    def ended(self) -> bool:
        """Whether TLS was closed by the peer: nothing follows, though the socket may be open."""
        return self._channel is not None and self._channel.ended

    @property
    def handshaking(self) -> bool:
        """Whether TLS is still being set up."""
        return self._channel is not None and not self._channel.handshaken

    @property
    def awaits_proxy(self) -> bool:
        """Whether the PROXY header is still to come."""
        return self._expects_proxy

    def receive(self, data: bytes) -> bytes | None:
        """Plaintext for the wire; `b""` is EOF; None when there is nothing for it yet.

        Raises `Unwelcome`.
        """
        if self._expects_proxy:
            rest = self._read_proxy(data)
            if not rest:
                return None
            data = rest
        if self._channel is None:
            return self._choose(data)
        return self._decrypt(data)

    def _read_proxy(self, data: bytes) -> bytes:
        if not data:
            raise Unwelcome
        self._buffer += data
        try:
            header = read_proxy_header(self._buffer)
        except BadProxyHeader:
            raise Unwelcome from None
        if header is None:
            return b""
        rest, self._buffer = self._buffer[header.size :], b""
        self.peer = header.peer
        self._expects_proxy = False
        return rest

    def _decrypt(self, data: bytes) -> bytes | None:
        channel = self._channel
        assert channel is not None
        if self.wire is None and not channel.handshaken and data and data[0] != _TLS_RECORD and not self._buffer:
            return self._plaintext(data)
        self._buffer = b"-"  # the first record has come
        try:
            plain = channel.receive(data)
        except ChannelBroken:
            raise Unwelcome from None
        if self.wire is None and channel.handshaken:
            self.wire = self._listener.new_h2() if channel.alpn == "h2" else self._listener.new_h1()
            self._buffer = b""
        if plain:
            return plain
        if not channel.ended:
            return None
        if self.wire is None:
            raise Unwelcome
        return b""

    def _plaintext(self, data: bytes) -> bytes | None:
        """Plaintext on a listener with TLS: closed, or redirected (see `Exchange.route`)."""
        if not self._listener.redirects:
            raise Unwelcome
        self._channel = None
        self.secure = False
        self.wire = self._listener.new_h1()
        return data

    def _choose(self, data: bytes) -> bytes | None:
        """Sniff the HTTP/2 preface on a plaintext connection (RFC 9113 section 3.3)."""
        if self.wire is not None:
            return data
        if data and data[0] != 0x50 and not self._buffer:
            self.wire = self._listener.new_h1()
            return data
        self._buffer += data
        whole = self._buffer.startswith(_SNIFF[:16])
        if not whole and data and _SNIFF[:16].startswith(self._buffer):
            return None
        self.wire = self._listener.new_h2() if whole else self._listener.new_h1()
        if not data and not self._buffer:
            return b""
        plain, self._buffer = self._buffer, b""
        return plain

    @property
    def unwritten(self) -> bool:
        """Whether the TLS layer has bytes of its own to write: handshake, alerts, tickets."""
        return self._channel is not None and self._channel.unwritten

    def encrypt(self, data: bytes) -> bytes:
        """What goes to the socket for `data`, after whatever the TLS layer had to write before it."""
        return self._channel.send(data) if self._channel is not None else data

    def farewell(self) -> bytes:
        """The TLS layer's last bytes before the writing half is closed."""
        return self._channel.close() if self._channel is not None and self._channel.handshaken else b""

    @property
    def plain(self) -> bool:
        """Whether bytes pass untouched from here on, so that this machine can be let go."""
        return self._channel is None and self.wire is not None and not self._buffer


__all__ = ["SIGNATURE", "Ingress", "Unwelcome"]
