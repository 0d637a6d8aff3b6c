"""The users file: what is written is read, and what is not understood is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.roles import is_user_name
from fanlight.auth.scram import derive
from fanlight.auth.users import Role
from fanlight.auth.users_file import read_users, write_users
from fanlight.config.settings import ConfigurationError

STORED = str(derive("wonderland", bytes(32), 2))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(is_user_name)
ROLES = st.builds(Role, st.sampled_from([None, STORED]), st.booleans(), st.booleans(), st.integers(0, 2**60))


@given(st.dictionaries(NAMES, ROLES, max_size=5))
def test_there_and_back(roles: dict[str, Role]) -> None:
    text = write_users(roles)
    assert read_users(text) == roles
    assert list(read_users(text)) == list(roles)
    assert list(json.loads(text)["users"]) == list(roles)


def test_what_is_left_out() -> None:
    assert read_users('{"users": {"ada": {}}}') == {"ada": Role()}


WRONG = [
    ("", "users: not valid JSON"),
    ("[]", "users file: expected an object, got an array"),
    ("{}", "users file: expected one member, `users`"),
    ('{"users": []}', "users: expected an object, got an array"),
    ('{"users": {}, "version": 1}', "users file: expected one member, `users`"),
    ('{"users": {"ada": "secret"}}', 'users."ada": expected an object, got a string'),
    ('{"users": {"ada": {"password": "secret"}}}', "ada"),
    ('{"users": {"ada": {"password": 5}}}', 'users."ada".password: expected a string, got a number'),
    ('{"users": {"ada": {"login": null}}}', 'users."ada".login: expected a boolean, got null'),
    ('{"users": {"ada": {"login": 1}}}', 'users."ada".login: expected a boolean, got a number'),
    ('{"users": {"ada": {"superuser": "no"}}}', 'users."ada".superuser: expected a boolean, got a string'),
    ('{"users": {"ada": {"epoch": true}}}', 'users."ada".epoch: expected a whole number, got a boolean'),
    ('{"users": {"ada": {"epoch": -1}}}', 'users."ada".epoch: expected a whole number, got a number'),
    ('{"users": {"ada": {"epoch": 1.5}}}', 'users."ada".epoch: expected a whole number, got a number'),
    ('{"users": {"ada": {"nologin": true}}}', 'users."ada": unknown member "nologin"'),
    ('{"users": {"ada": {}, "ada": {}}}', 'users: "ada" is given twice'),
    ('{"users": {"ada": {"login": false, "login": true}}}', 'users."ada": "login" is given twice'),
    ('{"users": {"": {}}}', 'users."": a user\'s name is'),
    ('{"users": {"a\\nb": {}}}', 'users."a\\nb": a user\'s name is'),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_what_is_refused_is_said_and_not_quoted(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_users(text)
    assert problem in str(caught.value)
    assert "secret" not in str(caught.value)


def test_nobody() -> None:
    assert write_users({}) == '{\n  "users": {}\n}\n'
