"""`fanlight.auth.origin`: which pages may read, and which writes come from a stranger's page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.groups import GROUPS, RouteGroup
from fanlight.auth.identity import Kind
from fanlight.auth.origin import (
    Origins,
    WriteRule,
    default_origins,
    is_foreign_write,
    is_loopback,
    is_own,
    origin_parts,
    sends_cookie,
    write_rule,
)
from fanlight.http.request import Head


def head(method: str = "POST", *fields: tuple[str, str]) -> Head:
    return Head(method, "/", fields, version="1.1", authority="localhost:6876")


@pytest.mark.parametrize(
    ("origin", "allowed", "is_allowed"),
    [
        ("https://corp.test", ["https://corp.test"], True),
        ("https://CORP.test", ["https://corp.test"], False),
        ("https://corp.test:443", ["https://corp.test"], False),
        ("http://corp.test", ["https://corp.test"], False),
        ("https://corp.test/", ["https://corp.test"], False),
        ("https://a.corp.test", ["*.corp.test"], True),
        ("http://a.b.corp.test:8080", ["*.corp.test"], True),
        ("app://a.corp.test", ["*.corp.test"], True),
        ("https://corp.test", ["*.corp.test"], False),
        ("https://.corp.test", ["*.corp.test"], False),
        ("https://evilcorp.test", ["*.corp.test"], False),
        ("https://evil.example/.corp.test", ["*.corp.test"], False),
        ("https://evil.example#.corp.test", ["*.corp.test"], False),
        ("https://evil.example?.corp.test", ["*.corp.test"], False),
        ("https://u@a.corp.test", ["*.corp.test"], False),
        ("https://evil.example:.corp.test", ["*.corp.test"], False),
        ("https://evil.example\\.corp.test", ["*.corp.test"], False),
        ("a.corp.test", ["*.corp.test"], False),
        ("https://a.corp.test https://evil.example", ["*.corp.test"], False),
        ("", ["*.corp.test", "https://a"], False),
        ("null", ["*.corp.test"], False),
        ("null", ["null"], False),
        ("null", ["*"], True),
        ("anything at all", ["https://a", "*"], True),
        ("https://a", [], False),
    ],
)
def test_allowed_origins(origin: str, allowed: list[str], is_allowed: bool) -> None:
    assert Origins(allowed).allows(origin) is is_allowed


def test_default_origins() -> None:
    origins = default_origins([6876, 6878, 6876])
    assert len(origins) == 12
    assert {"http://localhost:6876", "https://127.0.0.1:6878", "http://[::1]:6878"} < set(origins)
    assert default_origins(()) == ()


@pytest.mark.parametrize(
    ("origin", "authority", "secure", "own"),
    [
        ("http://127.0.0.1:6876", "127.0.0.1:6876", False, True),
        ("http://[::1]:6876", "[::1]:6876", False, True),
        ("https://db.example.com", "db.example.com", True, True),
        ("https://db.example.com", "db.example.com:443", True, True),
        ("https://db.example.com:443", "db.example.com", True, True),
        ("http://db.example.com", "DB.example.com:80", False, True),
        ("http://db.example.com", "db.example.com", True, False),
        ("https://db.example.com", "db.example.com", False, False),
        ("https://db.example.com:8443", "db.example.com", True, False),
        ("http://localhost:3000", "localhost:6876", False, False),
        ("http://localhost:6876", "127.0.0.1:6876", False, False),
        ("http://sub.db.example.com", "db.example.com", False, False),
        ("null", "null", False, False),
        ("http://localhost", None, False, False),
        ("http://a/b", "a", False, False),
        ("ftp://localhost", "localhost", False, False),
    ],
)
def test_own_origin(origin: str, authority: str | None, secure: bool, own: bool) -> None:
    assert is_own(origin, authority, secure) is own


@pytest.mark.parametrize(
    ("origin", "loopback"),
    [
        ("http://localhost:1", True),
        ("https://127.0.0.1", True),
        ("http://[::1]:9", True),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.2", False),
        ("http://a.localhost", False),
        ("null", False),
    ],
)
def test_loopback_origins(origin: str, loopback: bool) -> None:
    assert is_loopback(origin) is loopback


def test_parts_know_the_ports_of_schemes() -> None:
    assert origin_parts("https://a") == ("https", "a", 443)
    assert origin_parts("http://a:8080") == ("http", "a", 8080)
    assert origin_parts("app://a") == ("app", "a", None)


@pytest.mark.parametrize(
    ("cookies", "sent"),
    [
        ((), False),
        (("mz_session=x",), True),
        (("mz_session=",), True),
        (("mz_session",), True),
        (("a=b; mz_session=x",), True),
        (("a=b", "c=d;mz_session=x"), True),
        (("MZ_SESSION=x",), False),
        (("xmz_session=x; mz_session_2=y",), False),
        (("a=mz_session=x",), False),
        (("=; ;; mz_session=x",), True),
    ],
)
def test_whether_a_cookie_is_sent(cookies: tuple[str, ...], sent: bool) -> None:
    assert sends_cookie(head("POST", *(("cookie", value) for value in cookies)), "mz_session") is sent


RULES: dict[Kind, dict[WriteRule, set[RouteGroup]]] = {
    "None": {"never": {"webhook", "ws", "mcp_agent", "mcp_developer"}, "cookie": {"logout"}, "session": set()},
    "Password": {
        "never": {"webhook", "ws", "console_config", "oauth_metadata"},
        "cookie": {"logout"},
        "always": {"login"},
    },
    "Oidc": {"never": {"webhook", "ws", "console_config", "oauth_metadata"}, "cookie": {"logout"}, "always": {"login"}},
    "Frontegg": {"never": set(GROUPS)},
}
REST: dict[Kind, WriteRule] = {"None": "always", "Password": "session", "Oidc": "session", "Frontegg": "never"}


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("group", GROUPS)
def test_rules_for_foreign_writes(kind: Kind, group: RouteGroup) -> None:
    expected = next((rule for rule, groups in RULES[kind].items() if group in groups), REST[kind])
    assert write_rule(GROUPS[group], kind) == expected


ORIGIN = ("origin", "https://a")
CROSS = ("sec-fetch-site", "cross-site")


@pytest.mark.parametrize(
    ("method", "fields", "good", "foreign"),
    [
        ("POST", (), False, False),
        ("POST", (ORIGIN,), False, True),
        ("PUT", (ORIGIN,), False, True),
        ("BREW", (ORIGIN,), False, True),
        ("POST", (ORIGIN,), True, False),
        ("GET", (ORIGIN,), False, False),
        ("HEAD", (ORIGIN, CROSS), False, False),
        ("OPTIONS", (CROSS,), False, False),
        ("POST", (CROSS,), False, True),
        ("POST", (ORIGIN, CROSS), True, False),
        ("POST", (("sec-fetch-site", "same-site"),), False, False),
        ("POST", (("sec-fetch-site", "none"),), False, False),
        ("POST", (("sec-fetch-site", "none"), CROSS), False, True),
    ],
)
def test_foreign_writes(method: str, fields: tuple[tuple[str, str], ...], good: bool, foreign: bool) -> None:
    assert is_foreign_write(head(method, *fields), good) is foreign


@given(st.text(), st.lists(st.text(min_size=1).filter(lambda entry: not entry.startswith("*"))))
def test_without_wildcards_only_equal_bytes_are_allowed(origin: str, allowed: list[str]) -> None:
    assert Origins(allowed).allows(origin) == (origin in allowed and origin != "null")


@given(st.from_regex(r"https?://[ -~]{0,12}\.corp\.test[ -~]{0,12}", fullmatch=True))
def test_a_wildcard_admits_only_hosts_below_it(origin: str) -> None:
    if Origins(["*.corp.test"]).allows(origin):
        parts = origin_parts(origin)
        assert parts is not None
        assert parts[1].endswith(".corp.test")
        assert not set(parts[1]) & set("/?#@\\")
