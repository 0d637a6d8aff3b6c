"""The table of threats is complete, and what it names is there: each module, each test."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, code, rows

PAGE = ROOT / "docs" / "reference" / "threats.md"
SOURCES = [path for folder in ("core", "engines", "transports", "cli") for path in (ROOT / folder).rglob("*.py")]
THREATS = {row[0]: row for row in rows(PAGE) if re.fullmatch(r"T\d+", row[0])}
TESTS = {path.name: path for path in (ROOT / "tests").rglob("test_*.py")}


@cache
def defined(path: Path) -> set[str]:
    """What stands at the top of a file: functions, classes, names."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def test_every_threat_has_one_row() -> None:
    assert list(THREATS) == [f"T{number}" for number in range(1, 24)]
    assert [row[0] for row in rows(PAGE) if row[0].startswith("T")] == list(THREATS)


def test_what_the_code_refers_to_is_in_it() -> None:
    named = {match for path in SOURCES for match in re.findall(r"threats: (T\d+)", path.read_text(encoding="utf-8"))}
    assert named
    assert named <= set(THREATS)


@pytest.mark.parametrize("threat", THREATS)
def test_every_module_is_there(threat: str) -> None:
    modules = code(THREATS[threat][3])
    assert modules
    for module in modules:
        places = (ROOT / "core" / "fanlight" / module, ROOT / "engines" / module)
        assert any(place.is_file() for place in places), module


@pytest.mark.parametrize("threat", THREATS)
def test_every_test_is_there(threat: str) -> None:
    tests = [name for name in code(THREATS[threat][4]) if "::" in name]
    assert len(tests) >= 2
    for test in tests:
        file, _, name = test.partition("::")
        assert name in defined(TESTS[file]), test
