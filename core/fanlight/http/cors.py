"""Cross-origin fields (Fetch standard, CORS): what a group tells browsers about its answers.

Credentials are never allowed: no answer here carries
`access-control-allow-credentials`, so a cookie is of no use to a foreign page,
and requests into private networks are never granted.  Nothing is refused
here; refusing is done by `auth.origin` and the gates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..auth.groups import Cors
    from ..auth.origin import Origins
    from ..config.settings import Dialect
    from .request import Head
    from .response import Fields

VARY = ("vary", "origin, access-control-request-method, access-control-request-headers")
_EXPOSE_ALL = ("access-control-expose-headers", "*")
_MCP_FIELDS = ("mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id", "last-event-id", "accept")


def answer_fields(mode: Cors, origin: str | None, origins: Origins) -> Fields:
    """The fields of every answer of a group whose mode is `mode`, but of a preflight's.

    `origin` is the Origin field, None where there is none.
    """
    expose: Fields = (_EXPOSE_ALL,) if mode == "page" else ()
    return (VARY, *_allow_origin(mode, origin, origins), *expose)


def preflight_fields(mode: Cors, head: Head, origins: Origins, dialect: Dialect) -> Fields:
    """The fields of the answer to OPTIONS: with or without Origin, for every path of the group."""
    granted = _allow_origin(mode, head.values.get("origin"), origins)
    if mode == "page":
        headers, methods = f"authorization,content-type,{dialect.version_header}", "*"
    elif mode == "mcp":
        headers, methods = _mcp_headers(head), "POST"
    else:
        headers, methods = "*", "POST"
    allowed = (("access-control-allow-methods", methods), ("access-control-allow-headers", headers))
    age: Fields = (("access-control-max-age", "3600"),) if mode == "page" else ()
    return (VARY, *granted, *allowed, *age)


def _allow_origin(mode: Cors, origin: str | None, origins: Origins) -> Fields:
    if mode != "webhook" and origins.any:
        return (("access-control-allow-origin", "*"),)
    if origin is None or not (mode == "webhook" or origins.allows(origin)):
        return ()
    return (("access-control-allow-origin", origin),)


def _mcp_headers(head: Head) -> str:
    """The list grows only when a preflight asks for a field of MCP: older clients compare it."""
    asked = ",".join(head.all("access-control-request-headers")).lower().split(",")
    base = "authorization,content-type"
    if any(name.strip(" \t") in _MCP_FIELDS for name in asked):
        return f"{base},{','.join(_MCP_FIELDS)}"
    return base
