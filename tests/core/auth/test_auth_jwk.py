"""Key sets: what is usable, and that one bad entry spoils no other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.jwk import ALGORITHMS, b64url, read_keys

from .providing import b64, jwk

GOOD = ("RSA", "EC", "EC384", "OKP")


def test_usable_keys() -> None:
    keys = read_keys({"keys": [jwk(kind) for kind in GOOD]})
    assert keys is not None
    assert list(keys) == list(GOOD)
    fitting = {kind: {name for name in ALGORITHMS if keys[kind].fits(name)} for kind in GOOD}
    assert fitting == {
        "RSA": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
        "EC": {"ES256"},
        "EC384": {"ES384"},
        "OKP": {"EdDSA"},
    }
    keys = read_keys({"keys": [jwk("RSA", alg="RS256")]})
    assert keys is not None
    assert [name for name in ALGORITHMS if keys["RSA"].fits(name)] == ["RS256"]
    assert not keys["RSA"].fits("none")


@pytest.mark.parametrize(
    "changed",
    [
        {"kid": None},
        {"kid": 5},
        {"kid": "x" * 257},
        {"use": "enc"},
        {"alg": 5},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "XYZ"},
        {"kty": ["RSA"]},
        {"n": "!"},
        {"n": None},
        {"n": b64(b"\xff" * 128)},
        {"e": b64(b"\x01")},
        {"e": b64(b"\x04")},
        {"kty": "EC", "crv": "P-256", "x": b64(b"\1" * 32), "y": b64(b"\1" * 32)},
        {"kty": "EC", "crv": "P-521", "x": b64(b"\1" * 66), "y": b64(b"\1" * 66)},
        {"kty": "EC", "crv": "secp256k1"},
        {"kty": "EC", "x": "AAAA", "y": "AAAA", "crv": "P-256"},
        {"kty": "OKP", "crv": "Ed25519", "x": b64(b"\1" * 31)},
        {"kty": "OKP", "crv": "X25519", "x": b64(b"\1" * 32)},
    ],
)
def test_unusable_keys_spoil_no_other(changed: dict[str, Any]) -> None:
    entry = {name: value for name, value in {**jwk("RSA", "bad"), **changed}.items() if value is not None}
    keys = read_keys({"keys": [entry, 5, None, jwk("EC")]})
    assert keys is not None
    assert list(keys) == ["EC"]


def test_the_least_that_is_usable() -> None:
    for changed in ({"kid": "x" * 256}, {"e": b64(b"\x03")}):
        assert read_keys({"keys": [{**jwk("RSA"), **changed}]}) not in (None, {})


@pytest.mark.parametrize("prime", [2**256 - 2**224 + 2**192 + 2**96 - 1])
def test_coordinates_are_below_the_prime_and_of_its_length(prime: int) -> None:
    # On the curve by arithmetic, but each number has one spelling.  A point with a small x has room for another one.
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    x = next(x for x in range(100) if pow(x**3 - 3 * x + b, (prime - 1) // 2, prime) == 1)
    y = pow(x**3 - 3 * x + b, (prime + 1) // 4, prime)

    def usable(x: int, y: int, size: int = 32) -> bool:
        point = {"crv": "P-256", "x": b64(x.to_bytes(size)), "y": b64(y.to_bytes(size))}
        return read_keys({"keys": [{"kid": "x", "kty": "EC", **point}]}) != {}

    assert usable(x, y)
    assert usable(x, prime - y)
    assert not usable(x + prime, y)
    assert not usable(x, y, size=33)
    # The point with y = 0 is on no curve of prime order; zero as the prime is a second spelling of it.
    root = pow(b, (prime + 1) // 4, prime)
    assert usable(0, root)
    assert not usable(prime, root)


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}, {"keys": None}, "keys"])
def test_no_set(document: Any) -> None:
    assert read_keys(document) is None


def test_a_point_on_the_curve_is_not_one_on_another() -> None:
    assert read_keys({"keys": [{**jwk("EC"), "crv": "P-384"}, {**jwk("EC384"), "crv": "P-256"}]}) == {}


def test_a_hundred_keys_and_the_first_of_a_name() -> None:
    keys = read_keys({"keys": [jwk("OKP", str(number)) for number in range(150)]})
    assert keys is not None
    assert len(keys) == 100
    twice = read_keys({"keys": [jwk("RSA", "x"), jwk("EC", "x")]})
    assert twice is not None
    assert twice["x"].kty == "RSA"


MEMBERS = st.sampled_from(("keys", "kid", "kty", "crv", "n", "e", "x", "y", "use", "alg"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=6),
    max_leaves=20,
)


@given(JSON)
def test_whatever_is_published_is_read_or_left(document: Any) -> None:
    keys = read_keys(document)
    assert keys is None or all(key.kid == kid for kid, key in keys.items())


@given(st.binary(max_size=40))
def test_base64url_has_one_spelling(raw: bytes) -> None:
    assert b64url(b64(raw)) == raw
    assert b64url(b64(raw) + "=") is None


@pytest.mark.parametrize("text", ["A", "AB", "AA=", "A A", "A+/A", "é", None, 5])
def test_what_is_none(text: Any) -> None:
    assert b64url(text) is None
