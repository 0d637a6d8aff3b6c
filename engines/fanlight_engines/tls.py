"""TLS over memory, and certificates that can be renewed while they are served.

The channel moves bytes between ciphertext and plaintext and touches no socket;
timeouts and closing are the core's.  Profile: Mozilla intermediate (TLS 1.2
and 1.3).
"""

from __future__ import annotations

import logging
import os
import ssl
import time

from fanlight.wire.secure import ChannelBroken

log = logging.getLogger("fanlight")

_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
_READ = 65_536
_CHECK_SECONDS = 1.0


class TlsChannel:
    """One server-side TLS connection (`fanlight.wire.secure.SecureChannel`)."""

    __slots__ = ("_incoming", "_object", "_outgoing", "alpn", "ended", "handshaken")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.handshaken = False
        self.ended = False
        self.alpn: str | None = None

    def receive(self, data: bytes, /) -> bytes:
        """Take ciphertext and return the plaintext in it; raises `ChannelBroken`."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        try:
            if not self.handshaken:
                self._object.do_handshake()
                self.handshaken = True
                self.alpn = self._object.selected_alpn_protocol()
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as error:
            raise ChannelBroken from error

    def _read(self) -> bytes:
        parts: list[bytes] = []
        while True:
            try:
                part = self._object.read(_READ)
            except ssl.SSLWantReadError:
                break
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                part = b""
            if not part:
                self.ended = True
                break
            parts.append(part)
        return b"".join(parts)

    @property
    def unwritten(self) -> bool:
        """Whether ciphertext of the TLS layer's own waits."""
        return self._outgoing.pending > 0

    def send(self, data: bytes, /) -> bytes:
        """All ciphertext that waits, and after it that of `data`; a broken channel has no more to say."""
        if data:
            try:
                self._object.write(data)
            except ssl.SSLError:
                pass  # after a bad record OpenSSL refuses: nobody could read it
        return self._outgoing.read()

    def close(self) -> bytes:
        """A close_notify; the peer's own is not awaited."""
        try:
            self._object.unwrap()
        except ssl.SSLError:
            pass  # wants the peer's close_notify, or is closed already
        return self._outgoing.read()


class Certificates:
    """A certificate chain and its key, read again when the files change.

    New connections get the new ones; a pair that cannot be read is reported
    and the old one goes on.  The files are looked at once a second at most,
    when a connection comes.
    """

    def __init__(self, certificate: str, key: str) -> None:
        self._paths = (certificate, key)
        self._stamp = self._read_stamp()
        self._context = self._load()
        self._checked = time.monotonic()

    def channel(self) -> TlsChannel:
        """A channel for a new connection."""
        if time.monotonic() - self._checked >= _CHECK_SECONDS:
            self._checked = time.monotonic()
            self._renew()
        return TlsChannel(self._context)

    def _renew(self) -> None:
        try:
            stamp = self._read_stamp()
            if stamp != self._stamp:
                self._stamp = stamp
                self._context = self._load()
                log.info("certificate read again")
        except (OSError, ssl.SSLError) as error:
            log.warning("certificate not read again, the old one goes on: %s", type(error).__name__)

    def _read_stamp(self) -> tuple[tuple[int, int, int], ...]:
        stats = [os.stat(path) for path in self._paths]
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.load_cert_chain(*self._paths, password="")  # else OpenSSL asks at the terminal for one
        return context
