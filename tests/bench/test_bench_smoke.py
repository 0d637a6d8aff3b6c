"""The benchmarks run: every part, with tiny counts.  Times are never asserted here."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import auth, auth_lateness, auth_refusals, cpu_disturbance, cycle, hostile
from bench.attacks.catalogue import ATTACKS
from bench.processes import cpu, start

TINY = ("--rounds", "1", "--seconds", "0.1", "--servers", "fanlight asyncio,prometheus")


def run(tmp_path: Path, *words: str) -> str:
    """The report of a run of `words`."""
    out = tmp_path / "report.md"
    assert bench.main([*TINY, *words, "--out", str(out)]) == 0
    return out.read_text()


def row(report: str, heading: str, server: str) -> list[str]:
    """The cells of `server` in the table under `heading`."""
    section = report.split(heading, 1)[1].split("\n## ", 1)[0]
    line = next(line for line in section.splitlines() if line.startswith(f"| {server}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.usefixtures("own_core")
def test_metrics_and_websocket_are_measured(tmp_path: Path) -> None:
    report = run(tmp_path, "--only", "metrics,ws", "--series", "1000")
    for heading in ("1,000 series, identity", "1,000 series, gzip", "32 in flight"):
        cells = row(report, heading, "fanlight asyncio")
        assert float(cells[1].replace(",", "")) > 0, cells
        assert cells[3] == "1.00"
    theirs = row(report, "1,000 series, identity", "prometheus_client")
    ours = row(report, "1,000 series, identity", "fanlight asyncio")
    assert int(theirs[-1].replace(",", "")) <= int(ours[-1].replace(",", ""))
    assert "metrics-1000-gzip: body ÷ that of level 9, of the same text" in report


@pytest.mark.usefixtures("own_core")
@pytest.mark.skipif(not shutil.which("wrk") or not shutil.which("h2load"), reason="wrk and h2load are not installed")
def test_requests_are_measured(tmp_path: Path) -> None:
    report = run(tmp_path, "--only", "small,h2")
    for heading in ("GET /api/livez, 16", "HTTP/2 GET"):
        cells = row(report, heading, "fanlight asyncio")
        assert cells[0] == "fanlight asyncio", "some requests failed"
        assert float(cells[1].replace(",", "")) > 0


@pytest.mark.usefixtures("own_core")
def test_the_host_is_looked_at_and_weighed(tmp_path: Path) -> None:
    words = ("--scale", "0.001", "--looks", "1", "--loops", "asyncio", "--connections", "20")
    report = run(tmp_path, "--only", "host,memory,import", *words)
    for look in ("metrics", "metrics-gzip", "catalog", "heap", "sql"):
        cells = row(report, "## Host disturbance", f"asyncio: {look} ")
        assert float(cells[6]) >= float(cells[4]), cells
    assert row(report, "## Footprint", "fanlight asyncio")[-1] == "20"
    assert "event loops imported: none" in report


@pytest.mark.usefixtures("own_core")
def test_sql_is_measured(tmp_path: Path) -> None:
    sizes = ("--rows", "2000", "--huge-rows", "200000", "--clients", "20", "--settled", "1", "--looks", "1")
    report = run(
        tmp_path, "--only", "sql", "--loops", "asyncio", "--servers", "fanlight asyncio,FastAPI,Datasette,(", *sizes
    )
    # The peers are of the dependency group `bench`, which a test run need not have.
    peers = [
        name for name, module in (("FastAPI + DuckDB", "fastapi"), ("Datasette", "datasette")) if find_spec(module)
    ]
    sized = [row(report, "2,000 rows of 10", name) for name in ("fanlight asyncio", *peers)]
    assert all(int(cells[-1].replace(",", "")) > 200_000 for cells in sized), sized
    for heading, name in (("select 1, 8", "fanlight asyncio"), ("kept WebSocket", "(DuckDB alone)")):
        assert float(row(report, heading, name)[1].replace(",", "")) > 0
    limits = "## SQL at its limits, asyncio"
    answered = {name: row(report, limits, name) for name in ("POST, first time", "POST, second time", "WebSocket")}
    assert all(float(cells[1].replace(",", "")) > 20 for cells in answered.values()), answered
    assert "20 quiet subscriptions" in report
    assert "told 0 rows" in report
    assert float(row(report, limits, "pg_cancel_backend")[1]) >= 0


@pytest.mark.usefixtures("own_core")
def test_an_attack_is_told_in_a_row(tmp_path: Path) -> None:
    result = hostile.attack("h2 PING flood", hostile.SERVERS["asyncio"], seconds=0.3, logs=tmp_path)
    assert result.alive
    assert result.asked > 0
    assert "GOAWAY 11" in result.outcome
    assert len(hostile.rows([result])[0]) == len(hostile.HEAD)


def test_attacks_are_many_and_named_once() -> None:
    assert len(ATTACKS) >= 40


def test_a_request_through_the_core_is_answered() -> None:
    for scenario in cycle.SCENARIOS:
        assert cycle.run(scenario, 2) > 0


def test_the_clock_of_a_process_tree_runs(tmp_path: Path) -> None:
    running = start("prometheus", ["bench.servers.peer_prometheus", "--port", "{port}"], tmp_path)
    try:
        assert cpu(running.pid) > 0
    finally:
        running.stop()
    assert not running.alive()


def test_a_cpu_profile_is_weighed(capsys: pytest.CaptureFixture[str]) -> None:
    cpu_disturbance.main(["--threads", "3", "--seconds", "0.3", "--runs", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip().split("  ")[0] for line in lines] == ["idle", "cpu", "wall", "naive", "4 busy"]


def test_authentication_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, few in (("REQUESTS", 5), ("TIMES", 1), ("GUESSES", 30)):
        monkeypatch.setattr(auth, name, few)
    for name, few in (("ITERATIONS", 4096), ("ROUNDS", 2)):
        monkeypatch.setattr(auth_refusals, name, few)
    for part in (auth_refusals.show_refusals, auth.show_added, auth.show_guesses):
        part()
    told = capsys.readouterr().out
    for way in ("by Basic", "by login", "over a socket"):
        assert told.count(f"refused {way}, ") == len(auth_refusals.NAMES)
    assert told.count(": adds ") == 2
    assert "answers {429: 30}, hashes 0" in told
    assert told.count(": 200") == 2


@pytest.mark.usefixtures("own_core")
def test_a_loop_is_watched_while_passwords_are_hashed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(auth_lateness, "SECONDS", 0.4)
    auth_lateness.show_lateness()
    assert capsys.readouterr().out.count("while passwords are hashed") == 2
