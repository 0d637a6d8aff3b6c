"""Certificates for tests, made on the spot, and a client's end of TLS over memory."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Files:
    """A chain and a key in `folder`, signed by an authority of our own; `issue` writes new ones."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.authority = trustme.CA()
        self.certificate = folder / "chain.pem"
        self.key = folder / "key.pem"
        self.issue(*(names or ("localhost", "127.0.0.1")))

    def issue(self, *names: str) -> None:
        """Write a certificate for `names` and its key."""
        issued = self.authority.issue_cert(*names)
        self.key.write_bytes(issued.private_key_pem.bytes())
        self.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))

    @property
    def paths(self) -> tuple[str, str]:
        """The two paths, as settings name them."""
        return str(self.certificate), str(self.key)

    def client_context(self, *protocols: str) -> ssl.SSLContext:
        """What a client uses that trusts the authority and offers `protocols`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


class TlsClient:
    """A client's end of one TLS connection, over memory."""

    def __init__(self, context: ssl.SSLContext, name: str = "localhost") -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)

    def shake(self, received: bytes = b"") -> bytes:
        """Take what the server said and go on with the handshake; what to send next."""
        self.incoming.write(received)
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def send(self, data: bytes) -> bytes:
        """The ciphertext of `data`."""
        self.object.write(data)
        return self.outgoing.read()

    def receive(self, received: bytes) -> bytes:
        """The plaintext in what the server said; raises `ssl.SSLZeroReturnError` after an orderly close."""
        self.incoming.write(received)
        found = b""
        while True:
            try:
                found += self.object.read(65_536)
            except ssl.SSLWantReadError:
                return found
            except ssl.SSLZeroReturnError:
                if found:
                    return found
                raise

    def close(self) -> bytes:
        """A close_notify."""
        try:
            self.object.unwrap()
        except ssl.SSLError:
            pass
        return self.outgoing.read()
