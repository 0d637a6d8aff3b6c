"""`fanlight.config.settings`: values that refuse what cannot work, and say where it is."""

from __future__ import annotations

from typing import Any

import pytest

from fanlight.config.settings import ConfigurationError, Dialect, Settings, kind_of


def test_defaults_of_the_dialect() -> None:
    dialect = Dialect()
    assert dialect.user_header == "x-materialize-user"
    assert set(dialect.user_header_values) == {"mz_system", "mz_support"}
    assert dialect.session_cookie == "mz_session"
    assert dialect.realm == "Materialize"
    assert dialect.anonymous_user == "anonymous_http_user"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user_header", "X-User"),
        ("user_header", "x user"),
        ("user_header", "x-user\r\nhost"),
        ("version_header", ""),
        ("session_cookie", "a=b"),
        ("session_cookie", 5),
        ("realm", 'a "realm"'),
        ("internal_users", "mz_system"),
        ("internal_users", ["mz_system"]),
        ("reserved_prefixes", ("mz_", "")),
        ("reserved_words", (1,)),
        ("reserved_any_case", ("PUBLIC",)),
        ("user_header_values", ("ada",)),
    ],
)
def test_names_that_cannot_be_used(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Dialect(**{name: value})
    assert caught.value.path == f"dialect.{name}"


def test_other_names() -> None:
    dialect = Dialect(user_header="x-user", user_header_values=("root",), internal_users=("root",), realm="Ours")
    assert dialect.user_header_values == ("root",)


@pytest.mark.parametrize(
    ("member", "value", "path"),
    [
        ("http_host_name", 1, "http_host_name"),
        ("console_upstream", 1, "console_upstream"),
        ("console_upstream", "console.example", "console_upstream"),
        ("console_upstream", "ftp://console.example", "console_upstream"),
        ("console_upstream", "http://console.example", "console_upstream"),
        ("console_upstream", "http://localhost.evil.example", "console_upstream"),
        ("console_upstream", "https://ada:x@console.example", "console_upstream"),
        ("console_upstream", "https://console.example/?x", "console_upstream"),
        ("console_upstream", "https://console.example/a b", "console_upstream"),
        ("console_preview_suffix", "previews.example", "console_preview_suffix"),
        ("tls_key", b"pem", "tls_key"),
        ("tls_certificate", ["a"], "tls_certificate"),
        ("allowed_origins", "https://a.example", "allowed_origins"),
        ("allowed_origins", ["https://a.example", 1], "allowed_origins[1]"),
        ("allowed_origins", [""], "allowed_origins[0]"),
        ("allowed_origins", ["https://*.example"], "allowed_origins[0]"),
        ("allowed_origins", ["https://a.example "], "allowed_origins[0]"),
        ("allowed_origins", ["https://ä.example"], "allowed_origins[0]"),
    ],
)
def test_settings_that_cannot_be_used(member: str, value: Any, path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings(**{member: value})
    assert caught.value.path == path


def test_settings() -> None:
    settings = Settings(allowed_origins=("*", "*.corp.test", "https://a.example:8443"), tls_certificate="c.pem")
    assert settings.allowed_origins == ("*", "*.corp.test", "https://a.example:8443")
    assert not settings.certified
    assert Settings(tls_certificate="c.pem", tls_key="k.pem").certified
    assert Settings().allowed_origins is None


def test_an_error_names_its_path_and_can_be_moved() -> None:
    error = ConfigurationError("a.b", "missing")
    assert str(error) == "a.b: missing"
    assert str(error.moved("c")) == "c: missing"
    prefixed = ConfigurationError("a", "no", prefix="invalid HTTP listener: ")
    assert str(prefixed.moved("b")) == "invalid HTTP listener: no (b)"


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "a number"),
        (1.5, "a number"),
        ("", "a string"),
        ([], "an array"),
        ((), "an array"),
        ({}, "an object"),
        (b"", "another type"),
    ],
)
def test_types_have_the_names_of_json(value: object, word: str) -> None:
    assert kind_of(value) == word


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scram_iterations", 4095),
        ("scram_iterations", True),
        ("scram_iterations", 10**9),
        ("upstream_failure_status", 500),
        ("upstream_failure_status", "503"),
        ("login_requires_reachable_role", 1),
        ("allow_internal_from_token", None),
    ],
)
def test_settings_of_authentication(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings(**{name: value})
