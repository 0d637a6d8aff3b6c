"""`fanlight.auth.authorization`: one reading of a field, and none of a doubtful one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.authorization import Credentials, Password, Token, Unusable, decode, parse_authorization

MALFORMED = Unusable.MALFORMED


def basic(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return f"Basic {base64.b64encode(raw).decode()}"


@pytest.mark.parametrize(
    ("value", "credentials"),
    [
        (basic("ada:pw"), Password("ada", "pw")),
        (basic("ada:"), Password("ada", "")),
        (basic(":"), Password("", "")),
        (basic("ada:a:b"), Password("ada", "a:b")),
        (basic("größe:ü"), Password("größe", "ü")),
        (basic(" ada : pw "), Password(" ada ", " pw ")),
        ("BASIC   YWRhOnB3", Password("ada", "pw")),
        ("bearer abc", Token("abc")),
        ("BeArEr    a.b-c_d~e+f/g==", Token("a.b-c_d~e+f/g==")),
        ("Bearer a,b", Token("a,b")),
        ("", MALFORMED),
        ("Basic", MALFORMED),
        ("Basic ", MALFORMED),
        ("Bearer", MALFORMED),
        ("Bearer   ", MALFORMED),
        ("BasicYWRhOnB3", MALFORMED),
        ("Basic\tYWRhOnB3", MALFORMED),
        ("Basic \tYWRhOnB3", MALFORMED),
        ("Bearer \tabc", MALFORMED),
        (" Basic YWRhOnB3", MALFORMED),
        (basic("no colon"), MALFORMED),
        (basic(b"ada:\xff"), MALFORMED),
        ("Basic YWRhOg", MALFORMED),
        ("Basic YWRhOg=", MALFORMED),
        ("Basic YWRhOh==", MALFORMED),
        ("Basic YWRhOg===", MALFORMED),
        ("Basic YWRhOg==YQ==", MALFORMED),
        ("Basic YWRh Og==", MALFORMED),
        ("Basic YWRh\nOg==", MALFORMED),
        ("Basic YWRhOg== ", MALFORMED),
        ("Basic Pz8_Oj8-", MALFORMED),
        ("Basic YWRhOnB3\xe9", MALFORMED),
        ("Basic YWRhOnB3, Basic YWRhOnB3", MALFORMED),
        ("Bearer a b", MALFORMED),
        ("Bearer a\tb", MALFORMED),
        ("Bearer é", MALFORMED),
        ("Bearer abc, Basic YWRhOnB3", MALFORMED),
        ("Digest username=ada", MALFORMED),
        ("Negotiate abc", MALFORMED),
    ],
)
def test_values(value: str, credentials: Credentials) -> None:
    assert decode(value) == credentials
    assert parse_authorization([value]) == credentials


def test_none_and_several() -> None:
    assert decode(None) is Unusable.ABSENT
    assert parse_authorization([]) is Unusable.ABSENT
    assert parse_authorization([basic("a:b")] * 2) is Unusable.DUPLICATE


def test_secrets_do_not_show() -> None:
    assert "pw-1" not in repr(decode(basic("ada:pw-1")))
    assert "token-1" not in repr(decode("Bearer token-1"))


@given(st.text(), st.text())
def test_every_pair_comes_back(user: str, password: str) -> None:
    try:
        value = basic(f"{user}:{password}")
    except UnicodeEncodeError:
        return
    name, _, rest = f"{user}:{password}".partition(":")
    assert decode(value) == Password(name, rest)


@given(st.text(st.characters(codec="latin-1")))
def test_any_base64_is_read_in_one_spelling_only(encoded: str) -> None:
    credentials = decode(f"Basic {encoded}")
    if isinstance(credentials, Password):
        assert f"Basic {encoded.lstrip(' ')}" == basic(f"{credentials.user}:{credentials.password}")


def test_the_first_and_the_last_visible_character() -> None:
    assert decode("Bearer !~") == Token("!~")
    assert decode("Bearer X!") == Token("X!")
    assert decode("Bearer \x7f") is decode("Bearer a b") is Unusable.MALFORMED
