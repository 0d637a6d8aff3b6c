"""`python -m tests.conformance CASES.jsonl …`: play case files against a server and count.

Prints each failure (case, step, reason), the reasons for what was skipped,
and last `N passed, N failed, N skipped`.  Exits 1 when anything failed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from .model import Case, Outcome, load
from .running import Choice, run


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="CASES.jsonl")
    parser.add_argument("--over", choices=("core", "asyncio", "trio"), default="core", help="what carries the bytes")
    parser.add_argument("--http", choices=("1.1", "2"), help="only this version (one that is written in a case wins)")
    parser.add_argument("--only", metavar="PATTERN", help="only cases whose name contains or matches PATTERN")
    parser.add_argument("--engine", metavar="URL", default="duckdb:", help="the SQL engine (default: duckdb:)")
    return parser.parse_args(arguments)


def _chosen(cases: Iterable[Case], pattern: str | None) -> list[Case]:
    return [case for case in cases if pattern is None or pattern in case.name or fnmatchcase(case.name, pattern)]


def report(outcomes: Sequence[Outcome]) -> str:
    """The lines that are printed; the last one is the count."""
    failed = [outcome for outcome in outcomes if outcome.verdict == "failed"]
    lines = [f"FAILED {each.case.name} [HTTP/{each.version}] {each.step}: {each.reason}" for each in failed]
    reasons = Counter(outcome.reason for outcome in outcomes if outcome.verdict == "skipped")
    lines += [f"skipped {count:4}  {reason}" for reason, count in sorted(reasons.items())]
    count = Counter(outcome.verdict for outcome in outcomes)
    lines.append(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the files; returns the exit status."""
    given = _arguments(arguments)
    cases = _chosen((case for path in given.files for case in load(path)), given.only)
    outcomes = run(cases, Choice(over=given.over, http=given.http, engine=given.engine))
    print(report(outcomes))
    return 1 if any(outcome.verdict == "failed" for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
