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

AT_LEAST = {"operations": 73, "operations-more": 21, "sql": 211, "auth": 329, "mcp": 0}
"""How many cases of a file have to pass: what was built stays built."""

SKIPPED_FOR = (
    "not built yet: MCP",
    "not built yet: the variable webhook_max_decoded_rows_bytes",
    "not built yet: webhooks",
    "DuckDB gives no notice when a thing exists already",
    "the case is for PostgreSQL",
    "cannot happen: users in memory are always found, or not",
    "needs br, which this runner cannot compress with",
    "needs a clock that stands still",
    "takes half a minute of real time",
)
"""Every reason not to play a case, so that none is left out by mistake, when something is renamed for example."""


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
    reasons = {each.reason for each in outcomes if each.verdict == "skipped"}
    assert [reason for reason in reasons if not reason.startswith(SKIPPED_FOR)] == []


def test_sql_over_http2(target: Target) -> None:
    choice = Choice(over=target.name, http="2")
    cases = [
        case for case in load(CASES / "sql.jsonl") if case.data["feature"] in ("post.shape", "post.body.strict-json")
    ]
    outcomes = [outcome(case, choice, target) for case in cases]
    assert {each.verdict for each in outcomes} == {"passed"}, report(outcomes)


ONLY_IN_HTTP1 = ("redirect-", "trusted-header-listed-in-connection-refused")
"""In the clear to a listener with TLS, HTTP/2 is no request; and it has no field Connection."""


def test_authentication_over_http2(target: Target) -> None:
    _play_all("auth", Choice(over=target.name, http="2"), target, 240)


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_what_stands_next_to_the_cases_of_authentication(version: str) -> None:
    """In memory only: what they ask is decided in the core."""
    core = targets.make("core", "duckdb:")
    _play_all("auth_neighbours", Choice(http=version), core, 390)


def _play_all(suite: str, choice: Choice, target: Target, at_least: int) -> None:
    """No case fails, and so many pass; the units, which have no version, and what HTTP/2 has not are left out."""
    cases = [case for case in load(CASES / f"{suite}.jsonl") if case.data["case"] != "unit"]
    left = [case for case in cases if choice.http != "2" or not case.name.startswith(ONLY_IN_HTTP1)]
    outcomes = [outcome(case, choice, target) for case in left]
    assert not [each for each in outcomes if each.verdict == "failed"], report(outcomes)
    assert sum(each.verdict == "passed" for each in outcomes) >= at_least, report(outcomes)


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
