"""The pure functions that the `unit` cases of authentication call, and how their results are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from fanlight.auth.authorization import parse_authorization
from fanlight.auth.cookies import cookie_of, id_text, is_session_id
from fanlight.auth.frontegg import parse_app_password
from fanlight.auth.host import resolve_host
from fanlight.auth.jwt import groups_of
from fanlight.auth.keyring import discovery_url, issuer_problem
from fanlight.auth.origin import Origins
from fanlight.auth.roles import role_allowed
from fanlight.auth.scram import derive, verify
from fanlight.config.file import from_mapping
from fanlight.config.settings import ConfigurationError, Dialect
from fanlight.sql.opening import read_opening

from .model import Case, Json, require


def _role_allowed(user: str, roles: Any) -> Json:
    return role_allowed(user, roles, Dialect())


def _parse_authorization(values: list[str]) -> Json:
    parsed = parse_authorization(values)
    if isinstance(parsed, Enum):
        return [parsed.value]
    shown = {"Password": ("user", "password"), "Token": ("token",)}[type(parsed).__name__]
    return [type(parsed).__name__.lower(), *(getattr(parsed, name) for name in shown)]


def _origin_allowed(origin: str, allowed: list[str]) -> Json:
    return Origins(allowed).allows(origin)


def _resolve_host(configured: str | None, host: str | None) -> Json:
    return resolve_host(configured, host)


def _listener_config(config: Json) -> Json:
    try:
        read = from_mapping(config)
    except ConfigurationError as error:
        return {"ok": False, "error": str(error)}
    groups = [dict(listener.groups) for listener in read.listeners]
    return {"ok": True, "migrated": groups[0] if groups else {}}


def _scram_format(password: str, salt_hex: str, iterations: int) -> Json:
    return str(derive(password, bytes.fromhex(salt_hex), iterations))


def _scram_verify(stored: str, password: str) -> Json:
    return verify(password, stored)


def _session_id_ok(value: str) -> Json:
    return is_session_id(value)


def _set_cookie(id_hex: str, tls: bool, action: str) -> Json:
    cookie = cookie_of(Dialect().session_cookie, secure=tls, host_only=False, port=None)
    return cookie.removal if action == "remove" else cookie.set_value(id_text(bytes.fromhex(id_hex)))


def _issuer_check(issuer: str) -> Json:
    return issuer_problem(issuer)


def _discovery_url(issuer: str) -> Json:
    return discovery_url(issuer)


def _extract_groups(claims: Mapping[str, Json], path: str) -> Json:
    groups = groups_of(claims, path)
    return list(groups) if groups is not None else None


def _parse_app_password(value: str) -> Json:
    parsed = parse_app_password(value)
    return list(parsed) if parsed is not None else None


def _ws_first_message(text: str) -> Json:
    opening = read_opening(text)
    if opening is None:
        return ["error"]
    given, options = opening.credentials, dict(opening.options)
    if given is None:
        return ["options", options]
    shown = {"Password": ("basic", "user", "password"), "Token": ("bearer", "token")}[type(given).__name__]
    return [shown[0], *(getattr(given, name) for name in shown[1:]), options]


_FUNCTIONS: dict[str, Callable[..., Json]] = {
    "role_allowed": _role_allowed,
    "parse_authorization": _parse_authorization,
    "origin_allowed": _origin_allowed,
    "resolve_host": _resolve_host,
    "listener_config": _listener_config,
    "ws_first_message": _ws_first_message,
    "issuer_check": _issuer_check,
    "discovery_url": _discovery_url,
    "extract_groups": _extract_groups,
    "parse_app_password": _parse_app_password,
    "session_id_ok": _session_id_ok,
    "set_cookie": _set_cookie,
    "scram_format": _scram_format,
    "scram_verify": _scram_verify,
}


def _check_listener_config(wanted: Mapping[str, Json], seen: Mapping[str, Json]) -> None:
    require(seen["ok"] == wanted["ok"], f"ok is {seen['ok']}: {seen.get('error')}")
    require(wanted.get("error_contains", "") in seen.get("error", ""), f"the error is {seen.get('error')!r}")
    for group, roles in wanted.get("migrated", {}).items():
        require(seen["migrated"].get(group) == roles, f"{group}: {seen['migrated'].get(group)}, expected {roles}")


def play(case: Case) -> None:
    """Call the function of a `unit` case and compare."""
    unit = case.data["unit"]
    name = unit["fn"]
    require(name in _FUNCTIONS, f"the case calls an unknown function {name}")
    result, wanted = _FUNCTIONS[name](**unit["args"]), case.data["expect"]["result"]
    if name == "listener_config":
        _check_listener_config(wanted, result)
    else:
        require(result == wanted and type(result) is type(wanted), f"{name} gave {result!r}, expected {wanted!r}")
