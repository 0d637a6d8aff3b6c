"""Sessions of requests: what a cookie is worth, what a login and a logout change, and a store behind it all."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from types import SimpleNamespace
from typing import Any, cast

from fanlight.auth.chain import NOTHING, Carried
from fanlight.auth.cookies import id_text
from fanlight.auth.effects import KeepSessions, KeptSession, LoadSessions
from fanlight.auth.identity import Identity, Proof
from fanlight.auth.session_table import Session
from fanlight.auth.sessions import EXPIRED, UNREADABLE, UNWRITABLE, Sessions, key_of
from fanlight.auth.users import Role, Users
from fanlight.config.settings import Dialect
from fanlight.http.request import Head, Request
from fanlight.moment import Now
from tests.sim import Seeded

from .driving import Crowd

STORED = "SCRAM-SHA-256$2:" + "A" * 43 + "=$" + "A" * 43 + "=:" + "A" * 43 + "="
GONE = "mz_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"


class Desk:
    """Sessions of one listener, and the requests that meet them."""

    def __init__(self, *, stored: bool = False) -> None:
        self.users = Users({"ada": Role(STORED, superuser=True), "bob": Role(STORED)})
        self.entropy = Seeded(1)
        self.crowd = Crowd()
        self.ended: list[bytes] = []
        self.sockets = [Identity("ada", proof=Proof("", b"x"))]
        self.sessions = Sessions(
            "main",
            dialect=Dialect(),
            users=self.users,
            entropy=self.entropy,
            absolute=7 * 86_400,
            stored=stored,
        )

    def request(self, *cookies: str) -> Request:
        fields = tuple(("cookie", f"mz_session={value}") for value in cookies)
        head = Head("GET", "/", fields, version="1.1", authority="localhost")
        server = SimpleNamespace(end_sockets=self.end_sockets)
        return cast(Request, SimpleNamespace(head=head, arrived=self.crowd.now, server=server))

    def end_sockets(self, ended: Any) -> None:
        self.ended += [key for key, _ in self.made if ended(Identity("ada"), Proof("", key))]

    def start(self, routine: Any) -> Any:
        return self.crowd.start(routine)

    def log_in(self, user: str = "ada", *cookies: str) -> str:
        """The id of a new session; where there is a store it answers well."""
        role = self.users.find(user)
        assert role is not None
        self.made = list(self.sessions.table)
        actor = self.start(
            self.sessions.begin(self.request(*cookies), Identity(user, "Password", proof=Proof(role.mark)))
        )
        while not actor.ended:
            self.crowd.answer(() if isinstance(self.crowd.asked[0][1], LoadSessions) else True)
        return str(actor.result).partition(";")[0].removeprefix("mz_session=")

    def find(self, *cookies: str) -> Carried:
        actor = self.start(self.sessions.find(self.request(*cookies)))
        assert actor.ended, actor.waits
        result: Carried = actor.result
        return result


def test_found() -> None:
    desk = Desk()
    value = desk.log_in()
    desk.crowd.pass_time(3600)
    found = desk.find(value)
    assert found.outcome == Identity("ada", "Password", superuser=True)
    assert found.cookie == f"mz_session={value}; HttpOnly; SameSite=Strict; Path=/"
    assert isinstance(found.outcome, Identity)
    assert found.outcome.proof is not None
    assert found.outcome.proof.session == key_of(value)
    assert desk.find(value).outcome is found.outcome
    assert value not in repr(found.outcome)


def test_no_table_shows_an_id() -> None:
    desk = Desk()
    text = desk.log_in().encode()
    raw = urlsafe_b64decode(text + b"==")
    assert all(raw not in key and text not in key for key, _ in desk.sessions.table)


def test_nothing_unknown_malformed_ambiguous() -> None:
    desk = Desk()
    value = desk.log_in()
    assert desk.find() == NOTHING
    assert desk.find(value, value) == NOTHING
    assert desk.find("x") == Carried(None, GONE)
    before = desk.sessions.table.looked_up
    assert desk.find("not-an-id") == Carried(None, GONE)
    assert desk.sessions.table.looked_up == before
    assert desk.find(id_text(bytes(16))) == Carried(None, GONE)


def test_every_way_to_end() -> None:
    ways: list[Any] = [
        lambda desk: desk.crowd.pass_time(28_801),
        lambda desk: desk.crowd.pass_time(-1),
        lambda desk: desk.users.put("ada", STORED.replace("$2:", "$3:")),
        lambda desk: desk.users.put("ada", STORED, login=False),
        lambda desk: desk.users.drop("ada"),
        lambda desk: desk.users.revoke("ada"),
    ]
    for way in ways:
        desk = Desk()
        value, other = desk.log_in(), desk.log_in("bob")
        way(desk)
        assert desk.find(value) == Carried(EXPIRED, GONE)
        assert desk.find(value) == Carried(None, GONE)
        if desk.crowd.now.wall == Now(0, 1_700_000_000).wall:
            assert isinstance(desk.find(other).outcome, Identity)


def test_more_rights_end_nothing_and_show_at_once() -> None:
    desk = Desk()
    value = desk.log_in("bob")
    desk.users.put("bob", STORED, superuser=True)
    assert desk.find(value).outcome == Identity("bob", "Password", superuser=True)


def test_a_login_never_keeps_an_id() -> None:
    desk = Desk()
    planted = desk.log_in("bob")
    unknown = id_text(bytes(16))
    value = desk.log_in("ada", planted, unknown)
    assert value not in (planted, unknown)
    assert desk.find(planted).outcome is None
    assert desk.ended == [key_of(planted)]


def test_logging_out() -> None:
    desk = Desk()
    value, other = desk.log_in(), desk.log_in()
    desk.made = list(desk.sessions.table)
    assert desk.start(desk.sessions.end(desk.request(value))).result is True
    assert desk.find(value) == Carried(None, GONE)
    assert isinstance(desk.find(other).outcome, Identity)
    assert desk.ended == [key_of(value)]
    assert desk.start(desk.sessions.end(desk.request())).result is True


def test_a_store_is_asked_once_and_for_all() -> None:
    desk = Desk(stored=True)
    raw = bytes(range(16))
    first, second = (desk.start(desk.sessions.find(desk.request(id_text(raw)))) for _ in range(2))
    assert [type(ask) for _, ask in desk.crowd.asked] == [LoadSessions]
    role = desk.users.find("ada")
    assert role is not None
    now = desk.crowd.now.wall
    desk.crowd.answer((KeptSession(key_of(id_text(raw)), "ada", now - 9, now - 9, role.mark),))
    assert isinstance(first.result.outcome, Identity)
    assert isinstance(second.result.outcome, Identity)
    assert isinstance(desk.find(id_text(raw)).outcome, Identity)


def test_who_asks_the_store_and_leaves_is_replaced() -> None:
    desk = Desk(stored=True)
    first, second = (desk.start(desk.sessions.find(desk.request(id_text(bytes(16))))) for _ in range(2))
    first.leave()
    assert [type(ask) for _, ask in desk.crowd.asked] == [LoadSessions]
    desk.crowd.answer(())
    assert second.result == Carried(None, GONE)


def test_a_store_hears_of_logins_logouts_and_now_and_then_of_use() -> None:
    desk = Desk(stored=True)
    value = desk.log_in()
    key = key_of(value)
    desk.crowd.pass_time(59)
    desk.find(value)
    desk.crowd.pass_time(2)
    actor = desk.start(desk.sessions.find(desk.request(value)))
    effect = desk.crowd.answer(True)
    assert isinstance(effect, KeepSessions)
    assert [(kept.key, kept.active) for kept in effect.saved] == [(key, desk.crowd.now.wall)]
    assert actor.ended
    desk.crowd.pass_time(59)
    desk.find(value)
    desk.made = []
    actor = desk.start(desk.sessions.end(desk.request(value)))
    effect = desk.crowd.answer(True)
    assert (effect.saved, effect.dropped) == ((), (key,))
    assert actor.result is True


def test_a_login_that_cannot_be_kept_is_none() -> None:
    desk = Desk(stored=True)
    desk.log_in()
    actor = desk.start(desk.sessions.begin(desk.request(), Identity("bob", "Password", proof=Proof("mark"))))
    effect = desk.crowd.answer(False)
    assert actor.result is None
    assert len(desk.sessions.table) == 1
    desk.made = []
    actor = desk.start(desk.sessions.end(desk.request()))
    again = desk.crowd.answer(True)
    assert again.dropped == (effect.saved[0].key,)


def test_a_logout_that_cannot_be_kept_says_so_and_is_tried_again() -> None:
    desk = Desk(stored=True)
    value = desk.log_in()
    actor = desk.start(desk.sessions.end(desk.request(value)))
    desk.crowd.answer(False)
    assert actor.result is False
    assert desk.find(value) == Carried(None, GONE)
    assert desk.sessions.table.changed == {key_of(value)}


def test_restored_sessions_do_not_come_back_over_a_logout() -> None:
    desk = Desk(stored=True)
    raw = bytes(16)
    key = key_of(id_text(raw))
    desk.sessions.table.changed.add(key)
    desk.sessions.table.restore(key, Session("ada", 0, 0, ""))
    assert len(desk.sessions.table) == 0


def test_a_store_that_cannot_be_read_is_not_an_empty_one() -> None:
    desk = Desk(stored=True)
    raw = bytes(range(16))
    first, second = (desk.start(desk.sessions.find(desk.request(id_text(raw)))) for _ in range(2))
    desk.crowd.answer(None)
    assert first.result == second.result == Carried(UNREADABLE)
    assert (UNREADABLE.status, UNREADABLE.body, UNREADABLE.reason) == (401, "unauthorized", "failed to update session")
    role = desk.users.find("ada")
    assert role is not None
    login = desk.start(desk.sessions.begin(desk.request(), Identity("ada", "Password", proof=Proof(role.mark))))
    desk.crowd.answer(None)
    assert login.result is None
    logout = desk.start(desk.sessions.end(desk.request(id_text(raw))))
    desk.crowd.answer(None)
    assert logout.result is False
    # As soon as it can be read, what it has is as good as ever.
    again = desk.start(desk.sessions.find(desk.request(id_text(raw))))
    now = desk.crowd.now.wall
    desk.crowd.answer((KeptSession(key_of(id_text(raw)), "ada", now - 9, now - 9, role.mark),))
    assert isinstance(again.result.outcome, Identity)


def test_activity_that_cannot_be_kept_fails_the_request() -> None:
    desk = Desk(stored=True)
    value = desk.log_in()
    desk.crowd.pass_time(61)
    actor = desk.start(desk.sessions.find(desk.request(value)))
    desk.crowd.answer(False)
    assert actor.result == Carried(UNWRITABLE)
    assert (UNWRITABLE.status, UNWRITABLE.body) == (500, "")
    actor = desk.start(desk.sessions.find(desk.request(value)))
    desk.crowd.answer(True)
    assert isinstance(actor.result.outcome, Identity)


def test_an_end_that_cannot_be_kept_is_an_end() -> None:
    desk = Desk(stored=True)
    value = desk.log_in()
    desk.crowd.pass_time(28_801)
    actor = desk.start(desk.sessions.find(desk.request(value)))
    desk.crowd.answer(False)
    assert actor.result == Carried(EXPIRED, GONE)


def test_who_waits_for_the_store_is_not_taken_for_somebody_of_the_past() -> None:
    desk = Desk(stored=True)
    raw = bytes(range(16))
    first = desk.start(desk.sessions.find(desk.request(id_text(raw))))
    desk.crowd.pass_time(1)
    second = desk.start(desk.sessions.find(desk.request(id_text(raw))))
    role = desk.users.find("ada")
    assert role is not None
    desk.crowd.answer(
        (KeptSession(key_of(id_text(raw)), "ada", desk.crowd.now.wall - 9, desk.crowd.now.wall - 9, role.mark),)
    )
    for actor in (first, second):
        assert isinstance(actor.result.outcome, Identity)
