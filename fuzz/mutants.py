"""Mutants of authentication: break `core/fanlight/auth` in one place at a time, and see whether a test notices.

`python -m fuzz.mutants [MODULE …]`, after `pip install --group mutants`.  Works in a copy of the tree, so nothing
here is changed; mutmut makes the mutants and runs, for each, the tests that reach it.  Prints, for each module, how
many were noticed, and then the others, with what was changed.  Takes up to an hour: no part of the tests.

It does not change what stands outside functions (tables, patterns, defaults of attributes), nor properties. Those of
functions that are called while a module is imported (`groups`) cannot be noticed: the tests come too late.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("core/fanlight", "engines/fanlight_engines", "transports/fanlight_asyncio", "transports/fanlight_trio")
TESTS = (
    "tests/core/auth",
    "tests/core/pages/test_pages_decisions.py",
    "tests/core/pages/test_pages_equal.py",
    "tests/core/pages/test_pages_login.py",
    "tests/core/pages/test_pages_oauth.py",
    "tests/stateful/test_stateful_auth.py",
)

# What a mutant run says by the exit code of its tests; a time-out is noticed as well.
NOTICED = "noticed"
OUTCOMES = {0: "survived", 5: "unreached", 33: "unreached", 34: "skipped", None: "not run"}

CONFIG = """
[tool.mutmut]
source_paths = ["fanlight"]
only_mutate = [{modules}]
also_copy = ["fanlight_engines", "fanlight_asyncio", "fanlight_trio", "fuzz", "few_examples.py"]
pytest_add_cli_args = ["-p", "few_examples", "--hypothesis-profile=mutants", "-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = [{tests}]
track_dependencies = false
use_git_change_detection = false

[tool.pytest.ini_options]
pythonpath = ["."]
addopts = ["--import-mode=importlib"]
"""

# The same few examples each time: a mutant that lives or dies by the draw tells nothing.
PROFILE = """
from hypothesis import HealthCheck, settings

settings.register_profile(
    "mutants", max_examples=25, stateful_step_count=20, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)
"""


def lay_out(place: Path, modules: list[str]) -> None:
    """The tree as mutmut wants it: the packages themselves at the top."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for source in SOURCES:
        shutil.copytree(ROOT / source, place / Path(source).name, ignore=ignored)
    for folder in ("tests", "fuzz"):
        shutil.copytree(ROOT / folder, place / folder, ignore=ignored)
    (place / "few_examples.py").write_text(PROFILE)
    config = CONFIG.format(
        modules=", ".join(f'"fanlight/auth/{module}.py"' for module in modules),
        tests=", ".join(f'"{test}"' for test in TESTS),
    )
    (place / "pyproject.toml").write_text(config)


def outcomes(place: Path) -> dict[str, dict[str, str]]:
    """For each module, what became of each of its mutants."""
    found: dict[str, dict[str, str]] = {}
    for meta in sorted((place / "mutants" / "fanlight" / "auth").glob("*.py.meta")):
        codes = json.loads(meta.read_text())["exit_code_by_key"]
        found[meta.name.removesuffix(".py.meta")] = {
            mutant: OUTCOMES.get(code, NOTICED) for mutant, code in codes.items()
        }
    return found


def report(place: Path) -> None:
    """The score of each module, and each mutant that no test noticed."""
    found = outcomes(place)
    every = Counter[str]()
    for module, mutants in found.items():
        if mutants:
            counted = Counter(mutants.values())
            every += counted
            print(f"{module:16}{_score(counted)}")
    if every:
        print(f"{'all':16}{_score(every)}")
    for module, mutants in found.items():
        for mutant, outcome in mutants.items():
            if outcome != NOTICED:
                print(f"\n{module}: {outcome}: {mutant}\n{_difference(place, mutant)}")


def _score(counted: Counter[str]) -> str:
    rest = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counted.items()) if outcome != NOTICED)
    return f"{counted[NOTICED]:5} of {counted.total():5} noticed  {counted[NOTICED] / counted.total():6.1%}  {rest}"


def _difference(place: Path, mutant: str) -> str:
    shown = subprocess.run([*_mutmut(), "show", mutant], cwd=place, capture_output=True, text=True, check=False)
    lines = shown.stdout.splitlines()
    return "\n".join(line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


def _run(place: Path, children: int) -> None:
    """Its own words go to a file: it draws a picture of its progress."""
    with (place / "mutmut.log").open("wb") as log:
        command = [*_mutmut(), "run", "--max-children", str(children)]
        subprocess.run(command, cwd=place, stdout=log, stderr=subprocess.STDOUT, check=False)


def _mutmut() -> list[str]:
    return [sys.executable, "-m", "mutmut"]


def main() -> None:
    """The command line."""
    every = sorted(path.stem for path in (ROOT / "core" / "fanlight" / "auth").glob("[!_]*.py"))
    parser = argparse.ArgumentParser(prog="python -m fuzz.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("module", nargs="*", help=f"one of {', '.join(every)} (default: all)")
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--keep", type=Path, help="a folder to work in, and to leave (default: one that is removed)")
    given = parser.parse_args()
    unknown = set(given.module) - set(every)
    if unknown:
        parser.error(f"no such module: {', '.join(sorted(unknown))}")
    place = given.keep or Path(tempfile.mkdtemp(prefix="mutants-"))
    try:
        if not (place / "pyproject.toml").exists():
            lay_out(place, given.module or every)
        _run(place, given.children)
        report(place)
    finally:
        if given.keep is None:
            shutil.rmtree(place)


if __name__ == "__main__":
    main()
