"""The audit log: who changed what, as events that are only ever added.

Events come from the page that injects them, from changes of system variables,
and, while the app is served, from the program's changes of the catalog and from
leadership.  The log is kept in memory, its oldest events go when there are too
many, and it ends with the app.  It checks nobody and reads no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import count
from json import dumps
from typing import Any

from attrs import frozen

KEPT = 10_000
KEPT_CHARACTERS = 16 * 1024 * 1024
"""What the details of all events may take together."""
LARGEST_DETAILS = 64 * 1024
LONGEST_NAME = 255


class WrongShape(Exception):
    """The document is not an array of events; the text says where it is not."""


class RefusedEvent(Exception):
    """The document has the right shape, but an event cannot be kept; the text says which and why."""


@frozen
class Draft:
    """An event before it is in the log; `details` is JSON text, `user` None for nobody in particular."""

    event_type: str
    object_type: str
    details: str
    user: str | None


@frozen
class AuditEvent:
    """An event; `id` counts from 1, `occurred_at` is in Unix seconds."""

    id: int
    event: Draft
    occurred_at: float


def drafted(event_type: str, object_type: str, details: Mapping[str, Any], user: str | None = None) -> Draft:
    """An event of ours; the one member of `details` names their form."""
    return Draft(event_type, object_type, dumps(details, separators=(",", ":")), user)


class AuditLog:
    """The last events.  Any thread may add and read."""

    def __init__(self) -> None:
        self._events: deque[AuditEvent] = deque()
        self._ids = count(1)
        self._characters = 0
        self.added = 0

    def add(self, drafts: Sequence[Draft], wall: float) -> None:
        """Append all of them, as of one moment."""
        for draft in drafts:
            self._events.append(AuditEvent(next(self._ids), draft, wall))
            self._characters += len(draft.details)
        while len(self._events) > KEPT or self._characters > KEPT_CHARACTERS:
            self._characters -= len(self._events.popleft().event.details)
        self.added += len(drafts)

    def events(self) -> list[AuditEvent]:
        """Those that are kept, oldest first."""
        return list(self._events)


def read_drafts(document: Any) -> list[Draft]:
    """The events of a JSON document: an array of objects with `event_type`, `object_type`, `details` and `user`.

    `user` may be null or absent, other members are ignored.  Raises
    `WrongShape`, or `RefusedEvent` for names that are empty or too long and for
    details that are too large.
    """
    if not isinstance(document, list):
        raise WrongShape("expected an array")
    return [_draft(index, each) for index, each in enumerate(document)]


def _draft(index: int, each: Any) -> Draft:
    if not isinstance(each, dict):
        raise WrongShape(f"[{index}]: expected an object")
    event_type, object_type = (_name(index, each, name) for name in ("event_type", "object_type"))
    details = each.get("details")
    if not isinstance(details, dict):
        raise WrongShape(f"[{index}].details: expected an object")
    user = None if each.get("user") is None else _name(index, each, "user")
    written = dumps(details, separators=(",", ":"))
    if len(written) > LARGEST_DETAILS:
        raise RefusedEvent(f"event {index}: details are over {LARGEST_DETAILS} characters")
    return Draft(event_type, object_type, written, user)


def _name(index: int, each: Mapping[str, Any], name: str) -> str:
    value = each.get(name)
    if not isinstance(value, str):
        raise WrongShape(f"[{index}].{name}: expected a string")
    if not value or len(value) > LONGEST_NAME or not value.isprintable():
        raise RefusedEvent(f"event {index}: {name} is no name")
    return value
