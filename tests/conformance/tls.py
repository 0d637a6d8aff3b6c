"""TLS for the runner: one certificate for all cases, and a client's end over any wire."""

from __future__ import annotations

import ssl
import tempfile
from functools import lru_cache
from pathlib import Path

from ..clients.wires import Wire
from ..engines.certificates import Files, TlsClient

_FOLDER = tempfile.TemporaryDirectory(prefix="fanlight-cases-")


@lru_cache(1)
def files() -> Files:
    """The certificate, made when the first case needs it."""
    return Files(Path(_FOLDER.name), "localhost", "127.0.0.1")


def client_context(version: str) -> ssl.SSLContext:
    """What trusts it, for a client that speaks `version`."""
    return files().client_context("h2" if version == "2" else "http/1.1")


class TlsWire:
    """A wire of plaintext over a wire of ciphertext in memory."""

    def __init__(self, wire: Wire, version: str) -> None:
        self._wire = wire
        self._client = TlsClient(client_context(version))
        wire.send(self._client.shake())
        while self._client.object.version() is None:
            received = wire.receive(1.0)
            if not received:
                raise ConnectionError("the handshake did not end")
            wire.send(self._client.shake(received))

    def send(self, data: bytes) -> None:
        """Encrypt and send."""
        self._wire.send(self._client.send(data))

    def receive(self, seconds: float) -> bytes | None:
        """Plaintext; b"" after an orderly end or a plain one, None for silence."""
        received = self._wire.receive(seconds)
        if not received:
            return received
        self._client.incoming.write(received)
        found = b""
        try:
            while piece := self._client.object.read(65_536):
                found += piece
        except ssl.SSLWantReadError:
            return found or self.receive(seconds)
        except ssl.SSLError:
            pass
        return found

    def finish(self) -> None:
        """Half close."""
        self._wire.send(self._client.close())
        self._wire.finish()

    def close(self) -> None:
        """Close in order."""
        self._wire.close()

    def abort(self) -> None:
        """Drop the connection."""
        self._wire.abort()

    def clock(self) -> float:
        """The world's time."""
        return self._wire.clock()
