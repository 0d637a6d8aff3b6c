"""Targets and hosts: the forms that a request may have, and everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.wire.target import is_host, split_target


@pytest.mark.parametrize(
    ("method", "target", "found"),
    [
        ("GET", "/", ("/", None)),
        ("GET", "/a/b?c=d&e", ("/a/b?c=d&e", None)),
        ("GET", "//evil.example/x", ("//evil.example/x", None)),
        ("GET", "/%2e%2e/x", ("/%2e%2e/x", None)),
        ("GET", "http://localhost/a?b", ("/a?b", "localhost")),
        ("GET", "HTTPS://localhost:8443/a", ("/a", "localhost:8443")),
        ("GET", "http://[::1]:80/a", ("/a", "[::1]:80")),
        ("GET", "http://localhost", ("/", "localhost")),
        ("GET", "http://localhost?a=b", ("/?a=b", "localhost")),
        ("OPTIONS", "*", ("*", None)),
        ("OPTIONS", "http://localhost", ("/", "localhost")),
    ],
)
def test_targets(method: str, target: str, found: tuple[str, str | None]) -> None:
    assert split_target(method, target) == found


NO_TARGETS = (
    "",
    *["a", "a/b", "*", "?a", "#", "/a#b", "ftp://a/", "http:/a", "http:///a", "http://", "localhost:80"],
    *["http://user@a/", "http://a:99999/", "http://a/b#c", "http://a\\b/"],
    *("/a b", "/a\x7f", "/é", "http://a b/", "/*\n", " /", "/ "),
)
HOSTS = [
    "localhost",
    "a.b.c",
    "127.0.0.1",
    "localhost:",
    "localhost:0",
    "localhost:65535",
    "[::1]",
    "[::1]:80",
    "a_b",
    "%41",
    "[v1.x:y]",
    "A",
    "sub!del$im&'()*+;=",
    "xn--bcher-kva.example",
]
NO_HOSTS = (
    "",
    *[
        ":80",
        "a:65536",
        "a:123456",
        "a:-1",
        "a:x",
        "a/b",
        "a?b",
        "a#b",
        "user@a",
        "a,b",
        "[::1",
        "::1",
        "[]",
        "a%4",
        "a\\b",
        "a:80:80",
        "[::1]x",
        "[::1]:x",
        "[::g]",
    ],
    *("a b", "é", "a\n", "a\x00", "a" * 2000, "http://a", " a", "a "),
)


@pytest.mark.parametrize("target", NO_TARGETS)
def test_what_is_no_target(target: str) -> None:
    assert split_target("GET", target) is None


@pytest.mark.parametrize("host", HOSTS)
def test_hosts(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize("host", NO_HOSTS)
def test_what_is_no_host(host: str) -> None:
    assert not is_host(host)


@given(st.text(max_size=20))
def test_any_text_is_judged(text: str) -> None:
    found = split_target("GET", text)
    assert found is None or (found[0].startswith("/") and found[0].isascii())
    assert is_host(text) in (True, False)
