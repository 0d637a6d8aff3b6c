"""TLS as the connection sees it: ciphertext in, plaintext out, and back.

A protocol only: the engine brings the implementation, so that the core never
imports ssl and TLS is the same under every event loop.
"""

from __future__ import annotations

from typing import Protocol


class ChannelBroken(Exception):
    """The handshake failed or a record was bad: send what is unwritten, then close."""


class SecureChannel(Protocol):
    """One TLS connection over memory, server side."""

    handshaken: bool
    ended: bool
    alpn: str | None

    def receive(self, data: bytes, /) -> bytes:
        """Take ciphertext (`b""` is EOF) and return the plaintext in it.

        `ended` is true once the peer has closed in order or by EOF.  Raises
        `ChannelBroken`.
        """
        ...

    @property
    def unwritten(self) -> bool:
        """Whether ciphertext waits that nobody sent: handshake, alerts, tickets."""
        ...

    def send(self, data: bytes, /) -> bytes:
        """All ciphertext that waits, and after it that of `data` (which may be empty)."""
        ...

    def close(self) -> bytes:
        """The ciphertext of an orderly close."""
        ...
