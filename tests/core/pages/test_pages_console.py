"""The console's redirect, its files, and what it tells strangers."""

from __future__ import annotations

import pytest

from fanlight import App, Listener
from fanlight.auth.oidc import OidcSettings
from fanlight.pages.console import PATIENCE
from fanlight.pages.files import ReadAssets
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.sim import Sim, table

CONFIG = Outgoing(target="/api/console/config")


def ask(app: App, target: str, method: str = "GET") -> Answer:
    sim = Sim(app, answering=table({ReadAssets: {"js/console.js": b"run()"}}))
    return HttpConnection(sim.connect(), "1.1").exchange(Outgoing(method=method, target=target))


def test_the_path_without_the_slash_leads_to_the_one_with_it() -> None:
    answer = ask(App(), "/internal-console")
    assert (answer.status, answer.get("location"), answer.body) == (307, "/internal-console/", b"")


def test_its_files_are_below_it() -> None:
    answer = ask(App(), "/internal-console/static/js/console.js")
    assert (answer.status, answer.body) == (200, b"run()")
    for path in ("/internal-console/js/console.js", "/internal-console/static/", "/internal-console/static/../x"):
        assert (ask(App(), path).status, ask(App(), path).text()) == (404, "not found")


def test_it_takes_no_writes() -> None:
    assert ask(App(), "/internal-console/", "POST").status == 405
    assert ask(App(), "/internal-console/anything", "POST").status == 405


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_the_configuration_of_the_provider(version: str) -> None:
    oidc = OidcSettings(issuer="https://issuer.example", console_client_id="cid", console_scopes='openid "x"')
    answer = HttpConnection(Sim(App(oidc=oidc)).connect(), version).exchange(CONFIG)
    assert answer.status == 200
    assert answer.get("content-type") == "application/json"
    assert answer.body == (
        b'{"console_oidc_client_id":"cid","console_oidc_scopes":"openid \\"x\\"","oidc_issuer":"https://issuer.example"}'
    )
    assert answer.get("access-control-expose-headers") is None


@pytest.mark.parametrize("oidc", [None, OidcSettings()])
def test_what_is_not_set_is_empty(oidc: OidcSettings | None) -> None:
    answer = ask(App(oidc=oidc), CONFIG.target)
    assert answer.body == b'{"console_oidc_client_id":"","console_oidc_scopes":"","oidc_issuer":""}'


def test_nobody_is_asked_who_he_is() -> None:
    app = App(listeners=(Listener("main", "127.0.0.1:6876", authenticator="Password"),))
    assert ask(app, CONFIG.target).status == 200


def test_an_engine_that_failed_is_told() -> None:
    app = App()
    app.readiness.fail("engine")
    answer = ask(app, CONFIG.target)
    assert (answer.status, answer.text()) == (500, "Adapter client unavailable")


def test_it_waits_for_the_engine() -> None:
    app = App()
    app.readiness.set("engine", False)
    sim = Sim(app)
    http = HttpConnection(sim.connect(), "1.1")
    stream = http.begin(CONFIG)
    sim.advance(2.0)
    assert not http.head(stream, 0.0).status
    app.readiness.set("engine", True)
    assert http.answer(stream).status == 200


def test_it_does_not_wait_for_ever() -> None:
    app = App()
    app.readiness.set("engine", False)
    sim = Sim(app)
    http = HttpConnection(sim.connect(), "1.1")
    stream = http.begin(CONFIG)
    sim.advance(PATIENCE / 2)
    assert not http.head(stream, 0.0).status
    answer = http.answer(stream, PATIENCE)
    assert (answer.status, answer.text()) == (500, "Adapter client unavailable")


def test_other_conditions_of_readiness_do_not_matter() -> None:
    app = App()
    app.readiness.set("warm", False)
    assert ask(app, CONFIG.target).status == 200
