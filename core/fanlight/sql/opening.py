"""The first message of a SQL socket: who is there, and the settings of the session.

Reads one JSON object and decides which of three forms it has.  It checks no
credentials and keeps nothing of a message that it refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ..auth.authorization import Password, Token
from ..http.body import NotJson, parse_json, repeated

if TYPE_CHECKING:
    from collections.abc import Mapping

DEPTH = 32
"""How many arrays and objects may be open at once, before anybody is known."""


@frozen
class Opening:
    """What the first message says.  `credentials` are None for one of options only.

    `options` are the startup settings, in byte order of their names.
    """

    credentials: Password | Token | None
    options: Mapping[str, str] = field(repr=False)


def read_opening(message: str | bytes) -> Opening | None:
    """The first message, read; None when it is none.

    The forms are tried in this order: `user` and `password`; `token`; neither.
    A member of the wrong type only rules out the forms that need it, wrong
    `options` rule out all.  Members that nobody knows are ignored, a member
    that comes twice is not.
    """
    try:
        document = parse_json(message)
    except NotJson:
        return None
    if not isinstance(document, dict) or not _simple(document, DEPTH):
        return None
    options = document.get("options", {})
    if not isinstance(options, dict) or not all(isinstance(value, str) for value in options.values()):
        return None
    return Opening(_credentials(document), {name: options[name] for name in sorted(options)})


def _credentials(document: Mapping[str, Any]) -> Password | Token | None:
    user, password, token = (document.get(name) for name in ("user", "password", "token"))
    if isinstance(user, str) and isinstance(password, str):
        return Password(user, password)
    return Token(token) if isinstance(token, str) else None


def _simple(value: Any, depth: int) -> bool:
    """No member comes twice, and nothing is nested deeper than `depth`."""
    if isinstance(value, dict):
        return depth > 0 and not repeated(value) and all(_simple(member, depth - 1) for member in value.values())
    return not isinstance(value, list) or (depth > 0 and all(_simple(item, depth - 1) for item in value))
