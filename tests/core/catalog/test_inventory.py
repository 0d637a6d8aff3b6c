"""What a server knows of itself: settings, routes, connections, addresses, roles."""

from __future__ import annotations

import pytest

from fanlight.app import App
from fanlight.catalog import inventory
from fanlight.config.limits import Limits
from fanlight.config.listeners import Listener
from fanlight.config.settings import Dialect, Settings
from fanlight.http.request import Request
from fanlight.http.response import Response, text
from fanlight.http.router import Route
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.sim import Sim


async def hello(request: Request) -> Response:
    await request.body()
    return text(200, "hello")


ROUTES = (
    Route("GET", "/", "base", hello),
    Route("PUT", "/api/stderr/config", "internal", hello),
    Route("GET", "/api/catalog/dump", "internal", hello, privileged=True),
    Route("POST", "/api/webhook/{database}/{schema}/{id}", "webhook", hello),
)


def app_of(*listeners: Listener, settings: Settings | None = None) -> App:
    return App(listeners=listeners or (Listener(),), routes=ROUTES, pages=False, settings=settings)


def test_every_setting_is_there_with_its_default() -> None:
    app = App(pages=False, limits=Limits(streams=7), dialect=Dialect(realm="Shop"), heap_frames=3)
    found = {setting.name: setting for setting in inventory.settings(app)}
    assert (found["limits.streams"].value, found["limits.streams"].default) == ("7", "100")
    assert found["limits.streams"].source == "program"
    assert found["limits.keep_alive"].source == "default"
    assert (found["dialect.realm"].value, found["dialect.realm"].default) == ("Shop", "Materialize")
    assert found["dialect.session_cookie"].value == "mz_session"
    assert found["dialect.internal_users"].value == "mz_system, mz_support, mz_analytics"
    assert (found["heap_frames"].value, found["heap_frames"].default) == ("3", "16")
    assert found["http_host_name"].value == ""
    assert found["listeners.main.tls"].value == "false"
    assert "base=NormalAndInternal" in found["listeners.main.groups"].value
    assert len(found) == len(list(inventory.settings(app)))


def test_the_defaults_that_are_told_are_those_of_an_app() -> None:
    assert {setting.source for setting in inventory.settings(App(pages=False))} == {"default"}


def test_no_setting_shows_userinfo() -> None:
    app = App(pages=False, settings=Settings(tls_certificate="https://ada:sesame@h/cert.pem", tls_key="key.pem"))
    found = {setting.name: setting.value for setting in inventory.settings(app)}
    assert found["tls_certificate"] == "https://<redacted>@h/cert.pem"
    assert found["tls_key"] == "key.pem"


def test_routes_of_each_listener() -> None:
    main = Listener()
    inner = Listener("inner", "127.0.0.1:0", groups={"internal": "Internal", "webhook": "Normal"})
    rows = {(row.listener, row.path): row for row in inventory.routes(Sim(app_of(main, inner)).server)}
    assert {path for listener, path in rows if listener == "main"} == {"/", "/api/stderr/config", "/api/catalog/dump"}
    assert {path for listener, path in rows if listener == "inner"} == {
        "/api/stderr/config",
        "/api/catalog/dump",
        "/api/webhook/{database}/{schema}/{id}",
    }
    dump = rows["inner", "/api/catalog/dump"]
    assert (dump.method, dump.group, dump.roles, dump.authentication) == ("GET", "internal", "Internal", "None")
    assert dump.privileged
    hook = rows["inner", "/api/webhook/{database}/{schema}/{id}"]
    assert (hook.method, hook.group, hook.roles, hook.authentication) == ("POST", "webhook", "", "public")
    assert not hook.privileged


@pytest.mark.parametrize(("version", "protocol"), [("1.1", "http/1.1"), ("2", "h2")])
def test_connections_and_what_they_do(version: str, protocol: str) -> None:
    sim = Sim(app_of())
    idle = sim.connect()
    busy = HttpConnection(sim.connect(), version)
    fields = (("x-materialize-user", "mz_system"), ("content-length", "5"), ("content-type", "text/plain"))
    request = Outgoing(method="PUT", target="/api/stderr/config", fields=fields, finished=False)
    busy.begin(request)
    first, second = inventory.connections(sim.server)
    assert (first.number, first.protocol, first.users, first.paths, first.requests) == (1, "", (), (), 0)
    assert (second.number, second.protocol, second.listener, second.peer) == (2, protocol, "main", "127.0.0.1")
    assert (second.state, second.secure, second.since) == ("open", False, sim.now.wall)
    assert second.users == ("mz_system",)
    assert second.paths == ("/api/stderr/config",)
    assert second.effects == ()
    idle.abort()
    assert [row.number for row in inventory.connections(sim.server)] == [2]


def test_addresses_and_roles() -> None:
    app = app_of(Listener("a", "127.0.0.1:80"), Listener("b", "[::1]:0"), Listener("c", "unix:/run/x.sock"))
    assert inventory.addresses(Sim(app).server) == ["127.0.0.1:80", "[::1]:0", "unix:/run/x.sock"]
    assert inventory.roles(app) == {
        "mz_system": True,
        "mz_support": True,
        "mz_analytics": True,
        "anonymous_http_user": False,
    }
