"""The session cookie: how it is found in a request, and how it is set (RFC 6265).

Pairs are split at `;` and nothing else: no quoting, so no pair can hide
another.  Only the form of an id is judged here, not whether it is anybody's.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from attrs import field, frozen

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
    size = len(line)
    if len(head.values) != len(head.fields):  # some field is repeated, and several Cookie fields are one list
        fields = head.all("cookie")
        line, size = ";".join(fields), sum(map(len, fields))
    if size > _BYTES or line.count(";") >= _PAIRS:
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


@frozen
class SessionCookie:
    """The cookie of one listener: its name, and how it is set.

    `lone` matches a Cookie field that holds it and nothing else, with an id as
    its first group.  `set_value` takes the id as text and gives a Set-Cookie
    value of a browser session: no Max-Age, never a Domain.  `removal` makes the
    browser forget it.
    """

    name: str
    secure: bool = False
    lone: re.Pattern[str] = field(init=False, repr=False)
    attributes: str = field(init=False)
    removal: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        attributes = f"HttpOnly; SameSite=Strict; {'Secure; ' if self.secure else ''}Path=/"
        object.__setattr__(self, "lone", re.compile(f"{re.escape(self.name)}=({_ID.pattern})"))
        object.__setattr__(self, "attributes", attributes)
        object.__setattr__(self, "removal", f"{self.name}=; {attributes}; Max-Age=0")

    def set_value(self, text: str) -> str:
        """What sets it to the id `text`."""
        return f"{self.name}={text}; {self.attributes}"


def cookie_of(name: str, *, secure: bool, host_only: bool, port: int | None) -> SessionCookie:
    """The cookie called `name` on a listener (threats: T4).

    `host_only` makes browsers refuse it from any other host of the domain
    (RFC 6265bis 4.1.3.2); `port` tells instances on one host apart, since
    cookies do not.
    """
    called = f"{name}_{port}" if port is not None else name
    return SessionCookie(f"__Host-{called}" if host_only else called, secure)
