"""Tokens: the compact form of a signed JWT (RFC 7515, RFC 7519), read strictly.

Nothing is believed here: the header only says which key to look for, and the
claims are read after the signature has been found good.  Of the header's
members only `alg` and `kid` are used; those that would bring a key along are
not looked at, and `crit` refuses the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from ..http.body import NotJson, parse_json, repeated
from .jwk import ALGORITHMS, LONGEST_KID, b64url

LONGEST_TOKEN = 16 * 1024

Fault = Literal["failed to validate JWT", "missing key ID in JWT header"]
FAULTY: Fault = "failed to validate JWT"
NO_KID: Fault = "missing key ID in JWT header"


@frozen
class Jwt:
    """A token, taken apart and not verified.  `signed` is what the signature is of."""

    algorithm: str
    kid: str | None
    payload: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@frozen
class Claims:
    """The registered claims, and all of them by name.  Times are Unix seconds."""

    issuer: str
    expires: int
    not_before: float | None
    audiences: tuple[str, ...] | None
    all: Mapping[str, Any] = field(repr=False)


def read_token(token: str) -> Jwt | Fault:
    """The parts of a token whose algorithm is accepted."""
    parts = token.split(".") if len(token) <= LONGEST_TOKEN else []
    raw = [b64url(part) for part in parts]
    if len(raw) != 3 or raw[0] is None or raw[1] is None or raw[2] is None:
        return FAULTY
    header = read_object(raw[0])
    if header is None or "crit" in header or header.get("b64", True) is not True:
        return FAULTY
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        return FAULTY
    if kid is not None and (not isinstance(kid, str) or len(kid.encode()) > LONGEST_KID):
        return FAULTY
    signed = token.rpartition(".")[0].encode()
    return Jwt(algorithm, kid, raw[1], signed, raw[2])


def read_object(raw: bytes) -> Mapping[str, Any] | None:
    """A JSON object in which no member is given twice."""
    try:
        value = parse_json(raw)
    except NotJson:
        return None
    return value if isinstance(value, dict) and not repeated(value) else None


def read_claims(payload: bytes) -> Claims | None:
    """The claims of a token whose signature is good; None when the registered ones are not of their types."""
    claims = read_object(payload)
    if claims is None:
        return None
    issuer, expires, issued = claims.get("iss"), whole(claims.get("exp")), claims.get("iat")
    if not isinstance(issuer, str) or expires is None or (issued is not None and whole(issued) is None):
        return None
    not_before = claims.get("nbf")
    if "nbf" in claims and (not isinstance(not_before, int | float) or isinstance(not_before, bool)):
        return None
    audiences = _audiences(claims["aud"]) if "aud" in claims else None
    if "aud" in claims and audiences is None:
        return None
    return Claims(issuer, expires, not_before, audiences, claims)


def _audiences(value: object) -> tuple[str, ...] | None:
    """A string or an array of strings."""
    audiences = [value] if isinstance(value, str) else value
    if not isinstance(audiences, list) or not all(isinstance(each, str) for each in audiences):
        return None
    return tuple(audiences)


def whole(value: object) -> int | None:
    """A whole number of 64 bits."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def groups_of(claims: Mapping[str, Any], path: str) -> tuple[str, ...] | None:
    """The groups that a claim names, sorted by bytes, each once; None when there is no such claim.

    `path` leads through nested objects, split at dots; registered claims are
    not on it.
    """
    steps = path.split(".")
    if steps[0] in ("iss", "exp", "iat", "aud"):
        return None
    value: Any = claims
    for step in steps:
        if not step or not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        return None
    names = {each for each in value if isinstance(each, str) and each}
    return tuple(sorted(names, key=lambda name: name.encode("utf-8", "surrogatepass")))
