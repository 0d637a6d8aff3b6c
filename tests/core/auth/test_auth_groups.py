"""`fanlight.auth.groups`: the table holds every group and the facts that follow from one another."""

from __future__ import annotations

from typing import get_args

import pytest

from fanlight.auth.groups import CONFIGURED_GROUPS, GROUPS, ConfiguredGroup, RouteGroup


def test_the_table_is_complete() -> None:
    assert set(GROUPS) == set(get_args(RouteGroup))
    assert set(CONFIGURED_GROUPS) == set(get_args(ConfiguredGroup))
    assert all(name == group.name for name, group in GROUPS.items())


@pytest.mark.parametrize(
    ("fact", "groups"),
    [
        ("public", {"webhook", "login", "logout", "console_config", "oauth_metadata"}),
        ("trusted_header", {"base", "ws", "profiling", "internal", "mcp_agent", "mcp_developer", "fallback"}),
        ("cors", {"base", "profiling", "internal", "fallback", "mcp_agent", "mcp_developer", "webhook"}),
        ("roles", {"base", "ws", "profiling", "internal", "leader", "metrics", "mcp_agent", "mcp_developer"}),
    ],
)
def test_facts(fact: str, groups: set[RouteGroup]) -> None:
    assert {name for name, group in GROUPS.items() if getattr(group, fact)} == groups


def test_an_authenticated_group_has_roles() -> None:
    assert {name for name, group in GROUPS.items() if not group.public and group.roles is None} == {"fallback"}
    assert (GROUPS["ws"].roles, GROUPS["leader"].roles) == ("base", "internal")
    assert GROUPS["ws"].authentication == "in_band"
