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
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from ..auth.groups import CONFIGURED_GROUPS, ConfiguredGroup
from ..auth.identity import Roles
from ..observe.escape import escape
from .listeners import Listener, check_roles, parse_address
from .settings import ConfigurationError, Remark, Settings, kind_of, strings

if TYPE_CHECKING:
    from ..auth.frontegg import FronteggSettings
    from ..auth.oidc import OidcSettings

Form = Literal["json", "toml"]

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names that may stand in a path as they are; all others are escaped, since paths go to logs."""
_SETTINGS = (
    "http_host_name",
    "allowed_origins",
    "tls_certificate",
    "tls_key",
    "users_file",
    "auth_failure_burst",
    "auth_failure_refill_seconds",
    "peer_auth_failure_burst",
    "peer_auth_failure_refill_seconds",
    "session_absolute_seconds",
    "sessions_file",
    "scram_iterations",
    "login_requires_reachable_role",
    "allow_internal_from_token",
    "upstream_failure_status",
    "console_upstream",
    "console_preview_suffix",
)
_OIDC_TEXTS = ("issuer", "user_claim", "group_claim", "console_client_id", "console_scopes")
_OIDC = ("audiences", *_OIDC_TEXTS)
_FRONTEGG = ("token_url", "tenant_id", "public_key", "admin_role", "group_claim", "issuer")
_ROOT = ("version", "sql", "http", "oidc", "frontegg", *_SETTINGS)
"""Members of the whole file."""
_SQL = ("addr", "authenticator_kind", "allowed_roles", "enable_tls")
_SQL_KINDS = ("Frontegg", "Password", "Sasl", "Oidc", "Talos", "None")
"""Of a listener for the PostgreSQL protocol, which is checked and then ignored: files are shared."""
_OURS = (
    "plaintext_policy",
    "allowed_hosts",
    "behind_trusted_proxy",
    "trusted_proxies",
    "trusted_user_header",
    "max_connections",
    "allow_open_internal",
    "cookie_prefix",
    "cookie_suffix_port",
)
"""Members that the format did not have before; each is an attribute of `Listener` of the same name."""
_HTTP = ("addr", "unix_path", "authenticator_kind", "enable_tls", "routes", *_OURS)
# Groups that the older form may leave out: they are younger than it.
_YOUNG = ("mcp_agent", "mcp_developer", "console_config")
# What a listener's attributes are called in the file.
_MEMBERS = {"address": "addr", "authenticator": "authenticator_kind", "tls": "enable_tls", "groups": "routes"}


@frozen
class Configuration:
    """What a file says: listeners in the byte order of their names, settings, and what to tell a person.

    Valid in itself; whether a server may start with it is for `listeners.vet`.
    """

    listeners: tuple[Listener, ...]
    settings: Settings
    remarks: tuple[Remark, ...] = ()
    oidc: OidcSettings | None = None
    frontegg: FronteggSettings | None = None


def parse(text: str, form: Form = "json") -> Configuration:
    """Read the text of a file.  Raises `ConfigurationError`.

    The text was read by the caller, decoded from UTF-8.  Both forms give the
    same objects, so nothing behind this function knows which it was.
    """
    return from_mapping(_json(text) if form == "json" else _toml(text))


def from_mapping(root: object) -> Configuration:
    """Read an object of the same structure.  Raises `ConfigurationError` about the first bad member.

    Unknown members are remarks, never errors: an older server must start with a
    newer file.  `sql` and `http` must both be there, though they may be empty.
    """
    remarks: list[Remark] = []
    # First of all: a member that was given twice would be checked with one value and read with another.
    _refuse_twice(root)
    members = _object(root, "configuration")
    sql, http = (_object(_required(members, name, ""), name) for name in ("sql", "http"))
    _ignore_unknown(members, _ROOT, "", remarks)
    # In byte order, so that the first error does not depend on how the file was written down.
    for name in _ordered(sql):
        _check_sql(sql[name], _under("sql", name), remarks)
    listeners = tuple(_listener(name, http[name], _under("http", name), remarks) for name in _ordered(http))
    settings = Settings(**{name: members[name] for name in _SETTINGS if name in members})
    oidc = _oidc(members["oidc"], remarks) if "oidc" in members else None
    frontegg = _frontegg(members["frontegg"], remarks) if "frontegg" in members else None
    return Configuration(listeners, settings, tuple(remarks), oidc, frontegg)


def _oidc(value: object, remarks: list[Remark]) -> OidcSettings:
    """The provider of kind Oidc; the issuer is compared byte by byte, so it is kept as it stands."""
    from ..auth.oidc import OidcSettings

    members = _object(value, "oidc")
    _ignore_unknown(members, _OIDC, "oidc", remarks)
    for name in _OIDC_TEXTS:
        if name in members and not isinstance(members[name], str):
            raise ConfigurationError(f"oidc.{name}", f"expected a string, got {kind_of(members[name])}")
    given = {name: members[name] for name in _OIDC if name in members}
    if "audiences" in given:
        given["audiences"] = strings(given["audiences"], "oidc.audiences")
    return OidcSettings(**given)


def _frontegg(value: object, remarks: list[Remark]) -> FronteggSettings:
    """The tenant of kind Frontegg; its public key stands in the file itself."""
    from ..auth.frontegg import FronteggSettings

    members = _object(value, "frontegg")
    _ignore_unknown(members, _FRONTEGG, "frontegg", remarks)
    for name in ("token_url", "tenant_id", "public_key"):
        _required(members, name, "frontegg")
    return FronteggSettings(**{name: members[name] for name in _FRONTEGG if name in members})


class _Twice(dict[str, Any]):
    """An object of a JSON text with a member that was given twice; `name` is that member's."""

    name = ""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What the scanner makes of an object: a dict, or a `_Twice` that `_refuse_twice` will find."""
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    names = [name for name, _ in pairs]
    twice = _Twice(members)
    twice.name = next(name for name in members if names.count(name) > 1)
    return twice


def _constant(_: str) -> None:
    """NaN and the infinities, which Python's scanner would take and RFC 8259 does not have."""
    raise ConfigurationError("configuration", "not valid JSON: a number that is not finite")


def _json(text: str) -> object:
    """The value of a JSON text; `ConfigurationError` with line and column, never with the text.

    The scanner's own errors hold the whole document, which may hold secrets.
    """
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
    """The value of a TOML text; `ConfigurationError` with the place and nothing else of the reader's message."""
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
    """Also below members that nobody reads: a file that says two things is not understood.

    A list of what waits, instead of recursion: the nesting is the file's.
    """
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
    """The path of a member: `http.main.addr`, names that are not plain in quotes and escaped."""
    step = name if _PLAIN_NAME.fullmatch(name) else escape(name)
    return f"{path}.{step}" if path else step


def _object(value: object, path: str) -> Mapping[str, Any]:
    """`value` as an object whose members are named by strings; a mapping from code may have others."""
    if not isinstance(value, Mapping):
        raise ConfigurationError(path, f"expected an object, got {kind_of(value)}")
    for name in value:
        if not isinstance(name, str):
            raise ConfigurationError(path, f"expected members named by strings, got {kind_of(name)}")
    return value


def _required(members: Mapping[str, Any], name: str, path: str) -> Any:
    """The member `name` of the object at `path`; `ConfigurationError` where it is missing."""
    if name not in members:
        raise ConfigurationError(_under(path, name), "missing")
    return members[name]


def _ordered(members: Mapping[str, Any]) -> list[str]:
    """Names in the order of their bytes; from code they may hold lone surrogates."""
    return sorted(members, key=lambda name: name.encode("utf-8", "surrogatepass"))


def _ignore_unknown(members: Mapping[str, Any], known: tuple[str, ...], path: str, remarks: list[Remark]) -> None:
    """A misspelt switch must not vanish silently."""
    remarks.extend(
        Remark("warning", _under(path, name), "unknown member, ignored") for name in members if name not in known
    )


def _check_sql(value: object, path: str, remarks: list[Remark]) -> None:
    """Whether a listener of the PostgreSQL protocol is written as it must be; it is not opened.

    A mistake in it is an error all the same: another server reads the same
    file.
    """
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
    """The listener at `path`.  `ConfigurationError` speaks of members of the file.

    `Listener` checks what members may hold and names its own attributes; those
    are translated here (`_MEMBERS`).
    """
    members = _object(value, path)
    kind, tls = (_required(members, member, path) for member in ("authenticator_kind", "enable_tls"))
    address = _bound(members, path)
    routes = _object(_required(members, "routes", path), f"{path}.routes")
    # One boolean makes it the older form; a group of the newer one beside it is then the error.
    legacy = any(isinstance(routes.get(group), bool) for group in CONFIGURED_GROUPS)
    groups = _legacy_groups(members, routes, path) if legacy else dict(_new_groups(routes, path, remarks))
    _ignore_unknown(members, (*_HTTP, "allowed_roles") if legacy else _HTTP, path, remarks)
    _ignore_unknown(routes, CONFIGURED_GROUPS, f"{path}.routes", remarks)
    ours = {member: members[member] for member in _OURS if member in members}
    try:
        return Listener(name, address, kind, tls, groups, **ours)
    except ConfigurationError as error:
        first, _, rest = error.path.partition(".")
        # The name is the listener's key in the file, so the error is about the listener as a whole.
        if first == "name":
            raise error.moved(path) from None
        step = "unix_path" if first == "address" and "unix_path" in members else _MEMBERS.get(first, first)
        raise error.moved(f"{path}.{step}.{rest}" if rest else f"{path}.{step}") from None


def _bound(members: Mapping[str, Any], path: str) -> str:
    """The address of a listener, from `addr` or `unix_path`; both at once are an error."""
    if "unix_path" not in members:
        return _address(_required(members, "addr", path), f"{path}.addr")
    if "addr" in members:
        raise ConfigurationError(f"{path}.unix_path", "given beside addr")
    where = members["unix_path"]
    if not isinstance(where, str):
        raise ConfigurationError(f"{path}.unix_path", f"expected a string, got {kind_of(where)}")
    return f"unix:{where}"


def _new_groups(routes: Mapping[str, Any], path: str, remarks: list[Remark]) -> Iterator[tuple[ConfiguredGroup, Roles]]:
    """The enabled groups with their roles, from objects `{"enabled": …, "allowed_roles": …}`.

    Each group must be named: one that is forgotten must not be silently off, or
    worse, on.
    """
    for group in CONFIGURED_GROUPS:
        here = f"{path}.routes.{group}"
        members = _object(_required(routes, group, f"{path}.routes"), here)
        enabled = _required(members, "enabled", here)
        if not isinstance(enabled, bool):
            raise ConfigurationError(f"{here}.enabled", f"expected a boolean, got {kind_of(enabled)}")
        _ignore_unknown(members, ("enabled", "allowed_roles"), here, remarks)
        # A disabled group needs no roles; those it has are not looked at.
        if enabled and "allowed_roles" not in members:
            raise ConfigurationError(here, "an enabled route group requires `allowed_roles`")
        if enabled:
            yield group, check_roles(members["allowed_roles"], f"{here}.allowed_roles")


def _legacy_groups(members: Mapping[str, Any], routes: Mapping[str, Any], path: str) -> Mapping[ConfiguredGroup, Roles]:
    """The enabled groups of the older form, all with the listener's one `allowed_roles`."""
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
