"""Listeners: which sockets a server opens, which groups each serves, and to whom.

A `Listener` is a value and is valid once it exists: every rule about one
listener is checked here, whether it comes from code or from a file.  Rules
about starting (a certificate, an open door) are in `vet`.  Nothing here opens
a socket, reads a file or writes a log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from attrs import Attribute, field, frozen

from ..auth.groups import CONFIGURED_GROUPS, GROUPS, ConfiguredGroup, RouteGroup
from ..auth.host import is_ipv4, is_ipv6, resolve_host, split_host
from ..auth.identity import Kind, Roles
from ..auth.roles import ROLES, Policy
from ..observe.escape import escape
from .settings import ConfigurationError, Remark, Settings, boolean, kind_of, strings

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from ..auth.cookies import SessionCookie
    from .settings import Dialect

PlaintextPolicy = Literal["close", "redirect"]
CookiePrefix = Literal["host"]

KINDS: tuple[Kind, ...] = ("Frontegg", "Password", "Oidc", "None")
"""The kinds that an HTTP listener may have; which of them can be served is `auth.chain`'s."""
_NOT_HTTP = {
    "Sasl": "SASL authentication is not supported for HTTP listeners",
    "Talos": "Talos authentication is not yet supported for HTTP listeners",
}
"""Kinds that exist for other protocols: a better answer than "unknown"."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PORT = re.compile(r"[0-9]{1,5}")
_EVERYBODY: Roles = "NormalAndInternal"
"""The roles that admit every user there is."""
_INTERNAL = ("Internal", "NormalAndInternal")
"""Roles that admit internal users."""
# The fallback has the roles of the first of these that is enabled.
_FALLBACK: tuple[ConfiguredGroup, ...] = ("internal", "profiling", "base")
# Longest path that fits `sun_path` with its final NUL, on every system.
_UNIX_PATH_BYTES = 103

ALL_GROUPS: Mapping[ConfiguredGroup, Roles] = MappingProxyType(dict.fromkeys(CONFIGURED_GROUPS, _EVERYBODY))
"""Every group, for everybody: for demonstrations on loopback."""

DEFAULT_GROUPS: Mapping[ConfiguredGroup, Roles] = MappingProxyType(
    {group: roles for group, roles in ALL_GROUPS.items() if group not in ("webhook", "mcp_agent", "mcp_developer")}
)
"""What a listener serves that says nothing else: all groups but webhooks and MCP, for everybody."""


@frozen
class Address:
    """Where a listener is bound: `host` (a literal without brackets) and `port`, or a Unix `path`."""

    host: str = ""
    port: int = 0
    path: str | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Only this machine can reach it.

        A Unix socket counts: its file's mode keeps others out.  So does an IPv4
        loopback address inside IPv6.  The unspecified addresses are not
        loopback.
        """
        if self.path is not None or self.host.startswith("127."):
            return True
        from ipaddress import ip_address

        address = ip_address(self.host)
        mapped = address.ipv4_mapped if address.version == 6 else None
        return (mapped or address).is_loopback


def parse_address(text: str) -> Address:
    """`IP:PORT` (IPv6 in brackets, port 0 for a free one) or `unix:PATH`; else `ConfigurationError`.

    A literal address, never a name: which sockets are opened must not depend on
    what a resolver says.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path or "\0" in path or len(path.encode("utf-8", "surrogateescape")) > _UNIX_PATH_BYTES:
            raise ConfigurationError("address", f"expected a path of at most {_UNIX_PATH_BYTES} bytes after `unix:`")
        return Address(path=path)
    # From the right: an IPv6 literal has colons of its own.
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    literal = is_ipv4(host) if bare is host else is_ipv6(bare)
    if not literal or not _PORT.fullmatch(port) or int(port) > 0xFFFF:
        raise ConfigurationError("address", f"expected IP:PORT, got {escape(text)}")
    return Address(bare, int(port))


def check_roles(value: object, path: str) -> Roles:
    """`value` as roles, else `ConfigurationError` about `path`."""
    for roles in ROLES:
        if value == roles:
            return roles
    got = f"unknown roles {escape(value)}" if isinstance(value, str) else f"got {kind_of(value)}"
    raise ConfigurationError(path, f"expected Normal, Internal or NormalAndInternal, {got}")


def _check_name(_: Any, attribute: Attribute[str], value: object) -> None:
    """Names stand in paths, metrics and logs as they are, so they hold nothing that needs escaping."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ConfigurationError(attribute.name, "a listener's name is 1 to 64 of A-Z a-z 0-9 _ . -")


def _check_address(_: Any, attribute: Attribute[str], value: object) -> None:
    """Only that it can be read; whether it can be bound is known when it is."""
    if not isinstance(value, str):
        raise ConfigurationError(attribute.name, f"expected IP:PORT, got {kind_of(value)}")
    parse_address(value)


def _check_kind(_: Any, attribute: Attribute[Kind], value: object) -> None:
    """A kind that HTTP can speak; whether this release has it is asked when a server starts (`vet`)."""
    if not isinstance(value, str):
        raise ConfigurationError(attribute.name, f"expected a string, got {kind_of(value)}")
    if value in _NOT_HTTP:
        raise ConfigurationError(attribute.name, _NOT_HTTP[value], prefix="invalid HTTP listener: ")
    if value not in KINDS:
        raise ConfigurationError(attribute.name, f"unknown authenticator kind {escape(value)}")


def _check_policy(_: Any, attribute: Attribute[PlaintextPolicy], value: object) -> None:
    if value not in ("close", "redirect"):
        raise ConfigurationError(attribute.name, "expected close or redirect")


def _check_prefix(_: Any, attribute: Attribute[CookiePrefix | None], value: object) -> None:
    if value not in (None, "host"):
        raise ConfigurationError(attribute.name, "expected host")


def _check_count(_: Any, attribute: Attribute[int], value: object) -> None:
    """True is an int for Python, but no count."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(attribute.name, "expected a whole number of at least 1")


def _groups(value: object) -> Mapping[ConfiguredGroup, Roles]:
    """A copy in the order of `CONFIGURED_GROUPS`, which nobody can change afterwards."""
    if not isinstance(value, Mapping):
        raise ConfigurationError("groups", f"expected an object, got {kind_of(value)}")
    given: Mapping[object, object] = value
    for group in given:
        if group not in CONFIGURED_GROUPS:
            raise ConfigurationError("groups", f"unknown group {escape(str(group))}")
    chosen: dict[ConfiguredGroup, Roles] = {}
    for group in CONFIGURED_GROUPS:
        if group in given:
            chosen[group] = check_roles(given[group], f"groups.{group}")
    return MappingProxyType(chosen)


def _hosts(value: object) -> tuple[str, ...]:
    """Names for `Listener.allowed_hosts`, as `auth.host.HostGuard` reads them.

    A port would never match: names are compared without one.  A `*` inside a
    name is refused, since it would look like a pattern and be none.
    """
    entries = strings(value, "allowed_hosts")
    for index, entry in enumerate(entries):
        where = None if entry == "*" else split_host(entry.removeprefix("*."))
        if entry != "*" and (where is None or where[0] != entry.removeprefix("*.") or "*" in where[0]):
            raise ConfigurationError(f"allowed_hosts[{index}]", "expected a host without port, `*.suffix` or `*`")
    return entries


@lru_cache(maxsize=64)
def _networks(entries: tuple[str, ...]) -> Sequence[IPv4Network | IPv6Network]:
    """The networks of `entries`, remembered: `trusts` asks for each connection.  Raises ValueError."""
    from ipaddress import ip_network

    return tuple(ip_network(entry) for entry in entries)


def _proxies(value: object) -> tuple[str, ...]:
    """Addresses or networks in CIDR form, host bits zero."""
    entries = strings(value, "trusted_proxies")
    for index, entry in enumerate(entries):
        try:
            _networks((entry,))
        except ValueError:
            raise ConfigurationError(f"trusted_proxies[{index}]", "expected an address or a network") from None
    return entries


@frozen
class Listener:
    """One socket and what is behind it.

    `address` is `IP:PORT` or `unix:PATH`; port 0 takes a free one.
    `authenticator` is the kind; `groups` maps each enabled group to the roles
    it admits.  `allowed_hosts` are names that kind None answers to besides
    loopback ones.  `behind_trusted_proxy` demands a PROXY header from
    `trusted_proxies` (networks; none: loopback and Unix peers).
    `trusted_user_header` lets such a proxy name the user on kind None.
    `max_connections` counts sockets before any request.

    `tls` has it speak TLS only; `plaintext_policy` says whether plaintext is
    then closed or redirected.  `allow_open_internal` is the operator's word
    that an open door (`open_internal`) is meant.

    `cookie_prefix` "host" has browsers take the session cookie from this very
    host alone, and only over TLS; `cookie_suffix_port` puts the port into its
    name, for several instances on one host.

    Each value is checked on its own as it is set; `ConfigurationError` names
    the attribute.
    """

    name: str = field(default="main", validator=_check_name)
    address: str = field(default="127.0.0.1:6876", validator=_check_address)
    authenticator: Kind = field(default="None", validator=_check_kind)
    tls: bool = field(default=False, validator=boolean)
    groups: Mapping[ConfiguredGroup, Roles] = field(default=DEFAULT_GROUPS, converter=_groups, hash=False)
    plaintext_policy: PlaintextPolicy = field(default="close", validator=_check_policy)
    allowed_hosts: tuple[str, ...] = field(default=(), converter=_hosts)
    behind_trusted_proxy: bool = field(default=False, validator=boolean)
    trusted_proxies: tuple[str, ...] = field(default=(), converter=_proxies)
    trusted_user_header: bool = field(default=True, validator=boolean)
    max_connections: int = field(default=1024, validator=_check_count)
    allow_open_internal: bool = field(default=False, validator=boolean)
    cookie_prefix: CookiePrefix | None = field(default=None, validator=_check_prefix)
    cookie_suffix_port: bool = field(default=False, validator=boolean)

    @property
    def where(self) -> Address:
        """The address, taken apart."""
        return parse_address(self.address)

    @property
    def unix_path(self) -> str | None:
        """The path of a Unix socket (mode 0600), None for TCP."""
        return self.where.path

    def serves(self, group: RouteGroup) -> bool:
        """Do the routes of `group` exist here?  Those of a disabled group are unknown paths.

        Login and logout exist where there are passwords or sessions, OAuth
        metadata where MCP is, `fallback` always.
        """
        if group == "fallback":
            return True
        if group in ("login", "logout"):
            return self.authenticator in ("Password", "Oidc")
        if group == "oauth_metadata":
            return "mcp_agent" in self.groups or "mcp_developer" in self.groups
        # A public group has no roles that anybody asks for, but is switched on under its own name.
        return (GROUPS[group].roles or group) in self.groups

    def policy(self, group: RouteGroup) -> Policy:
        """The roles `group` admits.  None, for one that has none or is disabled, admits nobody.

        `fallback`, all paths that are unknown, has the roles of the most
        guarded group that is enabled, so that strangers cannot map a listener
        by its 404s; with none of them enabled, everybody who is authenticated.
        """
        if group != "fallback":
            owner = GROUPS[group].roles
            return self.groups.get(owner) if owner is not None else None
        for last in _FALLBACK:
            if last in self.groups:
                return self.groups[last]
        return "Anybody"

    def session_cookie(self, dialect: Dialect, port: int) -> SessionCookie:
        """The cookie of its login sessions, bound to `port`."""
        from ..auth.cookies import cookie_of

        suffix = port if self.cookie_suffix_port else None
        return cookie_of(dialect.session_cookie, secure=self.tls, host_only=self.cookie_prefix == "host", port=suffix)

    def trusts(self, peer: str) -> bool:
        """Is the socket's own peer (an IP literal, or empty for a Unix socket) a trusted proxy?

        Without networks: a Unix peer, or a loopback one.  With networks a Unix
        peer is in none of them.
        """
        if not self.behind_trusted_proxy:
            return False
        if not peer:
            return not self.trusted_proxies
        from ipaddress import ip_address

        address = ip_address(peer)
        # A dual-stack socket shows IPv4 peers inside IPv6; networks are written in IPv4.
        plain = (address.ipv4_mapped if address.version == 6 else None) or address
        if not self.trusted_proxies:
            return plain.is_loopback
        return any(plain in network for network in _networks(self.trusted_proxies))

    @property
    def open_internal(self) -> bool:
        """Would anybody who can reach it become an internal user by saying so?

        Kind None believes every name; public groups ask for none.

        `vet` refuses such a listener unless `allow_open_internal` is set.
        """
        asked = (roles for group, roles in self.groups.items() if not GROUPS[group].public)
        return self.authenticator == "None" and not self.where.loopback and any(r in _INTERNAL for r in asked)


def vet(listeners: Iterable[Listener], settings: Settings) -> tuple[Remark, ...]:
    """Whether a server may start with these; `ConfigurationError` about the first that may not.

    Returned is what a person should know.  Paths are those of the file form.

    Rules that need more than one listener, or the settings: unique names, a
    certificate for TLS, an authenticator that exists, no open door by accident.
    """
    remarks: list[Remark] = []
    if (settings.http_host_name or "").strip() and resolve_host(settings.http_host_name, None) is None:
        remarks.append(Remark("warning", "http_host_name", "not a host name: no URL of this server can be published"))
    names: set[str] = set()
    for listener in listeners:
        path = f"http.{listener.name}"
        if listener.name in names:
            raise ConfigurationError(path, "two listeners of this name")
        names.add(listener.name)
        _vet_one(listener, settings, path)
        remarks.extend(_remarks(listener, path))
    return tuple(remarks)


def _vet_one(listener: Listener, settings: Settings, path: str) -> None:
    """The rules of one listener beside the settings; `ConfigurationError` about a member of `path`."""
    if listener.tls and not settings.certified:
        raise ConfigurationError(f"{path}.enable_tls", "TLS needs a certificate and a key")
    if listener.cookie_prefix is not None and not listener.tls:
        raise ConfigurationError(f"{path}.cookie_prefix", "browsers take such a cookie over TLS only")
    if listener.cookie_suffix_port and listener.unix_path is not None:
        raise ConfigurationError(f"{path}.cookie_suffix_port", "a Unix socket has no port")
    if listener.open_internal and not listener.allow_open_internal:
        raise ConfigurationError(
            f"{path}.addr",
            "kind None with internal roles makes an internal user of everybody who can reach the address: "
            "use a loopback address or Normal roles, or say allow_open_internal",
        )


def _remarks(listener: Listener, path: str) -> Iterable[Remark]:
    """What is allowed but should be known: who can reach the listener, and what they can read."""
    if not listener.where.loopback:
        if listener.authenticator == "None":
            yield Remark("warning", f"{path}.addr", "other machines can reach a listener that authenticates nobody")
        elif not listener.tls:
            yield Remark("warning", f"{path}.enable_tls", "credentials cross the network in clear")
    for group in listener.groups:
        if GROUPS[group].public:
            yield Remark("debug", f"{path}.routes.{group}", "the group is public: its roles are never consulted")
