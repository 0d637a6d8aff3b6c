"""Password checks: the same steps for everybody, one hash for equal attempts, turns of peers, clients that leave."""

from __future__ import annotations

from hmac import digest
from typing import Any

import pytest

from fanlight.asks import ClientGone, EffectFailed
from fanlight.auth.checks import BUSY, WRONG, PasswordChecks, Refused, Turns
from fanlight.auth.effects import AwaitPassword, HashPassword, Secret, StorePassword, VerifyPassword
from fanlight.auth.identity import Identity, Proof
from fanlight.auth.scram import derive, parse, verify
from fanlight.auth.throttle import Rate
from fanlight.auth.users import Role, Users
from fanlight.config.settings import Dialect
from tests.sim import Seeded

from .driving import Actor, Crowd

PEER = "192.0.2.7"
STORED = str(derive("wonderland", bytes(32), 2))
USERS = {
    "ada": Role(STORED, superuser=True),
    "out": Role(STORED, login=False),
    "none": Role(None),
    "odd": Role("SCRAM-SHA-256$nonsense"),
}
ADA = Identity("ada", "Password", superuser=True)


class Checking:
    """Checks of a few users, and the attempts that are under way."""

    def __init__(self, burst: int = 3, peer: int = 0, iterations: int = 2, *, filed: bool = False) -> None:
        self.users = Users(USERS)
        self.checks = PasswordChecks(
            self.users,
            Dialect(),
            Rate(burst, 60.0),
            Rate(peer, 1.0),
            Seeded(1),
            iterations=iterations,
            filed=filed,
        )
        self.crowd = Crowd()

    def start(self, user: str, password: str, peer: str = PEER) -> Actor:
        return self.crowd.start(self.checks.check(peer, user, password, self.crowd.now.mono))

    def work(self, index: int = 0) -> VerifyPassword:
        """Do the oldest check that waits, for real."""
        _, effect = self.crowd.asked[index]
        assert effect.attempt.begin()
        right = verify(effect.password.reveal(), effect.stored) == "ok"
        effect.attempt.result = right
        done: VerifyPassword = self.crowd.answer(right, index)
        return done

    def check(self, user: str, password: str, peer: str = PEER) -> Any:
        actor = self.start(user, password, peer)
        if not actor.ended:
            self.work()
        return actor.result


def test_right() -> None:
    assert Checking().check("ada", "wonderland") == ADA


@pytest.mark.parametrize(
    ("user", "password"),
    [("ada", "Wonderland"), ("ada", ""), ("Ada", "wonderland"), ("bob", "wonderland"), ("out", "wonderland"),
     ("none", ""), ("odd", "wonderland"), ("ada", "wonderland" + "x" * 2000)],
)  # fmt: skip
def test_every_wrong_one_takes_the_same_steps_and_costs_the_same(user: str, password: str) -> None:
    checking = Checking()
    actor = checking.start(user, password)
    assert [type(ask) for _, ask in checking.crowd.asked] == [VerifyPassword]
    effect = checking.work()
    stored = parse(effect.stored)
    assert stored is not None
    assert (stored.iterations, effect.least) == (2, 2)
    assert len(effect.password.reveal().encode()) <= 1024
    assert actor.result == WRONG
    assert len(checking.checks.throttle) == 1


@pytest.mark.parametrize("user", ["ada", "late", "nobody", "out", "none", "odd"])
def test_an_unusual_count_is_not_told_by_the_time_of_a_refusal(user: str) -> None:
    checking = Checking()
    checking.users.put("late", str(derive("wonderland", bytes(32), 5)))
    checking.checks.forget()
    checking.start(user, "Wonderland")
    effect = checking.work()
    stored = parse(effect.stored)
    assert stored is not None
    assert max(stored.iterations, effect.least) == 5


def test_nothing_secret_shows() -> None:
    checking = Checking()
    checking.start("ada", "wonderland")
    _, effect = checking.crowd.asked[0]
    assert "wonderland" not in repr(effect)
    assert STORED not in repr(effect)
    for shown in (str(effect.password), f"{effect.password}", f"{effect.password!r:>3}"):
        assert shown == "Secret(****)"
    with pytest.raises(TypeError):
        hash(effect.password)
    with pytest.raises(TypeError):
        __import__("pickle").dumps(effect.password)
    assert effect.password != Secret("wonderland")


def test_a_success_is_remembered_for_a_minute() -> None:
    checking = Checking()
    checking.check("ada", "wonderland")
    checking.crowd.pass_time(59.9)
    assert checking.start("ada", "wonderland").result == ADA
    assert not checking.start("ada", "other").ended
    checking.crowd.pass_time(0.2)
    assert not checking.start("ada", "wonderland").ended


def test_what_is_remembered_is_of_the_role_that_there_is_now() -> None:
    checking = Checking()
    checking.check("ada", "wonderland")
    checking.users.revoke("ada")  # and nobody has told the checks
    assert not checking.start("ada", "wonderland").ended
    identity = checking.check("ada", "wonderland")
    role = checking.users.find("ada")
    assert role is not None
    assert identity.proof == Proof(role.mark)


def test_names_of_internal_users() -> None:
    checking = Checking()
    checking.users.put("mz_system", STORED)
    assert checking.check("mz_system", "wonderland") == Identity("mz_system", "Password", internal=True)


def test_the_memory_is_keyed_by_an_hmac() -> None:
    checking = Checking()
    checking.check("ada", "wonderland")
    expected = digest(Seeded(1).token(32), f"ada\0wonderland\0{STORED}".encode(), "sha256")
    assert list(checking.checks._kept) == [expected]


def test_another_password_or_other_users_end_what_is_remembered() -> None:
    checking = Checking()
    checking.check("ada", "wonderland")
    checking.users.put("ada", str(derive("other", bytes(32), 2)))
    assert not checking.start("ada", "wonderland").ended
    checking = Checking()
    checking.check("ada", "wonderland")
    checking.checks.forget()
    assert not checking.start("ada", "wonderland").ended


def test_the_throttle_is_asked_before_the_memory() -> None:
    checking = Checking()
    checking.check("ada", "wonderland")
    for _ in range(3):
        assert checking.check("ada", "guess") == WRONG
    assert checking.check("ada", "wonderland") == Refused(60.0)
    assert checking.crowd.asked == []
    assert checking.check("ada", "wonderland", "192.0.2.8") == ADA


def test_equal_attempts_share_a_check_and_its_cost() -> None:
    checking = Checking()
    right = [checking.start("ada", "wonderland") for _ in range(20)]
    wrong = [checking.start("ada", "guess") for _ in range(20)]
    assert len(checking.crowd.asked) == 2
    checking.work()
    assert all(actor.result == ADA for actor in right)
    checking.work()
    assert all(actor.result == WRONG for actor in wrong)
    assert checking.checks.throttle.delay(PEER, "ada", checking.crowd.now.mono) == 0


def test_equal_attempts_of_other_networks_pay_for_themselves() -> None:
    checking = Checking(burst=1)
    for peer in (PEER, "192.0.2.8"):
        checking.start("ada", "guess", peer)
    assert len(checking.crowd.asked) == 2
    checking.work()
    checking.work()
    assert checking.check("ada", "guess") == Refused(60.0)
    assert checking.check("ada", "guess", "192.0.2.8") == Refused(60.0)


def test_who_does_the_check_for_others_and_leaves_is_replaced() -> None:
    checking = Checking()
    first, second = checking.start("ada", "wonderland"), checking.start("ada", "wonderland")
    first.leave()
    assert isinstance(first.error, ClientGone)
    assert len(checking.crowd.asked) == 1
    checking.work()
    assert second.result == ADA


def test_leaving_before_the_hash_is_begun_costs_nothing() -> None:
    checking = Checking(burst=1)
    for _ in range(5):
        actor = checking.start("ada", "guess")
        effect = checking.crowd.asked[0][1]
        actor.leave()
        assert not effect.attempt.begin()
    assert checking.check("ada", "guess") == WRONG
    assert checking.check("ada", "guess") == Refused(60.0)


@pytest.mark.parametrize(("password", "cost"), [("guess", 60.0), ("wonderland", 0.0)])
def test_leaving_later_costs_what_comes_out(password: str, cost: float) -> None:
    checking = Checking(burst=1)
    actor = checking.start("ada", password)
    effect = checking.crowd.asked[0][1]
    assert effect.attempt.begin()
    actor.leave()
    assert not actor.ended
    assert isinstance(checking.crowd.asked[0][1], AwaitPassword)
    checking.crowd.answer(password == "wonderland")
    assert isinstance(actor.error, ClientGone)
    assert checking.checks.throttle.delay(PEER, "ada", checking.crowd.now.mono) == cost


def test_a_routine_that_is_dropped_leaves_nothing_behind() -> None:
    checking = Checking(burst=1)
    actor, other = checking.start("ada", "guess"), checking.start("ada", "guess")
    actor.routine.close()
    checking.crowd.asked.clear()
    checking.crowd.run()
    checking.work()
    assert other.result == WRONG


def test_a_broken_engine_is_a_bug_and_costs_nothing() -> None:
    checking = Checking(burst=1)
    actor = checking.start("ada", "wonderland")
    checking.crowd.answer(EffectFailed("MemoryError"))
    assert isinstance(actor.error, EffectFailed)
    assert checking.check("ada", "wonderland") == ADA


def test_four_at_once_sixty_four_wait_and_no_more() -> None:
    checking = Checking(burst=1000)
    actors = [checking.start(f"user {number}", "x") for number in range(70)]
    assert len(checking.crowd.asked) == 4
    assert [actor.result for actor in actors if actor.ended] == [BUSY, BUSY]
    while checking.crowd.asked:
        checking.work()
        assert len(checking.crowd.asked) <= 4
    assert all(actor.result in (BUSY, WRONG) for actor in actors)


def test_peers_in_turn() -> None:
    checking = Checking(burst=1000)
    for number in range(12):
        checking.start(f"user {number}", "x", "192.0.2.1")
    late = checking.start("ada", "wonderland", "192.0.2.2")
    for _ in range(6):
        checking.work()
    assert late.ended


def test_who_leaves_the_line_is_not_hashed() -> None:
    checking = Checking(burst=1000)
    actors = [checking.start(f"user {number}", "x") for number in range(8)]
    for actor in actors[4:7]:
        actor.leave()
    done = 0
    while checking.crowd.asked:
        checking.work()
        done += 1
    assert done == 5
    assert actors[7].result == WRONG


def test_a_place_that_was_given_to_someone_gone_is_given_on() -> None:
    crowd, turns = Crowd(), Turns(1, 8)
    assert crowd.start(turns.enter("a")).result is True
    second, third = crowd.start(turns.enter("a")), crowd.start(turns.enter("b"))
    turns.leave()
    second.leave()
    crowd.run()
    assert third.result is True
    turns.leave()
    assert crowd.start(turns.enter("c")).result is True


@pytest.mark.parametrize("filed", [False, True])
def test_a_right_password_of_another_count_is_hashed_anew(filed: bool) -> None:
    checking = Checking(iterations=3, filed=filed)
    assert checking.check("ada", "wonderland") == ADA
    assert checking.check("ada", "wonderland", "192.0.2.8") == ADA
    ((_, effect),) = checking.crowd.asked
    assert isinstance(effect, HashPassword)
    assert (effect.password.reveal(), effect.iterations) == ("wonderland", 3)
    assert "wonderland" not in repr(effect)
    again = str(derive("wonderland", bytes(range(32)), 3))
    checking.crowd.answer(again)
    role = checking.users.find("ada")
    assert role is not None
    assert (role.stored, checking.users.stored_of(role)) == (STORED, again)
    if filed:
        assert checking.crowd.answer(True) == StorePassword("ada", STORED, again)
    assert checking.crowd.begun[0].ended
    # From now on it is checked against the new form, and once is enough.
    assert checking.check("ada", "wonderland") == ADA
    assert checking.crowd.asked == []
    assert checking.check("ada", "guess") == WRONG


def test_a_wrong_password_is_never_hashed_anew() -> None:
    checking = Checking(iterations=3)
    for user in ("ada", "out", "none", "nobody"):
        assert checking.check(user, "guess") == WRONG
    assert checking.crowd.begun == []


def test_a_password_that_changed_while_it_was_hashed_anew_stays() -> None:
    checking = Checking(iterations=3)
    checking.check("ada", "wonderland")
    other = str(derive("other", bytes(32), 3))
    checking.users.put("ada", other)
    checking.crowd.answer(str(derive("wonderland", bytes(32), 3)))
    role = checking.users.find("ada")
    assert role is not None
    assert checking.users.stored_of(role) == other
    assert checking.checks._hashing == set()
