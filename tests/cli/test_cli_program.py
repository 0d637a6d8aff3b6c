"""A program cannot tell `python PROGRAM` and our runner apart: output, traceback, exit code and signals agree.

Each case is run both ways in a fresh interpreter, and everything that comes out is compared.
"""

from __future__ import annotations

import py_compile
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

from fanlight_cli.program import NoProgram, check_file

ROOT = Path(__file__).resolve().parent.parent.parent
DRIVER = """
import sys
sys.path[0] = {cli!r}
from fanlight_cli.program import run_file, run_module
words = sys.argv[1:]
run_module(words[1], words[2:]) if words[0] == "-m" else run_file(words[0], words[1:])
"""

ADDRESS = re.compile(r"0x[0-9a-f]{6,}")

PROGRAMS = {
    "a face": """
        import sys
        names = {n: v for n, v in globals().items() if n.startswith("__") and n not in ("__builtins__", "__loader__")}
        print(sorted(names.items()), type(__loader__), sys.argv, sys.path[0])
        print(sys.modules["__main__"].__dict__ is globals())
    """,
    "the end": "print('done')",
    "an exit code": "import sys; sys.exit(3)",
    "an exit text": "import sys; sys.exit('no such order')",
    "an exit without anything": "raise SystemExit",
    "an exception": """
        def inner():
            raise ValueError("wrong")
        def outer():
            try:
                inner()
            except ValueError as error:
                raise RuntimeError("worse") from error
        outer()
    """,
    "a syntax error": "total = (1 +",
    "an exception group": "raise ExceptionGroup('both', [ValueError(1), TypeError(2)])",
    "a hook of its own": """
        import sys, traceback
        def hook(kind, value, trace):
            names = [frame.name for frame in traceback.extract_tb(trace)]
            print("hooked", kind.__name__, names, value.__traceback__ is trace)
        sys.excepthook = hook
        1 / 0
    """,
    "a keyboard interrupt": "raise KeyboardInterrupt",
    "pickled classes": """
        import pickle
        class Order:
            number = 7
        print(pickle.loads(pickle.dumps(Order())).number, pickle.dumps(Order)[:30])
    """,
    "a thread that outlives the main code": """
        import pickle, sys, threading, time
        class Order:
            number = 8
        def later():
            time.sleep(0.2)
            print(pickle.loads(pickle.dumps(Order())).number, sys.modules["__main__"].Order is Order)
        threading.Thread(target=later).start()
    """,
    "work at the exit": """
        import atexit
        atexit.register(print, "first in, last out")
        atexit.register(print, "last in, first out")
        def broken():
            raise ValueError("at exit")
        atexit.register(broken)
    """,
    "spawned processes": """
        import multiprocessing
        class Order:
            def __init__(self, number):
                self.number = number
        def double(order):
            return Order(order.number * 2)
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print([order.number for order in pool.map(double, [Order(1), Order(2)])])
    """,
    "future statements": """
        from __future__ import annotations
        def size(box: NoSuchName) -> None: ...
        print(size.__annotations__)
    """,
    "no future statements": """
        print(eval("1 if True else 0"))
        def size(box: int) -> None: ...
        print(size.__annotations__)
    """,
}


def both(words: list[str], folder: Path) -> list[tuple[int, str, str]]:
    """What comes out of `python WORDS` and of the runner: exit code, output, errors."""
    ways = [[sys.executable, *words], [sys.executable, "-c", DRIVER.format(cli=str(ROOT / "cli")), *words]]
    outcomes = []
    for way in ways:
        done = subprocess.run(way, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        outcomes.append((done.returncode, ADDRESS.sub("0x", done.stdout), ADDRESS.sub("0x", done.stderr)))
    return outcomes


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_script_ends_as_under_python(name: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(dedent(PROGRAMS[name]), encoding="utf-8")
    plain, ours = both(["program.py", "--flag", "-m", "word"], tmp_path)
    assert ours == plain


@pytest.mark.parametrize("name", ["a face", "an exit code", "an exception", "a syntax error"])
@pytest.mark.parametrize("module", ["shop.till", "shop"])
def test_a_module_ends_as_under_python(name: str, module: str, tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("import sys; print('package', sys.argv[0])\n", encoding="utf-8")
    for file in ("till.py", "__main__.py"):
        (package / file).write_text(dedent(PROGRAMS[name]), encoding="utf-8")
    plain, ours = both(["-m", module, "--flag"], tmp_path)
    assert ours == plain


def test_a_missing_module_is_told_in_the_words_of_python(tmp_path: Path) -> None:
    plain, ours = both(["-m", "nothing.of.this.name"], tmp_path)
    assert ours == plain
    assert plain[0] == 1


def test_folders_zip_files_and_compiled_files_run_too(tmp_path: Path) -> None:
    source = dedent(PROGRAMS["a face"])
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(source, encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as archive:
        archive.writestr("__main__.py", source)
    (tmp_path / "program.py").write_text(source, encoding="utf-8")
    py_compile.compile(str(tmp_path / "program.py"), cfile=str(tmp_path / "program.pyc"))
    for word in ("folder", "program.zip", "program.pyc"):
        plain, ours = both([word, "x"], tmp_path)
        assert ours == plain, word
        assert plain[0] == 0, word


def test_a_script_behind_a_link_finds_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "neighbour.py").write_text("NAME = 'next door'\n", encoding="utf-8")
    (tmp_path / "real" / "program.py").write_text(
        "import neighbour; print(neighbour.NAME, __file__)\n", encoding="utf-8"
    )
    (tmp_path / "link.py").symlink_to(tmp_path / "real" / "program.py")
    plain, ours = both(["link.py"], tmp_path)
    assert ours == plain
    assert plain[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_do_what_they_do_under_python(number: signal.Signals, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n", encoding="utf-8")
    outcomes = []
    for way in ([sys.executable], [sys.executable, "-c", DRIVER.format(cli=str(ROOT / "cli"))]):
        with subprocess.Popen([*way, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            # Let it get from the line that prints into the one that sleeps: the traceback names the line.
            time.sleep(0.3)
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)
            outcomes.append((process.returncode, errors))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == -number


def test_a_file_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(NoProgram, match=r"can't open file '.*gone\.py': \[Errno 2\] No such file or directory"):
        check_file(str(tmp_path / "gone.py"))
    (tmp_path / "here.py").touch()
    check_file(str(tmp_path / "here.py"))
    check_file(str(tmp_path))
