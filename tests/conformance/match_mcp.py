"""Matching rules of the MCP cases: see `cases/README-mcp.md`, "expect".

Objects match as a subset here, unlike in the SQL cases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from .model import Json, short

ABSENT: Final = object()
"""Stands for a member or a field that is not there."""


def match(expected: Json, actual: Json, path: str = "$") -> str | None:
    """Why `actual` is not as `expected`, or None."""
    if isinstance(expected, dict):
        operators = [name for name in expected if name.startswith("$")]
        if len(expected) == 1 and operators:
            return _operator(operators[0], expected[operators[0]], actual, path)
        return _subset(expected, actual, path)
    if isinstance(expected, list):
        return _array(expected, actual, path)
    return None if same(expected, actual) else f"{path}: expected {expected!r}, got {_shown(actual)}"


def same(expected: Json, actual: Json) -> bool:
    """Deep equality where 1 is 1.0 and true is not 1."""
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return expected == actual
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(same, expected, actual))
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(same(expected[name], actual[name]) for name in expected)
    return type(expected) is type(actual) and bool(expected == actual)


def _shown(actual: Json) -> str:
    return "nothing" if actual is ABSENT else short(actual)


def _subset(expected: dict[str, Json], actual: Json, path: str) -> str | None:
    if not isinstance(actual, dict):
        return f"{path}: {_shown(actual)} is not an object"
    for name, each in expected.items():
        why = match(each, actual.get(name, ABSENT), f"{path}.{name}")
        if why:
            return why
    return None


def _array(expected: list[Json], actual: Json, path: str) -> str | None:
    if not isinstance(actual, list):
        return f"{path}: {_shown(actual)} is not an array"
    if len(expected) != len(actual):
        return f"{path}: {len(actual)} elements, expected {len(expected)}"
    reasons = (
        match(want, got, f"{path}[{index}]") for index, (want, got) in enumerate(zip(expected, actual, strict=True))
    )
    return next((why for why in reasons if why), None)


def _typed(name: Json, actual: Json) -> bool:
    if name == "null":
        return actual is None
    if name in ("integer", "number"):
        kinds = int if name == "integer" else (int, float)
        return isinstance(actual, kinds) and not isinstance(actual, bool)
    kind = {"string": str, "boolean": bool, "object": dict, "array": list}[name]
    return isinstance(actual, kind)


def _measured(actual: Json) -> int:
    return len(actual) if isinstance(actual, str | list) else -1


def _text_json(expected: Json, actual: Json) -> bool:
    try:
        return isinstance(actual, str) and match(expected, json.loads(actual)) is None
    except ValueError:
        return False


def _names(expected: Json, actual: Json) -> bool:
    return isinstance(actual, list) and [isinstance(each, dict) and each.get("name") for each in actual] == expected


def _number(actual: Json) -> bool:
    return isinstance(actual, int | float) and not isinstance(actual, bool)


_OPERATORS: dict[str, Callable[[Json, Json], object]] = {
    "$exact": lambda want, got: same(want, got),
    "$re": lambda want, got: isinstance(got, str) and re.search(want, got),
    "$prefix": lambda want, got: isinstance(got, str) and got.startswith(want),
    "$contains": lambda want, got: isinstance(got, str) and want in got,
    "$type": _typed,
    "$absent": lambda _, got: got is ABSENT,
    "$null_or_absent": lambda _, got: got is ABSENT or got is None,
    "$present": lambda _, got: got is not ABSENT,
    "$any_of": lambda want, got: any(match(each, got) is None for each in want),
    "$all_of": lambda want, got: all(match(each, got) is None for each in want),
    "$not": lambda want, got: match(want, got) is not None,
    "$text_json": _text_json,
    "$len": lambda want, got: _measured(got) == want,
    "$min_len": lambda want, got: _measured(got) >= want,
    "$min": lambda want, got: _number(got) and got >= want,
    "$items": lambda want, got: isinstance(got, list) and all(match(want, each) is None for each in got),
    "$has_items": lambda want, got: (
        isinstance(got, list) and all(any(match(item, each) is None for each in got) for item in want)
    ),
    "$names": _names,
}


def _operator(name: str, wanted: Json, actual: Json, path: str) -> str | None:
    if name not in _OPERATORS:
        return f"{path}: the case uses an unknown operator {name}"
    good = _OPERATORS[name](wanted, actual)
    return None if good else f"{path}: {_shown(actual)} fails {name} {short(wanted)}"
