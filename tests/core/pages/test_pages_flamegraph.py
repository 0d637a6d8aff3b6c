"""The page of a flame graph: nothing in a name can become markup."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from fanlight.pages.flamegraph import flamegraph_page


def embedded(page: bytes) -> str:
    (text,) = re.findall(r"<script[^>]*application/json[^>]*>(.*?)</script>", page.decode(), re.DOTALL)
    value: str = json.loads(text)
    return value


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_and_only_as_text(text: str) -> None:
    page = flamegraph_page("Heap Flamegraph", text)
    assert embedded(page) == text


def test_the_title_is_escaped_and_nothing_runs_inline() -> None:
    page = flamegraph_page("<b>", "</script><script>alert(1)</script>\u2028&").decode()
    assert "<b>" not in page
    assert "alert(1)</script>" not in page
    assert "\u2028" not in page
    for script in re.findall(r"<script[^>]*>", page):
        assert "src=" in script or "application/json" in script
