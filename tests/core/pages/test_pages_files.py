"""Static files: exact keys, types, ETags, and that no path reaches a file system."""

from __future__ import annotations

from typing import Any

import pytest

from fanlight import App
from fanlight.http.response import Response
from fanlight.pages.files import NOT_FOUND, Assets, ReadAssets
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.sim import Sim, table

FILES = {"css/page.css": b"body {}", "js/app.js": b"run()", "logo": b"\x89", "a.b/c": b"x", "data.bin": b"\x00"}
ASSETS = Assets(FILES)


def etag(path: str) -> str:
    return dict(ASSETS.answer(path, None).fields)["etag"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("css/page.css", "text/css"),
        ("js/app.js", "text/javascript"),
        ("logo", "application/octet-stream"),
        ("a.b/c", "application/octet-stream"),
        ("data.bin", "application/octet-stream"),
    ],
)
def test_files(path: str, kind: str) -> None:
    answer = ASSETS.answer(path, None)
    assert (answer.status, answer.body) == (200, FILES[path])
    assert dict(answer.fields)["content-type"] == kind
    assert dict(answer.fields)["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["", "css", "css/", "css/page.css/", "CSS/page.css", "../page.css", "css/../css/page.css", "css%2Fpage.css"]
)
def test_everything_else_is_not_found(path: str) -> None:
    assert ASSETS.answer(path, None) is NOT_FOUND
    assert ASSETS.answer(path, "*") is NOT_FOUND


def test_etags_are_strong_and_follow_the_bytes() -> None:
    assert etag("css/page.css").startswith('"')
    assert etag("css/page.css") == dict(Assets({"x": b"body {}"}).answer("x", None).fields)["etag"]
    assert len({etag(path) for path in FILES}) == len(FILES)


@pytest.mark.parametrize("form", ["{0}", "*", " * ", "W/{0}", '"other", {0}', '"a",W/{0} ,"b"'])
def test_a_client_that_has_it_is_told_so(form: str) -> None:
    answer = ASSETS.answer("logo", form.format(etag("logo")))
    assert answer == Response(304, (("etag", etag("logo")), ("cache-control", "no-cache")))


@pytest.mark.parametrize("value", ["", '"other"', "{0}x", "logo", '"*"'])
def test_a_client_that_has_another_gets_it(value: str) -> None:
    assert ASSETS.answer("logo", value.format(etag("logo").strip('"'))).status == 200


def serving() -> tuple[Sim, list[Any]]:
    asked: list[Any] = []

    def read(effect: ReadAssets) -> dict[str, bytes]:
        asked.append(effect)
        return FILES

    return Sim(App(), answering=table({ReadAssets: read})), asked


def test_the_files_are_read_once() -> None:
    sim, asked = serving()
    client = HttpConnection(sim.connect(), "1.1")
    for _ in range(3):
        assert client.exchange(Outgoing(target="/static/js/app.js")).body == b"run()"
    assert len(asked) == 1


@pytest.mark.parametrize("folder", ["/static/", "/prof/static/"])
def test_both_folders_hold_the_same(folder: str) -> None:
    sim, _ = serving()
    answer = HttpConnection(sim.connect(), "2").exchange(Outgoing(target=folder + "css/page.css"))
    assert (answer.status, answer.body) == (200, b"body {}")
    assert answer.get("x-content-type-options") == "nosniff"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/static/../pyproject.toml", 404),
        ("/static/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/static//css/page.css", 404),
        ("/static/css/page.css?x", 200),
        ("/static/", 404),
        ("/static", 404),
        ("/static/%FF", 400),
        ("/static/css%2Fpage.css", 404),
    ],
)
def test_paths(target: str, status: int) -> None:
    sim, _ = serving()
    assert HttpConnection(sim.connect(), "1.1").exchange(Outgoing(target=target)).status == status


def test_not_modified_over_the_wire() -> None:
    sim, _ = serving()
    client = HttpConnection(sim.connect(), "1.1")
    first = client.exchange(Outgoing(target="/static/logo"))
    again = client.exchange(Outgoing(target="/static/logo", fields=(("if-none-match", first.get("etag") or ""),)))
    assert (again.status, again.body, again.get("etag")) == (304, b"", first.get("etag"))
    assert again.get("content-type") is None
