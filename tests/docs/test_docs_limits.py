"""The page of limits tells every limit, with the default that is in force, and no other."""

from __future__ import annotations

import attrs

from fanlight.config.limits import Limits
from tests.docs.markdown import ROOT, code, rows

PAGE = ROOT / "docs" / "reference" / "limits.md"


def test_every_limit_has_a_row_with_its_default() -> None:
    documented = {code(row[0])[0]: row[1] for row in rows(PAGE) if code(row[0])}
    assert documented == {name: str(value) for name, value in attrs.asdict(Limits()).items()}


def test_every_row_says_what_happens() -> None:
    assert [row for row in rows(PAGE) if len(row) != 3 or len(row[2]) < 20] == []
