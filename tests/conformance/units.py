"""The pure functions that the `unit` cases of authentication call, and how their results are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from importlib import import_module
from typing import Any

from .model import Case, Json, Skipped, require


def _found(module: str, name: str) -> Any:
    """The function `name` of a module of the core; `Skipped` when it is not there yet."""
    try:
        return getattr(import_module(f"fanlight.{module}"), name)
    except (ImportError, AttributeError):
        raise Skipped(f"not built yet: {name}") from None


def _dialect() -> Any:
    return _found("config", "Dialect")()


def _role_allowed(user: str, roles: str) -> Json:
    return _found("auth.roles", "role_allowed")(user, roles, _dialect())


def _parse_authorization(values: list[str]) -> Json:
    parsed = _found("auth.authorization", "parse_authorization")(values)
    if isinstance(parsed, Enum):
        return [parsed.value]
    shown = {"Password": ("user", "password"), "Token": ("token",)}[type(parsed).__name__]
    return [type(parsed).__name__.lower(), *(getattr(parsed, name) for name in shown)]


def _origin_allowed(origin: str, allowed: list[str]) -> Json:
    return _found("auth.origin", "Origins")(allowed).allows(origin)


def _resolve_host(configured: str | None, host: str | None) -> Json:
    return _found("auth.host", "resolve_host")(configured, host)


def _listener_config(config: Json) -> Json:
    error_type = _found("config", "ConfigurationError")
    try:
        read = _found("listener_file", "from_mapping")(config)
    except error_type as error:
        return {"ok": False, "error": str(error)}
    groups = [dict(listener.groups) for listener in read.listeners]
    return {"ok": True, "migrated": groups[0] if groups else {}}


def _scram_format(password: str, salt_hex: str, iterations: int) -> Json:
    return str(_found("auth.scram", "derive")(password, bytes.fromhex(salt_hex), iterations))


def _scram_verify(stored: str, password: str) -> Json:
    return _found("auth.scram", "verify")(password, stored)


def _session_id_ok(value: str) -> Json:
    return _found("auth.cookies", "is_session_id")(value)


def _set_cookie(id_hex: str, tls: bool, action: str) -> Json:
    name = _dialect().session_cookie
    if action == "remove":
        return _found("auth.cookies", "remove_session")(name, secure=tls)
    value = _found("auth.cookies", "id_text")(bytes.fromhex(id_hex))
    return _found("auth.cookies", "set_session")(name, value, secure=tls)


def _issuer_check(issuer: str) -> Json:
    return _found("auth.keyring", "issuer_problem")(issuer)


def _discovery_url(issuer: str) -> Json:
    return _found("auth.keyring", "discovery_url")(issuer)


def _extract_groups(claims: Mapping[str, Json], path: str) -> Json:
    groups = _found("auth.jwt", "groups_of")(claims, path)
    return list(groups) if groups is not None else None


def _parse_app_password(value: str) -> Json:
    parsed = _found("auth.frontegg", "parse_app_password")(value)
    return list(parsed) if parsed is not None else None


def _ws_first_message(text: str) -> Json:
    opening = _found("sql.opening", "read_opening")(text)
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
