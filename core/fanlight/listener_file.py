"""The file form of a configuration: JSON, TOML or a mapping in, values out.

Only structure is read here; what a member may hold is decided by `listeners`
and `config`.  A second form, older than the first, gives roles to the whole
listener and switches groups by bare booleans; it is told apart per listener.
Nothing here opens the file, and no error or remark quotes more of it than a
path and one bad word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from attrs import frozen

from .auth.groups import CONFIGURED_GROUPS, ConfiguredGroup
from .auth.identity import Roles
from .config import ConfigurationError, Remark, Settings, kind_of
from .listeners import Listener, check_roles, parse_address
from .observe.escape import escape

Form = Literal["json", "toml"]

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SETTINGS = ("http_host_name", "allowed_origins", "tls_certificate", "tls_key")
_ROOT = ("version", "sql", "http", *_SETTINGS)
_SQL = ("addr", "authenticator_kind", "allowed_roles", "enable_tls")
_SQL_KINDS = ("Frontegg", "Password", "Sasl", "Oidc", "Talos", "None")
_OURS = (
    "plaintext_policy",
    "allowed_hosts",
    "behind_trusted_proxy",
    "trusted_proxies",
    "trusted_user_header",
    "max_connections",
    "allow_open_internal",
)
_HTTP = ("addr", "unix_path", "authenticator_kind", "enable_tls", "routes", *_OURS)
# Groups that the older form may leave out: they are younger than it.
_YOUNG = ("mcp_agent", "mcp_developer", "console_config")
# What a listener's attributes are called in the file.
_MEMBERS = {"address": "addr", "authenticator": "authenticator_kind", "tls": "enable_tls", "groups": "routes"}


@frozen
class Configuration:
    """What a file says: listeners in the byte order of their names, settings, and what to tell a person."""

    listeners: tuple[Listener, ...]
    settings: Settings
    remarks: tuple[Remark, ...] = ()


def parse(text: str, form: Form = "json") -> Configuration:
    """Read the text of a file.  Raises `ConfigurationError`."""
    return from_mapping(_json(text) if form == "json" else _toml(text))


def from_mapping(root: object) -> Configuration:
    """Read an object of the same structure.  Raises `ConfigurationError` about the first bad member."""
    remarks: list[Remark] = []
    _refuse_twice(root)
    members = _object(root, "configuration")
    sql, http = (_object(_required(members, name, ""), name) for name in ("sql", "http"))
    _ignore_unknown(members, _ROOT, "", remarks)
    for name in _ordered(sql):
        _check_sql(sql[name], _under("sql", name), remarks)
    listeners = tuple(_listener(name, http[name], _under("http", name), remarks) for name in _ordered(http))
    settings = Settings(**{name: members[name] for name in _SETTINGS if name in members})
    return Configuration(listeners, settings, tuple(remarks))


class _Twice(dict[str, Any]):
    """An object of a JSON text with a member that was given twice; `name` is that member's."""

    name = ""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    names = [name for name, _ in pairs]
    twice = _Twice(members)
    twice.name = next(name for name in members if names.count(name) > 1)
    return twice


def _constant(_: str) -> None:
    raise ConfigurationError("configuration", "not valid JSON: a number that is not finite")


def _json(text: str) -> object:
    from json import JSONDecodeError, loads

    try:
        value: object = loads(text, object_pairs_hook=_members, parse_constant=_constant)
    except JSONDecodeError as error:
        where, problem = f"line {error.lineno}, column {error.colno}", "not valid JSON"
    except RecursionError:
        where, problem = "somewhere", "nested too deeply"
    except ConfigurationError:
        raise
    except ValueError:
        # A whole number of thousands of digits.
        where, problem = "somewhere", "a number is too long"
    else:
        return value
    # Raised out here so that no cause, which holds the text, hangs on the error.
    raise ConfigurationError("configuration", f"{problem} ({where})")


def _toml(text: str) -> object:
    from tomllib import TOMLDecodeError, loads

    try:
        return loads(text)
    except TOMLDecodeError as error:
        found = re.search(r"\(at (line \d+, column \d+|end of document)\)", str(error))
        where = found[1] if found else "somewhere"
    except RecursionError:
        where = "nested too deeply"
    raise ConfigurationError("configuration", f"not valid TOML ({where})")


def _refuse_twice(root: object) -> None:
    """Also below members that nobody reads: a file that says two things is not understood."""
    waiting: list[tuple[str, object]] = [("", root)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, _Twice):
            raise ConfigurationError(_under(path, value.name), "given twice")
        if isinstance(value, Mapping):
            waiting.extend((_under(path, str(name)), inner) for name, inner in value.items())
        elif isinstance(value, list):
            waiting.extend((f"{path}[{index}]", inner) for index, inner in enumerate(value))


def _under(path: str, name: str) -> str:
    step = name if _PLAIN_NAME.fullmatch(name) else escape(name)
    return f"{path}.{step}" if path else step


def _object(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(path, f"expected an object, got {kind_of(value)}")
    for name in value:
        if not isinstance(name, str):
            raise ConfigurationError(path, f"expected members named by strings, got {kind_of(name)}")
    return value


def _required(members: Mapping[str, Any], name: str, path: str) -> Any:
    if name not in members:
        raise ConfigurationError(_under(path, name), "missing")
    return members[name]


def _ordered(members: Mapping[str, Any]) -> list[str]:
    return sorted(members, key=lambda name: name.encode("utf-8", "surrogatepass"))


def _ignore_unknown(members: Mapping[str, Any], known: tuple[str, ...], path: str, remarks: list[Remark]) -> None:
    """A misspelt switch must not vanish silently."""
    remarks.extend(
        Remark("warning", _under(path, name), "unknown member, ignored") for name in members if name not in known
    )


def _check_sql(value: object, path: str, remarks: list[Remark]) -> None:
    members = _object(value, path)
    for name in _SQL:
        _required(members, name, path)
    _address(members["addr"], f"{path}.addr")
    kind = members["authenticator_kind"]
    if kind not in _SQL_KINDS:
        got = f"unknown authenticator kind {escape(kind)}" if isinstance(kind, str) else f"got {kind_of(kind)}"
        raise ConfigurationError(f"{path}.authenticator_kind", got)
    check_roles(members["allowed_roles"], f"{path}.allowed_roles")
    if not isinstance(members["enable_tls"], bool):
        raise ConfigurationError(f"{path}.enable_tls", f"expected a boolean, got {kind_of(members['enable_tls'])}")
    _ignore_unknown(members, _SQL, path, remarks)
    remarks.append(Remark("warning", path, "ignored: this server does not speak the PostgreSQL protocol"))


def _address(value: object, path: str) -> str:
    """Only `IP:PORT`: in a file a Unix socket has a member of its own."""
    if not isinstance(value, str) or value.startswith("unix:"):
        raise ConfigurationError(path, f"expected IP:PORT, got {kind_of(value)}")
    try:
        parse_address(value)
    except ConfigurationError as error:
        raise error.moved(path) from None
    return value


def _listener(name: str, value: object, path: str, remarks: list[Remark]) -> Listener:
    members = _object(value, path)
    kind, tls = (_required(members, member, path) for member in ("authenticator_kind", "enable_tls"))
    address = _bound(members, path)
    routes = _object(_required(members, "routes", path), f"{path}.routes")
    legacy = any(isinstance(routes.get(group), bool) for group in CONFIGURED_GROUPS)
    groups = _legacy_groups(members, routes, path) if legacy else dict(_new_groups(routes, path, remarks))
    _ignore_unknown(members, (*_HTTP, "allowed_roles") if legacy else _HTTP, path, remarks)
    _ignore_unknown(routes, CONFIGURED_GROUPS, f"{path}.routes", remarks)
    ours = {member: members[member] for member in _OURS if member in members}
    try:
        return Listener(name, address, kind, tls, groups, **ours)
    except ConfigurationError as error:
        first, _, rest = error.path.partition(".")
        if first == "name":
            raise error.moved(path) from None
        step = "unix_path" if first == "address" and "unix_path" in members else _MEMBERS.get(first, first)
        raise error.moved(f"{path}.{step}.{rest}" if rest else f"{path}.{step}") from None


def _bound(members: Mapping[str, Any], path: str) -> str:
    if "unix_path" not in members:
        return _address(_required(members, "addr", path), f"{path}.addr")
    if "addr" in members:
        raise ConfigurationError(f"{path}.unix_path", "given beside addr")
    where = members["unix_path"]
    if not isinstance(where, str):
        raise ConfigurationError(f"{path}.unix_path", f"expected a string, got {kind_of(where)}")
    return f"unix:{where}"


def _new_groups(routes: Mapping[str, Any], path: str, remarks: list[Remark]) -> Iterator[tuple[ConfiguredGroup, Roles]]:
    for group in CONFIGURED_GROUPS:
        here = f"{path}.routes.{group}"
        members = _object(_required(routes, group, f"{path}.routes"), here)
        enabled = _required(members, "enabled", here)
        if not isinstance(enabled, bool):
            raise ConfigurationError(f"{here}.enabled", f"expected a boolean, got {kind_of(enabled)}")
        _ignore_unknown(members, ("enabled", "allowed_roles"), here, remarks)
        if enabled and "allowed_roles" not in members:
            raise ConfigurationError(here, "an enabled route group requires `allowed_roles`")
        if enabled:
            yield group, check_roles(members["allowed_roles"], f"{here}.allowed_roles")


def _legacy_groups(members: Mapping[str, Any], routes: Mapping[str, Any], path: str) -> Mapping[ConfiguredGroup, Roles]:
    enabled: list[ConfiguredGroup] = []
    for group in CONFIGURED_GROUPS:
        if group in _YOUNG and group not in routes:
            continue
        switch = _required(routes, group, f"{path}.routes")
        if not isinstance(switch, bool):
            problem = f"expected a boolean, as for the listener's other groups, got {kind_of(switch)}"
            raise ConfigurationError(f"{path}.routes.{group}", problem)
        if switch:
            enabled.append(group)
    return dict.fromkeys(enabled, check_roles(_required(members, "allowed_roles", path), f"{path}.allowed_roles"))
