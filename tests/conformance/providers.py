"""Identity providers of the cases: keys that are made on the spot, tokens, and scripted answers of other servers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from fanlight.auth.effects import FetchDocument, Fetched, FetchFailed
from fanlight.auth.frontegg import FronteggSettings
from fanlight.auth.oidc import OidcSettings

from .model import Json

ALGORITHMS = get_default_algorithms()
_REASONS = {"timeout": "timeout", "refused": "refused"}


@lru_cache
def private_key(label: str, kty: str) -> Any:
    """The private key of a label; the same in every case, since making them takes time."""
    if kty == "RSA":
        return rsa.generate_private_key(65537, 2048)
    if kty == "EC":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate() if kty == "OKP" else hashlib.sha256(label.encode()).digest()


def _pem(key: Any) -> bytes:
    made: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return made


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Providers:
    """Those of one case."""

    def __init__(self, world: Mapping[str, Json]) -> None:
        self._world = world
        self._answered: Counter[int] = Counter()
        self._script: Json = None

    def oidc(self) -> OidcSettings | None:
        """The settings of kind Oidc."""
        return oidc_settings(self._world["oidc"]) if "oidc" in self._world else None

    def frontegg(self, issuer: str | None) -> FronteggSettings | None:
        """The settings of kind Frontegg."""
        given = self._world.get("frontegg")
        if given is None:
            return None
        return FronteggSettings(
            token_url=given["token_url"],
            tenant_id=given["tenant_id"],
            public_key=_pem(self._key(given["key"])).decode(),
            admin_role=given.get("admin_role", "mzadmin"),
            group_claim=self._world.get("oidc", {}).get("group_claim", "groups"),
            issuer=issuer,
        )

    def _key(self, label: str) -> Any:
        return private_key(label, self._world.get("keys", {}).get(label, {"kty": "RSA"})["kty"])

    def resolved(self, text: str) -> str:
        """`text` with tokens in the place of their labels."""
        return re.sub(r"\$\{token:(\w+)\}", lambda found: self.token(found[1]), text)

    def token(self, label: str) -> str:
        """The compact form of a token."""
        given = self._world["tokens"][label]
        header = {"typ": "JWT", "alg": given["alg"], **({"kid": given["kid"]} if "kid" in given else {})}
        parts = [_b64(json.dumps(part).encode()) for part in (header, given["claims"])]
        signature = self._signature(given, ".".join(parts).encode())
        if given.get("tamper") == "payload":
            parts[1] = _b64(json.dumps({**given["claims"], "sub": "mallory"}).encode())
        return ".".join([*parts, _b64(signature)])

    def _signature(self, given: Mapping[str, Json], signed: bytes) -> bytes:
        if "hmac_with" in given:
            key = self._key(given["hmac_with"])
            secret = key if isinstance(key, bytes) else _pem(key)
            return hmac.digest(secret, signed, "sha256")
        if given["alg"].lower() == "none":
            return b""
        key = self._key(given["sign"])
        algorithm = given["alg"]
        if isinstance(key, rsa.RSAPrivateKey) and not algorithm.startswith(("RS", "PS")):
            algorithm = "RS256"  # a token that says another algorithm than it was signed with
        if isinstance(key, bytes):
            return hmac.digest(key, signed, "sha256")
        made: bytes = ALGORITHMS[algorithm].sign(signed, key)
        return made

    def answer(self, effect: FetchDocument) -> Fetched | FetchFailed:
        """What the script says to a request."""
        method = "GET" if effect.body is None else "POST"
        script = self._world.get("http", ())
        if script is not self._script:  # a flow has replaced it
            self._script, self._answered = script, Counter()
        for index, entry in enumerate(script):
            if entry["url"] != effect.url or entry.get("method", "GET") != method:
                continue
            if effect.body is not None and not self._is_for(entry, json.loads(effect.body)):
                continue
            if self._answered[index] >= entry.get("times", 1_000_000):
                continue
            self._answered[index] += 1
            return self._reply(entry["reply"])
        return FetchFailed("refused")

    def _is_for(self, entry: Mapping[str, Json], body: Mapping[str, Json]) -> bool:
        return all(entry[name] == body.get(name) for name in ("clientId", "secret") if name in entry)

    def _reply(self, reply: Mapping[str, Json]) -> Fetched | FetchFailed:
        if "error" in reply:
            return FetchFailed("timeout" if reply["error"] == "timeout" else "refused")
        if "raw" in reply:
            return Fetched(reply["status"], reply["raw"].encode())
        document = {"keys": [self._jwk(each) for each in reply["jwks"]]} if "jwks" in reply else reply.get("json", {})
        return Fetched(reply["status"], self.resolved(json.dumps(document)).encode())

    def _jwk(self, entry: Json) -> Json:
        given = {"key": entry, "kid": entry} if isinstance(entry, str) else entry
        key = self._key(given["key"])
        more = {name: given[name] for name in ("kid", "use", "alg") if given.get(name) is not None}
        if isinstance(key, bytes):
            return {"kty": "oct", "k": _b64(key), **more}
        name = {rsa.RSAPrivateKey: "RS256", ed25519.Ed25519PrivateKey: "EdDSA"}
        algorithm = next((name[kind] for kind in name if isinstance(key, kind)), "ES256")
        jwk = json.loads(ALGORITHMS[algorithm].to_jwk(key.public_key()))
        jwk = {member: value for member, value in jwk.items() if member not in ("key_ops", "use", "alg", "kid")}
        if given.get("garbage"):
            jwk.update({member: "!" for member in ("n", "x", "y") if member in jwk})
        return {**jwk, **more}


def oidc_settings(given: Mapping[str, Json]) -> OidcSettings:
    """The settings of a case; what is malformed stays so."""
    return OidcSettings(
        issuer=given.get("issuer"),
        audiences=given.get("audiences", []),
        user_claim=given.get("username_claim", "sub"),
        group_claim=given.get("group_claim", "groups"),
    )
