"""The case files, over the core, asyncio and trio: nothing fails, and not because nothing is played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import targets
from tests.conformance.__main__ import main, report
from tests.conformance.model import load
from tests.conformance.running import Choice, outcome
from tests.conformance.stage import Target

CASES = Path(__file__).parent / "cases"

AT_LEAST = {"operations": 73, "operations-more": 21, "sql": 113, "auth": 320, "mcp": 0}
"""How many cases of a file have to pass: what was built stays built."""


@pytest.fixture(scope="module", params=["core", "asyncio", "trio"])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """One host for all files."""
    made = targets.make(request.param, "duckdb:")
    yield made
    made.close()


@pytest.mark.parametrize("suite", sorted(AT_LEAST))
def test_cases(suite: str, target: Target) -> None:
    choice = Choice(over=target.name)
    outcomes = [outcome(case, choice, target) for case in load(CASES / f"{suite}.jsonl")]
    failed = [each for each in outcomes if each.verdict == "failed"]
    passed = [each for each in outcomes if each.verdict == "passed"]
    assert not failed, report(outcomes)
    assert len(passed) >= AT_LEAST[suite], report(outcomes)


def test_sql_over_http2(target: Target) -> None:
    choice = Choice(over=target.name, http="2")
    cases = [
        case for case in load(CASES / "sql.jsonl") if case.data["feature"] in ("post.shape", "post.body.strict-json")
    ]
    outcomes = [outcome(case, choice, target) for case in cases]
    assert {each.verdict for each in outcomes} == {"passed"}, report(outcomes)


def test_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = (CASES / "operations.jsonl").read_text().splitlines()
    good = next(line for line in lines if '"probes.livez"' in line)
    bad = good.replace("probes.livez", "probes.broken").replace('"status":200', '"status":201')
    path = tmp_path / "cases.jsonl"
    path.write_text(f"{good}\n{bad}\n")
    assert main([str(path)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 1 failed, 0 skipped"
    assert main([str(path), "--only", "probes.livez", "--http", "2"]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed, 0 skipped\n"
