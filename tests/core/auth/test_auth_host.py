"""`fanlight.auth.host`: what a Host is, where we publish ourselves, and which names are let in."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fanlight.auth.host import HostGuard, is_ipv4, redirect_to_https, resolve_host, split_host
from fanlight.http.request import Head


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("localhost", ("localhost", None)),
        ("localhost:6876", ("localhost", 6876)),
        ("localhost:", ("localhost", None)),
        ("DB.example.com.:80", ("DB.example.com.", 80)),
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        ("[::1]", ("[::1]", None)),
        ("[2001:DB8::1]:65535", ("[2001:DB8::1]", 65535)),
        ("[::ffff:1.2.3.4]", ("[::ffff:1.2.3.4]", None)),
        ("[v1.x]", ("[v1.x]", None)),
        ("a_b-c~d", ("a_b-c~d", None)),
        ("%41", ("%41", None)),
    ],
)
def test_hosts(value: str, parts: tuple[str, int | None]) -> None:
    assert split_host(value) == parts


@pytest.mark.parametrize(
    "value",
    [
        "",
        ":80",
        " localhost",
        "localhost ",
        "a b",
        "user@host",
        "host/path",
        "host?q",
        "host#f",
        "http://host",
        "host:65536",
        "host:-1",
        "host:+1",
        "host:0x50",
        "host:٣",
        "host:123456",
        "a:b:c",
        "::1",
        "[::1",
        "[]",
        "[::1%25lo]",
        "[:::1]",
        "[1.2.3.4]",
        "[::1]x",
        'h" x=y',
        "ä.example",
        "%4",
        "%zz",
        "a\\b",
        "h\n",
        "[::1%lo]",
        "[v.x]",
        "[12345::]",
    ],
)
def test_what_is_no_host(value: str) -> None:
    assert split_host(value) is None
    if value == value.strip():
        assert resolve_host(None, value) is None


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("0.0.0.0", True),
        ("255.255.255.255", True),
        ("256.0.0.1", False),
        ("01.2.3.4", False),
        ("1.2.3", False),
        ("1.2.3.4.", False),
        ("1.2.3.4.5", False),
        ("2130706433", False),
        ("0x7f.0.0.1", False),
        ("127.0.0.1.evil.example", False),
    ],
)
def test_ipv4(host: str, is_one: bool) -> None:
    assert is_ipv4(host) is is_one


@pytest.mark.parametrize(
    ("configured", "host", "resolved"),
    [
        (None, "db.example:1", "db.example:1"),
        (None, " db.example\t", "db.example"),
        ("", "db.example", "db.example"),
        ("  ", "db.example", "db.example"),
        (" public.example ", "db.example", "public.example"),
        ("public.example:8443", None, "public.example:8443"),
        ("user@public.example", "db.example", None),
        ("https://public.example", "db.example", None),
        (None, "user@db.example", None),
        (None, None, None),
        (None, "", None),
    ],
)
def test_where_we_publish_ourselves(configured: str | None, host: str | None, resolved: str | None) -> None:
    assert resolve_host(configured, host) == resolved


GUARD = HostGuard(("db.example.com", "*.corp.test", "Upper.Example."), "public.example:8443")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "a.b.LocalHost.",
        "127.0.0.1",
        "10.1.2.3",
        "[::1]",
        "[fe80::1]",
        "db.example.com",
        "DB.EXAMPLE.com.",
        "public.example",
        "x.corp.test",
        "x.y.Corp.Test.",
        "upper.example",
    ],
)
def test_names_that_are_let_in(host: str) -> None:
    assert GUARD.admits(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "xlocalhost",
        ".localhost",
        "localhost..",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "corp.test",
        "xcorp.test",
        ".corp.test",
        "db.example.com.evil.example",
        "evil-db.example.com",
        "%6cocalhost",
        "*.corp.example",
        "[v1.x]",
        "local_host",
    ],
)
def test_names_that_are_not(host: str) -> None:
    assert not GUARD.admits(host)


def test_a_suffix_begins_at_a_dot_and_a_name_is_whole() -> None:
    guard = HostGuard(["shop.example", "*.corp.example"])
    admitted = {"shop.example", "a.corp.example", "a.b.corp.example", "Shop.Example.", "localhost"}
    refused = {
        "corp.example",
        "xcorp.example",
        "a.shop.example",
        "shop.example.x",
        "[v1.x]",
        "[V1.x]",
    }
    assert {host for host in admitted | refused if guard.admits(host)} == admitted
    assert HostGuard(["*"]).admits("[V1.x]")


def test_a_star_lets_everything_in() -> None:
    assert HostGuard(["*"]).admits("evil.example")
    assert not HostGuard().admits("db.example.com")
    assert not HostGuard((), "user@evil.example").admits("evil.example")


def spellings(name: str) -> st.SearchStrategy[str]:
    """Other ways to write a name: case, dots, percent-encoding, look-alikes of separators, ports."""
    letters = st.tuples(
        *(
            st.sampled_from((c, c.upper(), f"%{ord(c):02x}", "%2e" if c == "." else c, ".." if c == "." else c))
            for c in name
        )
    ).map("".join)
    affixes = ("", ".", "..", ":80", ".:80", ":", "@localhost", "#localhost", "/localhost", "\\localhost", " localhost")
    return st.tuples(
        st.sampled_from(("", "localhost@", "127.0.0.1@", "localhost.", ".")), letters, st.sampled_from(affixes)
    ).map("".join)


@given(spellings("evil.example"))
@example("localhost.evil.example")
def test_no_spelling_of_a_foreign_name_is_let_in(value: str) -> None:
    parts = split_host(value)
    assert parts is None or not GUARD.admits(parts[0])


@given(st.from_regex(r"[a-z0-9.-]{1,30}", fullmatch=True))
def test_a_name_is_judged_alike_in_every_case_and_with_a_dot(name: str) -> None:
    assert GUARD.admits(name) == GUARD.admits(name.upper())
    if not is_ipv4(name) and not name.endswith("."):
        assert GUARD.admits(name) == GUARD.admits(f"{name}.")


@given(st.text(max_size=20))
def test_what_is_a_host_stays_in_its_place_in_a_url(value: str) -> None:
    resolved = resolve_host(None, value)
    if resolved is not None:
        assert not set(resolved) & set('/?#@\\ \r\n\t"<>')


def head(target: str, authority: str | None) -> Head:
    return Head("GET", target, (), version="1.1", authority=authority)


@pytest.mark.parametrize(
    ("target", "authority", "configured", "status", "location"),
    [
        ("/api/sql?x=1&y=%2F", "db.example.com", None, 308, "https://db.example.com/api/sql?x=1&y=%2F"),
        ("/", "evil.example", "public.example.com", 308, "https://public.example.com/"),
        ("//evil.example/x", "db.example.com", None, 308, "https://db.example.com//evil.example/x"),
        ("/", "user@evil.example", None, 400, None),
        ("/", None, None, 400, None),
    ],
)
def test_redirect(
    target: str, authority: str | None, configured: str | None, status: int, location: str | None
) -> None:
    response = redirect_to_https(head(target, authority), configured)
    assert response.status == status
    assert dict(response.fields).get("location") == location
    assert response.body == (b"" if status == 308 else b"no host available")


@pytest.mark.parametrize("host", ["[v1.x]", "[V1.x]", "[v1f.a:b]"])
def test_addresses_of_a_future_kind_are_hosts_by_the_grammar(host: str) -> None:
    assert split_host(host) == (host, None)
    assert split_host(f"{host}:80") == (host, 80)
