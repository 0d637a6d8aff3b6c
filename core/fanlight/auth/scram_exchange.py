"""SCRAM-SHA-256 as a server speaks it: four messages, and nobody says a password (RFC 5802, RFC 7677).

    client-first   n,,n=user,r=CLIENT
    server-first   r=CLIENT+SERVER,s=SALT,i=ITERATIONS
    client-final   c=biws,r=CLIENT+SERVER,p=PROOF
    server-final   v=SIGNATURE

One object for each exchange, over the stored form that HTTP checks too
(`scram.StoredPassword`).  It reads no socket, draws no nonce, hashes no password
(the client does) and knows no user: who speaks a wire, such as PostgreSQL's,
looks the name up between the first message and the challenge.  There is no
channel binding, and no name or password is normalised.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest, digest
from itertools import accumulate
from typing import Literal

from attrs import frozen

from .scram import ITERATIONS, SALT_BYTES, StoredPassword

NONCE_BYTES = 18
"""Random bytes of a server's nonce: 24 characters of base64, none of which is a comma."""
LONGEST_MESSAGE = 4096
"""Of either message of a client, in bytes."""

_NONCE = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,1024}")
_NAME = re.compile(r"(?:[^=,\x00]|=2C|=3D)+")
_EXTENSION = re.compile(r"[A-Za-z]=[^\x00,]+")

Reason = Literal[
    "invalid-encoding",
    "extensions-not-supported",
    "invalid-proof",
    "channel-bindings-dont-match",
    "channel-binding-not-supported",
    "invalid-username-encoding",
    "other-error",
]


@frozen
class ScramRefused:
    """The exchange is over.  `reason` is of RFC 5802 section 7, and never tells whether there is such a user."""

    reason: Reason

    @property
    def message(self) -> bytes:
        """The server-final message that says so."""
        return f"e={self.reason}".encode()


class ScramExchange:
    """One exchange: `first`, then `challenge`, then `final`, each once; another order is a bug (RuntimeError).

    `nonce` is the server's part of the nonce: fresh random bytes in base64
    (`NONCE_BYTES` of them), since it alone makes each exchange another one.
    """

    def __init__(self, nonce: str) -> None:
        if not _NONCE.fullmatch(nonce):
            raise ValueError("a nonce is printable ASCII without a comma")
        self._state: Literal["fresh", "named", "challenged", "over"] = "fresh"
        self._nonce = nonce
        self._header = b""
        self._first = ""
        self._challenge = ""
        self._stored: StoredPassword | None = None

    def first(self, message: bytes) -> str | ScramRefused:
        """Read the client-first message: the name that is claimed, as sent."""
        self._step("fresh", "named")
        text = _text(message)
        parts = text.split(",", 2) if text is not None else []
        if len(parts) != 3:
            return self._refuse("invalid-encoding")
        flag, authorization, self._first = parts
        if flag.startswith("p="):
            return self._refuse("channel-binding-not-supported")
        if flag not in ("n", "y") or (authorization and not authorization.startswith("a=")):
            return self._refuse("invalid-encoding")
        self._header = f"{flag},{authorization},".encode()
        return self._read_bare(authorization[2:] if authorization else None)

    def _read_bare(self, authorization: str | None) -> str | ScramRefused:
        """The part that is signed: a name, a nonce, extensions that nobody knows."""
        name, *rest = self._first.split(",")
        if name.startswith("m="):
            return self._refuse("extensions-not-supported")
        if not name.startswith("n=") or not rest or not rest[0].startswith("r="):
            return self._refuse("invalid-encoding")
        if not _NONCE.fullmatch(rest[0][2:]) or not all(map(_EXTENSION.fullmatch, rest[1:])):
            return self._refuse("invalid-encoding")
        if not _NAME.fullmatch(name[2:]) or (authorization is not None and not _NAME.fullmatch(authorization)):
            return self._refuse("invalid-username-encoding")
        if authorization is not None and authorization != name[2:]:
            return self._refuse("other-error")  # nobody acts for somebody else here
        self._nonce = rest[0][2:] + self._nonce
        return name[2:].replace("=2C", ",").replace("=3D", "=")

    def challenge(self, stored: StoredPassword) -> bytes:
        """The server-first message, for the password of whoever claimed the name (`decoy_of` for nobody's)."""
        self._step("named", "challenged")
        self._stored = stored
        salt = b64encode(stored.salt).decode()
        self._challenge = f"r={self._nonce},s={salt},i={stored.iterations}"
        return self._challenge.encode()

    def final(self, message: bytes) -> bytes | ScramRefused:
        """Judge the client-final message: the server-final one, by which the client knows us, if the proof is good."""
        self._step("challenged", "over")
        text = _text(message)
        signed, found, proof = text.rpartition(",p=") if text is not None else ("", "", "")
        binding, *rest = signed.split(",")
        if not found or not binding.startswith("c=") or not rest or not all(map(_EXTENSION.fullmatch, rest)):
            return self._refuse("invalid-encoding")
        if binding[2:] != b64encode(self._header).decode():
            return self._refuse("channel-bindings-dont-match")
        if rest[0] != f"r={self._nonce}":
            return self._refuse("other-error")
        proven = _decoded(proof)
        if proven is None:
            return self._refuse("invalid-encoding")
        return self._judge(f"{self._first},{self._challenge},{signed}".encode(), proven)

    def _judge(self, whole: bytes, proof: bytes) -> bytes | ScramRefused:
        """The proof gives the client's key back, whose hash is what was stored (RFC 5802 section 3)."""
        assert self._stored is not None
        signature = digest(self._stored.stored_key, whole, "sha256")
        key = bytes(mine ^ theirs for mine, theirs in zip(signature, proof, strict=False))
        if not compare_digest(sha256(key).digest(), self._stored.stored_key) or len(proof) != len(signature):
            return self._refuse("invalid-proof")
        return b"v=" + b64encode(digest(self._stored.server_key, whole, "sha256"))

    def _step(self, wanted: str, then: Literal["named", "challenged", "over"]) -> None:
        if self._state != wanted:
            raise RuntimeError(f"the exchange is {self._state}, not {wanted}")
        self._state = then

    def _refuse(self, reason: Reason) -> ScramRefused:
        self._state = "over"
        return ScramRefused(reason)


def decoy_of(user: str, key: bytes, counts: Mapping[int, int] | None = None) -> StoredPassword:
    """What to challenge with where there is no password: always the same for a name, and no proof fits it.

    `key` is secret and lasts as long as the process (or longer, if it can), so
    that asking twice tells nothing (threats: T2).  A challenge says the count
    of iterations in the clear, so names that nobody has get those of `counts`
    (count -> how many users have it, as in `Users.counts`) as often as users do.
    """
    name = user.encode("utf-8", "surrogatepass")
    salt, stored, server, drawn = (digest(key, part + b"\0" + name, "sha256") for part in _PARTS)
    count = _drawn(int.from_bytes(drawn), counts) if counts else ITERATIONS
    return StoredPassword(count, salt[:SALT_BYTES], stored, server)


_PARTS = (b"salt", b"stored", b"server", b"count")


def _drawn(number: int, counts: Mapping[int, int]) -> int:
    """One of `counts`, each as likely as it is frequent, if `number` is any at all."""
    at, ends = number % sum(counts.values()), accumulate(counts.values())
    return next(count for count, end in zip(counts, ends, strict=True) if at < end)


def _text(message: bytes) -> str | None:
    try:
        return message.decode() if len(message) <= LONGEST_MESSAGE else None
    except UnicodeDecodeError:
        return None


def _decoded(proof: str) -> bytes | None:
    """Base64 in its one spelling."""
    try:
        raw = b64decode(proof, validate=True)
    except ValueError:
        return None
    return raw if b64encode(raw).decode() == proof else None
