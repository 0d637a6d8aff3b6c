"""The pages that scripts draw: frames with the policy of every page, through the whole core."""

from __future__ import annotations

import re

import pytest

from fanlight import App, Listener
from fanlight_engines.host import read_assets
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.sim import Sim

PAGES = {
    "/memory": "Memory",
    "/hierarchical-memory": "Memory as a tree",
    "/metrics-viz": "Metrics",
    "/internal-console/": "Console",
}


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize(("path", "title"), PAGES.items())
def test_a_page_is_a_frame_and_nothing_else(path: str, title: str, version: str) -> None:
    answer = HttpConnection(Sim(App()).connect(), version).exchange(Outgoing(target=path))
    assert answer.status == 200
    assert answer.get("content-type") == "text/html; charset=utf-8"
    assert answer.get("content-security-policy") == "default-src 'self'; frame-ancestors 'none'"
    assert answer.get("referrer-policy") == "no-referrer"
    assert f"<title>{title}</title>" in answer.text()
    assert f'aria-current="page">{"Console" if "console" in path else title}</a>' in answer.text()


@pytest.mark.parametrize("path", PAGES)
def test_every_file_that_a_page_names_is_shipped(path: str) -> None:
    text = HttpConnection(Sim(App()).connect(), "1.1").exchange(Outgoing(target=path)).text()
    files = re.findall(r'(?:src|href)="/(?:internal-console/)?static/([^"]+)"', text)
    assert len(files) >= 4
    assert set(files) <= read_assets().keys()


def test_a_page_links_only_what_the_listener_serves() -> None:
    app = App(listeners=(Listener("main", "127.0.0.1:6876", groups={"base": "Normal"}),))
    text = HttpConnection(Sim(app).connect(), "1.1").exchange(Outgoing(target="/memory")).text()
    assert re.findall(r'<a href="([^"]+)"', text) == ["/", "/memory", "/hierarchical-memory", "/metrics-viz"]


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_only_read(path: str) -> None:
    answer = HttpConnection(Sim(App()).connect(), "1.1").exchange(Outgoing(method="POST", target=path))
    assert (answer.status, answer.get("allow")) == (405, "GET,HEAD")


def test_pages_ask_for_a_login_in_a_way_that_browsers_understand() -> None:
    app = App(listeners=(Listener("main", "127.0.0.1:6876", authenticator="Password"),))
    for path, challenged in (("/memory", True), ("/hierarchical-memory", True), ("/metrics-viz", False)):
        answer = HttpConnection(Sim(app).connect(), "1.1").exchange(Outgoing(target=path))
        assert (answer.status, answer.text()) == (401, "unauthorized")
        assert (answer.get("www-authenticate") == "Basic realm=Materialize") == challenged
