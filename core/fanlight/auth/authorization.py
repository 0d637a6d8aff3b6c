"""The Authorization field, decoded (RFC 9110 section 11.6.2, RFC 7617, RFC 6750).

One value in, one of a few shapes out.  Decoding is strict, so that no two
readers can see different credentials in one field; what cannot be read is
`MALFORMED`, which is not the same as nothing.  Nothing is checked here.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from enum import Enum

from attrs import field, frozen


class Unusable(Enum):
    """No credentials, and why."""

    ABSENT = "absent"
    """No Authorization field."""

    MALFORMED = "malformed"
    """A field that cannot be used: missing credentials, never somebody else's."""

    DUPLICATE = "duplicate"
    """More than one field: answered 400 before anything is decoded."""


@frozen
class Password:
    """Basic credentials.  The password never shows in a repr."""

    user: str
    password: str = field(repr=False)


@frozen
class Token:
    """Bearer credentials.  The token never shows in a repr."""

    token: str = field(repr=False)


Credentials = Unusable | Password | Token


def parse_authorization(values: Sequence[str]) -> Credentials:
    """Decode the values of all Authorization fields of a request."""
    if len(values) > 1:
        return Unusable.DUPLICATE
    return decode(values[0] if values else None)


def decode(value: str | None) -> Credentials:
    """Decode the only Authorization field; None: there is none.

    Schemes are compared without regard to ASCII case and end at the first
    space (a tab is none).  Schemes other than Basic and Bearer are malformed.
    """
    if value is None:
        return Unusable.ABSENT
    scheme, space, rest = value.partition(" ")
    rest = rest.lstrip(" ")
    if not space or not rest:
        return Unusable.MALFORMED
    # No letter outside ASCII becomes one of these when lowered.
    name = scheme.lower()
    if name == "basic":
        return _basic(rest)
    if name == "bearer" and rest.isascii() and rest.isprintable() and " " not in rest:
        return Token(rest)
    return Unusable.MALFORMED


def _basic(encoded: str) -> Credentials:
    """Base64 of `user:password` in UTF-8; the password may hold colons and be empty."""
    try:
        raw = a2b_base64(encoded)
        # The codec is lax; only the one canonical spelling encodes back to itself.
        if b2a_base64(raw, newline=False) != encoded.encode("ascii"):
            return Unusable.MALFORMED
        user, colon, password = raw.decode("utf-8").partition(":")
    except ValueError:
        # Of it are both the codec's error and that of characters outside ASCII.
        return Unusable.MALFORMED
    return Password(user, password) if colon else Unusable.MALFORMED
