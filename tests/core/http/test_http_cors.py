"""`fanlight.http.cors`: the fields of each mode, with and without Origin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.groups import Cors
from fanlight.auth.origin import Origins
from fanlight.config.settings import Dialect
from fanlight.http.cors import answer_fields, preflight_fields
from fanlight.http.request import Head

DIALECT = Dialect()
GOOD = "https://console.corp.test"
LIST = Origins([GOOD])
VARY = "origin, access-control-request-method, access-control-request-headers"
MCP = "authorization,content-type,mcp-protocol-version,mcp-method,mcp-name,mcp-session-id,last-event-id,accept"


def preflight(mode: Cors, *fields: tuple[str, str], origins: Origins = LIST) -> dict[str, str]:
    head = Head("OPTIONS", "/", fields, version="1.1", authority="localhost")
    found = preflight_fields(mode, head, origins, DIALECT)
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.mark.parametrize(
    ("mode", "origin", "origins", "granted", "exposed"),
    [
        ("page", GOOD, LIST, GOOD, "*"),
        ("page", "https://evil.example", LIST, None, "*"),
        ("page", None, LIST, None, "*"),
        ("page", "https://evil.example", Origins(["*"]), "*", "*"),
        ("page", None, Origins(["*"]), "*", "*"),
        ("page", "null", LIST, None, "*"),
        ("mcp", GOOD, LIST, GOOD, None),
        ("mcp", "https://evil.example", LIST, None, None),
        ("webhook", "https://evil.example", LIST, "https://evil.example", None),
        ("webhook", "null", Origins(["*"]), "null", None),
        ("webhook", None, LIST, None, None),
    ],
)
def test_answers(mode: Cors, origin: str | None, origins: Origins, granted: str | None, exposed: str | None) -> None:
    fields = answer_fields(mode, origin, origins)
    found = dict(fields)
    assert len(found) == len(fields)
    assert found.pop("vary") == VARY
    assert found.pop("access-control-allow-origin", None) == granted
    assert found.pop("access-control-expose-headers", None) == exposed
    assert found == {}


def test_preflight_of_pages() -> None:
    assert preflight("page", ("origin", GOOD)) == {
        "vary": VARY,
        "access-control-allow-origin": GOOD,
        "access-control-allow-methods": "*",
        "access-control-allow-headers": "authorization,content-type,x-materialize-version",
        "access-control-max-age": "3600",
    }
    assert "access-control-allow-origin" not in preflight("page")
    assert "access-control-allow-origin" not in preflight("page", ("origin", "https://evil.example"))


def test_preflight_of_webhooks() -> None:
    assert preflight("webhook", ("origin", "https://any.example")) == {
        "vary": VARY,
        "access-control-allow-origin": "https://any.example",
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "*",
    }


@pytest.mark.parametrize(
    ("asked", "headers"),
    [
        ((), "authorization,content-type"),
        (("content-type",), "authorization,content-type"),
        (("x-mcp-name",), "authorization,content-type"),
        (("content-type, MCP-Protocol-Version",), MCP),
        (("content-type", "accept"), MCP),
        (("last-event-id",), MCP),
    ],
)
def test_preflight_of_mcp(asked: tuple[str, ...], headers: str) -> None:
    found = preflight("mcp", ("origin", GOOD), *(("access-control-request-headers", value) for value in asked))
    assert found == {
        "vary": VARY,
        "access-control-allow-origin": GOOD,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": headers,
    }


@given(
    st.sampled_from(("page", "mcp", "webhook")),
    st.lists(
        st.tuples(
            st.sampled_from(
                (
                    "access-control-request-headers",
                    "access-control-request-private-network",
                    "access-control-request-method",
                )
            ),
            st.sampled_from(("true", "POST", "cookie", "authorization")),
        )
    ),
)
def test_credentials_and_private_networks_are_never_granted(mode: Cors, fields: list[tuple[str, str]]) -> None:
    found = preflight(mode, ("origin", GOOD), *fields)
    assert not any("credentials" in name or "private" in name for name in found)
