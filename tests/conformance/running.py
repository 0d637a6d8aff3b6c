"""Plays cases one after another and says how each went."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable

from attrs import frozen

from . import controls, suite_auth, suite_mcp, suite_operations, suite_sql, targets
from .model import Case, Mismatch, Outcome, Skipped
from .stage import Target


@frozen
class Choice:
    """What the caller chose: the host, the HTTP version (None: all that the format asks for), the engine."""

    over: str = "core"
    http: str | None = None
    engine: str = "duckdb:"


def run(cases: Iterable[Case], choice: Choice) -> list[Outcome]:
    """The outcome of every case, in order.  A case passes when it does over each of its versions."""
    target = targets.make(choice.over, choice.engine)
    try:
        return [outcome(case, choice, target) for case in cases]
    finally:
        target.close()


def outcome(case: Case, choice: Choice, target: Target) -> Outcome:
    """Play one case over its versions until one fails."""
    version = ""
    for version in (choice.http,) if choice.http and not case.pinned else case.versions:
        level = logging.getLogger().level
        try:
            _play(case, version, target, choice.engine)
        except Skipped as reason:
            return Outcome(case, "skipped", reason=str(reason), version=version)
        except Mismatch as mismatch:
            return Outcome(case, "failed", mismatch.step, mismatch.reason, version)
        except Exception as error:  # noqa: BLE001 - a broken server or runner is a failure of the case, not an end
            where = traceback.format_exception(error)[-6:]
            return Outcome(case, "failed", "", "".join(where).strip(), version)
        finally:
            logging.getLogger().setLevel(level)
            controls.set_heap(False)
    return Outcome(case, "passed", version=version)


def _play(case: Case, version: str, target: Target, engine: str) -> None:
    scheme = engine.partition(":")[0]
    if case.suite == "sql":
        if scheme not in suite_sql.LACKING:
            raise Skipped(f"not built yet: the engine {scheme}")
        suite_sql.play(case, version, target, scheme)
    elif case.suite == "operations":
        suite_operations.play(case, version, target)
    elif case.suite == "auth":
        suite_auth.play(case, version, target)
    else:
        suite_mcp.play(case, version, target)
