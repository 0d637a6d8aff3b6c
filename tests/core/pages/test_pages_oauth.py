"""The metadata of the protected resource: where it is, and what it never says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fanlight import ALL_GROUPS, App, Listener, Settings
from fanlight.auth.frontegg import FronteggSettings
from fanlight.auth.oidc import OidcSettings
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.core.auth.providing import pem
from tests.sim import Sim

TENANT_ID = "11111111-2222-4333-8444-555555555555"

PATHS = [f"/.well-known/oauth-protected-resource{path}" for path in ("", "/api/mcp/agent", "/api/mcp/developer")]


def ask(path: str = PATHS[0], kind: Any = "Oidc", issuer: str | None = "https://idp.example", **more: Any) -> Answer:
    frontegg = FronteggSettings(
        token_url="https://a.example", tenant_id=TENANT_ID, public_key=pem("RSA"), issuer=issuer
    )
    app = App(
        listeners=[Listener(authenticator=kind, groups=more.pop("groups", ALL_GROUPS))],
        oidc=OidcSettings(issuer=issuer),
        frontegg=frontegg,
        settings=Settings(http_host_name=more.pop("name", None)),
    )
    if more.pop("pending", False):
        app.readiness.set("engine", False)
    fields = (("host", "h.example:1"), ("x-forwarded-host", "evil.example"), ("authorization", "Basic !"))
    return HttpConnection(Sim(app).connect(), more.pop("version", "1.1")).exchange(Outgoing(target=path, fields=fields))


@pytest.mark.parametrize("kind", ["Oidc", "Frontegg"])
@pytest.mark.parametrize("path", PATHS)
def test_the_document(path: str, kind: str) -> None:
    answer = ask(path, kind, groups={"mcp_agent": "Normal"})
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "resource": "https://h.example:1/api/mcp",
        "authorization_servers": ["https://idp.example"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["mcp.read"],
    }
    assert answer.get("access-control-allow-origin") is None


def test_the_configured_host_wins() -> None:
    assert json.loads(ask(name="public.example").body)["resource"] == "https://public.example/api/mcp"
    assert (ask(name="not a host").status, ask(name="not a host").body) == (400, b"no host available")


@pytest.mark.parametrize(
    ("more", "status", "body"),
    [
        ({"kind": "Password"}, 404, b""),
        ({"issuer": None}, 404, b""),
        ({"kind": "Frontegg", "issuer": None}, 404, b""),
        ({"kind": "Frontegg", "issuer": "ftp://x"}, 404, b""),
        ({"issuer": "ftp://secret.example"}, 503, b"oidc_issuer must use the https or http scheme"),
        ({"pending": True}, 503, b"adapter not ready"),
    ],
)
def test_no_document(more: dict[str, Any], status: int, body: bytes) -> None:
    answer = ask(**more)
    assert (answer.status, answer.body) == (status, body)


def test_without_mcp_there_is_no_such_path() -> None:
    assert ask(groups={"base": "Normal"}).status == 401
