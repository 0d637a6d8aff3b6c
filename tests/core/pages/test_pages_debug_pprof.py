"""`/debug/pprof/`: Go's paths, with what a Python process has to say under them."""

from __future__ import annotations

import re

import pytest

from fanlight import App, Listener
from fanlight.http.request import ReadBody
from fanlight.http.response import BINARY, TEXT, Response
from fanlight.pages.debug_pprof import cmdline, goroutine, index, symbol
from fanlight.pages.root import DescribeProcess, ProcessFacts
from fanlight.profiling.effects import CaptureStacks, DescribeStacks
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.core.pages.prof_driving import drive, request
from tests.sim import Sim

PATHS = {"", "cmdline", "goroutine", "heap", "profile", "symbol"}


def test_the_index_links_every_profile_and_no_other() -> None:
    response, asked = drive(index(request("GET", "/debug/pprof/")))
    assert asked == []
    assert isinstance(response.body, bytes)
    links = set(re.findall(r'<li><a href="([^"]+)"', response.body.decode()))
    served = {route.path.removeprefix("/debug/pprof/") for route in App().routes if "/debug/pprof/" in route.path}
    assert served == PATHS
    assert links == PATHS - {""}


def test_goroutines_are_a_profile_by_default() -> None:
    for query in ("", "?debug=0", "?seconds=1"):
        response, asked = drive(goroutine(request("GET", f"/debug/pprof/goroutine{query}")), b"profile")
        assert asked == [CaptureStacks("pprof")]
        assert response == Response(200, (BINARY,), b"profile")
    response, asked = drive(goroutine(request("GET", "/debug/pprof/goroutine?format=collapsed")), b"profile")
    assert asked == [CaptureStacks("collapsed")]
    assert response.fields == (TEXT,)


@pytest.mark.parametrize(("debug", "whole"), [("1", False), ("2", True), ("3", True)])
def test_goroutines_as_text(debug: str, whole: bool) -> None:
    response, asked = drive(goroutine(request("GET", f"/debug/pprof/goroutine?debug={debug}")), "goroutine profile: …")
    assert asked == [DescribeStacks(whole=whole)]
    assert response == Response(200, (TEXT,), "goroutine profile: …".encode())


def test_the_command_line_is_a_name_without_arguments() -> None:
    facts = ProcessFacts(pid=1, argv0="shop", python="3.12.1", version="1")
    response, asked = drive(cmdline(request("GET", "/debug/pprof/cmdline")), facts)
    assert asked == [DescribeProcess()]
    assert response == Response(200, (TEXT,), b"shop")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_address_has_a_name(method: str) -> None:
    response, asked = drive(symbol(request(method, "/debug/pprof/symbol")), b"0x1+0x2")
    assert [type(ask) for ask in asked] == [ReadBody]
    assert response == Response(200, (TEXT,), b"num_symbols: 0\n")


@pytest.mark.parametrize("path", sorted(PATHS))
def test_they_are_of_the_profiling_group(path: str) -> None:
    listener = Listener("main", "127.0.0.1:6876", authenticator="Password", groups={"profiling": "Internal"})
    answer = HttpConnection(Sim(App(listeners=(listener,))).connect(), "1.1").exchange(
        Outgoing(target=f"/debug/pprof/{path}")
    )
    assert (answer.status, answer.get("www-authenticate")) == (401, "Basic realm=Materialize")
    without = Listener("main", "127.0.0.1:6876", groups={"base": "Normal"})
    answer = HttpConnection(Sim(App(listeners=(without,))).connect(), "1.1").exchange(
        Outgoing(target=f"/debug/pprof/{path}")
    )
    assert answer.status == 404
