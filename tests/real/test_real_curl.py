"""curl knocks: with Basic, with a login and its cookie, with nothing and with something wrong, at every page."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from attrs import frozen

from fanlight.auth.groups import GROUPS
from fanlight.auth.identity import Kind
from fanlight_engines.auth.passwords import hash_password

from .conftest import PASSWORD, Open, Place

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

CHALLENGED = {"/", "/memory", "/hierarchical-memory"}
JSON = ("-H", "content-type: application/json")


@frozen
class Said:
    """What curl was told."""

    status: int
    fields: dict[str, list[str]]
    body: bytes

    def one(self, name: str) -> str:
        """The only field of that name."""
        (value,) = self.fields[name]
        return value


def curl(url: str, *words: str) -> Said:
    """`curl WORDS URL`."""
    command = ["curl", "-s", "-i", "--max-time", "30", *words, url]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    fields: dict[str, list[str]] = {}
    for name, _, value in (line.partition(": ") for line in lines):
        fields.setdefault(name.lower(), []).append(value)
    return Said(int(first.split()[1]), fields, body)


def guarded(place: Place) -> list[tuple[str, str]]:
    """Method and path of every route that wants to know who asks, parameters filled in."""
    return [
        (route.method, route.path)
        for route in place.app.routes
        if GROUPS[route.group].authentication == "required" and "{" not in route.path
    ]


def words(method: str) -> tuple[str, ...]:
    """What a request with that method says besides; never enough for a route that does something."""
    return ("-X", method, *(() if method == "GET" else ("--data-binary", ""))) if method != "HEAD" else ("-I",)


@pytest.mark.parametrize("kind", ["Password", "Oidc"])
def test_every_page_wants_to_know_who_asks(opened: Open, kind: Kind) -> None:
    place = opened(kind, peer_auth_failure_burst=0, auth_failure_burst=0)
    routes = guarded(place)
    assert len(routes) > 10
    for method, path in routes:
        url = f"http://{place.where}{path}"
        nothing = curl(url, *words(method))
        challenge = path in CHALLENGED or path.startswith(("/prof/", "/debug/pprof/"))
        assert (nothing.status, nothing.body) == (401, b"unauthorized"), path
        assert nothing.fields.get("www-authenticate", []) == (["Basic realm=Materialize"] if challenge else []), path
        for user, password in (("ada", "wrong"), ("nobody", PASSWORD), ("out", PASSWORD), ("", PASSWORD)):
            wrong = curl(url, *words(method), "-u", f"{user}:{password}")
            assert (wrong.status, wrong.body) == (401, b"unauthorized"), (path, user)
            assert "www-authenticate" not in wrong.fields, (path, user)
            assert wrong.one("cache-control") == "no-store"


def test_a_right_password_opens_pages_that_change_nothing(opened: Open) -> None:
    place = opened()
    for path in ("/", "/metrics", "/api/livez", "/api/readyz", "/api/tracing"):
        said = curl(f"http://{place.where}{path}", "-u", f"ada:{PASSWORD}")
        assert said.status == 200, (path, said)
        assert "set-cookie" not in said.fields
    assert curl(f"http://{place.where}/no/such/page", "-u", f"ada:{PASSWORD}").status == 404
    # Dumps are for internal users, whoever may log in.
    assert curl(f"http://{place.where}/api/catalog/dump", "-u", f"ada:{PASSWORD}").status == 401
    assert curl(f"http://{place.where}/api/catalog/dump", "-u", f"mz_system:{PASSWORD}").status == 200


def test_login_cookie_logout(opened: Open, tmp_path: Path) -> None:
    place, jar = opened(), str(tmp_path / "jar")
    url = f"http://{place.where}"
    ask = ("-d", '{"query": "select current_user"}', *JSON)
    assert curl(f"{url}/api/sql", "-b", jar, *ask).status == 401
    said = curl(f"{url}/api/login", "-c", jar, *JSON, "-d", json.dumps({"username": "ada", "password": PASSWORD}))
    assert (said.status, said.body) == (200, b"")
    assert said.one("set-cookie").endswith("; HttpOnly; SameSite=Strict; Path=/")
    who = curl(f"{url}/api/sql", "-b", jar, "-c", jar, *ask)
    assert (who.status, json.loads(who.body)["results"][0]["rows"]) == (200, [["ada"]])
    # A wrong password beside a good cookie is a wrong password.
    assert curl(f"{url}/", "-b", jar, "-u", "ada:wrong").status == 401
    stolen = (tmp_path / "jar").read_text()
    (tmp_path / "copy").write_text(stolen)
    gone = curl(f"{url}/api/logout", "-X", "POST", "-b", jar, "-c", jar)
    assert (gone.status, gone.one("set-cookie").rpartition("; ")[2]) == (200, "Max-Age=0")
    assert "mz_session" not in (tmp_path / "jar").read_text()
    assert curl(f"{url}/", "-b", str(tmp_path / "copy")).status == 401


@pytest.mark.parametrize(("user", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("out", PASSWORD)])
def test_a_login_that_fails_says_nothing(opened: Open, user: str, password: str) -> None:
    place = opened()
    said = curl(f"http://{place.where}/api/login", *JSON, "-d", json.dumps({"username": user, "password": password}))
    assert (said.status, said.body) == (401, b"")
    assert {"set-cookie", "www-authenticate"} & set(said.fields) == set()


def test_a_changed_password_ends_what_the_old_one_opened(opened: Open, tmp_path: Path) -> None:
    place, jar = opened(), str(tmp_path / "jar")
    url = f"http://{place.where}"
    curl(f"{url}/api/login", "-c", jar, *JSON, "-d", json.dumps({"username": "ada", "password": PASSWORD}))
    assert curl(f"{url}/", "-b", jar).status == 200
    place.app.users.put("ada", hash_password("battery staple", iterations=4096))
    assert curl(f"{url}/", "-b", jar).status == 401
    assert curl(f"{url}/", "-u", f"ada:{PASSWORD}").status == 401
    assert curl(f"{url}/", "-u", "ada:battery staple").status == 200


def test_who_guesses_is_told_to_wait_and_nobody_else_is(opened: Open) -> None:
    place = opened(auth_failure_burst=3, auth_failure_refill_seconds=60.0)
    url = f"http://{place.where}/"
    assert [curl(url, "-u", f"ada:{number}").status for number in range(5)] == [401] * 3 + [429] * 2
    limited = curl(url, "-u", f"ada:{PASSWORD}")
    assert (limited.status, limited.body) == (429, b"too many requests, try again later")
    assert 1 <= int(limited.one("retry-after")) <= 60
    # By another name from the same peer, and by the same name once the time is over.
    assert curl(url, "-u", f"mz_system:{PASSWORD}").status == 200
    place.later(61)
    assert curl(url, "-u", f"ada:{PASSWORD}").status == 200
