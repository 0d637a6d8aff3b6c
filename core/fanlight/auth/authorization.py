"""The Authorization field, decoded (RFC 9110 section 11.6.2, RFC 7617, RFC 6750).

One value in, one of a few shapes out.  Decoding is strict, so that no two
readers can see different credentials in one field; what cannot be read is
`Malformed`, which is not the same as nothing.  Nothing is checked here.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Sequence

from attrs import field, frozen


@frozen
class Absent:
    """No Authorization field."""


@frozen
class Duplicate:
    """More than one field: answered 400 before anything is decoded."""


@frozen
class Malformed:
    """A field that is present and cannot be used: missing credentials, never somebody else's."""


@frozen
class Password:
    """Basic credentials.  The password never shows in a repr."""

    user: str
    password: str = field(repr=False)


@frozen
class Token:
    """Bearer credentials.  The token never shows in a repr."""

    token: str = field(repr=False)


Credentials = Absent | Malformed | Password | Token

ABSENT = Absent()
MALFORMED = Malformed()


def parse_authorization(values: Sequence[str]) -> Credentials | Duplicate:
    """Decode the values of all Authorization fields of a request."""
    if len(values) > 1:
        return Duplicate()
    return decode(values[0] if values else None)


def decode(value: str | None) -> Credentials:
    """Decode the only Authorization field; None: there is none.

    Schemes are compared without regard to ASCII case and end at the first
    space (a tab is none).  Schemes other than Basic and Bearer are malformed.
    """
    if value is None:
        return ABSENT
    scheme, space, rest = value.partition(" ")
    rest = rest.lstrip(" ")
    if not space or not rest:
        return MALFORMED
    # `lower` turns the Kelvin sign into k; neither name has one, and latin-1 cannot carry it.
    name = scheme.lower()
    if name == "basic":
        return _basic(rest)
    if name == "bearer" and all("!" <= character <= "~" for character in rest):
        return Token(rest)
    return MALFORMED


def _basic(encoded: str) -> Credentials:
    """Base64 of `user:password` in UTF-8; the password may hold colons and be empty."""
    try:
        raw = a2b_base64(encoded, strict_mode=True)
        # Strict mode lets non-zero trailing bits pass: only the canonical spelling encodes back to itself.
        if b2a_base64(raw, newline=False) != encoded.encode("ascii"):
            return MALFORMED
        user, colon, password = raw.decode("utf-8").partition(":")
    except (Error, ValueError):
        return MALFORMED
    return Password(user, password) if colon else MALFORMED
