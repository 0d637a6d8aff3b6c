"""Redaction: which names are secret, and what is left of URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.config.redaction import REDACTED, is_secret_name, shown, without_userinfo


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_password",
        "smtp.passwd",
        "passphrase",
        "pwd",
        "apiKey",
        "API_KEY",
        "api-key",
        "aws_secret_access_key",
        "accessKey",
        "private_key",
        "secretKeyBase",
        "client_secret",
        "X-Auth-Token",
        "refreshToken",
        "Authorization",
        "session_cookie",
        "sessionId",
        "credentials",
        "salt",
        "sentry_dsn",
        "key",
        "auth",
        "DBPassword",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)
    assert shown(name, "x") == REDACTED
    assert shown(name, "") == ""


@pytest.mark.parametrize(
    "name",
    [
        "",
        "author",
        "passthrough",
        "monkey",
        "keys",
        "limits.keep_alive",
        "dialect.session_cookie_name",
        "token_count",
        "secret_name",
        "password_min_length",
        "authorization_header",
        "tls_key",
        "private_key_path",
        "basalt",
    ],
)
def test_names_that_are_no_secrets(name: str) -> None:
    assert not is_secret_name(name)
    assert shown(name, "x") == "x"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://ada:pw@db.example/x", f"https://{REDACTED}@db.example/x"),
        ("postgres://ada:p/w#?@db:5432/x, http://ok/", f"postgres://{REDACTED}@db:5432/x, http://ok/"),
        ("a 'redis://:pw@r' b \"amqp://u@q\"", f"a 'redis://{REDACTED}@r' b \"amqp://{REDACTED}@q\""),
        ("http://a:b@c,http://d:e@f", f"http://{REDACTED}@f"),
        ("http://host/path ada@example.org", "http://host/path ada@example.org"),
        ("ada@host://x", "ada@host://x"),
        ("", ""),
    ],
)
def test_urls_lose_their_userinfo(text: str, left: str) -> None:
    assert without_userinfo(text) == left
    assert shown("upstream_url", text) == left


@given(st.integers(0, 60))
def test_a_cut_never_uncovers_what_stood_before_it(limit: int) -> None:
    text = "see https://ada:lovelace-1843@db.example/x and more"
    assert "lovelace"[:3] not in without_userinfo(text, limit)
    assert without_userinfo("no url at all here", limit) == "no url at all here"[:limit]


@given(st.text(alphabet="ab:/@ '", max_size=40))
def test_no_word_keeps_a_userinfo(text: str) -> None:
    for word in without_userinfo(text).replace("'", " ").split():
        start, end = word.find("://"), word.rfind("@")
        assert not 0 <= start < end or word[start + 3 : end] == REDACTED


def test_long_texts_are_read_once() -> None:
    # Quadratic reading of this would take minutes.
    assert without_userinfo("://" * 300_000 + "@") == f"://{REDACTED}@"
    assert without_userinfo("a" * 1_000_000 + "://@ ").endswith(f"://{REDACTED}@ ")
