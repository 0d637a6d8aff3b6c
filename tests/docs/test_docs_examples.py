"""Every example runs, answers while it runs, and ends when it is told to."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.docs.markdown import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PATHS = ":".join(str(ROOT / folder) for folder in ("core", "engines", "transports", "cli"))


@contextmanager
def running(name: str) -> Iterator[str]:
    """Run one example on a free port; gives `host:port`, then ends it with Enter and looks at its exit code."""
    command = [sys.executable, "-u", str(ROOT / "examples" / name), "127.0.0.1:0"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": PATHS, "PYTHONWARNINGS": "error"},
    ) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline() + process.stdout.readline()
            # The prompt comes from another thread, and may come between the address and the end of its line.
            address = re.search(r"http://[0-9.]+:[0-9]+", said)
            assert address is not None, said
            yield urlsplit(address[0]).netloc
            _, errors = process.communicate("\n", timeout=30)
            assert (process.returncode, errors) == (0, "")
        finally:
            process.kill()


def ask(where: str, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    """One request; the status and the body."""
    connection = http.client.HTTPConnection(where, timeout=20)
    try:
        connection.request(method, path, body, {"content-type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def rows(where: str, query: str) -> list[list[Any]]:
    """What a statement returns."""
    status, body = ask(where, "POST", "/api/sql", json.dumps({"query": query}))
    assert status == 200, body
    result = json.loads(body)["results"][0]
    assert "rows" in result, result
    found: list[list[Any]] = result["rows"]
    return found


@pytest.mark.parametrize("name", [path.name for path in EXAMPLES])
def test_an_example_answers_while_it_runs(name: str) -> None:
    with running(name) as where:
        assert ask(where, "GET", "/api/livez") == (200, b"Liveness check successful!")


def test_an_example_publishes_a_relation() -> None:
    with running("relation.py") as where:
        found = rows(where, "select id, state from jobs where state = 'waiting' order by id")
        assert found == [["17", "waiting"], ["19", "waiting"]]


@pytest.mark.parametrize(("name", "kind"), [("embed_asyncio.py", "asyncio"), ("embed_trio.py", "trio")])
def test_the_tasks_of_the_program_are_seen(name: str, kind: str) -> None:
    with running(name) as where:
        assert rows(where, "select kind, state from process.tasks where coroutine like '%main%'") == [[kind, "waiting"]]


def test_an_example_has_metrics_from_sql() -> None:
    with running("metrics_from_sql.py") as where:
        status, body = ask(where, "GET", "/metrics/shop")
        assert status == 200
        assert 'shop_jobs{queue="mail",state="waiting"} 2.0\n' in body.decode()
        assert "# TYPE shop_waiting_tasks gauge\n" in body.decode()


def test_an_example_federates_its_workers() -> None:
    ids = 'cluster_id="u1",cluster_name="mailers",process="{}",queue="mail",replica_id="u2",replica_name="r1"'
    wanted = {f"shop_jobs_total{{{ids.format(process)}}} 3.0" for process in (0, 1)}
    with running("workers.py") as where:
        found = set(ask(where, "GET", "/metrics/public")[1].decode().splitlines())
        assert wanted <= found
        assert 'shop_jobs_total{queue="office"} 1.0' in found


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4
