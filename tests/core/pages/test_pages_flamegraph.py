"""The flame graph page: whatever a profile holds, it comes out as it went in and becomes no markup."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.pages.flamegraph import flamegraph_page
from fanlight_engines.host import read_assets

_DATA = re.compile(r'<script type="application/json" id="mzfg">(.*?)</script>', re.DOTALL)


def embedded(page: bytes) -> str:
    """The profile as a browser reads it: up to the first end of the element, then as JSON."""
    found = _DATA.search(page.decode())
    assert found is not None
    text: str = json.loads(found[1])
    return text


@pytest.mark.parametrize(
    "text",
    [
        "mz_fg_version: 1\n\n0x1; 1\n\n0x1 main;\n",
        "</script><script>alert(1)</script>",
        "<!-- <script> &lt; & \u2028\u2029 \\ \" '",
        "\x00\x1f\x7f\ud800 lone",
        "",
    ],
)
def test_a_profile_comes_out_as_it_went_in(text: str) -> None:
    page = flamegraph_page("Heap Flamegraph", text)
    assert embedded(page) == text
    inside = _DATA.search(page.decode())
    assert inside is not None
    assert not set(inside[1]) & set("<>&\u2028\u2029")


@given(st.text())
def test_any_text(text: str) -> None:
    page = flamegraph_page(text, text)
    assert embedded(page) == text
    assert page.decode().count("</script>") == 2


def test_the_title_is_text() -> None:
    page = flamegraph_page('<img src=x onerror="x">', "").decode()
    assert "<img" not in page
    assert page.count("&lt;img src=x onerror=&quot;x&quot;&gt;") == 2


def test_it_needs_no_group_but_that_of_profiles() -> None:
    page = flamegraph_page("x", "").decode()
    places = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert all(place.startswith("/prof/") for place in places)
    files = [place.removeprefix("/prof/static/") for place in places if "/static/" in place]
    assert set(files) <= read_assets().keys()
    assert "js/flamegraph.js" in files
