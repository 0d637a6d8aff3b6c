"""Signatures of tokens, verified by PyJWT's algorithms over the `cryptography` package.

Only the mathematics is theirs: which key and which algorithm is the core's
decision, made before it comes here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from fanlight.auth.effects import Pem, VerifySignature
from fanlight.auth.jwk import Jwk
from fanlight.config.settings import ConfigurationError

KEYS = 256


class Signatures:
    """The engine that verifies signatures.  `prepare` loads the libraries; else the first token does, on the loop."""

    interrupts: Mapping[type, Callable[[Any], None]] = {}

    def __init__(self) -> None:
        self.handlers: Mapping[type, Callable[[Any], Any]] = {VerifySignature: verify}

    def prepare(self) -> None:
        """Load the libraries before serving; raises `ConfigurationError` where they are not installed."""
        try:
            algorithms()
            import_module("urllib3")
        except ImportError as missing:
            raise ConfigurationError(
                "authenticator_kind", f"kinds Oidc and Frontegg need {missing.name}: pip install 'fanlight[oidc]'"
            ) from None

    def close(self) -> None:
        """Nothing is held."""


@lru_cache(1)
def algorithms() -> Mapping[str, Any]:
    """PyJWT's algorithms by name."""
    from jwt.algorithms import get_default_algorithms, requires_cryptography

    found = get_default_algorithms()
    if not requires_cryptography & found.keys():
        raise ImportError("cryptography is not installed", name="cryptography")
    return found


@lru_cache(KEYS)
def _loaded(key: Jwk | Pem, algorithm: str) -> Any:
    """The key as the library wants it; None when it is none that the library takes."""
    made = algorithms()[algorithm]
    try:
        if isinstance(key, Pem):
            return made.prepare_key(key.text)
        members = {"kty": key.kty, **dict(key.parameters)}
        return made.from_jwk({**members, "crv": key.crv} if key.crv else members)
    except Exception:  # noqa: BLE001  libraries differ in what they raise for a key that is none
        return None


def verify(effect: VerifySignature) -> bool:
    """False for a wrong signature and for a key that is none."""
    key = _loaded(effect.key, effect.algorithm)
    if key is None:
        return False
    try:
        return bool(algorithms()[effect.algorithm].verify(effect.signed, key, effect.signature))
    except Exception:  # noqa: BLE001  a signature of another length, say: whatever it raises, it is not good
        return False
