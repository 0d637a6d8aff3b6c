"""A provider of tokens for tests: its keys, its documents, its signatures, all real."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from fanlight.auth.effects import FetchDocument, Fetched, FetchFailed

ISSUER = "https://idp.example/realm"
ALGORITHMS = get_default_algorithms()


@lru_cache
def private(kind: str) -> Any:
    """A private key."""
    if kind.startswith("RSA"):
        return rsa.generate_private_key(65537, 2048)
    if kind == "EC384":
        return ec.generate_private_key(ec.SECP384R1())
    return ed25519.Ed25519PrivateKey.generate() if kind == "OKP" else ec.generate_private_key(ec.SECP256R1())


NAMES = {"RS256": "RSA", "PS256": "RSA", "RS512": "RSA", "ES256": "EC", "ES384": "EC384", "EdDSA": "OKP"}


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwk(kind: str, kid: str | None = None, **more: Any) -> dict[str, Any]:
    """A key as it is published, under `kid` (default: its kind)."""
    name = {"RSA": "RS256", "RSA2": "RS256", "EC": "ES256", "EC384": "ES384", "OKP": "EdDSA"}[kind]
    made = json.loads(ALGORITHMS[name].to_jwk(private(kind).public_key()))
    made = {member: made[member] for member in ("kty", "crv", "n", "e", "x", "y") if member in made}
    return {**made, "kid": kid or kind, **more}


def pem(kind: str) -> str:
    key = private(kind).public_key()
    raw: bytes = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return raw.decode()


def token(claims: Any, algorithm: str = "RS256", kid: str | None = "RSA", key: str | None = None, **header: Any) -> str:
    """A signed token."""
    head = {"alg": algorithm, **({"kid": kid} if kid is not None else {}), **header}
    signed = ".".join(b64(json.dumps(part).encode()) for part in (head, claims))
    signature = ALGORITHMS[algorithm].sign(signed.encode(), private(key or NAMES[algorithm]))
    return f"{signed}.{b64(signature)}"


class Provider:
    """Answers fetches; `down` makes it fail, `keys` are those it publishes."""

    def __init__(self, *kinds: str, issuer: str = ISSUER) -> None:
        self.issuer = issuer
        self.keys = [jwk(kind) for kind in kinds]
        self.down = False
        self.fetched = 0

    def answer(self, effect: FetchDocument) -> Fetched | FetchFailed:
        self.fetched += 1
        if self.down:
            return FetchFailed("timeout")
        if effect.url == f"{self.issuer}/.well-known/openid-configuration":
            return Fetched(200, json.dumps({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}).encode())
        if effect.url == f"{self.issuer}/keys":
            return Fetched(200, json.dumps({"keys": self.keys}).encode())
        return Fetched(404, b"")
