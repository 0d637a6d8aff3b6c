"""Tokens as text: the compact form, its claims, the groups in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.jwt import FAULTY, LONGEST_TOKEN, Claims, Jwt, groups_of, read_claims, read_token

from .providing import b64, token

CLAIMS = {"iss": "i", "exp": 5}


def raw(header: Any, payload: bytes = b"{}", signature: str = "AAAA") -> str:
    text = header if isinstance(header, str) else json.dumps(header)
    return f"{b64(text.encode())}.{b64(payload)}.{signature}"


def test_a_token() -> None:
    parts = read_token(token(CLAIMS))
    assert isinstance(parts, Jwt)
    assert (parts.algorithm, parts.kid, json.loads(parts.payload)) == ("RS256", "RSA", CLAIMS)
    assert repr(parts) == "Jwt(algorithm='RS256', kid='RSA')"
    assert isinstance(read_token(raw({"alg": "RS256"})), Jwt)


def test_the_longest_that_are_read() -> None:
    assert isinstance(read_token(raw({"alg": "RS256", "kid": "x" * 256})), Jwt)
    head = raw({"alg": "RS256"}, b"{ }", signature="")
    length = LONGEST_TOKEN - len(head)
    assert length % 4 != 1  # else it were no base64
    assert isinstance(read_token(head + "A" * length), Jwt)
    assert read_token(head + "A" * (length + 4)) == FAULTY


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_every_part_is_base64url(broken: int) -> None:
    parts = raw({"alg": "RS256"}).split(".")
    parts[broken] = "A"
    assert read_token(".".join(parts)) == FAULTY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c.d",
        raw({"alg": "none", "kid": "x"}, signature=""),
        raw({"alg": "NONE", "kid": "x"}),
        raw({"alg": "HS256", "kid": "x"}),
        raw({"alg": "ES512", "kid": "x"}),
        raw({"alg": ["RS256"], "kid": "x"}),
        raw({"kid": "x"}),
        raw({"alg": "RS256", "kid": 5}),
        raw({"alg": "RS256", "kid": "x" * 257}),
        raw({"alg": "RS256", "kid": "x", "crit": ["exp"]}),
        raw({"alg": "RS256", "kid": "x", "b64": False}),
        raw('{"alg": "RS256", "alg": "RS256", "kid": "x"}'),
        raw("[]"),
        raw("{"),
        raw({"alg": "RS256"}, signature="AAAA="),
        raw({"alg": "RS256"}, signature="AB"),
        raw({"alg": "RS256"}) + "\n",
        raw({"alg": "RS256", "kid": "x"}, b"x" * 20_000),
    ],
)
def test_faults(text: str) -> None:
    assert read_token(text) == FAULTY


@given(st.text(max_size=60))
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    assert isinstance(read_token(text), Jwt | str)


def test_claims() -> None:
    claims = read_claims(json.dumps({**CLAIMS, "aud": "a", "nbf": 1.5, "iat": None, "x": 1}).encode())
    assert claims == Claims("i", 5, 1.5, ("a",), {**CLAIMS, "aud": "a", "nbf": 1.5, "iat": None, "x": 1})
    claims = read_claims(json.dumps({**CLAIMS, "aud": ["a", "b"]}).encode())
    assert claims is not None
    assert claims.audiences == ("a", "b")
    claims = read_claims(json.dumps(CLAIMS).encode())
    assert claims is not None
    assert claims.audiences is None


@pytest.mark.parametrize(
    "changed",
    [{"iss": ["i"]}, {"iss": None}, {"exp": "5"}, {"exp": 5.0}, {"exp": True}, {"exp": 2**63}, {"exp": None},
     {"iat": "5"}, {"iat": 1.5}, {"nbf": "5"}, {"nbf": True}, {"aud": None}, {"aud": 5}, {"aud": [5]}, {"aud": {}}],
)  # fmt: skip
def test_claims_of_another_type(changed: dict[str, Any]) -> None:
    assert read_claims(json.dumps({**CLAIMS, **changed}).encode()) is None


@pytest.mark.parametrize("payload", [b"", b"[]", b"\xff", b'{"iss":"i","exp":5,"exp":6}'])
def test_no_claims(payload: bytes) -> None:
    assert read_claims(payload) is None


@pytest.mark.parametrize(
    ("claims", "path", "groups"),
    [
        ({"groups": ["b", "a", "b", "", 5]}, "groups", ("a", "b")),
        ({"groups": "x"}, "groups", ("x",)),
        ({"groups": ""}, "groups", ()),
        ({"groups": []}, "groups", ()),
        ({"groups": None}, "groups", None),
        ({"groups": {"a": 1}}, "groups", None),
        ({"a": {"b": {"c": ["x"]}}}, "a.b.c", ("x",)),
        ({"a.b": ["x"]}, "a.b", None),
        ({"a": ["x"]}, "a.", None),
        ({"a": ["x"]}, "", None),
        ({"iss": ["x"]}, "iss", None),
        ({"exp": ["x"]}, "exp", None),
        ({"iat": ["x"]}, "iat", None),
        ({"aud": ["x"]}, "aud", None),
        ({"aud": {"b": ["x"]}}, "aud.b", None),
        ({"a": {"": ["x"]}}, "a.", None),
        ({"": ["x"]}, "", None),
        ({"a": ["b"]}, "a.b", None),
        # By the bytes of UTF-8, so that every reader has one order.
        ({"groups": ["\uffff", "\U00010000", "é", "z"]}, "groups", ("z", "é", "\uffff", "\U00010000")),
        ({}, "groups", None),
    ],
)
def test_groups(claims: dict[str, Any], path: str, groups: Any) -> None:
    assert groups_of(claims, path) == groups
