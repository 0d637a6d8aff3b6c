"""The app: what a program says, and which mistakes are told before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from fanlight import (
    App,
    ConfigurationError,
    FileLockLeader,
    Limits,
    Listener,
    ManualLeader,
    MetricQuerySet,
    Request,
    Response,
    Route,
)
from fanlight.config.listeners import ALL_GROUPS


async def hello(request: Request) -> Response:
    return Response(200, (), request.path.encode())


def paths(app: App) -> set[tuple[str, str]]:
    return {(route.method, route.path) for route in app.routes}


def test_the_defaults_are_a_loopback_listener_and_all_pages() -> None:
    app = App()
    assert [listener.name for listener in app.listeners] == ["main"]
    assert app.listeners[0].where.loopback
    assert {("GET", "/"), ("GET", "/metrics"), ("POST", "/api/sql"), ("GET", "/api/readyz")} <= paths(app)
    assert app.limits == Limits()
    assert app.readiness.ready
    assert app.relations == {}


def test_listeners_are_served_in_the_order_of_their_names() -> None:
    given = (Listener("ops", "127.0.0.1:2"), Listener("main", "127.0.0.1:1"))
    assert [listener.name for listener in App(listeners=given).listeners] == ["main", "ops"]


@pytest.mark.parametrize("frames", [0, -1, 65])
def test_heap_frames_have_bounds(frames: int) -> None:
    with pytest.raises(ValueError, match="heap_frames"):
        App(heap_frames=frames)


@pytest.mark.parametrize("frames", [1, 64])
def test_the_bounds_of_heap_frames_are_allowed(frames: int) -> None:
    assert App(heap_frames=frames).heap_frames == frames


@pytest.mark.parametrize(
    "listeners",
    [
        (Listener("main", "127.0.0.1:1"), Listener("main", "127.0.0.1:2")),
        (Listener("main", "127.0.0.1:1", tls=True),),
        (Listener("main", "0.0.0.0:1", groups=ALL_GROUPS),),
    ],
    ids=["a name twice", "TLS without a certificate", "an open door"],
)
def test_listeners_that_may_not_start_are_refused_at_once(listeners: tuple[Listener, ...]) -> None:
    with pytest.raises(ConfigurationError):
        App(listeners=listeners)


def test_the_registry_is_the_default_one_or_the_given_one() -> None:
    own = CollectorRegistry()
    assert App(registry=own).registry is own
    assert App().registry is REGISTRY


def test_the_catalog_is_made_once() -> None:
    app = App()
    assert app.catalog is app.catalog


def test_a_decorator_adds_a_route_and_leaves_the_handler_alone() -> None:
    app = App(pages=False)
    assert app.route("GET", "/hello", privileged=True)(hello) is hello
    (route,) = app.routes
    assert (route.method, route.path, route.group, route.privileged) == ("GET", "/hello", "base", True)
    assert route.handler is hello
    assert not route.websocket


def test_routes_of_the_program_come_beside_ours_or_alone() -> None:
    own = Route("GET", "/hello", "base", hello)
    assert App(routes=(own,), pages=False).routes == [own]
    beside = App(routes=(own,))
    assert ("GET", "/hello") in paths(beside)
    assert paths(App()) < paths(beside)


def test_the_list_of_routes_is_nobodys_to_change() -> None:
    app = App(pages=False)
    app.routes.append(Route("GET", "/hello", "base", hello))
    assert app.routes == []


def test_relations_are_published_by_a_decorator() -> None:
    app = App(pages=False)

    @app.relation(name=str)
    def boats() -> Iterable[tuple[str]]:
        return [("argo",)]

    assert list(app.relations) == ["boats"]
    assert [column.name for column in app.relations["boats"].columns] == ["name"]
    assert list(boats()) == [("argo",)], "the function stays what it was"


def test_apps_share_nothing() -> None:
    first, second = App(pages=False), App(pages=False)
    first.route("GET", "/hello")(hello)
    first.readiness.set("engine", False)
    assert second.routes == []
    assert second.readiness.ready


@pytest.mark.parametrize("seconds", [0.049, 0.0, -1.0, float("nan")])
def test_looks_for_changes_are_not_too_often(seconds: float) -> None:
    with pytest.raises(ValueError, match="sql_poll_seconds"):
        App(sql_poll_seconds=seconds)


def test_malformed_enrichment_rules_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no known kind"):
        App(metric_rules={"shop_orders_total": [{"kind": "guess"}]})


def test_a_set_of_queries_has_one_route() -> None:
    app = App()
    before = [route.path for route in app.routes]
    app.metrics_from_sql(MetricQuerySet("mz_usage", ()))
    app.metrics_from_sql(MetricQuerySet("shop", ()))
    app.metrics_from_sql(MetricQuerySet("shop", ()))
    assert sorted(route.path for route in app.routes) == sorted([*before, "/metrics/shop"])
    assert [(route.method, route.group) for route in app.routes if route.path == "/metrics/shop"] == [
        ("GET", "metrics")
    ]


def events(app: App) -> list[tuple[str, str, str, str | None, float]]:
    drafts = [(each.event, each.occurred_at) for each in app.audit_log.events()]
    return [(event.event_type, event.object_type, event.details, event.user, at) for event, at in drafts]


def test_changes_while_it_is_served_are_events_and_its_beginning_is_none() -> None:
    app = App()
    first = app.catalog.add("View", "first")
    assert events(app) == []
    app.wall = lambda: 7.0
    second = app.catalog.add("Sink", "second", definition={"password": "x"})
    app.catalog.remove(first)
    with pytest.raises(ValueError, match="already"):
        app.catalog.add("View", "second")

    def names(identity: str, item: str) -> str:
        return f'{{"IdFullNameV1":{{"id":"{identity}","database":"materialize","schema":"public","item":"{item}"}}}}'

    assert events(app) == [
        ("create", "sink", names(second, "second"), None, 7.0),
        ("drop", "view", names(first, "first"), None, 7.0),
    ]


def test_moves_of_the_leadership_are_events() -> None:
    app = App(leader=ManualLeader())
    app.wall = lambda: 7.0
    leadership = app.lead()
    leadership.set_ready_to_promote()
    leadership.promote()
    leadership.epoch = 3
    leadership.set_is_leader()
    leadership.lose("gone")
    assert [(*each[:2], each[2]) for each in events(app)] == [
        ("alter", "leadership", '{"StateV1":{"state":"ReadyToPromote","epoch":null}}'),
        ("alter", "leadership", '{"StateV1":{"state":"Promoting","epoch":null}}'),
        ("alter", "leadership", '{"StateV1":{"state":"IsLeader","epoch":3}}'),
        ("alter", "leadership", '{"LostV1":{"reason":"gone"}}'),
    ]


def test_each_server_of_an_app_with_a_lock_tells_of_its_own_leadership() -> None:
    app = App(leader=FileLockLeader(path="unused"))
    app.wall = lambda: 7.0
    for _ in range(2):
        app.lead().move("set_ready_to_promote")
        app.leadership.lose("gone")
    assert [each[2] for each in events(app)] == [
        '{"StateV1":{"state":"ReadyToPromote","epoch":null}}',
        '{"LostV1":{"reason":"gone"}}',
    ] * 2
