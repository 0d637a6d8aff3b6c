"""A browser logs in and reads pages; a page of another origin in the same browser is refused whatever it tries."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.chromium import PROGRAM, REBOUND, Browser, Page, browsing

from .conftest import PASSWORD, Open, Place

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")

LOGIN = json.dumps({"username": "ada", "password": PASSWORD})
FORGED = json.dumps({"username": "mz_system", "password": PASSWORD})
SQL = json.dumps({"query": "select current_user"})


def fetch(url: str, body: str | None = None, kind: str = "application/json", mode: str = "cors") -> str:
    """Script: the status of a request with whatever credentials the browser has, or the name of what went wrong."""
    options = {"credentials": "include", "mode": mode}
    if body is not None:
        options |= {"method": "POST", "body": body}
    headers = f"{{'content-type': {json.dumps(kind)}}}" if body is not None else "{}"
    call = f"fetch({json.dumps(url)}, Object.assign({json.dumps(options)}, {{headers: {headers}}}))"
    return f"{call}.then(r => r.type == 'opaque' ? 'opaque' : r.status).catch(e => e.name)"


def dial(url: str, first: str) -> str:
    """Script: what a WebSocket comes to: the type of the first frame, or the code it is closed with."""
    return (
        "new Promise(done => {"
        f" const socket = new WebSocket({json.dumps(url)});"
        f" socket.onopen = () => socket.send({json.dumps(first)});"
        " socket.onmessage = event => done(JSON.parse(event.data).type);"
        " socket.onclose = event => done(event.code); })"
    )


class Elsewhere(BaseHTTPRequestHandler):
    """A page of somebody else."""

    def do_GET(self) -> None:
        body = b"<!doctype html><title>elsewhere</title><p>a page of somebody else"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The port of another server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with browsing() as made:
        yield made


def logged_in(browser: Browser, place: Place) -> Page:
    """A tab at home, with a session."""
    page = browser.page()
    # No challenge stands here, so the browser shows what came.
    assert page.go(f"http://{place.where}/api/livez") == 401
    assert page.run("document.body.innerText") == "unauthorized"
    assert page.run(fetch("/api/login", FORGED.replace(PASSWORD, "wrong"))) == 401
    assert page.run(fetch("/api/login", LOGIN)) == 200
    assert page.go(f"http://{place.where}/") == 200
    return page


def test_a_person_logs_in_looks_around_and_logs_out(browser: Browser, opened: Open) -> None:
    place = opened()
    page = logged_in(browser, place)
    assert "fanlight" in page.run("document.body.innerText").lower()
    (cookie,) = page.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"], cookie["session"]) == (
        "mz_session",
        True,
        "Strict",
        True,
    )
    assert page.run("document.cookie") == ""
    assert (
        page.run(
            f"fetch('/api/sql', {{method: 'POST', headers: {{'content-type': 'application/json'}}, body: "
            f"{json.dumps(SQL)}}}).then(r => r.json()).then(r => r.results[0].rows[0][0])"
        )
        == "ada"
    )
    assert page.run(dial(f"ws://{place.where}/api/experimental/sql", "{}")) == "ParameterStatus"
    assert page.run(fetch("/api/logout", "")) == 200
    assert page.cookies() == []
    assert page.go(f"http://{place.where}/") == 401


def test_a_person_answers_the_dialog_of_the_browser(browser: Browser, opened: Open) -> None:
    place = opened()
    page = browser.page()
    assert page.go(f"http://{place.where}/", dialog=("ada", PASSWORD)) == 200
    # The browser remembers, and so does its pages' code; no session comes of it.
    assert page.run(fetch("/api/sql", SQL)) == 200
    assert page.cookies() == []


# The first is another site, to which the cookie is not sent; the second is the same site, to which it is.
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_of_another_origin_is_refused(browser: Browser, opened: Open, elsewhere: int, host: str) -> None:
    place = opened()
    home, same_site = logged_in(browser, place), host == "127.0.0.1"
    url = f"http://{place.where}"
    page = browser.page()
    assert page.go(f"http://{host}:{elsewhere}/") == 200
    # What it may send without asking, it cannot read; what it would have to ask for is not granted.
    assert page.run(fetch(f"{url}/")) == "TypeError"
    assert page.run(fetch(f"{url}/api/sql", SQL)) == "TypeError"
    assert page.run(fetch(f"{url}/api/login", LOGIN)) == "TypeError"
    before = len(place.reasons())
    for path, body in (("/api/sql", SQL), ("/prof/mode", "enable=1"), ("/api/login", FORGED), ("/api/logout", "")):
        assert page.run(fetch(url + path, body, "text/plain", "no-cors")) == "opaque"
    # With the cookie they are cross-site writes; without it the first two are nobody's, and a logout is of nothing.
    write, nobody = "cross-site write", "missing authorization header"
    expected = [write] * 4 if same_site else [nobody, nobody, write]
    assert place.reasons()[before:] == expected
    # A form takes the whole page along.
    seen = len(browser.events)
    form = f"<form id=f method=post action={url}/prof/mode><input name=memory_active value=1></form>"
    page.run(f"document.body.innerHTML = {json.dumps(form)}; document.getElementById('f').submit()")
    assert page.arrived(seen) == (403 if same_site else 401)
    # Nor does a socket open with somebody's cookie; without one it may, and has to say who it is.
    page.go(f"http://{host}:{elsewhere}/")
    assert page.run(dial(f"ws://{place.where}/api/experimental/sql", "{}")) == (1006 if same_site else 1002)
    # All the while the session is what it was.
    assert home.go(f"{url}/") == 200


def test_kind_none_is_for_its_own_pages_only(browser: Browser, opened: Open, elsewhere: int) -> None:
    place = opened("None")
    url, socket = f"http://{place.where}", f"ws://{place.where}/api/experimental/sql"
    home = browser.page()
    assert home.go(f"{url}/") == 200
    assert home.run(fetch("/api/sql", SQL)) == 200
    assert home.run(dial(socket, '{"user": "ada", "password": ""}')) == "ParameterStatus"
    page = browser.page()
    page.go(f"http://localhost:{elsewhere}/")
    assert page.run(fetch(f"{url}/")) == "TypeError"
    assert page.run(fetch(f"{url}/prof/mode", "memory_active=1", "text/plain", "no-cors")) == "opaque"
    assert place.reasons() == ["cross-site write"]
    assert page.run(dial(socket, '{"user": "ada", "password": ""}')) == 1006


def test_a_name_that_was_pointed_here_is_refused(browser: Browser, opened: Open) -> None:
    port = opened("None").where.rpartition(":")[2]
    page = browser.page()
    # Its owner first served a page under it, then let the name mean this machine (DNS rebinding).
    assert page.go(f"http://{REBOUND}:{port}/api/livez") == 421
    assert page.run(fetch("/api/sql", SQL)) == 421
    assert page.go(f"http://shop.localhost:{port}/api/livez") == 200
