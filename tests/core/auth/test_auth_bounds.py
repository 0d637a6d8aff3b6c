"""What authentication keeps, and for how many and how long: remembered checks, stored sessions, counts of users."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

from fanlight.auth import checks
from fanlight.auth.checks import WRONG, Refused
from fanlight.auth.cookies import SessionCookie, id_text
from fanlight.auth.effects import AwaitPassword, KeepSessions, KeptSession, LoadSessions
from fanlight.auth.identity import Identity, Proof
from fanlight.auth.scram import ITERATIONS, LONGEST_PASSWORD, decoy, derive, parse
from fanlight.auth.session_table import Session, SessionTable
from fanlight.auth.sessions import Sessions, key_of
from fanlight.auth.users import MOST_FOR_ALL, Role, Users
from fanlight.config.settings import ConfigurationError, Dialect
from tests.sim import Seeded

from .test_auth_checks import Checking
from .test_auth_sessions import Desk

TWO, THREE, FOUR = (str(derive("secret", bytes(32), count)) for count in (2, 3, 4))


def role_of(users: Users, name: str = "ada") -> Role:
    """The role, which is there."""
    role = users.find(name)
    assert role is not None
    return role


# ---- remembered checks -----------------------------------------------------------


def test_the_oldest_remembered_goes_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "KEPT", 2)
    checking = Checking()
    for name in ("bob", "eve"):
        checking.users.put(name, str(derive(name, bytes(32), 2)))
    checking.checks.forget()
    for name, password in (("ada", "wonderland"), ("bob", "bob")):
        checking.check(name, password)
    assert checking.start("ada", "wonderland").ended
    checking.check("eve", "eve")
    assert checking.start("eve", "eve").ended
    assert checking.start("bob", "bob").ended
    assert not checking.start("ada", "wonderland").ended


def test_a_minute_is_over_at_its_end() -> None:
    checking = Checking()
    checking.check("ada", "wonderland")
    checking.crowd.pass_time(60)
    assert not checking.start("ada", "wonderland").ended


def test_who_finds_no_token_left_by_those_before_is_told_when() -> None:
    checking = Checking(burst=1)
    first, second = checking.start("ada", "one"), checking.start("ada", "two")
    assert not second.ended
    checking.work()
    assert first.result == WRONG
    assert second.result == Refused(60.0)


def test_whose_check_is_asked_for_when_its_client_has_gone() -> None:
    checking = Checking()
    actor = checking.start("ada", "guess")
    ((_, effect),) = checking.crowd.asked
    assert effect.attempt.begin()
    actor.leave()
    ((_, asked),) = checking.crowd.asked
    assert isinstance(asked, AwaitPassword)
    assert asked.attempt is effect.attempt


@pytest.mark.parametrize(
    ("password", "checked"),
    [
        ("x" * LONGEST_PASSWORD, "x" * LONGEST_PASSWORD),
        ("x" * (LONGEST_PASSWORD + 1), "x" * LONGEST_PASSWORD),
        ("é" * (LONGEST_PASSWORD // 2), "é" * (LONGEST_PASSWORD // 2)),
        # Cut between characters, and wrong however it would be checked.
        ("x" + "é" * (LONGEST_PASSWORD // 2), "x" + "é" * (LONGEST_PASSWORD // 2 - 1)),
    ],
    ids=["longest", "too long", "longest in bytes", "cut"],
)
def test_how_much_of_a_password_is_looked_at(password: str, checked: str) -> None:
    checking = Checking()
    checking.users.put("ada", str(derive(password, bytes(32), 2)))
    checking.checks.forget()
    actor = checking.start("ada", password)
    ((_, effect),) = checking.crowd.asked
    assert effect.password.reveal() == checked
    checking.work()
    assert (actor.result == WRONG) is (password != checked)


def test_a_decoy_follows_the_users() -> None:
    checking = Checking()
    for name in ("ada", "out", "bob"):
        checking.users.put(name, THREE)
    checking.checks.forget()
    checking.start("nobody", "guess")
    ((_, effect),) = checking.crowd.asked
    stored = parse(effect.stored)
    assert stored is not None
    assert stored.iterations == 3


# ---- sessions ----------------------------------------------------------------------


def secured() -> Desk:
    """A desk behind TLS, under a name of its own."""
    desk = Desk()
    desk.sessions = Sessions(
        "main",
        dialect=Dialect(),
        users=desk.users,
        entropy=desk.entropy,
        absolute=7 * 86_400,
        cookie=SessionCookie("mz_session", secure=True),
    )
    return desk


def test_behind_tls_every_cookie_says_so() -> None:
    desk = secured()
    actor = desk.start(desk.sessions.begin(desk.request(), Identity("ada", "Password", proof=proof(desk))))
    value = actor.result.partition(";")[0].removeprefix("mz_session=")
    assert actor.result == f"mz_session={value}; HttpOnly; SameSite=Strict; Secure; Path=/"
    assert desk.find(value).cookie == actor.result
    gone = "mz_session=; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=0"
    assert desk.find("malformed").cookie == gone
    assert desk.find(id_text(bytes(16))).cookie == gone


def proof(desk: Desk, user: str = "ada") -> Proof:
    """Of the role that there is now."""
    return Proof(role_of(desk.users, user).mark)


def kept(desk: Desk, raw: bytes) -> KeptSession:
    """A session as a store has it."""
    now = desk.crowd.now.wall
    return KeptSession(key_of(id_text(raw)), "ada", now - 100, now - 9, proof(desk).mark)


def test_what_a_store_is_asked_and_told() -> None:
    desk = Desk(stored=True)
    actor = desk.start(desk.sessions.begin(desk.request(), Identity("ada", "Password", proof=proof(desk))))
    load = desk.crowd.answer(())
    assert (type(load), load.listener) == (LoadSessions, "main")
    keep = desk.crowd.answer(True)
    assert (type(keep), keep.listener) == (KeepSessions, "main")
    value = actor.result.partition(";")[0].removeprefix("mz_session=")
    now = desk.crowd.now.wall
    assert keep.saved == (KeptSession(key_of(value), "ada", now, now, proof(desk).mark),)


def test_a_logout_is_the_first_thing_that_a_store_hears() -> None:
    desk = Desk(stored=True)
    raw = bytes(range(16))
    desk.made = [(key_of(id_text(raw)), Session("ada", 0, 0, ""))]
    actor = desk.start(desk.sessions.end(desk.request(id_text(raw))))
    desk.crowd.answer((kept(desk, raw),))
    keep = desk.crowd.answer(True)
    assert (keep.saved, keep.dropped) == ((), (key_of(id_text(raw)),))
    assert actor.result is True
    assert desk.ended == [key_of(id_text(raw))]


def test_a_store_hears_of_use_once_a_minute_to_the_second() -> None:
    desk = Desk(stored=True)
    value = desk.log_in()
    for seconds, told in ((59.9, False), (0.1, True), (30, False), (30, True)):
        desk.crowd.pass_time(seconds)
        actor = desk.start(desk.sessions.find(desk.request(value)))
        assert bool(desk.crowd.asked) is told, seconds
        if told:
            desk.crowd.answer(True)
        assert isinstance(actor.result.outcome, Identity)


def test_a_login_whose_store_breaks_is_tried_again_with_the_next_change() -> None:
    desk = Desk(stored=True)
    desk.log_in()
    actor = desk.start(desk.sessions.begin(desk.request(), Identity("bob", "Password", proof=proof(desk, "bob"))))
    ((_, keep),) = desk.crowd.asked
    actor.leave()
    assert {session.key for session in keep.saved} <= desk.sessions.table.changed


def test_restored_sessions_of_one_user_keep_their_order() -> None:
    table = SessionTable(1000.0, most_of_user=3)
    for active, key in ((3, b"3"), (2, b"2"), (1, b"1")):
        table.restore(key, Session("ada", 0, active, ""))
    assert [key for key, _ in table] == [b"1", b"2", b"3"]
    table.add(b"4", Session("ada", 4, 4, ""))
    assert [key for key, _ in table] == [b"2", b"3", b"4"]


class Restless(OrderedDict[bytes, Session]):
    """Changes each time it is copied, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__({b"1": Session("ada", 0, 0, "")})
        self.times = times

    def items(self) -> Any:
        self.times -= 1
        if self.times >= 0:
            raise RuntimeError("changed while it was copied")
        return super().items()


@pytest.mark.parametrize(("times", "seen"), [(0, [b"1"]), (3, [b"1"]), (1000, [])])
def test_a_table_that_changes_while_it_is_copied_is_copied_again(times: int, seen: list[bytes]) -> None:
    table = SessionTable(1000.0)
    table._sessions = Restless(times)
    assert [key for key, _ in table] == seen


# ---- users -------------------------------------------------------------------------


def test_whoever_comes_back_is_somebody_else_each_time() -> None:
    users, marks = Users(), set[str]()
    for _ in range(4):
        users.put("ada", TWO)
        marks.add(role_of(users).mark)
        users.drop("ada")
    users.replace({"ada": Role(TWO), "bob": Role(TWO)})
    marks.add(role_of(users).mark)
    users.replace({})
    users.replace({"ada": Role(TWO)})
    marks.add(role_of(users).mark)
    users.replace({})
    users.replace({"ada": Role(TWO)})
    marks.add(role_of(users).mark)
    assert len(marks) == 7


def test_epochs_rise_by_one_and_never_fall() -> None:
    users = Users({"ada": Role(TWO, epoch=7)})
    epochs = []
    for change in (
        lambda: users.revoke("ada"),
        users.revoke_all,
        lambda: users.put("ada", THREE),
        lambda: users.put("ada", THREE, login=False),
        lambda: users.put("ada", THREE),
    ):
        change()
        epochs.append(role_of(users).epoch)
    assert epochs == [8, 9, 10, 11, 11]


def derived(iterations: int) -> str:
    """A form that says so, and of no password."""
    return decoy(bytes(96), iterations)


def test_what_a_refusal_costs_is_the_highest_count_in_use() -> None:
    users = Users()
    assert users.iterations == ITERATIONS
    for name, stored in (("a", TWO), ("b", THREE), ("c", THREE), ("d", None), ("e", None), ("f", None)):
        users.put(name, stored)
    assert users.iterations == 3
    users.drop("b")
    users.drop("c")
    users.put("e", TWO)
    assert users.iterations == 2
    users.put("a", FOUR)
    assert users.iterations == 4
    assert users.counts == {2: 1, 4: 1}
    users.put("c", derived(MOST_FOR_ALL))
    assert users.iterations == MOST_FOR_ALL
    users.put("c", derived(MOST_FOR_ALL + 1))  # one user's form must not make everybody's guesses this expensive
    assert users.iterations == 4
    for name in ("a", "c", "e"):
        users.drop(name)
    assert users.iterations == ITERATIONS


@pytest.mark.parametrize(
    ("name", "stored", "problem"),
    [
        ("", None, "users: a user's name is 1 to 255 bytes of UTF-8 without control characters"),
        ("ada", "x", 'users: the stored password of "ada" is no form of SCRAM-SHA-256'),
    ],
)
def test_what_is_said_of_a_user_who_cannot_be(name: str, stored: str | None, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Users().put(name, stored)
    assert str(refused.value) == problem


def test_random_bytes_are_as_many_as_are_wanted() -> None:
    drawn: list[int] = []

    class Counting(Seeded):
        def token(self, size: int) -> bytes:
            drawn.append(size)
            return super().token(size)

    desk = Desk()
    desk.sessions._entropy = Counting(1)
    desk.log_in()
    assert drawn == [16]
