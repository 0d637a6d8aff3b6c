"""Matching rules of the operations cases: see `cases/README-operations.md`, "Expectations"."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping

from ..clients.messages import Answer
from . import profiles, prom
from .model import Json, short

_KNOWN = {"status", "headers", "body"}


def match(expected: Mapping[str, Json], answer: Answer, saved: Mapping[str, Answer]) -> str | None:
    """Why `answer` is not as `expected`, or None.  `saved` are earlier answers by name."""
    unknown = expected.keys() - _KNOWN
    if unknown:
        return f"the case expects something unknown: {sorted(unknown)}"
    body = expected.get("body")
    truncated = isinstance(body, dict) and "truncated" in body
    if not answer.status:
        return f"no answer: {answer.broken or 'nothing came in time'}"
    statuses = expected.get("status", answer.status)
    if answer.status not in (statuses if isinstance(statuses, list) else [statuses]):
        return f"status {answer.status}, expected {statuses}; body {short(answer.body)}"
    if truncated:
        return None if answer.broken else "the body ended in order, expected an abnormal end"
    if not answer.ended:
        return f"the answer is not whole: {answer.broken or 'it did not end in time'}"
    for name, matcher in expected.get("headers", {}).items():
        why = word(matcher, answer.get(name))
        if why:
            return f"header {name}: {why}"
    return _body(body, answer, saved) if body is not None else None


def word(matcher: Mapping[str, Json], actual: str | None) -> str | None:
    """Why the text `actual` (None: absent) does not satisfy `matcher`, or None."""
    for name, wanted in matcher.items():
        if name not in _WORDS:
            return f"the case uses an unknown matcher {name}"
        if not _WORDS[name](wanted, actual):
            return f"{short(actual)} fails {name} {short(wanted)}"
    return None


def _media_type(wanted: Json, actual: str | None) -> bool:
    return actual is not None and actual.partition(";")[0].strip().lower() == wanted.lower()


def _tokens(wanted: Json, actual: str | None) -> bool:
    given = [each.strip().lower() for each in (actual or "").split(",") if each.strip()]
    return sorted(given) == sorted(each.lower() for each in wanted)


_WORDS: dict[str, Callable[[Json, str | None], object]] = {
    "equals": lambda wanted, actual: actual == wanted,
    "prefix": lambda wanted, actual: actual is not None and actual.startswith(wanted),
    "contains": lambda wanted, actual: actual is not None and wanted in actual,
    "contains_all": lambda wanted, actual: actual is not None and all(each in actual for each in wanted),
    "not_contains": lambda wanted, actual: actual is not None and wanted not in actual,
    "regex": lambda wanted, actual: actual is not None and re.search(wanted, actual),
    "media_type": _media_type,
    "present": lambda _, actual: actual is not None,
    "absent": lambda _, actual: actual is None,
    "set": _tokens,
}


def _subset(wanted: Json, actual: Json, path: str = "$") -> str | None:
    if isinstance(wanted, dict):
        if not isinstance(actual, dict):
            return f"{path}: {short(actual)} is not an object"
        for name, each in wanted.items():
            if name not in actual:
                return f"{path}.{name}: missing"
            why = _subset(each, actual[name], f"{path}.{name}")
            if why:
                return why
        return None
    good = type(wanted) is type(actual) and wanted == actual
    return None if good else f"{path}: {short(actual)}, expected {short(wanted)}"


def _parsed(answer: Answer) -> Json:
    return json.loads(answer.body)


def _keys(wanted: Json, answer: Answer) -> str | None:
    value = _parsed(answer)
    good = isinstance(value, dict) and sorted(value) == sorted(wanted)
    return None if good else f"keys of {short(value)}, expected {wanted}"


def _equal(wanted: Json, actual: Json) -> str | None:
    good = json.dumps(wanted, sort_keys=True) == json.dumps(actual, sort_keys=True)
    return None if good else f"{short(actual)}, expected {short(wanted)}"


_BODIES: dict[str, Callable[[Json, Answer], str | None]] = {
    "empty": lambda _, answer: f"body {short(answer.body)}, expected none" if answer.body else None,
    "text": lambda wanted, answer: word(wanted, answer.text()),
    "json": lambda wanted, answer: _equal(wanted, _parsed(answer)),
    "json_subset": lambda wanted, answer: _subset(wanted, _parsed(answer)),
    "json_keys": _keys,
    "json_raw": lambda wanted, answer: word(wanted, answer.text()),
    "bytes": lambda wanted, answer: None if answer.body == base64.b64decode(wanted["b64"]) else "other bytes",
    "pprof": lambda wanted, answer: profiles.pprof(wanted, answer.body),
    "mzfg": lambda wanted, answer: profiles.mzfg(wanted, answer.text()),
    "speedscope": lambda wanted, answer: profiles.speedscope(wanted, _parsed(answer)),
    "collapsed": lambda wanted, answer: profiles.collapsed(wanted, answer.text()),
    "delimited_families": lambda wanted, answer: prom.delimited(wanted, answer.body),
}


def _body(expected: Mapping[str, Json], answer: Answer, saved: Mapping[str, Answer]) -> str | None:
    for name, wanted in expected.items():
        try:
            if name == "prom":
                why = prom.check(wanted, answer, saved)
            elif name in _BODIES:
                why = _BODIES[name](wanted, answer)
            else:
                why = "the case uses an unknown form"
        except (ValueError, UnicodeDecodeError, prom.Unreadable) as error:
            why = f"{type(error).__name__}: {error}; body {short(answer.body)}"
        if why:
            return f"body, {name}: {why}"
    return None
