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
from fanlight.config import ConfigurationError

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


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"users": []}',
        '{"users": {}, "version": 1}',
        '{"users": {"ada": "secret"}}',
        '{"users": {"ada": {"password": "secret"}}}',
        '{"users": {"ada": {"password": 5}}}',
        '{"users": {"ada": {"login": null}}}',
        '{"users": {"ada": {"login": 1}}}',
        '{"users": {"ada": {"superuser": "no"}}}',
        '{"users": {"ada": {"epoch": true}}}',
        '{"users": {"ada": {"epoch": -1}}}',
        '{"users": {"ada": {"epoch": 1.5}}}',
        '{"users": {"ada": {"nologin": true}}}',
        '{"users": {"ada": {}, "ada": {}}}',
        '{"users": {"ada": {"login": false, "login": true}}}',
        '{"users": {"": {}}}',
        '{"users": {"a\\nb": {}}}',
    ],
)
def test_what_is_refused_is_not_quoted(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_users(text)
    assert "secret" not in str(caught.value)
