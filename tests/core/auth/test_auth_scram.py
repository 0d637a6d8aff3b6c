"""Stored passwords: the form, byte for byte, and what verifies."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanlight.auth.scram import StoredPassword, decoy, derive, parse, verify, verify_evenly

SALT = bytes(range(32))
STORED = (
    "SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    "$1mceSvOn3FoSkmJiyl2Indiveb547aaqW2lTL+rTJzU=:bZvSoyum/TgyiVU1TyjYMXD/UUKh5yU3PIWN91JXDEQ="
)


def test_the_form() -> None:
    assert str(derive("wonderland", SALT, 4096)) == STORED
    assert verify("wonderland", STORED) == "ok"
    assert verify("Wonderland", STORED) == "invalid"


def test_a_server_can_check_a_proof_of_rfc_5802_with_it() -> None:
    """What a SCRAM exchange needs is there: the client's proof gives a key whose hash is the stored one."""
    stored = parse(STORED)
    assert stored is not None
    message = b"n=ada,r=abc,r=abcdef,s=...,i=4096,c=biws,r=abcdef"
    salted = hashlib.pbkdf2_hmac("sha256", b"wonderland", stored.salt, stored.iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(stored.stored_key, message, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    recovered = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    assert hashlib.sha256(recovered).digest() == stored.stored_key
    assert hmac.digest(salted, b"Server Key", "sha256") == stored.server_key


@settings(max_examples=25)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.binary(min_size=32, max_size=32))
def test_what_was_derived_verifies_and_nothing_else(password: str, salt: bytes) -> None:
    stored = str(derive(password, salt, 2))
    assert verify(password, stored) == "ok"
    assert verify(password + "x", stored) == "invalid"
    assert parse(stored) == derive(password, salt, 2)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "x",
        STORED.replace("256", "1", 1),
        STORED.replace("$4096:", "$0:"),
        STORED.replace("$4096:", "$-1:"),
        STORED.replace("$4096:", "$4294967296:"),
        STORED.replace("$4096:", "$٤٠:"),
        STORED.replace("$4096:", "$"),
        STORED + "$",
        STORED + ":x",
        STORED.replace("$4096:", "$4096:4096:"),
        STORED.replace("=$", ":=$", 1),
        STORED.replace("AAEC", "AAEC ", 1),
        STORED.replace("AAEC", "AA-EC", 1),
        STORED + "\n",
        STORED.replace("AAEC", "AAE", 1),
        STORED.replace("AAEC", "!AEC", 1),
        STORED.replace("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "AAAA"),
        "SCRAM-SHA-256$1:" + base64.b64encode(SALT).decode() + "$AAAA",
    ],
)
def test_malformed(stored: str) -> None:
    assert parse(stored) is None
    assert verify("wonderland", stored) == "malformed"


def test_a_form_that_would_not_be_written_so_never_verifies() -> None:
    assert verify("wonderland", STORED.replace("$4096:", "$04096:")) == "invalid"


def test_a_decoy_is_well_formed_and_of_no_password() -> None:
    stored = decoy(bytes(96), 2)
    assert parse(stored) is not None
    parts = parse(decoy(bytes(range(100)), 1))
    assert parts == StoredPassword(1, bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96)))
    assert verify("", stored) == "invalid"


def test_keys_do_not_show() -> None:
    assert repr(StoredPassword(1, b"salt", b"key", b"other")) == "StoredPassword(iterations=1)"


@pytest.mark.parametrize(
    ("stored", "least", "worked"),
    [
        (derive("right", bytes(32), 2), 5, [2, 3]),
        (derive("right", bytes(32), 5), 5, [5]),
        (derive("right", bytes(32), 7), 5, [7]),
        ("nonsense", 5, [5]),
    ],
)
def test_a_refusal_costs_what_it_costs_for_all(
    monkeypatch: pytest.MonkeyPatch, stored: object, least: int, worked: list[int]
) -> None:
    counts, derived = list[int](), hashlib.pbkdf2_hmac

    def counting(name: str, password: bytes, salt: bytes, iterations: int, length: int) -> bytes:
        counts.append(iterations)
        return derived(name, password, salt, iterations, length)

    monkeypatch.setattr("fanlight.auth.scram.pbkdf2_hmac", counting)
    assert not verify_evenly("wrong", str(stored), least)
    assert counts == worked
    counts.clear()
    assert verify_evenly("right", str(stored), least) is (stored != "nonsense")
    assert stored == "nonsense" or len(counts) == 1
