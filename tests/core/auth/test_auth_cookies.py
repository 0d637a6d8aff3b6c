"""The session cookie: found in whatever a browser or an attacker sends, and set in one form."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.cookies import SessionCookie, cookie_of, id_text, is_session_id, session_values
from fanlight.http.request import Head

NAME = "mz_session"


def head(*cookies: str) -> Head:
    fields = tuple(("cookie", value) for value in cookies)
    return Head("GET", "/", fields, version="1.1", authority="localhost")


@pytest.mark.parametrize(
    ("cookies", "values"),
    [
        ((), []),
        (("",), []),
        (("mz_session=a",), ["a"]),
        (("a=b; mz_session=a ; c=d",), ["a"]),
        (("mz_session=",), [""]),
        (("mz_session",), [""]),
        (("mz_session=a=b",), ["a=b"]),
        (("MZ_SESSION=a; xmz_session=b; mz_session2=c",), []),
        (('x="; mz_session=a"',), ['a"']),
        (("mz_session=a; mz_session=b",), ["a", "b"]),
        (("mz_session=a", "mz_session=b"), ["a", "b"]),
        ((";;=;mz_session=a;",), ["a"]),
        (("; ".join(["a=b"] * 63 + ["mz_session=a"]),), ["a"]),
        (("; ".join(["a=b"] * 64 + ["mz_session=a"]),), []),
        (("mz_session=a", "x=" + "y" * 8192), []),
        (("mz_session=a", "x=" + "y" * (8192 - 14)), ["a"]),
        (("mz_session=a", "x=" + "y" * (8192 - 13)), []),
        # Blanks are space and tab; what else looks like one is part of a name.
        (("\tmz_session=a",), ["a"]),
        (("\u00a0mz_session=a; \x0bmz_session=b",), []),
    ],
)
def test_values(cookies: tuple[str, ...], values: list[str]) -> None:
    assert session_values(head(*cookies), NAME) == values


@given(st.binary(min_size=16, max_size=16))
def test_there_and_back(raw: bytes) -> None:
    assert is_session_id(id_text(raw))
    assert urlsafe_b64decode(id_text(raw) + "==") == raw


@given(st.one_of(st.text(max_size=30), st.from_regex(r"\A[A-Za-z0-9_-]{22}\Z")))
def test_one_spelling_only(value: str) -> None:
    canonical = False
    try:
        raw = b64decode(value.encode() + b"==", b"-_", validate=True)
        canonical = id_text(raw) == value and len(raw) == 16
    except ValueError:
        pass
    assert is_session_id(value) is canonical


def test_set_and_removed() -> None:
    plain, secure = SessionCookie(NAME), SessionCookie(NAME, secure=True)
    assert plain.set_value("x") == "mz_session=x; HttpOnly; SameSite=Strict; Path=/"
    assert secure.set_value("x") == "mz_session=x; HttpOnly; SameSite=Strict; Secure; Path=/"
    assert secure.removal == "mz_session=; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=0"


@pytest.mark.parametrize(
    ("host_only", "port", "name"),
    [
        (False, None, "mz_session"),
        (False, 6876, "mz_session_6876"),
        (True, None, "__Host-mz_session"),
        (True, 6876, "__Host-mz_session_6876"),
    ],
)
def test_names(host_only: bool, port: int | None, name: str) -> None:
    assert cookie_of(NAME, secure=True, host_only=host_only, port=port) == SessionCookie(name, secure=True)


def test_a_field_that_holds_nothing_else() -> None:
    cookie, value = SessionCookie("mz.session"), id_text(bytes(range(16)))
    found = cookie.lone.fullmatch(f"mz.session={value}")
    assert found is not None
    assert found[1] == value
    for line in (f"mz_session={value}", f"mz.session={value};", f" mz.session={value}", f"mz.session={value[:-1]}B"):
        assert cookie.lone.fullmatch(line) is None
