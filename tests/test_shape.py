"""The shape of the house: what may import what, how big things get, what is shipped.

Reads the sources as text and trees; runs none of them, but for one `import
fanlight` in a fresh interpreter.  Times are measured by the benchmarks, never here.
"""

from __future__ import annotations

import ast
import json
import re
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "fanlight": ROOT / "core" / "fanlight",
    "fanlight_engines": ROOT / "engines" / "fanlight_engines",
    "fanlight_asyncio": ROOT / "transports" / "fanlight_asyncio",
    "fanlight_trio": ROOT / "transports" / "fanlight_trio",
    "fanlight_cli": ROOT / "cli" / "fanlight_cli",
}
MODULES = {name: sorted(folder.rglob("*.py")) for name, folder in PACKAGES.items()}
SOURCES = [path for paths in MODULES.values() for path in paths]

# The core decides: no loop, no socket, no thread, no clock, no chance, no log.
OUTSIDE = {
    "_socket",
    "_ssl",
    "_thread",
    "asyncio",
    "concurrent",
    "ctypes",
    "logging",
    "multiprocessing",
    "random",
    "sched",
    "secrets",
    "select",
    "selectors",
    "signal",
    "socket",
    "socketserver",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "trio",
    "uuid",
}
CORE_LIBRARIES = {"attr", "attrs", "cattrs", "h11", "h2", "hpack", "hyperframe", "prometheus_client", "wsproto"}
EVENT_LOOPS = {"asyncio", "trio", "anyio", "uvloop", "curio"}
LAZY = {"h2", "hpack", "wsproto", "prometheus_client", "cattrs", "zlib", "gzip", "duckdb"}

LONGEST_TRANSPORT = 300


def label(path: Path) -> str:
    """The path from the top of the repository, for messages."""
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every absolute import anywhere in the file, as (line, dotted name); those for type checkers only included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module


def top(name: str) -> str:
    """The first part of a dotted name."""
    return name.partition(".")[0]


def climbs(path: Path, package: Path) -> Iterator[int]:
    """Lines of relative imports that would leave the package."""
    depth = len(path.relative_to(package).parts)
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom) and node.level > depth:
            yield node.lineno


def offences(package: str, forbidden: set[str]) -> list[str]:
    """Imports of `forbidden` top-level names in `package`."""
    return [
        f"{label(path)}:{line} imports {name}"
        for path in MODULES[package]
        for line, name in imports(parse(path))
        if top(name) in forbidden
    ]


def test_core_reaches_for_nothing_outside() -> None:
    found = offences("fanlight", OUTSIDE | EVENT_LOOPS | (set(PACKAGES) - {"fanlight"}))
    # `python -m fanlight` forwards to the command line: the one name that points upwards.
    assert [offence for offence in found if not offence.startswith("core/fanlight/__main__.py:")] == []
    assert len(found) <= 1


def test_core_uses_only_its_libraries() -> None:
    allowed = set(sys.stdlib_module_names) | CORE_LIBRARIES | {"fanlight", "fanlight_cli"}
    strangers = [
        f"{label(path)}:{line} imports {name}"
        for path in MODULES["fanlight"]
        for line, name in imports(parse(path))
        if top(name) not in allowed
    ]
    assert strangers == []


def calls_outside(path: Path) -> Iterator[str]:
    """Uses of `open(…)`, `os.environ`, `os.getenv` and of the wall clock by `datetime.now`."""
    for node in ast.walk(parse(path)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"open", "print", "input"}
        ):
            yield f"{label(path)}:{node.lineno} calls {node.func.id}()"
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "urandom", "utcnow", "today"}:
            yield f"{label(path)}:{node.lineno} uses .{node.attr}"


def test_core_opens_nothing_and_reads_no_environment() -> None:
    assert [use for path in MODULES["fanlight"] for use in calls_outside(path)] == []


def test_engines_know_no_event_loop_and_no_transport() -> None:
    assert offences("fanlight_engines", EVENT_LOOPS | {"fanlight_asyncio", "fanlight_trio", "fanlight_cli"}) == []


@pytest.mark.parametrize(("package", "other"), [("fanlight_asyncio", "trio"), ("fanlight_trio", "asyncio")])
def test_each_transport_knows_one_loop(package: str, other: str) -> None:
    assert offences(package, {other, f"fanlight_{other}", "fanlight_cli"}) == []


@pytest.mark.parametrize("package", ["fanlight_asyncio", "fanlight_trio"])
def test_transports_are_small(package: str) -> None:
    # Neither carries a byte: `thread.py` is a host around the transport, `occasions.py` is for the program's own tasks.
    carriers = [path for path in MODULES[package] if path.name not in ("thread.py", "occasions.py")]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in carriers)
    assert 0 < lines <= LONGEST_TRANSPORT


@pytest.mark.parametrize("package", PACKAGES)
def test_relative_imports_stay_inside_their_package(package: str) -> None:
    found = {label(path): list(climbs(path, PACKAGES[package])) for path in MODULES[package]}
    assert {path: lines for path, lines in found.items() if lines} == {}


def function_lengths() -> dict[str, int]:
    """Lines of each function of the shipped code, docstring and decorators included."""
    return {
        f"{label(path)}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_functions_are_short() -> None:
    lengths = function_lengths()
    ordered = sorted(lengths.values())
    assert {name: length for name, length in lengths.items() if length > 80} == {}
    assert statistics.median(ordered) <= 8
    assert ordered[int(0.95 * len(ordered))] <= 45


def test_files_are_short() -> None:
    lengths = {label(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path: length for path, length in lengths.items() if length > 600} == {}
    long = {path: length for path, length in lengths.items() if length >= 350}
    assert len(long) <= len(lengths) / 8, long


def test_every_module_says_what_it_is() -> None:
    files = [*SOURCES, *ROOT.glob("tests/**/*.py"), *ROOT.glob("bench/**/*.py"), *ROOT.glob("fuzz/**/*.py")]
    assert [label(path) for path in files if path.stat().st_size and not ast.get_docstring(parse(path))] == []


def test_no_module_is_named_after_nothing() -> None:
    vague = re.compile(r"(^|_)(manager|helper|helpers|util|utils|misc|common)(_|$)")
    assert [label(path) for path in SOURCES if vague.search(path.stem)] == []
    classes = [
        f"{label(path)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ClassDef) and re.search(r"Manager|Helper|Util|Misc", node.name)
    ]
    assert classes == []


def decides(path: Path) -> bool:
    """Whether the file has a function that does more than stand for its signature."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
            if body:
                return True
    return False


def own_test(path: Path) -> bool:
    """Whether `core/fanlight/x/y.py` has `tests/core/x/test_y.py` or `test_x_y.py`."""
    inside = path.relative_to(PACKAGES["fanlight"])
    folder = ROOT / "tests" / "core" / inside.parent
    names = {f"test_{inside.stem}.py", "_".join(["test", *inside.parent.parts, inside.stem]) + ".py"}
    return any((folder / name).exists() for name in names)


def test_each_module_of_the_core_has_its_own_test() -> None:
    modules = [path for path in MODULES["fanlight"] if path.name not in {"__init__.py", "__main__.py"}]
    assert [label(path) for path in modules if decides(path) and not own_test(path)] == []


def loaded_by(statement: str) -> set[str]:
    """The modules that `statement` loads in a fresh interpreter, beyond those of an empty program."""
    program = (
        f"import sys, json; before = set(sys.modules); {statement}; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_the_core_loads_no_loop_and_nothing_heavy() -> None:
    loaded = loaded_by("import fanlight")
    assert "fanlight.asks" in loaded
    # (attrs itself loads threading.)
    assert {top(name) for name in loaded} & (EVENT_LOOPS | LAZY | {"socket", "ssl", "logging", "subprocess"}) == set()


def test_the_engines_load_no_loop_and_no_library_before_they_are_asked() -> None:
    loaded = loaded_by("import fanlight_engines.engines, fanlight_engines.performer")
    assert {top(name) for name in loaded} & (EVENT_LOOPS | LAZY | {"nanoarrow", "hashlib"}) == set()


@pytest.mark.parametrize("package", ["fanlight_asyncio", "fanlight_trio"])
def test_a_transport_loads_no_page_but_the_probes(package: str) -> None:
    loaded = loaded_by(f"import {package}")
    pages = {name for name in loaded if name.startswith("fanlight.pages.")}
    assert pages == {f"fanlight.pages.{name}" for name in ("health", "loading", "table")}
    areas = ("fanlight.catalog", "fanlight.federation", "fanlight.profiling", "fanlight.sql")
    engines = tuple(f"fanlight_engines.{name}" for name in ("auth", "duckdb", "profiling", "outbound", "replicas"))
    assert [name for name in loaded if name.startswith((*areas, *engines))] == []


@pytest.mark.parametrize(("package", "other"), [("fanlight_asyncio", "trio"), ("fanlight_trio", "asyncio")])
def test_a_transport_does_not_load_the_other_loop(package: str, other: str) -> None:
    assert other not in {top(name) for name in loaded_by(f"import {package}")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names inside a wheel built from this tree, metadata left out."""
    folder = tmp_path_factory.mktemp("wheel")
    built = list(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
    with zipfile.ZipFile(built[0]) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_what_the_tree_holds(wheel: set[str]) -> None:
    tree = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wheel == tree


def test_the_wheel_claims_five_import_names(wheel: set[str]) -> None:
    assert {top(name.replace("/", ".")) for name in wheel} == set(PACKAGES)
    assert {name for name in wheel if name.endswith("py.typed")} == {f"{name}/py.typed" for name in PACKAGES}


TEXTS = {".py", ".md", ".toml", ".json", ".jsonl", ".txt", ".css", ".js", ".html", ""}
WRITTEN = ("tests", "docs", "examples", "bench", "fuzz", ".ci", "console/src", "console/test")
FOLDERS = [*PACKAGES.values(), *(ROOT / name for name in WRITTEN)]
SOMEONES_MACHINE = re.compile(r"(?<![\w.})/])/(?:home|root|Users|mnt|work)/\w")


def texts() -> Iterator[Path]:
    """Every text file of the repository that a person wrote."""
    # `.git` is a file in a worktree, and names the place of the repository.
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.suffix in TEXTS and path.name != ".git")
    for folder in FOLDERS:
        yield from (
            path
            for path in folder.rglob("*")
            if path.is_file() and path.suffix in TEXTS and "__pycache__" not in path.parts
        )


def test_nothing_names_a_place_on_somebodys_machine() -> None:
    named = [
        f"{label(path)}:{number}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if SOMEONES_MACHINE.search(line)
    ]
    assert named == []
