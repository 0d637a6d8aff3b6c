"""The home page: which process, and only links that this listener serves."""

from __future__ import annotations

import re

import pytest

from fanlight import App, Listener
from fanlight.http.request import Request
from fanlight.http.response import Response, empty
from fanlight.pages.root import DescribeProcess, ProcessFacts
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.sim import Sim, table

FACTS = ProcessFacts(pid=4711, argv0="shop", python="3.12.1", version="1.2.3")


def page(app: App, facts: ProcessFacts = FACTS, version: str = "1.1") -> Answer:
    sim = Sim(app, answering=table({DescribeProcess: facts}))
    return HttpConnection(sim.connect(), version).exchange(Outgoing(target="/"))


def links(answer: Answer) -> set[str]:
    return set(re.findall(r'<a href="([^"]+)"', answer.text()))


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_it_says_which_process_this_is(version: str) -> None:
    answer = page(App(), version=version)
    assert answer.status == 200
    assert answer.get("content-type") == "text/html; charset=utf-8"
    assert "fanlight 1.2.3 embedded in shop (pid 4711, Python 3.12.1)" in answer.text()


def test_it_links_what_is_there() -> None:
    answer = page(App())
    assert {"/metrics", "/prof/heap", "/api/readyz", "/api/tracing", "/api/catalog/dump"} <= links(answer)
    assert {"/memory", "/hierarchical-memory", "/metrics-viz", "/internal-console/"} <= links(answer)
    assert "/console" not in links(answer)  # the program's own, if it has one
    sim = Sim(App())
    places = {place.path for place in sim.server.listeners["main"].router.places()}
    assert links(answer) <= places


def test_it_links_nothing_that_another_listener_serves() -> None:
    app = App(listeners=(Listener("main", "127.0.0.1:6876", groups={"base": "Normal", "metrics": "Normal"}),))
    found = links(page(app))
    assert "/metrics" in found
    assert not {"/prof/heap", "/api/catalog/dump", "/api/tracing", "/internal-console/"} & found


def test_it_links_a_console_of_the_programs_own() -> None:
    app = App()

    @app.route("GET", "/console")
    async def console(request: Request) -> Response:
        return empty(204)

    assert "/console" in links(page(app))


def test_no_name_becomes_markup() -> None:
    facts = ProcessFacts(pid=1, argv0="<script>alert(1)</script>", python="&", version='"')
    text = page(App(), facts).text()
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_page_is_well_formed() -> None:
    text = page(App()).text()
    assert text.startswith("<!doctype html>")
    for tag in ("html", "head", "body", "ul", "h1"):
        assert text.count(f"<{tag}") == text.count(f"</{tag}>") or tag == "head"
    assert "{" not in text
