"""`fanlight.auth.roles`: reserved names, internal users, and the table of roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.roles import Policy, is_internal, is_reserved, is_user_name, named, role_allowed
from fanlight.config.settings import Dialect

DIALECT = Dialect()


@pytest.mark.parametrize("user", ["mz_system", "mz_support", "mz_analytics"])
def test_internal_users(user: str) -> None:
    assert is_internal(user, DIALECT)
    assert is_reserved(user, DIALECT)
    assert named(user, "None", DIALECT).privileged


@pytest.mark.parametrize(
    "user",
    [
        "mz_",
        "mz_other",
        "pg_x",
        "external_",
        "PUBLIC",
        "public",
        "Public",
        "current_user",
        "current_role",
        "session_user",
        "user",
        "none",
    ],
)
def test_reserved_names(user: str) -> None:
    assert is_reserved(user, DIALECT)
    assert not is_internal(user, DIALECT)
    assert not any(role_allowed(user, roles, DIALECT) for roles in ("Normal", "Internal", "NormalAndInternal"))


@pytest.mark.parametrize(
    "user",
    [
        "ada",
        "MZ_SYSTEM",
        "Mz_system",
        "mz-system",
        " mz_system",
        "PG_x",
        "External_x",
        "User",
        "NONE",
        "Current_User",
        "anonymous_http_user",
        "publıc",
        "ｍz_system",
        "mz\u200b_system",
        "publics",
    ],
)
def test_ordinary_names(user: str) -> None:
    assert not is_reserved(user, DIALECT)
    assert not named(user, "None", DIALECT).privileged
    assert role_allowed(user, "Normal", DIALECT)


@pytest.mark.parametrize(
    ("roles", "normal", "internal", "reserved"),
    [
        ("Normal", True, False, False),
        ("Internal", False, True, False),
        ("NormalAndInternal", True, True, False),
        ("Anybody", True, True, True),
        (None, False, False, False),
    ],
)
def test_the_table(roles: Policy, normal: bool, internal: bool, reserved: bool) -> None:
    found = tuple(role_allowed(user, roles, DIALECT) for user in ("ada", "mz_system", "pg_ada"))
    assert found == (normal, internal, reserved)


def test_roles_that_do_not_exist_admit_nobody() -> None:
    odd: list[Policy] = ["normal", "", "All"]  # type: ignore[list-item]
    assert not any(role_allowed("ada", roles, DIALECT) for roles in odd)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a", True),
        ("a" * 255, True),
        ("a" * 256, False),
        ("ü" * 127, True),
        ("ü" * 128, False),
        ("", False),
        ("a\nb", False),
        ("a\0", False),
        ("\x7f", False),
        ("\x85", False),
        ("\x9f", False),
        ("\xa0", True),
        (" ", True),
        ("\ud800", True),
    ],
)
def test_user_names(name: str, good: bool) -> None:
    assert is_user_name(name) is good


@given(st.text(min_size=1))
def test_nobody_is_both_normal_and_internal(user: str) -> None:
    normal, internal = (role_allowed(user, roles, DIALECT) for roles in ("Normal", "Internal"))
    assert not (normal and internal)
    assert role_allowed(user, "NormalAndInternal", DIALECT) == (normal or internal)


def test_another_dialect() -> None:
    dialect = Dialect(internal_users=("root",), user_header_values=("root",), reserved_prefixes=("sys_",))
    assert role_allowed("root", "Internal", dialect)
    assert not role_allowed("root", "Normal", dialect)
    assert role_allowed("mz_system", "Normal", dialect)
    assert not role_allowed("sys_x", "NormalAndInternal", dialect)
    # Only ASCII letters have a case: the Kelvin sign is not a k, although it becomes one.
    kings = Dialect(reserved_any_case=("kings",))
    assert is_reserved("KingS", kings)
    assert not is_reserved("\u212aings", kings)
