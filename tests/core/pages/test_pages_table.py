"""The route table: complete, unambiguous, and with the groups that rules are written for."""

from __future__ import annotations

import inspect

from fanlight import App, Listener
from fanlight.auth.groups import CONFIGURED_GROUPS, GROUPS
from fanlight.config.listeners import ALL_GROUPS
from fanlight.http.router import Router
from fanlight.pages.loading import Page
from fanlight.pages.table import ROUTES
from fanlight.server import Server
from tests.sim import START, Seeded


def test_every_route_has_a_place_of_its_own() -> None:
    router = Router(ROUTES)  # raises for two routes at one place and method, or for two groups
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    assert {place.path for place in router.places()} == {route.path for route in ROUTES}


def test_groups_are_known() -> None:
    assert {GROUPS[route.group].roles for route in ROUTES} <= {*CONFIGURED_GROUPS, None}
    # Without roles nobody is asked who he is: few routes may be so.
    public = {route.path for route in ROUTES if GROUPS[route.group].roles is None}
    metadata = "/.well-known/oauth-protected-resource"
    documents = {metadata, f"{metadata}/api/mcp/agent", f"{metadata}/api/mcp/developer"}
    assert public == {"/api/login", "/api/logout", "/api/console/config", *documents}


def test_handlers_are_coroutine_functions_with_a_contract() -> None:
    for route in ROUTES:
        handler = route.handler.find() if isinstance(route.handler, Page) else route.handler
        assert inspect.iscoroutinefunction(handler), route.path
        assert inspect.getdoc(handler), route.path


def test_only_the_probes_are_there_from_the_beginning() -> None:
    assert {route.path for route in ROUTES if not isinstance(route.handler, Page)} == {"/api/livez", "/api/readyz"}


def test_dumps_are_privileged_and_probes_are_not() -> None:
    privileged = {route.path for route in ROUTES if route.privileged}
    assert {"/api/catalog/dump", "/api/coordinator/dump"} <= privileged
    assert not {"/", "/api/livez", "/api/readyz", "/metrics"} & privileged


def test_what_changes_something_is_no_get() -> None:
    assert {route.method for route in ROUTES} <= {"GET", "POST", "PUT", "DELETE"}
    assert {route.method for route in ROUTES if route.path == "/api/sql"} == {"POST"}


def test_a_listener_serves_the_routes_of_its_groups() -> None:
    for group in CONFIGURED_GROUPS:
        listener = Listener("main", "127.0.0.1:6876", groups={group: ALL_GROUPS[group]})
        server = Server(App(listeners=(listener,)), now=START, entropy=Seeded())
        served = {place.path for place in server.listeners["main"].router.places()}
        beside = "oauth_metadata" if group.startswith("mcp") else None
        assert served == {r.path for r in ROUTES if group in (GROUPS[r.group].roles, r.group) or r.group == beside}
