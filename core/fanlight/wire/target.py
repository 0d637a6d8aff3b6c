"""Request targets and hosts: the two small grammars that both HTTP versions share.

Pure functions over text (RFC 9112 section 3.2, RFC 3986 section 3.2).  They
never resolve a name and never normalise: what is compared later is what was sent.
"""

from __future__ import annotations

import re
from functools import lru_cache

VISIBLE = re.compile(r"[\x21-\x7e]+")
_ORIGIN_FORM = re.compile(r"/[\x21\x22\x24-\x7e]*")
_ABSOLUTE_FORM = re.compile(r"[hH][tT][tT][pP][sS]?://([^/?#]*)([/?][\x21\x22\x24-\x7e]*)?")
_PORT = r"(?::[0-9]{0,5})?"
_REG_NAME = r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
_IP_LITERAL = r"\[(?:[0-9A-Fa-f:.]{2,45}|[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\]"
_HOST = re.compile(f"(?:{_REG_NAME}|{_IP_LITERAL}){_PORT}")


@lru_cache(256)
def is_host(value: str) -> bool:
    """Whether `value` is `uri-host [":" port]` with a host that is not empty (RFC 9110 7.2)."""
    if len(value) > 1024 or "," in value or _HOST.fullmatch(value) is None:
        return False
    port = value.rpartition("]")[2].rpartition(":")[2] if ":" in value.rpartition("]")[2] else ""
    return not port or int(port) <= 65535


def split_target(method: str, target: str) -> tuple[str, str | None] | None:
    """`(path with query, authority or None)` of a request target; None when it is no target.

    Origin-form, absolute-form (http and https; an empty path becomes `/`) and
    `*` for OPTIONS alone.  CONNECT's authority-form is for the caller.
    """
    if _ORIGIN_FORM.fullmatch(target):
        return target, None
    if target == "*":
        return ("*", None) if method == "OPTIONS" else None
    absolute = _ABSOLUTE_FORM.fullmatch(target)
    if absolute is None or not is_host(absolute[1]):
        return None
    rest = absolute[2] or "/"
    return (rest if rest.startswith("/") else "/" + rest), absolute[1]
