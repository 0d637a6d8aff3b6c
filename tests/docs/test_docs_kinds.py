"""The pages of kinds are true: each configuration is served, and each row of its table is asked and answered so."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from attrs import define, evolve

from fanlight import App
from fanlight.auth.scram import derive
from fanlight.auth.users import Role
from fanlight.auth.users_file import write_users
from fanlight.config.file import parse
from fanlight.config.settings import ConfigurationError
from tests.core.auth.providing import b64, jwk, pem, token
from tests.docs.markdown import ROOT, code, rows, samples
from tests.hosts import AsyncioHost, Host, Served

PAGES = {path.stem: path for path in (ROOT / "docs" / "reference").glob("kind-*.md")}
KINDS = ("none", "password", "sasl", "oidc", "frontegg")
PASSWORD = "correct horse"
STORED = str(derive(PASSWORD, bytes(32), 1000))
APP_PASSWORD = "mzp_" + "0f" * 32
WRONG_APP_PASSWORD = "mzp_" + "1f" * 32
TENANT, OTHER = "11111111-2222-4333-8444-555555555555", "99999999-8888-4777-8666-555544443333"


def access_token(**changed: Any) -> str:
    """Of Grace, as the tenant makes them."""
    claims = {"sub": OTHER, "exp": int(time.time()) + 600, "iss": "x", "type": "userToken", "tenantId": TENANT}
    return token({**claims, "roles": [], "permissions": [], "email": "grace@example.com", **changed}, kid=None)


class Elsewhere(BaseHTTPRequestHandler):
    """A provider of keys, and a tenant that exchanges one app password."""

    def do_GET(self) -> None:
        where = f"http://{self.headers['host']}"
        document = {"issuer": f"{where}/realms/main", "jwks_uri": f"{where}/keys"}
        self._say(200, {"keys": [jwk("RSA")]} if self.path == "/keys" else document)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        good = asked["clientId"] == "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f"
        answer = {"expires": "x", "expiresIn": 600, "accessToken": access_token(), "refreshToken": "x"}
        self._say(200 if good else 401, answer if good else {})

    def _say(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """Where the provider and the tenant are."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(scope="module")
def loop() -> Iterator[Host]:
    """A loop to serve in."""
    made = AsyncioHost()
    yield made
    made.close()


def shown(kind: str, where: str) -> App:
    """The application of a page, with what is elsewhere at `where`, in the current folder."""
    (sample,) = [s for s in samples("toml", "python") if s.page == PAGES[f"kind-{kind}"]]
    text = sample.text.replace("https://idp.example", where).replace("https://admin.example", where)
    if sample.language == "python":
        Path("tenant.pem").write_text(pem("RSA"))
        made: dict[str, Any] = {}
        exec(text, made)
        app: App = made["app"]
        return App(listeners=free(app.listeners), frontegg=app.frontegg)
    read = parse(text, "toml")
    return App(listeners=free(read.listeners), settings=read.settings, oidc=read.oidc)


def free(listeners: Any) -> list[Any]:
    """The same at ports that are free, on this machine alone."""
    return [evolve(listener, address="127.0.0.1:0") for listener in listeners]


@pytest.fixture(params=KINDS)
def served(
    request: pytest.FixtureRequest, loop: Host, elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Served, str]]:
    """The kind, its page's application, served, and where the provider is."""
    monkeypatch.chdir(tmp_path)
    users = {"ada": Role(STORED), "out": Role(STORED, login=False)}
    Path("users.json").write_text(write_users(users))
    Path("users.json").chmod(0o600)
    running = loop.serve(shown(request.param, elsewhere))
    yield request.param, running, elsewhere
    running.stop()


@define
class Client:
    """Asks `main` of a page, in all the ways that the tables name."""

    served: Served
    issuer: str

    def ask(self, *fields: tuple[str, str], host: str = "localhost", path: str = "/api/sql", body: str = "") -> Any:
        """POST; the status, the text and the user that SQL tells."""
        address = self.served.address("main")
        connection = http.client.HTTPConnection(str(address[0]), int(address[1]), timeout=20)
        connection.putrequest("POST", path, skip_host=True)
        sent = (body or '{"query": "select current_user"}').encode()
        given = (("content-type", "application/json"), ("content-length", str(len(sent))))
        for name, value in (("host", host), *given, *fields):
            connection.putheader(name, value)
        connection.endheaders(sent)
        response = connection.getresponse()
        text, cookie = response.read().decode(), response.getheader("set-cookie") or ""
        connection.close()
        user = json.loads(text)["results"][0]["rows"][0][0] if text.startswith("{") else ""
        return response.status, text, user, cookie.partition(";")[0]

    def login(self) -> Any:
        """POST /api/login."""
        return self.ask(path="/api/login", body=json.dumps({"username": "ada", "password": PASSWORD}))

    def cookie(self) -> tuple[str, str]:
        """That of a fresh session."""
        return "cookie", self.login()[3]

    def bearer(self, algorithm: str = "RS256", **changed: Any) -> Any:
        """With a token of the provider."""
        claims = {"iss": self.issuer, "sub": "grace", "aud": "fanlight", "exp": int(time.time()) + 600, **changed}
        return self.ask(("authorization", f"Bearer {token(claims, algorithm)}"))


def basic(user: str, password: str) -> tuple[str, str]:
    """An Authorization field."""
    return "authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def bearer(value: str) -> tuple[str, str]:
    """An Authorization field."""
    return "authorization", f"Bearer {value}"


def unkeyed(issuer: str) -> str:
    """A token that names no key."""
    return ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "RS256"}, {"iss": issuer})) + ".AAAA"


FOREIGN = ("origin", "https://elsewhere.example")
PROXY = "x-materialize-user"
WAYS: dict[str, Callable[[Client], Any]] = {
    "nothing": lambda c: c.ask(),
    "Basic, a right password": lambda c: c.ask(basic("ada", PASSWORD)),
    "Basic, a wrong password": lambda c: c.ask(basic("ada", "wrong")),
    "Basic, a name that nobody has": lambda c: c.ask(basic("grace", PASSWORD)),
    "Basic, one who may not log in": lambda c: c.ask(basic("out", PASSWORD)),
    "Basic, an app password": lambda c: c.ask(basic("Grace@Example.com", APP_PASSWORD)),
    "Basic, an app password and another name": lambda c: c.ask(basic("ada@example.com", APP_PASSWORD)),
    "Basic, an app password that is not good": lambda c: c.ask(basic("grace@example.com", WRONG_APP_PASSWORD)),
    "Bearer, a token of somebody else": lambda c: c.ask(bearer("whatever")),
    "Bearer, no token": lambda c: c.ask(bearer("")),
    "Bearer, a good token": lambda c: c.bearer(),
    "Bearer, a token for another audience": lambda c: c.bearer(aud="another"),
    "Bearer, a token of another issuer": lambda c: c.bearer(iss="https://other.example"),
    "Bearer, a token that is over": lambda c: c.bearer(exp=int(time.time()) - 120),
    "Bearer, a token signed by somebody else": lambda c: c.ask(
        bearer(token({"iss": c.issuer, "sub": "grace", "aud": "fanlight", "exp": 2**40}, key="RSA2"))
    ),
    "Bearer, a token without a key id": lambda c: c.ask(bearer(unkeyed(c.issuer))),
    "Bearer, a token of mz_system": lambda c: c.bearer(sub="mz_system"),
    "Bearer, a token of one who may not log in": lambda c: c.bearer(sub="out"),
    "Bearer, an access token": lambda c: c.ask(bearer(access_token())),
    "Bearer, an access token of another tenant": lambda c: c.ask(bearer(access_token(tenantId=OTHER))),
    "Bearer, an access token that is over": lambda c: c.ask(bearer(access_token(exp=int(time.time()) - 5))),
    "the field of the trusted proxy, mz_system": lambda c: c.ask((PROXY, "mz_system")),
    "the field of the trusted proxy, ada": lambda c: c.ask((PROXY, "ada")),
    "two Authorization fields": lambda c: c.ask(basic("ada", PASSWORD), basic("ada", PASSWORD)),
    "a foreign Host": lambda c: c.ask(host="elsewhere.example"),
    "a write from a foreign page": lambda c: c.ask(FOREIGN),
    "a login": lambda c: c.login(),
    "a login and its cookie": lambda c: c.ask(c.cookie()),
    "the cookie and a wrong password": lambda c: c.ask(c.cookie(), basic("ada", "wrong")),
    "the cookie, from a foreign page": lambda c: c.ask(c.cookie(), FOREIGN),
}


def test_each_row_is_true(served: tuple[str, Served, str]) -> None:
    kind, running, elsewhere = served
    table = [row for row in rows(PAGES[f"kind-{kind}"]) if row[0] != "sent to `main`"]
    assert len(table) >= 3
    client = Client(running, f"{elsewhere}/realms/main")
    for way, answer in table:
        status, text, user, _ = WAYS[way](client)
        said = code(answer)
        expected = (int(answer.split()[0]), said[0] if said else "")
        assert (status, user if status == 200 else text) == expected, way


def test_every_kind_has_its_page_and_no_row_is_forgotten() -> None:
    assert set(PAGES) == {f"kind-{kind}" for kind in KINDS}
    written = {row[0] for page in PAGES.values() for row in rows(page)}
    assert set(WAYS) <= written


def test_http_refuses_sasl_with_the_words_of_the_page() -> None:
    page = PAGES["kind-sasl"]
    (words,) = [sample.text.strip() for sample in samples("text") if sample.page == page]
    (sample,) = [sample for sample in samples("toml") if sample.page == page]
    with pytest.raises(ConfigurationError) as refused:
        parse(sample.text.replace('"Password"', '"Sasl"'), "toml")
    assert words in str(refused.value)
    assert [remark.text for remark in parse(sample.text, "toml").remarks if "sql" in remark.text.lower()] != []
