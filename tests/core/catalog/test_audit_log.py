"""The audit log: what is an event, and how many are kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fanlight.catalog.audit_log import (
    KEPT,
    KEPT_CHARACTERS,
    LARGEST_DETAILS,
    AuditLog,
    Draft,
    RefusedEvent,
    WrongShape,
    read_drafts,
)

EVENT = {
    "event_type": "create",
    "object_type": "table",
    "details": {"IdNameV1": {"id": "u1", "name": "t"}},
    "user": "mz_system",
}
DRAFT = Draft("create", "table", '{"IdNameV1":{"id":"u1","name":"t"}}', "mz_system")


def test_an_array_of_events_is_read() -> None:
    assert read_drafts([]) == []
    nobody = {name: value for name, value in EVENT.items() if name != "user"}
    drafts = read_drafts([EVENT, {**EVENT, "user": None, "more": 1}, nobody])
    assert drafts[0] == DRAFT
    assert [draft.user for draft in drafts] == ["mz_system", None, None]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"event_type": "create"}, "expected an array"),
        (None, "expected an array"),
        ([EVENT, 1], r"\[1\]: expected an object"),
        ([{**EVENT, "event_type": 1}], r"\[0\].event_type: expected a string"),
        ([{"event_type": "create"}], r"\[0\].object_type: expected a string"),
        ([{**EVENT, "details": "x"}], r"\[0\].details: expected an object"),
        ([{**EVENT, "user": 1}], r"\[0\].user: expected a string"),
    ],
)
def test_another_shape(document: Any, said: str) -> None:
    with pytest.raises(WrongShape, match=said):
        read_drafts(document)


@pytest.mark.parametrize(
    "change",
    [{"event_type": ""}, {"object_type": "x" * 256}, {"user": "a\nb"}, {"details": {"x": "y" * LARGEST_DETAILS}}],
)
def test_what_cannot_be_kept_is_refused_as_a_whole(change: dict[str, Any]) -> None:
    with pytest.raises(RefusedEvent, match=r"^event 1: "):
        read_drafts([EVENT, {**EVENT, **change}])


def test_events_are_numbered_and_dated() -> None:
    log = AuditLog()
    log.add([DRAFT, DRAFT], 10.0)
    log.add([DRAFT], 20.0)
    assert [(each.id, each.occurred_at) for each in log.events()] == [(1, 10.0), (2, 10.0), (3, 20.0)]
    assert json.loads(log.events()[0].event.details) == EVENT["details"]
    assert log.added == 3


def test_the_oldest_go_when_there_are_too_many() -> None:
    log = AuditLog()
    for _ in range(3):
        log.add([DRAFT] * (KEPT // 2), 0.0)
    kept = log.events()
    assert len(kept) == KEPT
    assert kept[0].id == KEPT // 2 + 1


def test_and_when_they_are_too_large() -> None:
    log = AuditLog()
    large = Draft("create", "table", "x" * LARGEST_DETAILS, None)
    log.add([large] * 1000, 0.0)
    assert len(log.events()) == KEPT_CHARACTERS // LARGEST_DETAILS
    log.add([DRAFT], 0.0)
    assert log.events()[-1].event is DRAFT
