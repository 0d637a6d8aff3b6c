"""The session cookie: how it is found in a request, and how it is set (RFC 6265).

Pairs are split at `;` and nothing else: no quoting, so no pair can hide
another.  Only the form of an id is judged here, not whether it is anybody's.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from binascii import a2b_base64
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
    line = head.values.get("cookie")
    if line is None:
        return []
    if len(head.values) != len(head.fields):  # some field is repeated, and several Cookie fields are one list
        line = ";".join(head.all("cookie"))
    if len(line) > _BYTES or line.count(";") >= _PAIRS:
        return []
    if ";" not in line:
        key, _, value = line.strip(" \t").partition("=")
        return [value] if key == name else []
    found: list[str] = []
    for pair in line.split(";"):
        key, _, value = pair.strip(" \t").partition("=")
        if key == name:
            found.append(value)
    return found


def is_session_id(value: str) -> bool:
    """16 bytes in unpadded URL-safe base64, in their one spelling."""
    return _ID.fullmatch(value) is not None


def id_text(raw: bytes) -> str:
    """An id as it stands in the cookie."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def id_bytes(value: str) -> bytes:
    """The id in a value that `is_session_id`."""
    return a2b_base64(value.replace("-", "+").replace("_", "/") + "==")


def remove_session(name: str, *, secure: bool) -> str:
    """A Set-Cookie value that makes the browser forget it."""
    return f"{name}=; {attributes(secure=secure)}; Max-Age=0"


def attributes(*, secure: bool) -> str:
    """What follows the id in a Set-Cookie value: of a browser session, so no Max-Age, and no Domain."""
    return f"HttpOnly; SameSite=Strict; {'Secure; ' if secure else ''}Path=/"
