"""What a running server knows of itself, as rows: settings, routes, connections.

The catalog, the coordinator dump and the live relations all show these, so
they are read here, once, from the objects that hold them.  Everything is read
in single steps, so another thread may ask while the server works.  Nothing is
changed, and no secret is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import fields, frozen

from ..auth.groups import GROUPS
from ..config.listeners import Listener
from ..config.redaction import shown, without_userinfo

if TYPE_CHECKING:
    from ..app import App
    from ..asks import Effect
    from ..connection.connection import Connection
    from ..server import Server

_OWN = ("sql_writers", "sql_connections", "heap_frames", "fork")
"""Settings that are attributes of `App` itself and of no group of settings."""
_OWN_DEFAULTS: Mapping[str, Any] = {
    "sql_writers": "privileged",
    "sql_connections": 5000,
    "heap_frames": 16,
    "fork": "auto",
}


@frozen
class Setting:
    """A setting by its dotted name; `source` is `default` or `program`."""

    name: str
    value: str
    default: str

    @property
    def source(self) -> str:
        """Told by the value: one that was set to its default cannot be told from one that was not set."""
        return "default" if self.value == self.default else "program"


@frozen
class RouteRow:
    """A route as one listener serves it.

    `roles` is empty where nobody's are asked for, `authentication` the
    listener's kind, or `public`.
    """

    listener: str
    group: str
    method: str
    path: str
    roles: str
    authentication: str
    privileged: bool


@frozen
class ConnectionRow:
    """An open connection.

    `users` are those of the requests under way, `paths` their templates,
    `effects` what an engine is doing for them; `since` is in Unix seconds.
    """

    number: int
    listener: str
    peer: str
    protocol: str
    secure: bool
    state: str
    since: float
    requests: int
    users: tuple[str, ...]
    paths: tuple[str, ...]
    effects: tuple[Effect[Any], ...]


def settings(app: App) -> Iterator[Setting]:
    """Every setting of `app` with its value and default as text, secrets redacted.

    Names are dotted: `limits.head_bytes`, `listeners.main.address`.  What is a
    secret is told by the name (`redaction`); URLs lose their userinfo.
    """
    yield from _settings("limits", app.limits)
    yield from _settings("dialect", app.dialect)
    yield from _settings("", app.settings)
    for name in _OWN:
        yield _setting(name, getattr(app, name), _OWN_DEFAULTS[name])
    for variable in app.system.declared():
        yield Setting(variable.name, app.system.get(variable.name), variable.default)
    for listener in app.listeners:
        yield from _settings(f"listeners.{listener.name}", listener)


def routes(server: Server) -> Iterator[RouteRow]:
    """Every route of every listener.

    Routes of disabled groups are not there: for this listener they do not
    exist.
    """
    # A copy, made in one step: the server may close a listener meanwhile.
    for name, state in list(server.listeners.items()):
        for place in state.router.places():
            for method, route in place.routes.items():
                public = GROUPS[route.group].public
                yield RouteRow(
                    name,
                    route.group,
                    method,
                    route.path,
                    _roles(state.listener, route.group, public),
                    "public" if public else state.listener.authenticator,
                    route.privileged,
                )


def connections(server: Server) -> Iterator[ConnectionRow]:
    """Every open connection, oldest first.

    One row is read at a time, so a connection that ends meanwhile may be shown
    as it was at its end.
    """
    for connection in sorted(server.connections, key=lambda connection: connection.number):
        yield _connection(connection)


def addresses(server: Server) -> list[str]:
    """Where the listeners are, as configured, but with the port that was really bound.

    A configured port 0 becomes the bound one; before it is bound it stays 0.
    """
    found: list[str] = []
    for state in list(server.listeners.values()):
        where = state.listener.where
        port = where.port or getattr(state, "port", None) or 0
        host = f"[{where.host}]" if ":" in where.host else where.host
        found.append(f"unix:{where.path}" if where.path is not None else f"{host}:{port}")
    return found


def roles(app: App) -> dict[str, bool]:
    """The names of roles that exist without anybody's doing, and whether they are internal.

    Everybody else's name is known only while they ask.
    """
    dialect = app.dialect
    return {**dict.fromkeys(dialect.internal_users, True), dialect.anonymous_user: False}


def _connection(connection: Connection) -> ConnectionRow:
    """One row; dicts are copied in one step first, since their owner is another thread.

    On HTTP/2 several requests are under way, often of one user: users are named
    once, templates once for each request.
    """
    conversations = list(connection._conversations.values())
    requests = [conversation.exchange.request for conversation in conversations]
    users = dict.fromkeys(request.identity.user for request in requests if request.identity is not None)
    return ConnectionRow(
        number=connection.number,
        listener=connection.listener.name,
        peer=connection.peer,
        protocol=connection.wire.protocol,
        secure=connection.secure,
        state=connection.state,
        since=connection.since.wall,
        requests=connection.requests,
        users=tuple(users),
        paths=tuple(conversation.exchange.label for conversation in conversations),
        effects=tuple(effect for item in conversations for effect in list((item.performing or {}).values())),
    )


def _roles(listener: Listener, group: Any, public: bool) -> str:
    """The roles that admit to a group; empty where it is public or has none."""
    policy = listener.policy(group)
    return "" if public or policy is None else policy


def _settings(prefix: str, holder: Any) -> Iterator[Setting]:
    """The attributes of an attrs class with their defaults.

    A default that is made by a factory is made once more, to be compared with.
    """
    for attribute in fields(type(holder)):
        name = f"{prefix}.{attribute.name}" if prefix else attribute.name
        made = getattr(attribute.default, "factory", None)
        yield _setting(name, getattr(holder, attribute.name), made() if made is not None else attribute.default)


def _setting(name: str, value: object, default: object) -> Setting:
    """A row: both texts are redacted by the same name."""
    return Setting(name, _shown(name, _text(value)), _shown(name, _text(default)))


def _shown(name: str, text: str) -> str:
    """Names of our own fields and cookies are no secrets, though they sound like some."""
    return without_userinfo(text) if name.startswith(("dialect.", "limits.")) else shown(name, text)


def _text(value: object) -> str:
    """A value as text: booleans in lower case, None empty, containers joined by commas.

    Members of a container are told one by one, so none shows a repr.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_text(item)}" for name, item in value.items())
    if isinstance(value, tuple | list):
        return ", ".join(_text(item) for item in value)
    return str(value)
