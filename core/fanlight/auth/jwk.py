"""Public keys of a provider: a JWK set (RFC 7517), read entry by entry.

An entry that cannot be used is left out and spoils no other: unknown and
symmetric types, keys for something else than signatures, parameters that are
none, weak or impossible ones.  The keys are values; nothing here verifies.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from attrs import frozen

MOST_KEYS = 100
LONGEST_KID = 256

ALGORITHMS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", "")),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The algorithms that are accepted, each with the type and curve of its keys: asymmetric ones only."""

# Field prime and coefficient b of y² = x³ - 3x + b (FIPS 186-4 appendix D).
_CURVES = {
    "P-256": (
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    "P-384": (
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
}


@frozen
class Jwk:
    """A key by its `kid`; `parameters` are those of its type, still in base64url."""

    kid: str
    kty: str
    crv: str
    alg: str | None
    parameters: tuple[tuple[str, str], ...]

    def fits(self, algorithm: str) -> bool:
        """May `algorithm` be used with it?  The key decides, not the token."""
        return ALGORITHMS.get(algorithm) == (self.kty, self.crv) and self.alg in (None, algorithm)


def read_keys(document: object) -> dict[str, Jwk] | None:
    """The usable keys of a JWK set by `kid`, at most a hundred; None when it is no set at all."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return None
    keys: dict[str, Jwk] = {}
    for entry in entries:
        key = _read_key(entry) if isinstance(entry, dict) else None
        if key is not None and len(keys) < MOST_KEYS:
            keys.setdefault(key.kid, key)
    return keys


def _read_key(entry: Mapping[str, Any]) -> Jwk | None:
    kid, kty, alg = entry.get("kid"), entry.get("kty"), entry.get("alg")
    if not isinstance(kid, str) or len(kid.encode("utf-8", "surrogatepass")) > LONGEST_KID:
        return None
    if entry.get("use", "sig") != "sig" or not (alg is None or isinstance(alg, str)):
        return None
    crv = "" if kty == "RSA" else entry.get("crv")
    names = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}.get(kty) if isinstance(kty, str) else None
    if names is None or not isinstance(crv, str) or not isinstance(kty, str):
        return None
    raw = [b64url(entry.get(name)) for name in names]
    values = [value for value in raw if value is not None]
    if len(values) != len(names) or not _sound(kty, crv, values):
        return None
    return Jwk(kid, kty, crv, alg, tuple((name, entry[name]) for name in names))


def _sound(kty: str, crv: str, values: list[bytes]) -> bool:
    """Is it a key that somebody can have, and nobody can guess?"""
    numbers = [int.from_bytes(value) for value in values]
    if kty == "RSA":
        modulus, exponent = numbers
        return modulus.bit_length() >= 2048 and exponent >= 3 and exponent % 2 == 1
    if kty == "OKP":
        return crv == "Ed25519" and len(values[0]) == 32
    if crv not in _CURVES:
        return False
    prime, b = _CURVES[crv]
    x, y = numbers
    size = (prime.bit_length() + 7) // 8
    if [len(value) for value in values] != [size, size] or x >= prime or y >= prime:
        return False
    return (y * y - (x * x * x - 3 * x + b)) % prime == 0


def b64url(text: object) -> bytes | None:
    """Unpadded base64url in its one spelling; None for anything else."""
    if not isinstance(text, str) or not text.isascii():
        return None
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return raw if urlsafe_b64encode(raw).rstrip(b"=") == text.encode() else None
