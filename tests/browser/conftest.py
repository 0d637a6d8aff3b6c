"""One browser and one demo for all pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chromium import PROGRAM, Browser, browsing
from tests.cli.process import ask, demonstrated


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; the test is skipped where there is none."""
    if PROGRAM is None:
        pytest.skip("no Chromium is installed")
    with browsing() as made:
        yield made


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The same without tabs: what a test opens is closed with it, as pages go on reading."""
    yield chromium
    chromium.close_pages()


@pytest.fixture(scope="session")
def demo() -> Iterator[str]:
    """The URL of a demo."""
    with demonstrated() as (_, where):
        yield f"http://{where}"


@pytest.fixture
def traced(demo: str) -> Iterator[str]:
    """The same with tracing on."""
    ask(demo, "/prof/mode", {"memory_active": True})
    yield demo
    ask(demo, "/prof/mode", {"memory_active": False})
