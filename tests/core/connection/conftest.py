"""What every test of connections leaves behind: nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.core.connection.connecting import end_all


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    end_all()
