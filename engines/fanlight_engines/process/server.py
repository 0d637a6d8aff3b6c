"""What the server shows of itself: `connections`, `requests`, `settings`, `routes`.

The core knows these; here they become rows.  Nothing of a request's query,
fields or body is shown: only who asked for which route, and how it went.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve

from fanlight.catalog import inventory
from fanlight.relations import Column, Relation

from .pace import line, polite

if TYPE_CHECKING:
    from fanlight.observe.records import AccessRecord
    from fanlight.server import Server


def unserved() -> Iterator[tuple[object, ...]]:
    """Stands for the rows of a relation that no server has bound yet: there are none."""
    return iter(())


def _connections(server: Server) -> Iterator[tuple[object, ...]]:
    for row in polite(inventory.connections(server)):
        yield (
            row.number,
            row.listener,
            row.peer,
            row.protocol or None,
            row.secure,
            row.state,
            row.since,
            row.requests,
            line(", ".join(row.users)) or None,
            ", ".join(row.paths) or None,
        )


def _requests(server: Server) -> Iterator[tuple[object, ...]]:
    record: AccessRecord
    for record in polite(list(server.recent)):
        yield (
            record.wall,
            record.seconds,
            record.listener,
            record.peer,
            line(record.method),
            record.path,
            record.status or None,
            line(record.user) or None,
            record.version,
            record.sent,
        )


def _settings(server: Server) -> Iterator[tuple[object, ...]]:
    for setting in polite(inventory.settings(server.app)):
        yield setting.name, line(setting.value, 1024), line(setting.default, 1024), setting.source


def _routes(server: Server) -> Iterator[tuple[object, ...]]:
    for row in polite(inventory.routes(server)):
        yield row.listener, row.group, row.method, row.path, row.roles or None, row.authentication, row.privileged


def _sessions(server: Server) -> Iterator[tuple[object, ...]]:
    for state in list(server.listeners.values()):
        for _, session in polite(state.sessions.table if state.sessions is not None else ()):
            yield state.name, line(session.user), session.created, session.active


def _auth_events(server: Server) -> Iterator[tuple[object, ...]]:
    for event in polite(list(server.audit.events)):
        yield (
            event.wall,
            event.listener,
            event.group,
            event.peer,
            event.kind,
            event.how,
            event.outcome,
            event.reason or None,
            event.user or None,
        )


def _audit_events(server: Server) -> Iterator[tuple[object, ...]]:
    for each in polite(server.app.audit_log.events()):
        event = each.event
        yield each.id, event.event_type, event.object_type, event.details, event.user, each.occurred_at


_LISTENER = Column("listener", "text", "The listener's name.")
_PEER = Column("peer", "text", "The caller's address; empty for a Unix socket.")

CONNECTIONS = Relation(
    name="connections",
    columns=(
        Column("id", "bigint", "Counts the connections of this server from 1."),
        _LISTENER,
        _PEER,
        Column("protocol", "text", "`http/1.1` or `h2`; null while it is not known."),
        Column("secure", "boolean", "Whether it is encrypted."),
        Column("state", "text", "`open`, `closing`, `lingering` or `closed`."),
        Column("since", "timestamptz", "When it was accepted."),
        Column("requests", "bigint", "Requests so far."),
        Column("user_name", "text", "The users of the requests under way."),
        Column("paths", "text", "The routes of the requests under way."),
    ),
    rows=unserved,
    doc="The open connections of this server.",
    cost="About 5 microseconds for each connection.",
    privileged=True,
)

REQUESTS = Relation(
    name="requests",
    columns=(
        Column("arrived_at", "timestamptz", "When the request's head had been read."),
        Column("seconds", "double", "From then to the response head.", "seconds"),
        _LISTENER,
        _PEER,
        Column("method", "text", "The method."),
        Column("path", "text", "The route's template, or `unknown`; never the path that was asked for."),
        Column("status", "integer", "The status; null when the client left before there was one."),
        Column("user_name", "text", "Who asked; null for nobody in particular."),
        Column("version", "text", "The HTTP version."),
        Column("sent", "bigint", "Bytes of the response body.", "bytes"),
    ),
    rows=unserved,
    doc="The last 1,000 requests that were answered, oldest first.",
    cost="A microsecond for each request.",
    privileged=True,
)

SETTINGS = Relation(
    name="settings",
    columns=(
        Column("name", "text", "The setting, with the part of the server it belongs to."),
        Column("value", "text", "Its value as text; secrets and the userinfo of URLs are redacted."),
        Column("default_value", "text", "What it would be if nobody had said anything."),
        Column("source", "text", "`default`, or `program` for a value that somebody set."),
    ),
    rows=unserved,
    doc="The settings of this server.",
    cost="A few hundred microseconds.",
    privileged=True,
)

ROUTES = Relation(
    name="routes",
    columns=(
        _LISTENER,
        Column("route_group", "text", "The group whose rules apply."),
        Column("method", "text", "The method; GET answers HEAD too."),
        Column("path", "text", "The path; `{name}` stands for a segment, `{*name}` for the rest."),
        Column("roles", "text", "The roles that are admitted; null where nobody is asked who he is."),
        Column("authentication", "text", "How callers are authenticated; `public` for not at all."),
        Column("privileged", "boolean", "Whether only internal users and superusers are admitted."),
    ),
    rows=unserved,
    doc="The routes that each listener serves.",
    cost="A few hundred microseconds.",
)

SESSIONS = Relation(
    name="sessions",
    columns=(
        Column("listener", "text", "The listener that it is good for."),
        Column("user_name", "text", "Who logged in."),
        Column("created_at", "timestamptz", "When."),
        Column("active_at", "timestamptz", "When it was used last; eight hours later it is over."),
    ),
    rows=unserved,
    doc="The login sessions that nobody has ended, longest idle first; some may have run out.",
    cost="A microsecond for each session.",
    privileged=True,
)

AUTH_EVENTS = Relation(
    name="auth_events",
    columns=(
        Column("happened_at", "timestamptz", "When it was decided."),
        _LISTENER,
        Column("route_group", "text", "The group of the route."),
        _PEER,
        Column("kind", "text", "How the listener authenticates callers."),
        Column("how", "text", "Where: a request, a login, the first message of a WebSocket."),
        Column("outcome", "text", "`accepted`, `refused`, or `limited` for too many wrong passwords."),
        Column("reason", "text", "Why not; null when it was accepted."),
        Column("user_name", "text", "The name as it was claimed, quoted and escaped; null for none."),
    ),
    rows=unserved,
    doc="The last 1,000 decisions about callers, oldest first; of equal refusals ten a second, of kind None no others.",
    cost="A microsecond for each decision.",
    privileged=True,
)

AUDIT_EVENTS = Relation(
    name="mz_audit_events",
    schema="mz_catalog",
    columns=(
        Column("id", "bigint", "Counts the events from 1."),
        Column("event_type", "text", "What was done: `create`, `alter`, …."),
        Column("object_type", "text", "To what kind of object."),
        Column("details", "json", "What exactly; its form depends on the two types."),
        Column("user", "text", "Who did it; null for nobody in particular."),
        Column("occurred_at", "timestamptz", "When."),
    ),
    rows=unserved,
    doc="The audit log: changes of system variables, and what was injected; the last 10,000 events, oldest first.",
    cost="A microsecond for each event.",
    privileged=True,
)


def bound(server: Server) -> tuple[Relation, ...]:
    """These relations over one server."""
    return (
        evolve(CONNECTIONS, rows=partial(_connections, server)),
        evolve(REQUESTS, rows=partial(_requests, server)),
        evolve(SETTINGS, rows=partial(_settings, server)),
        evolve(ROUTES, rows=partial(_routes, server), version=lambda: 0),
        evolve(SESSIONS, rows=partial(_sessions, server)),
        evolve(AUTH_EVENTS, rows=partial(_auth_events, server)),
        evolve(AUDIT_EVENTS, rows=partial(_audit_events, server), version=lambda: server.app.audit_log.added),
    )
