"""Stored passwords: the form `SCRAM-SHA-256$ITER:SALT$STOREDKEY:SERVERKEY` (RFC 5803, RFC 7677).

The same form serves HTTP and a SCRAM exchange, since it holds what a SCRAM
server needs and nothing that a client could log in with.  Pure functions: the
salt is an argument.  They are slow on purpose (half a second at the default
count), so the core never calls `derive` or `verify` itself: engines do, in a
thread.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac, sha256
from hmac import compare_digest, digest
from typing import Literal

from attrs import field, frozen

MECHANISM = "SCRAM-SHA-256"
ITERATIONS = 600_000
"""What new passwords are hashed with (OWASP's number for PBKDF2-HMAC-SHA256)."""
SALT_BYTES = 32
LONGEST_PASSWORD = 1024
"""In bytes of UTF-8; a longer one is a wrong one, whatever it is."""
_KEY_BYTES = 32
_COUNT = re.compile(r"[0-9]{1,10}", re.ASCII)

Verdict = Literal["ok", "invalid", "malformed"]


@frozen
class StoredPassword:
    """The parts of a stored form.  Neither key lets anybody log in, and neither shows in a repr."""

    iterations: int
    salt: bytes = field(repr=False)
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def __str__(self) -> str:
        """The stored form, as it is kept in a file."""
        salt, stored, server = (b64encode(part).decode() for part in (self.salt, self.stored_key, self.server_key))
        return f"{MECHANISM}${self.iterations}:{salt}${stored}:{server}"


def derive(password: str, salt: bytes, iterations: int = ITERATIONS) -> StoredPassword:
    """Hash `password` with `salt` (32 fresh random bytes).

    Its UTF-8 bytes are taken as they are, without SASLprep or Unicode
    normalisation, so that two spellings are two passwords; the empty one can
    be hashed.
    """
    salted = pbkdf2_hmac("sha256", password.encode(), salt, iterations, _KEY_BYTES)
    client_key = digest(salted, b"Client Key", "sha256")
    return StoredPassword(iterations, salt, sha256(client_key).digest(), digest(salted, b"Server Key", "sha256"))


def parse(stored: str) -> StoredPassword | None:
    """The parts of a stored form; None when it is malformed."""
    parts = stored.split("$")
    if len(parts) != 3 or parts[0] != MECHANISM or any(part.count(":") != 1 for part in parts[1:]):
        return None
    (count, _, salt), (key, _, server) = parts[1].partition(":"), parts[2].partition(":")
    if not _COUNT.fullmatch(count) or not 0 < int(count) < 2**32:
        return None
    try:
        decoded = tuple(b64decode(part, validate=True) for part in (salt, key, server))
    except ValueError:
        return None
    return StoredPassword(int(count), *decoded) if len(decoded[0]) == SALT_BYTES else None


def verify(password: str, stored: str) -> Verdict:
    """Is `stored` the stored form of `password`?

    The whole string is made again and compared in constant time, so one that
    `derive` would not have written never verifies.
    """
    parts = parse(stored)
    if parts is None:
        return "malformed"
    again = str(derive(password, parts.salt, parts.iterations))
    return "ok" if compare_digest(again.encode(), stored.encode()) else "invalid"


def verify_evenly(password: str, stored: str, least: int) -> bool:
    """`verify`, but a refusal takes `least` iterations at least, however few `stored` has (threats: T2).

    What is missing is worked out afterwards: iterations take their time one by one, whoever's they are.
    """
    if verify(password, stored) == "ok":
        return True
    parts = parse(stored)
    missing = least - (parts.iterations if parts is not None else 0)
    if missing > 0:
        derive(password, bytes(SALT_BYTES), missing)
    return False


def decoy(random: bytes, iterations: int = ITERATIONS) -> str:
    """A stored form of no password at all, from 96 random bytes: checking it costs what any check costs."""
    return str(StoredPassword(iterations, random[:32], random[32:64], random[64:96]))
