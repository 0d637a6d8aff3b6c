"""The table of sessions: ages, bounds, and the two orders that must agree."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fanlight.auth.session_table import IDLE_SECONDS, Session, SessionTable

DAY = 86_400.0


def session(user: str = "ada", at: float = 0.0, created: float | None = None) -> Session:
    return Session(user, at if created is None else created, at, "mark")


@pytest.mark.parametrize(
    ("active", "created", "lives"),
    [
        (0, 0, True),
        (-IDLE_SECONDS, -IDLE_SECONDS, True),
        (-IDLE_SECONDS - 0.001, -IDLE_SECONDS, False),
        (0.001, 0, False),
        (-60, -7 * DAY, True),
        (-60, -7 * DAY - 1, False),
    ],
)
def test_ages(active: float, created: float, lives: bool) -> None:
    table, now = SessionTable(7 * DAY), 1_700_000_000.0
    made = session(at=now + active, created=now + created)
    table.restore(b"1", made)
    assert table.use(b"1", now) == (made if lives else "expired")
    assert table.get(b"1") is (made if lives else None)
    if lives:
        assert made.active == now


def test_each_use_begins_the_idle_time_anew() -> None:
    table = SessionTable(7 * DAY)
    table.add(b"1", session())
    for hour in range(0, 24 * 7 + 1, 8):
        assert isinstance(table.use(b"1", hour * 3600.0), Session)
    assert table.use(b"1", 24 * 7 * 3600.0 + 1) == "expired"
    assert table.use(b"1", 0) is None
    assert table.looked_up == 24


def test_the_longest_idle_goes_of_the_same_user_first() -> None:
    table = SessionTable(DAY, most=4, most_of_user=2)
    for number, user in enumerate(("ada", "bob", "ada")):
        table.add(user.encode() + b"%d" % number, session(user, number))
    table.use(b"ada0", 5)
    table.add(b"ada3", session("ada", 6))
    assert [key for key, _ in table] == [b"bob1", b"ada0", b"ada3"]
    table.add(b"cy4", session("cy", 7))
    table.add(b"cy5", session("cy", 8))
    assert [key for key, _ in table] == [b"ada0", b"ada3", b"cy4", b"cy5"]


def test_old_ones_are_swept_when_new_ones_come() -> None:
    table = SessionTable(DAY)
    for number in range(20):
        table.add(b"%d" % number, session(at=number))
    table.add(b"new", session(at=IDLE_SECONDS + 100))
    assert len(table) == 13


def test_what_a_store_brings_is_older_than_what_is_there() -> None:
    table = SessionTable(DAY, most=3)
    table.add(b"new", session(at=100))
    table.drop(b"gone")
    table.changed.add(b"gone")
    for key in (b"new", b"gone", b"old", b"older", b"oldest"):
        table.restore(key, session(at=50))
    assert [key for key, _ in table] == [b"older", b"old", b"new"]


class Table(RuleBasedStateMachine):
    """Against a plain dict: what is in it, its order, its bounds, what a store has to hear."""

    def __init__(self) -> None:
        super().__init__()
        self.table = SessionTable(1000.0, most=6, most_of_user=3)
        self.model: dict[bytes, Session] = {}
        self.known: set[bytes] = set()
        self.now = 0.0
        self.count = 0

    @rule(seconds=st.sampled_from([1.0, 300.0, 20_000.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(user=st.sampled_from("abc"))
    def log_in(self, user: str) -> None:
        self.count += 1
        key = b"%d" % self.count
        made = session(user, self.now)
        self.table.add(key, made)
        left = dict(self.table)
        assert key in left
        for other in self.model.keys() - left.keys():
            self.table.changed.discard(other) if other not in self.known else None
        self.model = {**{k: v for k, v in self.model.items() if k in left}, key: made}

    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from([*self.model, b"none"]))
        held = self.model.pop(key, None)
        found = self.table.use(key, self.now)
        if held is None:
            assert found is None
        elif self.now - held.created > 1000.0:
            assert found == "expired"
        else:
            assert found is held
            self.model[key] = held

    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from([*self.model, b"none"]))
        assert self.table.drop(key) is self.model.pop(key, None)

    @rule()
    def keep(self) -> None:
        self.known = set(self.model)
        self.table.changed.clear()

    @invariant()
    def agrees(self) -> None:
        assert dict(self.table) == self.model
        assert [key for key, _ in self.table] == list(self.model)
        assert len(self.table) <= 6
        for user in "abc":
            own = self.table.of_user(user)
            assert own == frozenset(key for key, held in self.model.items() if held.user == user)
            assert len(own) <= 3
        # A store that hears of what has changed knows all there is.
        assert self.table.changed >= self.known ^ set(self.model)


TestTable = Table.TestCase
