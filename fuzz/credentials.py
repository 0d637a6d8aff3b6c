"""Credentials as they come: the Authorization field, cookies, app passwords; strict decoders with one spelling each."""

from __future__ import annotations

import base64

from fanlight.auth.authorization import Password, Token, Unusable, decode
from fanlight.auth.cookies import id_text, is_session_id, session_values
from fanlight.auth.frontegg import parse_app_password
from fanlight.auth.roles import is_user_name
from fanlight.http.request import Head
from fanlight.observe.escape import escape


def one_input(data: bytes) -> None:
    """The bytes are a field's value, a cookie field, and a password."""
    value = data[:4000].decode("latin-1")
    _authorization(value)
    _cookies(value)
    parsed = parse_app_password(value)
    assert parsed is None or (value.startswith("mzp_") and all(len(part) == 36 for part in parsed))


def _authorization(value: str) -> None:
    found = decode(value)
    assert isinstance(found, Password | Token | Unusable)
    if isinstance(found, Password):
        raw = base64.b64encode(f"{found.user}:{found.password}".encode()).decode()
        assert value.partition(" ")[2].lstrip(" ") == raw
        assert found.password not in repr(found) or len(found.password) < 20
        assert escape(found.user).isprintable()
        assert not is_user_name(found.user) or len(found.user.encode()) <= 255
    if isinstance(found, Token):
        assert value.endswith(found.token)
        assert found.token.isascii()


def _cookies(value: str) -> None:
    head = Head("GET", "/", (("cookie", value),), version="1.1", authority="localhost")
    for cookie in session_values(head, "mz_session"):
        assert cookie in value
        if is_session_id(cookie):
            assert id_text(base64.urlsafe_b64decode(cookie + "==")) == cookie
