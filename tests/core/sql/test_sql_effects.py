"""The effects of SQL as values: where they run, what makes two of them equal, what they never show."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve, fields
from attrs.exceptions import FrozenInstanceError

from fanlight.asks import Effect
from fanlight.auth.identity import Identity
from fanlight.sql import effects
from fanlight.sql.effects import CloseSpool, Execute, FetchRows, Interrupt, OpenSession, Release, WriteSpool


class Session:
    """The least that is a session."""

    number = 7
    may_write = False
    sight = "ada"


class Spool:
    """The least that is a spool file."""

    size = 0


ADA = Identity("ada")
SELECT = Execute(
    Session(),
    "select 1",
    params=(),
    begin="read only",
    commit=True,
    read_only=True,
    settings=(),
    separator=b",",
    most=1000,
    limit=2000,
)
FETCH = FetchRows(SELECT.session, b",", 1000)
KINDS = [kind for kind in vars(effects).values() if isinstance(kind, type) and issubclass(kind, Effect)]


def test_only_what_cannot_wait_runs_on_the_loop() -> None:
    inline = {kind for kind in KINDS if kind is not Effect and kind.runs == "loop"}
    assert inline == {OpenSession, Release, CloseSpool}
    assert all(kind.runs == "worker" for kind in KINDS if kind not in inline)


@pytest.mark.parametrize("work", [SELECT, FETCH])
def test_each_piece_of_work_has_an_interrupt_of_its_own(work: Any) -> None:
    again = evolve(work, interrupt=Interrupt())
    assert again == work, "an interrupt is no part of what is asked"
    assert again.interrupt is not work.interrupt
    work.interrupt.asked = True
    assert not again.interrupt.asked
    assert not Interrupt().asked
    work.interrupt.asked = False


def test_an_interrupt_may_be_asked_for_before_the_work_begins() -> None:
    work = FetchRows(SELECT.session, b",", 1)
    work.interrupt.asked = True
    assert work.interrupt.asked


def test_what_is_spooled_is_not_shown() -> None:
    assert "secret" not in repr(WriteSpool(Spool(), b"secret"))


def test_a_session_is_for_an_identity_and_relations_are_closed_unless_said() -> None:
    asked = OpenSession(ADA)
    assert (asked.identity, asked.open_relations) == (ADA, False)
    assert asked == OpenSession(Identity("ada")) != OpenSession(ADA, open_relations=True)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not Effect])
def test_effects_are_frozen(kind: Any) -> None:
    made = object.__new__(kind)
    name = fields(kind)[0].name if fields(kind) else "anything"
    with pytest.raises((FrozenInstanceError, AttributeError)):
        setattr(made, name, 1)


def test_a_batch_counts_its_rows_and_says_whether_more_will_come() -> None:
    batch = effects.Batch(b"[1],[2]", 2, 6, last=False)
    assert (batch.count, batch.size, batch.last, batch.elapsed) == (2, 6, False, 0.0)
