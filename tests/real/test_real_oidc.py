"""A real OpenID provider issues tokens, which are accepted, and still are when its keys have rotated.

The provider is oidc-provider under node, with nothing patched: `make provider` installs it beside the environment.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from attrs import define, field
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from fanlight.auth.oidc import OidcSettings

from .conftest import STORED, Open, Place
from .test_real_first_message import closed, dial, ready, say

MODULE = Path(sys.prefix) / "provider" / "node_modules" / "oidc-provider" / "lib" / "index.js"
HERE = Path(__file__).parent
BACK = "http://127.0.0.1:1/back"

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not MODULE.exists(), reason="oidc-provider is not installed (make provider)"),
]


def private(algorithm: str, kid: str | None) -> dict[str, Any]:
    """A new private key as a JWK."""
    if algorithm.startswith("ES"):
        made = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1())))
    else:
        made = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048)))
    made.pop("key_ops", None)
    return {**made, "use": "sig", "alg": algorithm, **({} if kid is None else {"kid": kid})}


@define
class Provider:
    """The provider, which may be started again with other keys under the same name."""

    folder: Path
    port: int
    running: subprocess.Popen[str] | None = None
    cookies: dict[str, str] = field(factory=dict)

    @property
    def issuer(self) -> str:
        """As it stands in its tokens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, *keys: dict[str, Any]) -> None:
        """Begin anew with `keys`; the first signs."""
        self.stop()
        (self.folder / "keys.json").write_text(json.dumps({"keys": keys}))
        command = ["node", str(HERE / "provider.mjs"), str(MODULE), str(self.port), str(self.folder / "keys.json")]
        with (self.folder / "errors").open("wb") as errors:
            self.running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.running.stdout is not None
        assert self.running.stdout.readline().strip() == self.issuer, (self.folder / "errors").read_text()

    def stop(self) -> None:
        """End it: from now on nobody answers."""
        if self.running is not None:
            self.running.kill()
            self.running.communicate()
            self.running = None

    def ask(self, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, str, bytes]:
        """One request, with cookies: status, Location, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        fields = {
            "authorization": "Basic " + base64.b64encode(b"ada:secret").decode(),
            "content-type": "application/x-www-form-urlencoded",
            "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        connection.request(method, path, urlencode(body) if body is not None else None, fields)
        response = connection.getresponse()
        for value in response.headers.get_all("set-cookie", []):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(value).items()}
        answer = response.status, response.headers.get("location", ""), response.read()
        connection.close()
        return answer

    def access_token(self) -> str:
        """For the client itself."""
        status, _, body = self.ask("POST", "/token", {"grant_type": "client_credentials"})
        assert status == 200, body
        return str(json.loads(body)["access_token"])

    def id_token(self, person: str) -> str:
        """For a person who logs in and consents, by the authorization code flow with PKCE (RFC 7636)."""
        self.cookies.clear()
        verifier = "v" * 43
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {"client_id": "ada", "response_type": "code", "redirect_uri": BACK, "scope": "openid"}
        query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        where = self.ask("GET", f"/auth?{urlencode(query)}")[1]
        for form in ({"prompt": "login", "login": person, "password": "any"}, {"prompt": "consent"}):
            where = self.ask("POST", urlsplit(where).path, form)[1]
            where = self.ask("GET", urlsplit(where).path)[1]
        code = parse_qs(urlsplit(where).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": verifier}
        status, _, body = self.ask("POST", "/token", form)
        assert status == 200, body
        return str(json.loads(body)["id_token"])


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    """Not yet started, at a port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        made = Provider(tmp_path, free.getsockname()[1])
    yield made
    made.stop()


def get(place: Place, token: str, path: str = "/") -> tuple[int, str]:
    """A page, asked for with a token."""
    connection = http.client.HTTPConnection(place.where, timeout=20)
    connection.request("GET", path, headers={"authorization": f"Bearer {token}"})
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer


def settled(place: Place, token: str) -> tuple[int, str]:
    """The same, once what goes on behind the requests has ended: the first answer that is none of the old."""
    until = time.monotonic() + 10
    while (answer := get(place, token))[0] == 200 and time.monotonic() < until:
        time.sleep(0.05)
    return answer


def user(place: Place, token: str) -> str:
    """Whom SQL takes the bearer of `token` for."""
    connection = http.client.HTTPConnection(place.where, timeout=20)
    fields = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    connection.request("POST", "/api/sql", '{"query": "select current_user"}', fields)
    rows = json.loads(connection.getresponse().read())["results"][0]["rows"]
    connection.close()
    return str(rows[0][0])


@pytest.mark.parametrize("algorithm", ["RS256", "PS384", "ES256"])
def test_its_tokens_are_accepted_and_still_are_once_its_keys_rotate(
    opened: Open, provider: Provider, algorithm: str
) -> None:
    first, second = private(algorithm, "first"), private(algorithm, "second")
    provider.start(first)
    place = opened("Oidc", OidcSettings(issuer=provider.issuer, audiences=("fanlight",)))
    old = provider.access_token()
    assert user(place, old) == "ada"
    # The new key signs, the old one is still published.
    provider.start(second, first)
    new = provider.access_token()
    assert get(place, new) == (401, "no matching key found in the JWKS")  # looked for not long ago
    place.later(11)
    assert user(place, new) == "ada"
    assert user(place, old) == "ada"
    # The old one is withdrawn, which the next look finds out: keys are looked at again after an hour.
    provider.start(second)
    place.later(3601, date=False)
    assert user(place, new) == "ada"
    assert settled(place, old) == (401, "no matching key found in the JWKS")


def test_a_person_logs_in_there_and_comes_here(opened: Open, provider: Provider) -> None:
    provider.start(private("RS256", "only"))
    place = opened("Oidc", OidcSettings(issuer=provider.issuer, audiences=("ada",)))
    assert user(place, provider.id_token("grace")) == "grace"
    # Whoever there calls himself so is not so here.
    assert get(place, provider.id_token("mz_system")) == (401, "unauthorized")
    assert get(place, provider.id_token("out")) == (401, "role is not allowed to login")


def test_what_is_wrong_is_told_and_nothing_of_the_token(opened: Open, provider: Provider) -> None:
    provider.start(private("RS256", "only"))
    place = opened("Oidc", OidcSettings(issuer=provider.issuer, audiences=("somebody else",)))
    token = provider.access_token()
    assert get(place, token) == (401, "invalid audience")
    place.app.oidc = OidcSettings(issuer=provider.issuer)
    assert get(place, token)[0] == 200
    assert get(place, token[:-8] + "AAAAAAAA") == (401, "failed to validate JWT")
    place.app.oidc = OidcSettings(issuer=provider.issuer + "/")
    assert get(place, token) == (401, "failed to fetch OIDC provider configuration")
    assert get(place, "opaque") == (401, "failed to validate JWT")


def test_a_token_without_a_key_id_is_refused_before_anything_is_fetched(opened: Open, provider: Provider) -> None:
    place = opened("Oidc", OidcSettings(issuer=provider.issuer))
    header, payload = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "RS256"}, {"iss": provider.issuer, "sub": "ada", "exp": 4_000_000_000})
    )
    # Nobody listens at the issuer: had it been asked, the answer would be another.
    assert get(place, f"{header}.{payload}.AAAA") == (401, "missing key ID in JWT header")


def test_while_it_is_away_known_keys_go_on_and_passwords_do(opened: Open, provider: Provider) -> None:
    provider.start(private("RS256", "only"))
    place = opened("Oidc", OidcSettings(issuer=provider.issuer))
    token = provider.access_token()
    assert get(place, token)[0] == 200
    provider.stop()
    assert get(place, token)[0] == 200
    place.app.oidc = OidcSettings(issuer=provider.issuer.replace("127.0.0.1", "localhost"))
    assert get(place, token) == (401, "failed to fetch OIDC provider configuration")
    provider.start(private("RS256", "another"))
    place.app.oidc = OidcSettings(issuer=provider.issuer)
    assert get(place, provider.access_token())[0] == 200


@pytest.mark.parametrize("way", ["revoke", "nologin", "drop", "superuser"])
def test_a_socket_of_a_token_ends_with_the_rights_of_its_user(opened: Open, provider: Provider, way: str) -> None:
    provider.start(private("RS256", "only"))
    place = opened("Oidc", OidcSettings(issuer=provider.issuer))
    place.app.users.put("ada", STORED["ada"], superuser=True)
    with dial(place) as socket:
        say(socket, {"token": provider.access_token()})
        ready(socket)
        ways: dict[str, Callable[[], object]] = {
            "revoke": lambda: place.app.users.revoke("ada"),
            "nologin": lambda: place.app.users.put("ada", STORED["ada"], login=False),
            "drop": lambda: place.app.users.drop("ada"),
            "superuser": lambda: place.app.users.put("ada", STORED["ada"]),
        }
        ways[way]()
        assert closed(socket) == (1008, "authentication expired")
