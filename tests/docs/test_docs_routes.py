"""The page of routes tells every route that is served, with its group, and no other."""

from __future__ import annotations

from fanlight import App
from fanlight.auth.groups import CONFIGURED_GROUPS, GROUPS
from tests.docs.markdown import ROOT, code, rows

PAGE = ROOT / "docs" / "reference" / "routes.md"


def test_every_route_has_a_row() -> None:
    written = [(row[0], code(row[1])[0], code(row[2])[0]) for row in rows(PAGE) if len(row) == 4 and code(row[1])]
    served = [(route.method, route.path, route.group) for route in App().routes]
    assert sorted(written) == sorted(served)


def test_routes_for_internal_users_say_so() -> None:
    said = {code(row[1])[0] for row in rows(PAGE) if len(row) == 4 and "Internal users" in row[3]}
    assert said == {route.path for route in App().routes if route.privileged}


def test_every_group_has_a_row() -> None:
    written = {code(row[0])[0]: row for row in rows(PAGE) if len(row) == 5 and code(row[0])}
    assert set(written) == set(CONFIGURED_GROUPS)
    for name in CONFIGURED_GROUPS:
        group = GROUPS[name]
        assert (written[name][2] == "yes") == (group.authentication == "required"), name
        assert (written[name][4] == "none") == (group.cors is None), name


def test_groups_without_routes_are_named() -> None:
    used = {route.group for route in App().routes}
    text = PAGE.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.endswith("have no routes yet."))
    assert set(code(line)) == set(CONFIGURED_GROUPS) - used
