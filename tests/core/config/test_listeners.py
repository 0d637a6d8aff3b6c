"""`fanlight.config.listeners`: a listener that exists is valid, and one that may start is safe."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.groups import CONFIGURED_GROUPS, GROUPS, RouteGroup
from fanlight.auth.identity import Kind
from fanlight.config.listeners import ALL_GROUPS, DEFAULT_GROUPS, Address, Listener, parse_address, vet
from fanlight.config.settings import ConfigurationError, Dialect, Settings

PLAIN = Settings()


def test_default_listener() -> None:
    listener = Listener()
    assert (listener.name, listener.address, listener.authenticator) == ("main", "127.0.0.1:6876", "None")
    assert dict(listener.groups) == dict.fromkeys(
        ("base", "internal", "metrics", "profiling", "console_config"), "NormalAndInternal"
    )
    assert vet([listener], PLAIN)[0].level == "debug"
    assert Listener("main", groups=dict(DEFAULT_GROUPS)) == listener
    assert hash(Listener()) == hash(listener)


@pytest.mark.parametrize(
    ("text", "address", "loopback"),
    [
        ("127.0.0.1:6876", Address("127.0.0.1", 6876), True),
        ("127.8.8.8:1", Address("127.8.8.8", 1), True),
        ("0.0.0.0:0", Address("0.0.0.0", 0), False),
        ("10.1.2.3:65535", Address("10.1.2.3", 65535), False),
        ("[::1]:80", Address("::1", 80), True),
        ("[::]:80", Address("::", 80), False),
        ("[::ffff:127.0.0.1]:80", Address("::ffff:127.0.0.1", 80), True),
        ("[::ffff:10.0.0.1]:80", Address("::ffff:10.0.0.1", 80), False),
        ("unix:/run/x.sock", Address(path="/run/x.sock"), True),
        ("unix:x.sock", Address(path="x.sock"), True),
    ],
)
def test_addresses(text: str, address: Address, loopback: bool) -> None:
    assert parse_address(text) == address
    assert address.loopback is loopback
    listener = Listener("a", text)
    assert listener.where == address
    assert listener.unix_path == address.path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:6876",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1:1 ",
        "127.0.0.1:٣",
        "127.0.0.01:80",
        "127.1:80",
        "2130706433:80",
        "::1:80",
        "[::1]",
        "[::1%lo]:80",
        "[127.0.0.1]:80",
        "[::1:80",
        "unix:",
        "unix:a\0b",
        "unix:/" + "x" * 103,
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Listener("a", text)
    assert caught.value.path == "address"


@pytest.mark.parametrize(
    ("member", "value", "path"),
    [
        ("name", "", "name"),
        ("name", "a b", "name"),
        ("name", "a" * 65, "name"),
        ("name", "a\n", "name"),
        ("name", 5, "name"),
        ("address", 6876, "address"),
        ("authenticator", "none", "authenticator"),
        ("authenticator", None, "authenticator"),
        ("authenticator", "Sasl", "authenticator"),
        ("authenticator", "Talos", "authenticator"),
        ("tls", 1, "tls"),
        ("tls", "false", "tls"),
        ("groups", ["base"], "groups"),
        ("groups", {"leader": "Normal"}, "groups"),
        ("groups", {1: "Normal"}, "groups"),
        ("groups", {"base": "normal"}, "groups.base"),
        ("groups", {"base": None}, "groups.base"),
        ("plaintext_policy", "open", "plaintext_policy"),
        ("allowed_hosts", "localhost", "allowed_hosts"),
        ("allowed_hosts", ["db.example", "db.example:80"], "allowed_hosts[1]"),
        ("allowed_hosts", ["http://db.example"], "allowed_hosts[0]"),
        ("allowed_hosts", ["a.*.example"], "allowed_hosts[0]"),
        ("allowed_hosts", [""], "allowed_hosts[0]"),
        ("behind_trusted_proxy", "yes", "behind_trusted_proxy"),
        ("trusted_proxies", "10.0.0.0/8", "trusted_proxies"),
        ("trusted_proxies", ["10.0.0.1/8"], "trusted_proxies[0]"),
        ("trusted_proxies", ["proxy.example"], "trusted_proxies[0]"),
        ("trusted_user_header", 0, "trusted_user_header"),
        ("max_connections", 0, "max_connections"),
        ("max_connections", True, "max_connections"),
        ("max_connections", 1.5, "max_connections"),
        ("allow_open_internal", None, "allow_open_internal"),
    ],
)
def test_members_that_cannot_be_used(member: str, value: Any, path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Listener(**{member: value})
    assert caught.value.path == path


def test_kinds_that_no_http_listener_has() -> None:
    unready: list[Any] = ["Sasl", "Talos"]
    texts = []
    for kind in unready:
        with pytest.raises(ConfigurationError) as caught:
            Listener(authenticator=kind)
        texts.append(str(caught.value))
    assert texts[0].startswith("invalid HTTP listener: SASL authentication is not supported for HTTP listeners")
    assert texts[1].startswith("invalid HTTP listener: Talos authentication is not yet supported for HTTP listeners")


def test_groups_are_copied() -> None:
    groups: Any = {"base": "Normal"}
    listener = Listener(groups=groups)
    groups["internal"] = "NormalAndInternal"
    assert dict(listener.groups) == {"base": "Normal"}
    with pytest.raises(TypeError):
        listener.groups["base"] = "Internal"  # type: ignore[index]


SERVED: list[tuple[dict[str, str], Kind, set[RouteGroup]]] = [
    ({}, "None", {"fallback"}),
    ({"base": "Normal"}, "None", {"base", "ws", "fallback"}),
    ({"internal": "Normal"}, "None", {"internal", "leader", "fallback"}),
    ({"metrics": "Normal"}, "Password", {"metrics", "login", "logout", "fallback"}),
    ({"webhook": "Normal", "console_config": "Normal"}, "Oidc", {"webhook", "console_config", "login", "logout"}),
    ({"mcp_agent": "Normal"}, "Frontegg", {"mcp_agent", "oauth_metadata", "fallback"}),
    ({"mcp_developer": "Normal"}, "None", {"mcp_developer", "oauth_metadata", "fallback"}),
]


@pytest.mark.parametrize(("groups", "kind", "served"), SERVED)
def test_which_groups_are_served(groups: Any, kind: Kind, served: set[RouteGroup]) -> None:
    listener = Listener(authenticator=kind, groups=groups)
    assert {group for group in GROUPS if listener.serves(group)} == served | {"fallback"}


@pytest.mark.parametrize(
    ("groups", "group", "policy"),
    [
        ({"base": "Normal", "internal": "Internal"}, "base", "Normal"),
        ({"base": "Normal", "internal": "Internal"}, "ws", "Normal"),
        ({"base": "Normal", "internal": "Internal"}, "leader", "Internal"),
        ({"base": "Normal", "internal": "Internal"}, "metrics", None),
        ({"webhook": "Normal"}, "webhook", None),
        ({"metrics": "Internal"}, "fallback", "Anybody"),
        ({"base": "Normal"}, "fallback", "Normal"),
        ({"base": "Normal", "profiling": "Internal"}, "fallback", "Internal"),
        ({"profiling": "Internal", "internal": "NormalAndInternal"}, "fallback", "NormalAndInternal"),
        ({"base": "NormalAndInternal", "internal": "Internal", "profiling": "Normal"}, "fallback", "Internal"),
    ],
)
def test_policies(groups: Any, group: RouteGroup, policy: str | None) -> None:
    assert Listener(groups=groups).policy(group) == policy


@pytest.mark.parametrize(
    ("proxies", "peer", "trusted"),
    [
        ((), "127.0.0.1", True),
        ((), "::1", True),
        ((), "::ffff:127.0.0.1", True),
        ((), "", True),
        ((), "10.0.0.1", False),
        (("10.0.0.0/8", "2001:db8::/32"), "10.9.9.9", True),
        (("10.0.0.0/8", "2001:db8::/32"), "::ffff:10.9.9.9", True),
        (("10.0.0.0/8", "2001:db8::/32"), "2001:db8::7", True),
        (("10.0.0.0/8", "2001:db8::/32"), "11.0.0.1", False),
        (("10.0.0.0/8",), "127.0.0.1", False),
        (("10.0.0.0/8",), "", False),
        (("10.0.0.7",), "10.0.0.7", True),
    ],
)
def test_trusted_proxies(proxies: tuple[str, ...], peer: str, trusted: bool) -> None:
    assert Listener(behind_trusted_proxy=True, trusted_proxies=proxies).trusts(peer) is trusted
    assert not Listener(trusted_proxies=proxies).trusts(peer)


@pytest.mark.parametrize(
    ("address", "groups", "starts"),
    [
        ("10.0.0.1:80", {"base": "NormalAndInternal"}, False),
        ("10.0.0.1:80", {"base": "Normal", "metrics": "Internal"}, False),
        ("10.0.0.1:80", {"base": "Normal"}, True),
        ("10.0.0.1:80", {"webhook": "NormalAndInternal", "base": "Normal"}, True),
        ("[::]:80", ALL_GROUPS, False),
        ("[::1]:80", ALL_GROUPS, True),
        ("127.0.0.1:80", ALL_GROUPS, True),
        ("unix:/run/x.sock", ALL_GROUPS, True),
    ],
)
def test_everybody_an_internal_user_does_not_start_by_accident(address: str, groups: Any, starts: bool) -> None:
    listener = Listener("open", address, groups=groups)
    assert listener.open_internal is not starts
    if starts:
        vet([listener], PLAIN)
    else:
        with pytest.raises(ConfigurationError) as caught:
            vet([listener], PLAIN)
        assert caught.value.path == "http.open.addr"
        vet([Listener("open", address, groups=groups, allow_open_internal=True)], PLAIN)


def test_tls_needs_a_certificate() -> None:
    listener = Listener("secure", tls=True)
    with pytest.raises(ConfigurationError, match=r"http\.secure\.enable_tls"):
        vet([listener], Settings(tls_certificate="c.pem"))
    vet([listener], Settings(tls_certificate="c.pem", tls_key="k.pem"))


def test_two_listeners_of_one_name() -> None:
    with pytest.raises(ConfigurationError, match="two listeners of this name"):
        vet([Listener("a"), Listener("a", "127.0.0.1:1")], PLAIN)


def test_remarks() -> None:
    reachable = Listener("a", "10.0.0.1:80", groups={"base": "Normal", "webhook": "Normal"})
    remarks = vet([reachable], Settings(http_host_name="user@host"))
    assert [(remark.level, remark.path) for remark in remarks] == [
        ("warning", "http_host_name"),
        ("warning", "http.a.addr"),
        ("debug", "http.a.routes.webhook"),
    ]
    assert vet([Listener(groups={"base": "Normal"})], Settings(http_host_name=" db.example.com ")) == ()


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        address = parse_address(text)
    except ConfigurationError:
        return
    assert address.path or 0 <= address.port <= 65535


def test_every_configured_group_has_facts() -> None:
    assert set(CONFIGURED_GROUPS) <= set(GROUPS)
    assert set(ALL_GROUPS) == set(CONFIGURED_GROUPS)


def test_the_cookie_of_a_listener() -> None:
    plain = Listener(authenticator="Password")
    assert plain.session_cookie(Dialect(), 1).name == "mz_session"
    assert Listener(cookie_suffix_port=True).session_cookie(Dialect(), 1).name == "mz_session_1"
    with pytest.raises(ConfigurationError, match=r"http.main.cookie_prefix: browsers take such a cookie over TLS only"):
        vet([Listener(cookie_prefix="host")], Settings())
    with pytest.raises(ConfigurationError, match=r"http.main.cookie_suffix_port: a Unix socket has no port"):
        vet([Listener(address="unix:/run/x", cookie_suffix_port=True)], Settings())
    with pytest.raises(ConfigurationError, match="cookie_prefix: expected host"):
        Listener(cookie_prefix=cast(Any, "secure"))
    certified = Settings(tls_certificate="/c", tls_key="/k")
    assert not [
        remark for remark in vet([Listener(tls=True, cookie_prefix="host")], certified) if remark.level == "warning"
    ]
