"""Matching rules of the SQL cases: see `cases/README-sql.md`, "Matchers".

`match(expected, actual)` is None when actual satisfies expected, else a reason
in one line.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .model import Json

_TYPES: dict[str, type] = {"string": str, "boolean": bool, "array": list, "object": dict}
_STRINGS: dict[str, Callable[[str, str], object]] = {
    "$re": lambda pattern, text: re.fullmatch(pattern, text, re.DOTALL),
    "$prefix": lambda prefix, text: text.startswith(prefix),
    "$contains": lambda part, text: part in text,
}


def match(expected: Json, actual: Json, path: str = "$") -> str | None:
    """Why `actual` is not as `expected`, or None."""
    if isinstance(expected, dict):
        return _operator(expected, actual, path)
    if isinstance(expected, list):
        if not isinstance(actual, list):
            return f"{path}: {actual!r} is not an array"
        return _Run(path).match(expected, actual)
    return None if _same(expected, actual) else f"{path}: expected {expected!r}, got {actual!r}"


def _same(expected: Json, actual: Json) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return expected == actual
    return type(expected) is type(actual) and bool(expected == actual)


def _is_type(name: str, value: Json) -> bool:
    if name == "null":
        return value is None
    if name in ("integer", "number"):
        kinds = int if name == "integer" else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return isinstance(value, _TYPES[name])


def _operator(expected: dict[str, Json], actual: Json, path: str) -> str | None:
    if "$any" in expected:
        return None
    if "$type" in expected:
        return None if _is_type(expected["$type"], actual) else f"{path}: {actual!r} is not a {expected['$type']}"
    if "$one_of" in expected:
        alternatives = expected["$one_of"]
        good = any(match(each, actual, path) is None for each in alternatives)
        return None if good else f"{path}: {actual!r} is none of {alternatives!r}"
    for name, test in _STRINGS.items():
        if name in expected:
            good = isinstance(actual, str) and bool(test(expected[name], actual))
            return None if good else f"{path}: {actual!r} fails {name} {expected[name]!r}"
    if "$bag" in expected:
        return match([expected], actual, path)
    if not isinstance(actual, dict):
        return f"{path}: {actual!r} is not an object"
    return _members(expected.get("$has", expected), actual, path, partial="$has" in expected)


def _members(wanted: dict[str, Json], actual: dict[str, Json], path: str, *, partial: bool) -> str | None:
    for name, each in wanted.items():
        if isinstance(each, dict) and "$absent" in each:
            if name in actual:
                return f"{path}.{name}: present"
            continue
        optional = isinstance(each, dict) and "$opt" in each
        if name not in actual:
            if optional:
                continue
            return f"{path}.{name}: missing"
        why = match(each["$opt"] if optional else each, actual[name], f"{path}.{name}")
        if why:
            return why
    extra = [name for name in actual if name not in wanted]
    return f"{path}: unexpected members {extra}" if extra and not partial else None


def _bag(items: list[Json], actual: list[Json]) -> bool:
    """All of `items` are matched by all of `actual` in some order (both are short)."""
    if not items:
        return not actual
    return any(
        match(items[0], each) is None and _bag(items[1:], actual[:index] + actual[index + 1 :])
        for index, each in enumerate(actual)
    )


class _Run:
    """Elements in order; `$maybe`, `$many` and `$bag` take a varying or unordered run.

    `best` is the reason of the attempt that came furthest.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.reached = 0
        self.best = f"{path}: array differs"

    def match(self, expected: list[Json], actual: list[Json]) -> str | None:
        """Why the arrays differ, or None."""
        return None if self._from(expected, actual, 0) else self.best

    def _fail(self, at: int, why: str) -> bool:
        if at >= self.reached:
            self.reached, self.best = at, why
        return False

    def _from(self, expected: list[Json], actual: list[Json], at: int) -> bool:
        for index, item in enumerate(expected):
            rest = expected[index + 1 :]
            if isinstance(item, dict) and "$maybe" in item:
                taken = at < len(actual) and match(item["$maybe"], actual[at]) is None
                if taken and self._from(rest, actual, at + 1):
                    return True
            elif isinstance(item, dict) and "$many" in item:
                return self._many(item, rest, actual, at)
            elif isinstance(item, dict) and "$bag" in item:
                count = len(item["$bag"])
                if at + count > len(actual) or not _bag(item["$bag"], actual[at : at + count]):
                    return self._fail(at, f"{self.path}[{at}]: no match for the unordered group in {actual[at:]!r}")
                at += count
            else:
                why = self._one(item, actual, at)
                if why:
                    return self._fail(at, why)
                at += 1
        if at < len(actual):
            return self._fail(at, f"{self.path}[{at}]: unexpected {actual[at]!r}")
        return True

    def _one(self, item: Json, actual: list[Json], at: int) -> str | None:
        if at >= len(actual):
            return f"{self.path}[{at}]: missing, expected {item!r}"
        return match(item, actual[at], f"{self.path}[{at}]")

    def _many(self, item: dict[str, Json], rest: list[Json], actual: list[Json], at: int) -> bool:
        least, most, count = item.get("min", 0), item.get("max", len(actual)), 0
        while count < most and at + count < len(actual) and match(item["$many"], actual[at + count]) is None:
            count += 1
        if count < least:
            where = at + count
            return self._fail(where, f"{self.path}[{where}]: only {count} of at least {least} repeated elements")
        return any(self._from(rest, actual, at + taken) for taken in range(count, least - 1, -1))
