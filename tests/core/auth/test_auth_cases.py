"""The cases of `auth.jsonl` that need no server: units, and what the gates alone decide.

Run here are the unit cases of the functions that exist, and the HTTP cases on
kinds None and Password without a session, up to the point where a handler
would start.  The rest is for the conformance runner.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from fanlight.auth.authorization import Credentials, Password, Token, parse_authorization
from fanlight.auth.chain import MISSING, Authenticate, Rejected
from fanlight.auth.gates import Decision, Gates
from fanlight.auth.groups import GROUPS, RouteGroup
from fanlight.auth.host import resolve_host
from fanlight.auth.identity import Identity
from fanlight.auth.origin import Origins, default_origins
from fanlight.auth.roles import named, role_allowed
from fanlight.config.file import parse
from fanlight.config.listeners import Listener
from fanlight.config.settings import ConfigurationError, Dialect
from fanlight.http.request import Head, Request
from fanlight.moment import Now

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "conformance" / "cases" / "auth.jsonl").read_text().splitlines()
]
DIALECT = Dialect()


def read_authorization(values: list[str]) -> list[str]:
    found = parse_authorization(values)
    if isinstance(found, Password):
        return ["password", found.user, found.password]
    return ["token", found.token] if isinstance(found, Token) else [found.value]


def read_listeners(config: Any) -> dict[str, Any]:
    try:
        configuration = parse(json.dumps(config))
    except ConfigurationError as error:
        return {"ok": False, "error": str(error)}
    return {
        "ok": True,
        "groups": {name: roles for each in configuration.listeners for name, roles in each.groups.items()},
    }


UNITS: dict[str, Callable[..., Any]] = {
    "parse_authorization": read_authorization,
    "role_allowed": lambda user, roles: role_allowed(user, roles, DIALECT),
    "resolve_host": resolve_host,
    "origin_allowed": lambda origin, allowed: Origins(allowed).allows(origin),
    "listener_config": read_listeners,
}
UNIT_CASES = [case for case in CASES if case["case"] == "unit" and case["unit"]["fn"] in UNITS]


@pytest.mark.parametrize("case", UNIT_CASES, ids=lambda case: case["name"])
def test_unit(case: dict[str, Any]) -> None:
    found = UNITS[case["unit"]["fn"]](**case["unit"]["args"])
    expected = case["expect"]["result"]
    if case["unit"]["fn"] != "listener_config":
        assert found == expected
        return
    assert found["ok"] is expected["ok"]
    assert expected.get("error_contains", "") in found.get("error", "")
    for group, roles in expected.get("migrated", {}).items():
        assert found["groups"].get(group) == roles


def test_every_unit_is_run() -> None:
    assert len(UNIT_CASES) == 43


# ---- the gates -------------------------------------------------------------------------

PATHS: tuple[tuple[str, RouteGroup], ...] = (
    (r"/|/api/sql|/memory|/hierarchical-memory|/static/.+", "base"),
    (r"/prof/.+", "profiling"),
    (r"/api/webhook/[^/]+/[^/]+/[^/]+", "webhook"),
    (r"/api/catalog/.+|/clusters|/api/tracing", "internal"),
    (r"/api/leader/.+", "leader"),
    (r"/metrics|/api/livez|/api/readyz", "metrics"),
    (r"/api/login", "login"),
    (r"/api/logout", "logout"),
    (r"/api/console/config", "console_config"),
    (r"/api/mcp/agent", "mcp_agent"),
    (r"/api/mcp/developer", "mcp_developer"),
)


def group_of(path: str, listener: Listener) -> RouteGroup:
    plain = path.partition("?")[0]
    for pattern, group in PATHS:
        if re.fullmatch(pattern, plain) and listener.serves(group):
            return group
    return "fallback"


def applies(case: dict[str, Any]) -> bool:
    """Decided by the gates: no session to be looked up, no token, no redirect of the wire."""
    if case["case"] != "http" or case["listener"]["kind"] not in ("None", "Password") or "conn" in case["listener"]:
        return False
    looked_up = (
        case["listener"]["kind"] == "Password" and "sessions" in case["world"] and case["expect"].get("status") != 403
    )
    return not looked_up and not case["request"]["path"].startswith("/.well-known/")


HTTP_CASES = [case for case in CASES if applies(case)]


def checker(users: dict[str, Any]) -> Authenticate:
    """Kind Password over the plain passwords of the case."""

    def check(request: Request, credentials: Credentials, now: Now, /) -> Identity | Rejected:
        if not isinstance(credentials, Password):
            return MISSING
        user = users.get(credentials.user, {"password": None})
        if user["password"] != credentials.password or not user.get("login", True):
            return Rejected("invalid credentials", user=credentials.user)
        return named(credentials.user, "Password", DIALECT)

    return check


def built(case: dict[str, Any]) -> Gates:
    given = case["listener"]
    listener = Listener(
        authenticator=given["kind"],
        groups=given["routes"],
        tls=given.get("tls", False),
        allowed_hosts=given.get("allowed_hosts", ()),
    )
    origins = given.get("allowed_origins")
    return Gates(
        listener,
        dialect=DIALECT,
        origins=Origins(default_origins([given.get("port", 6876)]) if origins is None else origins),
        http_host_name=given.get("http_host_name"),
        authenticator=None if given["kind"] == "None" else checker(case["world"].get("users", {})),
    )


def sent(case: dict[str, Any]) -> Request:
    given = case["request"]
    fields = [(name.lower(), value) for name, value in given.get("headers", [])]
    hosts = [value for name, value in fields if name == "host"]
    if not hosts:
        hosts = [f"localhost:{case['listener'].get('port', 6876)}"]
        fields.insert(0, ("host", hosts[0]))
    cookies = given.get("cookies", {})
    pairs = cookies.items() if isinstance(cookies, dict) else cookies
    if pairs:
        fields.append(("cookie", "; ".join(f"{name}={value}" for name, value in pairs)))
    head = Head(given["method"], given["path"], tuple(fields), version="1.1", authority=hosts[0])
    nothing = cast(Any, None)
    return Request(
        head,
        stream=1,
        arrived=Now(0.0, 0.0),
        peer="127.0.0.1",
        secure=case["listener"].get("tls", False),
        listener=nothing,
        server=nothing,
    )


def decided(case: dict[str, Any]) -> tuple[Decision, RouteGroup]:
    gates, request = built(case), sent(case)
    group = group_of(case["request"]["path"], gates.listener)
    decision = gates.authenticate(request, gates.decide(request, group))
    assert isinstance(decision, Decision), "it asks for something"
    return decision, group


def lines(decision: Decision) -> Iterator[tuple[str, str]]:
    yield from decision.fields
    if decision.answer is not None:
        yield from decision.answer.fields


@pytest.mark.parametrize("case", HTTP_CASES, ids=lambda case: case["name"])
def test_gates(case: dict[str, Any]) -> None:
    expected = case["expect"]
    decision, group = decided(case)
    if decision.answer is None:
        # The handler's, the router's or the engine's part begins.
        assert expected.get("status") not in (400, 401, 421) or group in ("login", "mcp_agent", "mcp_developer")
        assert ("public" in expected) is (GROUPS[group].public and group not in ("login", "logout"))
    else:
        assert decision.answer.status == expected["status"]
        assert "body" not in expected or decision.answer.body == expected["body"].encode()
    if "allow" in expected:
        assert decision.identity is not None
        assert (decision.identity.user, decision.identity.kind) == (
            expected["allow"]["user"],
            expected["allow"]["kind"],
        )
    for name, value in expected.get("headers", {}).items():
        found = [line for field, line in lines(decision) if field == name]
        if name.startswith("access-control") or (name == "www-authenticate"):
            assert found == ([] if value is None else value if isinstance(value, list) else [value])
