"""`fanlight.pages.loading`: a page is imported by a worker, once, before its first answer."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import pytest

from fanlight import App, pages
from fanlight.http.router import Route
from fanlight.pages.loading import ImportPage, Page, page
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.sim import Failed, Sim, never

NAME = "fanlight.pages.tools"


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> Page:
    """A page that nobody has imported, whatever ran before."""
    import_module(NAME)
    monkeypatch.delattr(pages, "tools")
    monkeypatch.delitem(sys.modules, NAME)
    return Page("tools", "memory")


def test_the_first_request_waits_for_a_worker(unseen: Page) -> None:
    sim = Sim(App(pages=False, routes=[Route("GET", "/", "base", unseen)]), answering=never)
    wires = [sim.connect(), sim.connect()]
    for wire in wires:
        wire.send(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert [waiting.effect for waiting in sim.pending] == [ImportPage(NAME)] * 2
    assert ImportPage.runs == "worker"
    assert NAME not in sys.modules
    for waiting in list(sim.pending):
        import_module(NAME)
        sim.reply(waiting)
    assert [bytes(wire.received)[:12] for wire in wires] == [b"HTTP/1.1 200"] * 2
    wires[0].send(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert sim.pending == []


def test_an_import_that_fails_is_a_bug_and_is_tried_again(unseen: Page) -> None:
    broken: list[Any] = [Failed(ImportError("half installed"))]
    sim = Sim(App(pages=False, routes=[Route("GET", "/", "base", unseen)]), answering=lambda _: broken[0])
    answers = HttpConnection(sim.connect(), "1.1")
    assert answers.exchange(Outgoing(target="/")).status == 500
    assert "ImportError" in str(sim.notes)
    assert answers.exchange(Outgoing(target="/")).status == 500
    assert NAME not in sys.modules


def test_one_page_for_a_name() -> None:
    assert page("tools.memory") is page("tools.memory")
    assert repr(page("tools.memory")) == "<page fanlight.pages.tools.memory>"


def test_a_page_can_be_found_without_being_asked_for(unseen: Page) -> None:
    assert unseen.find() is import_module(NAME).memory
