"""Every console sample of the documentation is run against a real demo, and answers as it says.

`…` stands for anything.  Samples with other commands than curl are not console
samples but `sh`: they need what a test machine may lack.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.process import ask, demonstrated, rows
from tests.docs.markdown import PAGES, Sample, samples

PRINTED = "127.0.0.1:6876"

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """`host:port` of a demo that has been busy for a moment."""
    with demonstrated() as (_, where):
        until = time.monotonic() + 20
        while b'office_parcels_total{outcome="sorted"}' not in ask(where, "/metrics")[1] and time.monotonic() < until:
            time.sleep(0.1)
        yield where


def steps(sample: Sample) -> list[tuple[str, str]]:
    """Commands and what they are said to print."""
    parts = re.split(r"^\$ ", sample.text, flags=re.MULTILINE)
    assert parts[0] == "", f"{sample}: a console sample begins with a command"
    return [(command, expected) for command, _, expected in (part.partition("\n") for part in parts[1:])]


def pattern(expected: str) -> re.Pattern[str]:
    """What the output must look like."""
    return re.compile(".*".join(re.escape(part) for part in expected.rstrip("\n").split("…")), re.DOTALL)


STATEMENTS = [sample for sample in samples("sql") if sample.page.name == "sql.md"]


@pytest.mark.parametrize("sample", STATEMENTS, ids=str)
def test_the_statements_shown_find_something(sample: Sample, demo: str) -> None:
    assert rows(demo, sample.text) != []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(s.page == page for s in samples("console"))], ids=lambda page: page.name
)
def test_the_console_samples_of_a_page_are_true(page: Path, demo: str, tmp_path: Path) -> None:
    # Each page begins with a process as it was started, whatever the page before has switched on.
    ask(demo, "/prof/mode", {"memory_active": False})
    for sample in samples("console"):
        if sample.page != page:
            continue
        for command, expected in steps(sample):
            assert command.startswith("curl "), f"{sample}: {command}"
            done = subprocess.run(
                ["sh", "-c", command.replace(PRINTED, demo)],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{sample}: {command}: {done.stderr}"
            if expected:
                assert pattern(expected).fullmatch(done.stdout.rstrip("\n")), f"{sample}: {command}\n{done.stdout}"
