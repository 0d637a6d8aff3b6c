"""Settings of a server as values: its dialect, its public name, its certificate.

Nothing here reads a file or an environment variable, and nothing is written to
a log: what a person should know is a `Remark`, what cannot be is a
`ConfigurationError`.  Listeners are in `listeners`, the file form of all this
in `file`.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from attrs import Attribute, field, frozen

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NAME_LISTS = (
    "user_header_values",
    "internal_users",
    "reserved_prefixes",
    "reserved_words",
    "reserved_any_case",
)
_WORDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "a number"),
    (float, "a number"),
    (str, "a string"),
    (dict, "an object"),
    (list, "an array"),
    (tuple, "an array"),
)


class ConfigurationError(ValueError):
    """A setting that cannot be used; the server does not start.

    `path` leads to the offending member, joined by dots, and `problem` says
    what is wrong with it.  The text holds the bad value's type or the one bad
    word, escaped, and nothing else of the configuration.
    """

    def __init__(self, path: str, problem: str, *, prefix: str = "") -> None:
        super().__init__(f"{prefix}{problem} ({path})" if prefix else f"{path}: {problem}")
        self.path = path
        self.problem = problem
        self.prefix = prefix

    def moved(self, path: str) -> ConfigurationError:
        """The same error about another path: where a file calls the member differently."""
        return ConfigurationError(path, self.problem, prefix=self.prefix)


@frozen
class Remark:
    """Something about the configuration that is allowed but worth a line in the log.

    `path` and `text` are safe to print: names from outside are escaped.
    """

    level: Literal["debug", "warning"]
    path: str
    text: str


def kind_of(value: object) -> str:
    """The type of a value of a configuration in the words of JSON, for error texts."""
    if value is None:
        return "null"
    return next((word for known, word in _WORDS if isinstance(value, known)), "another type")


def boolean(_: Any, attribute: Attribute[bool], value: object) -> None:
    """Validator: exactly True or False."""
    if not isinstance(value, bool):
        raise ConfigurationError(attribute.name, f"expected a boolean, got {kind_of(value)}")


def strings(value: object, path: str) -> tuple[str, ...]:
    """`value` as a tuple, when it is a list or tuple of strings; a single string is not."""
    if not isinstance(value, list | tuple):
        raise ConfigurationError(path, f"expected an array of strings, got {kind_of(value)}")
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise ConfigurationError(f"{path}[{index}]", f"expected a string, got {kind_of(item)}")
    return tuple(value)


@frozen(kw_only=True)
class Dialect:
    """The names a server answers to; the defaults are those of Materialize.

    `user_header` is the field by which a trusted proxy names the user on kind
    None, `user_header_values` what it may say (internal users only).
    `internal_users` may pass where roles say Internal.  Names that start with
    one of `reserved_prefixes`, equal one of `reserved_words`, or equal one of
    `reserved_any_case` (lower case) but for the case of ASCII letters, belong
    to nobody else.  `realm` is sent unquoted in the Basic challenge.

    Raises `ConfigurationError` for names that cannot stand where they are sent.
    """

    user_header: str = "x-materialize-user"
    user_header_values: tuple[str, ...] = ("mz_support", "mz_system")
    version_header: str = "x-materialize-version"
    internal_users: tuple[str, ...] = ("mz_system", "mz_support", "mz_analytics")
    reserved_prefixes: tuple[str, ...] = ("mz_", "pg_", "external_")
    reserved_words: tuple[str, ...] = ("current_user", "current_role", "session_user", "user", "none")
    reserved_any_case: tuple[str, ...] = ("public",)
    session_cookie: str = "mz_session"
    realm: str = "Materialize"
    anonymous_user: str = "anonymous_http_user"

    def __attrs_post_init__(self) -> None:
        for name in ("user_header", "version_header", "session_cookie", "realm"):
            value = getattr(self, name)
            lower = name.endswith("header")
            if not isinstance(value, str) or not _TOKEN.fullmatch(value) or (lower and value != value.lower()):
                kind = "a field name in lower case" if lower else "a token of RFC 9110"
                raise ConfigurationError(f"dialect.{name}", f"expected {kind}")
        for name in _NAME_LISTS:
            value = getattr(self, name)
            # A bare string would be a list of its letters.
            if not isinstance(value, tuple) or not all(isinstance(item, str) and item for item in value):
                raise ConfigurationError(f"dialect.{name}", "expected a tuple of names")
        if any(name not in self.internal_users for name in self.user_header_values):
            # It would be a login of an ordinary user without a password.
            raise ConfigurationError("dialect.user_header_values", "names a user that is not internal")
        if any(name != name.lower() for name in self.reserved_any_case):
            raise ConfigurationError("dialect.reserved_any_case", "expected names in lower case")


def _text_or_none(_: Any, attribute: Attribute[str | None], value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(attribute.name, f"expected a string, got {kind_of(value)}")


def _origins(value: object) -> tuple[str, ...] | None:
    """Entries are compared byte by byte, so one that no Origin field can equal is a mistake."""
    if value is None:
        return None
    entries = strings(value, "allowed_origins")
    for index, entry in enumerate(entries):
        inner = entry[1:] if entry == "*" or entry.startswith("*.") else entry
        if not entry or "*" in inner or not all("!" <= character <= "~" for character in entry):
            raise ConfigurationError(f"allowed_origins[{index}]", "expected an origin, `*.suffix` or `*`")
    return entries


def _whole(_: Any, attribute: Attribute[int], value: object) -> None:
    """True is an int for Python, but no count."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigurationError(attribute.name, "expected a whole number of at least 0")


def _seconds(_: Any, attribute: Attribute[float], value: object) -> None:
    """A span of time; a year is long enough for everything here."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 366 * 86_400:
        raise ConfigurationError(attribute.name, "expected a number of seconds, more than 0 and at most a year's")


def _iterations(_: Any, attribute: Attribute[int], value: object) -> None:
    """RFC 7677 asks for 4,096 at least; a hundred million take a minute."""
    if not isinstance(value, int) or isinstance(value, bool) or not 4096 <= value <= 100_000_000:
        raise ConfigurationError(attribute.name, "expected a whole number of at least 4096, at most a hundred million")


def _failure_status(_: Any, attribute: Attribute[int], value: object) -> None:
    if isinstance(value, bool) or value not in (401, 503):
        raise ConfigurationError(attribute.name, "expected 401 or 503")


def _upstream(_: Any, attribute: Attribute[str | None], value: object) -> None:
    """An origin, perhaps with a path; without TLS only on this machine, as its scripts run in people's browsers."""
    if value is None:
        return
    from urllib.parse import urlsplit  # only where there is such a setting

    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or not _URL.fullmatch(parts.geturl()) or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(attribute.name, "expected a URL of https, without user, query and fragment")
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ConfigurationError(attribute.name, "expected https, but for this machine")


def _suffix(settings: Any, attribute: Attribute[str | None], value: object) -> None:
    """A host name, perhaps with a port."""
    if value is None:
        return
    if not isinstance(value, str) or not _HOST.fullmatch(value):
        raise ConfigurationError(attribute.name, "expected a host name")
    if settings.console_upstream is None:
        raise ConfigurationError(attribute.name, "needs console_upstream")


_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[!-~]*)?")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?")


@frozen(kw_only=True)
class Settings:
    """What is one for the whole server.

    `http_host_name` is the public host name (`host` or `host:port`), used in
    place of the Host field wherever a URL is published; `allowed_origins` None
    means the loopback origins of the bound ports (`origin.default_origins`).
    `tls_certificate` and `tls_key` are paths of PEM files, which the host reads.

    `users_file` is the path of the users of kind Password, which the host
    reads, and reads again when it changes.  A peer may fail `auth_failure_burst`
    times for one user and gets one more try every `auth_failure_refill_seconds`;
    the same with `peer_` before it for all users together (burst 0: no such
    bound, for proxies that stand for everybody).

    `session_absolute_seconds` is when a login ends, however busy its session
    is; `sessions_file` the path of an SQLite file that keeps sessions over a
    restart.

    `scram_iterations` is what passwords are hashed with: one that was hashed
    with another count is hashed anew when its user logs in.
    `login_requires_reachable_role` refuses a login by which nothing could be
    reached.  `allow_internal_from_token` lets a provider's token make somebody
    an internal user.  `upstream_failure_status` is what a caller gets whose
    token or app password a provider could not be asked about: 401 or 503.
    `console_upstream` is the URL of a console that `/internal-console/` leads
    to, in place of the built-in one; `console_preview_suffix` the host name
    below which its preview builds are, None for none.
    """

    http_host_name: str | None = field(default=None, validator=_text_or_none)
    allowed_origins: tuple[str, ...] | None = field(default=None, converter=_origins)
    tls_certificate: str | None = field(default=None, validator=_text_or_none)
    tls_key: str | None = field(default=None, validator=_text_or_none)
    users_file: str | None = field(default=None, validator=_text_or_none)
    auth_failure_burst: int = field(default=10, validator=_whole)
    auth_failure_refill_seconds: float = field(default=6.0, validator=_seconds)
    peer_auth_failure_burst: int = field(default=50, validator=_whole)
    peer_auth_failure_refill_seconds: float = field(default=1.0, validator=_seconds)
    session_absolute_seconds: float = field(default=604_800.0, validator=_seconds)
    sessions_file: str | None = field(default=None, validator=_text_or_none)
    scram_iterations: int = field(default=600_000, validator=_iterations)
    login_requires_reachable_role: bool = field(default=False, validator=boolean)
    allow_internal_from_token: bool = field(default=False, validator=boolean)
    upstream_failure_status: int = field(default=401, validator=_failure_status)
    console_upstream: str | None = field(default=None, validator=_upstream)
    console_preview_suffix: str | None = field(default=None, validator=_suffix)

    @property
    def certified(self) -> bool:
        """Both halves of a certificate are there."""
        return self.tls_certificate is not None and self.tls_key is not None
