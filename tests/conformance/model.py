"""What the runner knows of a case and of its outcome, whatever the format."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

Json = Any
"""A parsed JSON value."""


class Skipped(Exception):
    """This case cannot be played here; the text says why, and is the same for all cases of that kind."""


class Mismatch(Exception):
    """What came back is not what the case expects."""

    def __init__(self, reason: str, step: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.step = step


@frozen
class Case:
    """One line of a case file.

    `versions` are the HTTP versions that it runs over: those that its format
    asks for, or with `pinned` the one that is written in the case itself.
    """

    suite: str
    name: str
    data: Mapping[str, Json]
    versions: tuple[str, ...] = ("1.1",)
    pinned: bool = False


@frozen
class Outcome:
    """How a case went: "passed", "failed" or "skipped", where and why."""

    case: Case
    verdict: str
    step: str = ""
    reason: str = ""
    version: str = ""


Play = Callable[[Case, str], None]
"""Plays a case over one HTTP version; raises `Mismatch` or `Skipped`."""


def require(condition: object, reason: str, step: str = "") -> None:
    """Raise `Mismatch` unless `condition` holds."""
    if not condition:
        raise Mismatch(reason, step)


def agree(why: str | None, step: str = "") -> None:
    """Raise `Mismatch` when a matcher gave a reason."""
    if why:
        raise Mismatch(why, step)


def short(value: object, most: int = 240) -> str:
    """`value` for a message: its repr, cut."""
    text = repr(value)
    return text if len(text) <= most else text[:most] + "…"


def suite_of(record: Mapping[str, Json]) -> str:
    """Which of the four formats a record is written in."""
    if "transport" in record and "requires" in record:
        return "sql"
    if "area" in record:
        return "operations"
    if "profile" in record:
        return "mcp"
    if "case" in record and "origin" in record:
        return "auth"
    raise ValueError(f"a record of no known format: {short(record)}")


def _written(suite: str, record: Mapping[str, Json]) -> set[str]:
    """The versions that a whole case asks for in writing (steps of other suites do it one by one)."""
    if suite == "auth":
        return {record[name]["version"] for name in ("request", "ws") if "version" in record.get(name, {})}
    if suite != "sql":
        return set()
    steps = record["requests"]
    return {step["http"] for step in steps if "http" in step} | {
        step["open"]["http"] for step in steps if "http" in step.get("open", {})
    }


def _case(record: Mapping[str, Json]) -> Case:
    suite = suite_of(record)
    written = sorted(_written(suite, record))
    asked = ("1.1", "2") if suite in ("operations", "mcp") else ("1.1",)
    return Case(suite, record.get("name") or record["id"], record, tuple(written) or asked, bool(written))


def load(path: Path) -> list[Case]:
    """All cases of a file; names are unique, or it is a mistake in the file."""
    cases = [_case(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    names = [case.name for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{path}: names that occur twice: {sorted(twice)}")
    return cases
