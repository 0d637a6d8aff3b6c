"""`fanlight.config.file`: JSON, TOML and mappings, the older form, and errors that name a place."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.frontegg import FronteggSettings
from fanlight.auth.groups import CONFIGURED_GROUPS
from fanlight.config.file import Configuration, from_mapping, parse
from fanlight.config.settings import ConfigurationError

OFF = {"enabled": False}


def on(roles: str = "Normal") -> dict[str, Any]:
    return {"enabled": True, "allowed_roles": roles}


def listener(**members: Any) -> dict[str, Any]:
    routes: dict[str, Any] = dict.fromkeys(CONFIGURED_GROUPS, OFF)
    routes |= members.pop("routes", {})
    base = {"addr": "127.0.0.1:6876", "authenticator_kind": "None", "enable_tls": False, "routes": routes}
    return {name: value for name, value in {**base, **members}.items() if value is not ...}


def read(http: dict[str, Any] | None = None, **root: Any) -> Configuration:
    members = {"sql": {}, "http": {"e": listener()} if http is None else http, **root}
    return parse(json.dumps({name: value for name, value in members.items() if value is not ...}))


def error_of(http: dict[str, Any] | None = None, **root: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(http, **root)
    return str(caught.value)


def test_new_form() -> None:
    disabled = {"enabled": False, "allowed_roles": ["whatever"]}
    members = listener(routes={"base": on(), "metrics": on("Internal"), "webhook": disabled}, max_connections=7)
    configuration = read({"e": members}, version="26.32.0", http_host_name="db.example.com", allowed_origins=["*"])
    (only,) = configuration.listeners
    assert dict(only.groups) == {"base": "Normal", "metrics": "Internal"}
    assert (only.name, only.address, only.max_connections) == ("e", "127.0.0.1:6876", 7)
    assert configuration.settings.http_host_name == "db.example.com"
    assert configuration.settings.allowed_origins == ("*",)
    assert configuration.remarks == ()


def test_all_of_our_members() -> None:
    ours = {
        "plaintext_policy": "redirect",
        "allowed_hosts": ["*.corp.test"],
        "behind_trusted_proxy": True,
        "trusted_proxies": ["10.0.0.0/8"],
        "trusted_user_header": False,
        "max_connections": 3,
        "allow_open_internal": True,
    }
    configuration = read({"e": listener(addr=..., unix_path="/run/x.sock", **ours)})
    (only,) = configuration.listeners
    assert only.unix_path == "/run/x.sock"
    for name, value in ours.items():
        assert getattr(only, name) == (tuple(value) if isinstance(value, list) else value)
    assert configuration.remarks == ()


def test_listeners_come_in_the_byte_order_of_their_names() -> None:
    http = {name: listener() for name in ("b", "a-1", "B", "a.1", "_", "a_1")}
    assert [each.name for each in read(http).listeners] == ["B", "_", "a-1", "a.1", "a_1", "b"]


def test_the_first_bad_listener_is_reported() -> None:
    bad = listener(addr="nowhere")
    assert "http.a.addr" in error_of({"z": bad, "a": bad, "_": listener()})


ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"addr": ...}, "http.e.addr: missing"),
    ({"addr": "localhost:6876"}, "http.e.addr: expected IP:PORT"),
    ({"addr": "127.0.0.1"}, "http.e.addr: expected IP:PORT"),
    ({"addr": "127.0.0.1:70000"}, "http.e.addr: expected IP:PORT"),
    ({"addr": 6876}, "http.e.addr: expected IP:PORT, got a number"),
    ({"addr": "unix:/run/x"}, "http.e.addr: expected IP:PORT"),
    ({"unix_path": "/run/x"}, "http.e.unix_path: given beside addr"),
    ({"addr": ..., "unix_path": ""}, "http.e.unix_path: "),
    ({"addr": ..., "unix_path": 1}, "http.e.unix_path: expected a string, got a number"),
    ({"authenticator_kind": ...}, "http.e.authenticator_kind: missing"),
    ({"authenticator_kind": "password"}, 'http.e.authenticator_kind: unknown authenticator kind "password"'),
    ({"authenticator_kind": None}, "http.e.authenticator_kind: expected a string, got null"),
    ({"enable_tls": ...}, "http.e.enable_tls: missing"),
    ({"enable_tls": "no"}, "http.e.enable_tls: expected a boolean, got a string"),
    ({"routes": ...}, "http.e.routes: missing"),
    ({"allowed_hosts": ["a b"]}, "http.e.allowed_hosts[0]: "),
    ({"trusted_proxies": ["x"]}, "http.e.trusted_proxies[0]: "),
    ({"max_connections": 0}, "http.e.max_connections: "),
    ({"plaintext_policy": "open"}, "http.e.plaintext_policy: "),
]


@pytest.mark.parametrize(("members", "text"), ERRORS)
def test_errors_of_a_listener(members: dict[str, Any], text: str) -> None:
    complete = listener()
    if "routes" in members:
        members, complete = {}, {name: value for name, value in complete.items() if name != "routes"}
    complete = {name: value for name, value in {**complete, **members}.items() if value is not ...}
    assert text in error_of({"e": complete})


@pytest.mark.parametrize(
    ("group", "text"),
    [
        (..., "http.e.routes.metrics: missing"),
        ({}, "http.e.routes.metrics.enabled: missing"),
        ({"enabled": 1}, "http.e.routes.metrics.enabled: expected a boolean, got a number"),
        ({"enabled": True}, "http.e.routes.metrics: an enabled route group requires `allowed_roles`"),
        (
            on("internal"),
            "http.e.routes.metrics.allowed_roles: expected Normal, Internal or NormalAndInternal, unknown",
        ),
        ({"enabled": True, "allowed_roles": ["Normal"]}, "http.e.routes.metrics.allowed_roles: "),
        ([], "http.e.routes.metrics: expected an object, got an array"),
        (None, "http.e.routes.metrics: expected an object, got null"),
    ],
)
def test_errors_of_a_group(group: Any, text: str) -> None:
    routes = {**dict.fromkeys(CONFIGURED_GROUPS, OFF), "metrics": group}
    assert text in error_of({"e": {**listener(), "routes": {n: v for n, v in routes.items() if v is not ...}}})


@pytest.mark.parametrize("group", CONFIGURED_GROUPS)
def test_every_group_is_required(group: str) -> None:
    routes = {name: OFF for name in CONFIGURED_GROUPS if name != group}
    assert error_of({"e": {**listener(), "routes": routes}}) == f"http.e.routes.{group}: missing"


@pytest.mark.parametrize(
    ("root", "text"),
    [
        ({"sql": ...}, "sql: missing"),
        ({"http": ...}, "http: missing"),
        ({"sql": []}, "sql: expected an object, got an array"),
        ({"http": None}, "http: expected an object, got null"),
        ({"http": {"e": 1}}, "http.e: expected an object, got a number"),
        ({"http": {"two words": listener()}}, 'http."two words": a listener\'s name is'),
        ({"http": {"": listener()}}, 'http."": a listener\'s name is'),
        ({"allowed_origins": "*"}, "allowed_origins: expected an array"),
        ({"http_host_name": 4}, "http_host_name: expected a string"),
    ],
)
def test_errors_of_the_whole(root: dict[str, Any], text: str) -> None:
    members = {name: value for name, value in {"sql": {}, "http": {}, **root}.items() if value is not ...}
    with pytest.raises(ConfigurationError) as caught:
        from_mapping(members)
    assert text in str(caught.value)


def test_kinds_of_the_sql_wire_are_refused_for_http() -> None:
    text = "invalid HTTP listener: SASL authentication is not supported for HTTP listeners"
    assert error_of({"e": listener(authenticator_kind="Sasl")}) == f"{text} (http.e.authenticator_kind)"
    assert "Talos authentication is not yet supported" in error_of({"e": listener(authenticator_kind="Talos")})


@pytest.mark.parametrize("value", [1, "text", None, [], True])
def test_the_whole_is_an_object(value: object) -> None:
    with pytest.raises(ConfigurationError, match="configuration: expected an object"):
        parse(json.dumps(value))


def test_unknown_members_are_told_and_ignored() -> None:
    routes: dict[str, object] = {**dict.fromkeys(CONFIGURED_GROUPS, OFF), "base": {**on(), "role": 1}, "leader": on()}
    members = {**listener(), "routes": routes, "allow_internal_resources": True, "allowed_roles": "Normal"}
    remarks = read({"e": members}, **{"li\nsteners": 1}).remarks
    assert {remark.level for remark in remarks} == {"warning"}
    assert {remark.path for remark in remarks} == {
        '"li\\nsteners"',
        "http.e.allow_internal_resources",
        "http.e.allowed_roles",
        "http.e.routes.leader",
        "http.e.routes.base.role",
    }


SQL = {"addr": "0.0.0.0:6875", "authenticator_kind": "Sasl", "allowed_roles": "Normal", "enable_tls": True}


def test_sql_listeners_are_read_and_ignored() -> None:
    remarks = read(sql={"b": SQL, "a": {**SQL, "odd": 1}}).remarks
    assert [(remark.level, remark.path) for remark in remarks] == [
        ("warning", "sql.a.odd"),
        ("warning", "sql.a"),
        ("warning", "sql.b"),
    ]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("addr", "x"),
        ("addr", ...),
        ("authenticator_kind", "sasl"),
        ("authenticator_kind", 1),
        ("allowed_roles", "All"),
        ("allowed_roles", ...),
        ("enable_tls", 1),
    ],
)
def test_sql_listeners_are_checked(member: str, value: Any) -> None:
    entry = {name: inner for name, inner in {**SQL, member: value}.items() if inner is not ...}
    assert error_of(sql={"main": entry}).startswith(f"sql.main.{member}: ")


OLD = {"base": True, "webhook": False, "internal": True, "metrics": False, "profiling": False}


def test_older_form() -> None:
    (only,) = read({"e": {**listener(), "allowed_roles": "NormalAndInternal", "routes": OLD}}).listeners
    assert dict(only.groups) == {"base": "NormalAndInternal", "internal": "NormalAndInternal"}
    routes = {**OLD, "mcp_agent": True, "console_config": False}
    (only,) = read({"e": {**listener(), "allowed_roles": "Internal", "routes": routes}}).listeners
    assert dict(only.groups) == {"base": "Internal", "internal": "Internal", "mcp_agent": "Internal"}


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"routes": OLD}, "http.e.allowed_roles: missing"),
        ({"routes": OLD, "allowed_roles": "Everybody"}, "http.e.allowed_roles: "),
        ({"routes": {**OLD, "metrics": on()}}, "http.e.routes.metrics: expected a boolean"),
        ({"routes": {"base": True}, "allowed_roles": "Normal"}, "http.e.routes.webhook: missing"),
    ],
)
def test_errors_of_the_older_form(members: dict[str, Any], text: str) -> None:
    assert text in error_of({"e": {**listener(), **members}})


def test_the_form_is_chosen_for_each_listener() -> None:
    http = {"old": {**listener(), "allowed_roles": "Normal", "routes": OLD}, "new": listener(routes={"base": on()})}
    assert [list(each.groups) for each in read(http).listeners] == [["base"], ["base", "internal"]]


def test_toml_says_the_same() -> None:
    group = "\n".join(f"{name} = {{ enabled = false }}" for name in CONFIGURED_GROUPS[1:])
    toml = f"""
        http_host_name = "db.example.com"
        [sql]
        [http.e]
        addr = "127.0.0.1:6876"
        authenticator_kind = "None"
        enable_tls = false
        [http.e.routes]
        base = {{ enabled = true, allowed_roles = "Normal" }}
        {group}
    """
    assert parse(toml, "toml") == read({"e": listener(routes={"base": on()})}, http_host_name="db.example.com")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("{", "json"),
        ("", "json"),
        ('{"sql": NaN}', "json"),
        ("[" * 100_000, "json"),
        ('{"sql": ' + "1" * 10_000 + "}", "json"),
        ("a = ", "toml"),
        ("[a]\n[a]", "toml"),
        ("x = 'secret-word", "toml"),
        ("x = " + "[" * 100_000, "toml"),
    ],
)
def test_what_cannot_be_read_is_one_error_without_its_text(text: str, form: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"configuration: .* \(.*\)|configuration: .*not finite") as caught:
        parse(text, form)
    assert "secret-word" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"sql": {}, "sql": {}, "http": {}}', "sql"),
        ('{"sql": {}, "http": {"e": {"addr": "a", "addr": "a"}}}', "http.e.addr"),
        ('{"sql": {}, "http": {}, "unknown": [1, {"a": 1, "b": 2, "b": 3}]}', "unknown[1].b"),
    ],
)
def test_a_member_given_twice(text: str, path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    assert str(caught.value) == f"{path}: given twice"


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a tree of objects."""
    inner = [step for name in value for step in paths(value[name], (*path, name))] if isinstance(value, dict) else []
    return [path, *inner]


# By way of JSON, so that no two places share an object.
ROOT: dict[str, Any] = json.loads(
    json.dumps({"sql": {"s": SQL}, "http": {"e": listener(routes={"base": on()})}, "http_host_name": "h"})
)
SECRET = {"password": "correct horse"}


@given(
    place=st.sampled_from(paths(ROOT)[1:]),
    value=st.sampled_from([None, True, 5, 1.5, [], ["correct horse"], SECRET, [SECRET]]),
)
def test_a_wrong_value_anywhere_is_an_error_or_nothing_and_never_quoted(place: tuple[Any, ...], value: Any) -> None:
    root = copy.deepcopy(ROOT)
    inner: Any = root
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    path, told = outcome(root)
    where = ".".join(place)
    # One bare boolean makes the listener one of the older form, which its other groups are then not.
    older = value is True and place[2:3] == ("routes",)
    assert older or path is None or where.startswith(path.partition("[")[0]) or path.startswith(where)
    assert "correct horse" not in told


def outcome(root: object) -> tuple[str | None, str]:
    """Path and text of the error, or the text of all remarks."""
    try:
        return None, " ".join(f"{remark.path} {remark.text}" for remark in from_mapping(root).remarks)
    except ConfigurationError as error:
        return error.path, str(error)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    )
)
def test_any_json_is_a_configuration_or_an_error(value: Any) -> None:
    try:
        parse(json.dumps(value))
    except ConfigurationError:
        pass


TENANT = {
    "token_url": "https://admin.example/token",
    "tenant_id": "11111111-2222-4333-8444-555555555555",
    "public_key": "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----",
}


def test_a_tenant_of_frontegg() -> None:
    read_tenant = read(frontegg={**TENANT, "admin_role": "boss", "typo": 5})
    assert read_tenant.frontegg == FronteggSettings(**TENANT, admin_role="boss")
    assert [remark.path for remark in read_tenant.remarks] == ["frontegg.typo"]
    assert "BEGIN" not in repr(read_tenant.frontegg)
    assert read().frontegg is None


@pytest.mark.parametrize("name", list(TENANT))
def test_errors_of_a_tenant(name: str) -> None:
    without = {member: value for member, value in TENANT.items() if member != name}
    assert error_of(frontegg=without) == f"frontegg.{name}: missing"
    assert error_of(frontegg={**TENANT, name: 5}) == f"frontegg.{name}: expected a string, got a number"
