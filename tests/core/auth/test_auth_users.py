"""The directory of users: what changes a mark, who is told, the usual count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.scram import ITERATIONS, derive
from fanlight.auth.users import Role, Users
from fanlight.config.settings import ConfigurationError

ONE, OTHER = (str(derive("secret", bytes([number]) * 32, 2)) for number in (1, 2))
THREE = str(derive("secret", bytes(32), 3))


def mark(users: Users, name: str = "ada") -> str | None:
    role = users.find(name)
    return role.mark if role is not None else None


def test_put_find_drop() -> None:
    users = Users()
    users.put("ada", ONE, superuser=True)
    users.put("bob", None, login=False)
    assert list(users) == ["ada", "bob"]
    assert len(users) == 2
    assert users.find("ada") == Role(ONE, superuser=True)
    assert users.find("Ada") is None
    assert users.drop("ada")
    assert not users.drop("ada")
    assert users.find("ada") is None


def test_a_mark_ends_with_the_password_and_with_login_and_with_nothing_else() -> None:
    users = Users()
    users.put("ada", ONE)
    first = mark(users)
    users.put("ada", ONE, superuser=True)
    assert mark(users) == first
    users.put("ada", ONE, login=False)
    users.put("ada", ONE)
    second = mark(users)
    assert second != first
    users.put("ada", OTHER)
    users.put("ada", ONE)
    assert mark(users) not in (first, second)


def test_whoever_comes_back_is_somebody_else() -> None:
    users = Users()
    users.put("ada", ONE)
    first = mark(users)
    users.drop("ada")
    users.put("ada", ONE)
    assert mark(users) != first


def test_a_mark_is_the_same_in_the_next_process() -> None:
    one, other = Users(), Users()
    for users in (one, other):
        users.put("ada", ONE)
        users.put("bob", OTHER)
    assert mark(one) == mark(other)
    one, other = Users({"ada": Role(ONE, epoch=7)}), Users({"bob": Role(OTHER, epoch=9), "ada": Role(ONE, epoch=7)})
    assert mark(one) == mark(other)


def test_a_file_that_brings_no_new_epoch_gets_one() -> None:
    users = Users({"ada": Role(ONE, epoch=7)})
    users.replace({"ada": Role(OTHER, epoch=7)})
    role = users.find("ada")
    assert role is not None
    assert role.epoch == 8
    users.replace({"ada": Role(OTHER, epoch=3)})
    assert users.find("ada") == role


def test_watchers() -> None:
    users, told, other = Users(), list[frozenset[str]](), list[frozenset[str]]()
    stop = users.watch(other.append)
    users.watch(told.append)
    users.put("ada", ONE)
    stop()
    users.put("bob", ONE)
    users.drop("ada")
    users.drop("ada")
    users.replace({"bob": Role(ONE), "eve": Role(ONE)})
    users.replace({"bob": Role(OTHER), "eve": Role(ONE, superuser=True)})
    assert other == [{"ada"}]
    assert told == [{"ada"}, {"bob"}, {"ada"}, set(), {"bob", "eve"}]


def test_revoking() -> None:
    users = Users({"ada": Role(ONE, epoch=7), "bob": Role(OTHER)})
    first, second = mark(users), mark(users, "bob")
    assert users.revoke("ada")
    assert not users.revoke("eve")
    assert mark(users) != first
    assert mark(users, "bob") == second
    third = mark(users)
    users.revoke_all()
    assert mark(users) not in (first, third)
    assert mark(users, "bob") != second


@pytest.mark.parametrize(
    ("name", "stored"), [("", ONE), ("a\nb", ONE), ("é" * 128, None), ("ada", "secret"), ("ada", "")]
)
def test_what_cannot_be_used(name: str, stored: str | None) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Users().put(name, stored)
    assert "secret" not in str(caught.value)


def test_no_stored_form_shows() -> None:
    assert ONE not in repr(Role(ONE))
    assert ONE not in Role(ONE).mark


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, ONE, OTHER, THREE, "drop"])), max_size=12))
def test_the_highest_count(steps: list[tuple[str, str | None]]) -> None:
    """However it came to be, it is the one of a directory that was made at once."""
    users = Users()
    for name, stored in steps:
        users.drop(name) if stored == "drop" else users.put(name, stored)
    again = Users({name: role for name in users if (role := users.find(name)) is not None})
    assert users.iterations == again.iterations
    assert users.iterations in (2, 3, ITERATIONS)


OLD, NEW, OTHER = (str(derive("wonderland", bytes([number]) * 32, 2 + number)) for number in range(3))


def test_a_password_hashed_anew_ends_nothing() -> None:
    told = list[frozenset[str]]()
    users = Users({"ada": Role(OLD), "bob": Role(OLD)})
    users.watch(told.append)
    role = users.find("ada")
    assert role is not None
    assert users.renew("ada", role, NEW)
    assert users.find("ada") is role
    assert users.stored_of(role) == NEW
    assert told == []
    # A file that was written meanwhile says the same: what was made under the old form still holds.
    users.replace({"ada": Role(NEW), "bob": Role(OLD)})
    after = users.find("ada")
    assert after is not None
    assert (after.stored, after.epoch) == (NEW, role.epoch)
    assert after.vouches(role.mark)
    assert after.vouches(after.mark)
    assert not after.vouches("")
    # Another password does not.
    users.put("ada", OTHER)
    changed = users.find("ada")
    assert changed is not None
    assert not changed.vouches(role.mark)
    assert not changed.vouches(after.mark)
    assert users.stored_of(changed) == OTHER


def test_another_password_takes_the_place_of_one_hashed_anew() -> None:
    users = Users({"ada": Role(OLD)})
    role = users.find("ada")
    assert role is not None
    users.put("ada", OTHER)
    assert not users.renew("ada", role, NEW)  # it came too late
    current = users.find("ada")
    assert current is not None
    assert users.stored_of(current) == OTHER
    assert users.iterations == 4
    users.drop("ada")
    assert users.iterations == users.default_iterations


def test_the_highest_count_follows() -> None:
    forms = [str(derive("x", bytes([number]) * 32, 2)) for number in range(3)]
    users = Users({str(number): Role(form) for number, form in enumerate(forms)})
    assert users.iterations == 2
    for number in range(3):
        role = users.find(str(number))
        assert role is not None
        users.renew(str(number), role, str(derive("x", bytes([number]) * 32, 7)))
    assert users.iterations == 7
    users.replace({})
    assert users.iterations == users.default_iterations
