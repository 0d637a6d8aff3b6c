"""The session cookie: how it is found in a request, and how it is set (RFC 6265).

Pairs are split at `;` and nothing else: no quoting, so no pair can hide
another.  Only the form of an id is judged here, not whether it is anybody's.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..http.request import Head

ID_BYTES = 16
_PAIRS = 64
_BYTES = 8192
# 22 characters are 132 bits, so the last of them has four zero bits: one spelling for each id.
_ID = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]")


def session_values(head: Head, name: str) -> list[str]:
    """The values of all cookies of exactly that name; none of a request with absurdly many cookies."""
    if "cookie" not in head.values:
        return []
    fields = head.all("cookie")
    if sum(map(len, fields)) > _BYTES or sum(field.count(";") + 1 for field in fields) > _PAIRS:
        return []
    pairs = (pair.strip(" \t").partition("=") for field in fields for pair in field.split(";"))
    return [value for key, _, value in pairs if key == name]


def is_session_id(value: str) -> bool:
    """16 bytes in unpadded URL-safe base64, in their one spelling."""
    return _ID.fullmatch(value) is not None


def id_text(raw: bytes) -> str:
    """An id as it stands in the cookie."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def id_bytes(value: str) -> bytes:
    """The id in a value that `is_session_id`."""
    return urlsafe_b64decode(value + "==")


def set_session(name: str, value: str, *, secure: bool) -> str:
    """A Set-Cookie value for a browser session: no Max-Age, no Domain."""
    return f"{name}={value}; {_attributes(secure)}"


def remove_session(name: str, *, secure: bool) -> str:
    """A Set-Cookie value that makes the browser forget it."""
    return f"{name}=; {_attributes(secure)}; Max-Age=0"


def _attributes(secure: bool) -> str:
    return f"HttpOnly; SameSite=Strict; {'Secure; ' if secure else ''}Path=/"
