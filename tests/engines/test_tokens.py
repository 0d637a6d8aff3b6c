"""Signatures: the library verifies what it should and nothing else."""

from __future__ import annotations

import sys

import pytest

from fanlight.auth.effects import Pem, VerifySignature
from fanlight.auth.jwk import Jwk, read_keys
from fanlight.auth.jwt import Jwt, read_token
from fanlight.config.settings import ConfigurationError
from fanlight_engines.auth import tokens
from fanlight_engines.auth.tokens import Signatures, verify
from tests.core.auth.providing import NAMES, jwk, pem, token


def key(kind: str) -> Jwk:
    keys = read_keys({"keys": [jwk(kind)]})
    assert keys is not None
    return keys[kind]


def parts(algorithm: str) -> Jwt:
    read = read_token(token({"x": 1}, algorithm))
    assert isinstance(read, Jwt)
    return read


@pytest.mark.parametrize("algorithm", NAMES)
def test_every_algorithm(algorithm: str) -> None:
    read, kind = parts(algorithm), NAMES[algorithm]
    assert verify(VerifySignature(key(kind), algorithm, read.signed, read.signature))
    assert verify(VerifySignature(Pem(pem(kind)), algorithm, read.signed, read.signature))
    assert not verify(VerifySignature(key(kind), algorithm, read.signed + b"x", read.signature))
    for wrong in (b"", read.signature[:-1], read.signature + b"x", bytes(len(read.signature))):
        assert not verify(VerifySignature(key(kind), algorithm, read.signed, wrong))


def test_keys_that_are_none() -> None:
    read = parts("RS256")
    for bad in (Pem("garbage"), Pem(""), Jwk("x", "RSA", "", None, (("n", "AA"), ("e", "AQ")))):
        assert verify(VerifySignature(bad, "RS256", read.signed, read.signature)) is False
    assert not verify(VerifySignature(key("EC"), "RS256", read.signed, read.signature))


def test_without_the_library_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    Signatures().prepare()
    tokens.algorithms.cache_clear()
    monkeypatch.setitem(sys.modules, "jwt.algorithms", None)
    with pytest.raises(ConfigurationError, match="pip install"):
        Signatures().prepare()
