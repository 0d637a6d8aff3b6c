"""`fanlight run`: the program is its own master, and fanlight answers beside it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.process import ask, finished, free_port, rows, started

ALIVE = (200, b"Liveness check successful!")
ANYWHERE = ("--listen", "127.0.0.1:0")

BUSY = """
print("up")
while True:
    sum(range(1000))
"""
ASLEEP = """
import time
print("up")
time.sleep(600)
"""
EXITS_ITSELF = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("up")
time.sleep(600)
"""
STUCK_LOOP = """
import asyncio, time
async def main():
    print("up")
    time.sleep(600)
asyncio.run(main())
"""


def program(folder: Path, text: str) -> str:
    """A script with this text; its path."""
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("text", [BUSY, ASLEEP, STUCK_LOOP], ids=["computes", "sleeps", "loop is stuck"])
def test_it_answers_although_the_main_thread_is_blocked(text: str, tmp_path: Path) -> None:
    with started("run", *ANYWHERE, program(tmp_path, text)) as process:
        assert process.line() == "up"
        assert ask(process.address(), "/api/livez") == ALIVE


TASKS = {
    "asyncio": """
import asyncio
async def wait(queue):
    await queue.get()
async def main():
    queue = asyncio.Queue()
    tasks = [asyncio.create_task(wait(queue), name=f"waiter-{number}") for number in range(3)]
    await asyncio.sleep(0.1)
    print("up")
    await asyncio.sleep(600)
asyncio.run(main())
""",
    "trio": """
import trio
async def wait(channel):
    await channel.receive()
async def main():
    sender, receiver = trio.open_memory_channel(0)
    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(wait, receiver, name=f"waiter-{number}")
        await trio.sleep(0.1)
        print("up")
        await trio.sleep(600)
trio.run(main)
""",
}


@pytest.mark.parametrize("kind", TASKS)
def test_the_tasks_of_an_unchanged_program_are_seen(kind: str, tmp_path: Path) -> None:
    with started("run", *ANYWHERE, program(tmp_path, TASKS[kind])) as process:
        assert process.line() == "up"
        query = "select kind, name, waiting_on from process.tasks where name like 'waiter-%' order by name"
        found = rows(process.address(), query)
        waiting_on = {"asyncio": "Queue.get", "trio": "MemoryReceiveChannel.receive"}[kind]
        assert found == [[kind, f"waiter-{number}", waiting_on] for number in range(3)]


def test_the_program_has_its_arguments_output_and_exit_code(tmp_path: Path) -> None:
    text = "import sys\nprint(sys.argv[1:])\nprint('oops', file=sys.stderr)\nsys.exit(3)\n"
    done = finished("run", *ANYWHERE, program(tmp_path, text), "--listen", "-m", "--help", "--", "x")
    assert done.returncode == 3
    assert done.stdout == "['--listen', '-m', '--help', '--', 'x']\n"
    lines = done.stderr.splitlines()
    assert lines[0].startswith("fanlight: http://127.0.0.1:")
    assert lines[1:] == ["oops"]


def test_a_traceback_is_the_programs_own(tmp_path: Path) -> None:
    script = program(tmp_path, "def f():\n    raise KeyError('x')\nf()\n")
    plain = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    done = finished("run", "--quiet", "--listen", f"127.0.0.1:{free_port()}", script)
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signals_end_it_as_they_would_end_the_program(number: signal.Signals, tmp_path: Path) -> None:
    with started("run", *ANYWHERE, program(tmp_path, ASLEEP)) as process:
        assert process.line() == "up"
        assert ask(process.address(), "/api/livez") == ALIVE
        process.popen.send_signal(number)
        assert process.end() == -number


def test_a_handler_of_the_program_gets_the_signal(tmp_path: Path) -> None:
    with started("run", *ANYWHERE, program(tmp_path, EXITS_ITSELF)) as process:
        assert process.line() == "up"
        process.popen.terminate()
        assert process.end() == 7
        assert process.own_errors() == []


def test_a_client_does_not_keep_the_program_from_ending(tmp_path: Path) -> None:
    with started("run", *ANYWHERE, program(tmp_path, EXITS_ITSELF)) as process:
        assert process.line() == "up"
        where = process.address()
        assert ask(where, "/prof/mode", {"memory_active": True})[0] == 200
        host, port = where.split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"GET /prof/heap?seconds=3000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert ask(where, "/api/livez") == ALIVE
            begun = time.monotonic()
            process.popen.terminate()
            assert process.end() == 7
            assert time.monotonic() - begun < 8
            assert process.own_errors() == []


def test_a_module_runs_from_the_current_folder(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "till.py").write_text("import sys; print(__name__, sys.argv[1:], sys.path[0])\n", encoding="utf-8")
    done = finished("run", *ANYWHERE, "-m", "shop.till", "-m", "x", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"__main__ ['-m', 'x'] {tmp_path}\n")


def test_threads_that_outlive_the_main_code_are_waited_for_and_seen(tmp_path: Path) -> None:
    text = """
import threading, time
def later():
    print("up")
    time.sleep(3)
    print("later")
threading.Thread(target=later).start()
"""
    with started("run", *ANYWHERE, program(tmp_path, text)) as process:
        assert process.line() == "up"
        assert ask(process.address(), "/api/livez") == ALIVE
        assert process.line() == "later"
        assert process.end() == 0
        assert process.own_errors() == []


def test_a_forked_child_ends_by_itself(tmp_path: Path) -> None:
    text = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
child = os.fork()
if child == 0:
    sys.exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = finished("run", *ANYWHERE, program(tmp_path, text))
    assert (done.returncode, done.stdout) == (0, "5\n")


@pytest.fixture
def taken() -> Iterator[str]:
    """An address that somebody listens on."""
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        yield f"127.0.0.1:{owner.getsockname()[1]}"


def test_the_program_runs_although_the_address_is_taken(taken: str, tmp_path: Path) -> None:
    done = finished("run", "--listen", taken, program(tmp_path, "print('ran')"))
    assert (done.returncode, done.stdout) == (0, "ran\n")
    said = f"fanlight: cannot listen on {taken}: Address already in use (port 0 takes a free one)"
    assert done.stderr == f"{said}; the program runs without it\n"


def test_strict_does_not_start_the_program(taken: str, tmp_path: Path) -> None:
    done = finished("run", "--strict", "--listen", taken, program(tmp_path, "print('ran')"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"fanlight: cannot listen on {taken}: Address already in use (port 0 takes a free one)\n"


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    for name, file, said in (
        ("gone", "gone.pem", "cannot read gone.pem: No such file or directory"),
        ("no certificate", "listeners.toml", "cannot use listeners.toml with listeners.toml: "),
    ):
        keys = f'tls_certificate = "{file}"\ntls_key = "{file}"\n'
        text = FILE.replace("enable_tls = false", "enable_tls = true").replace("MORE", "")
        (tmp_path / "listeners.toml").write_text(keys + text, encoding="utf-8")
        done = finished("run", "--config", "listeners.toml", program(tmp_path, "print('ran')"), cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "ran\n"), name
        assert done.stderr.startswith(f"fanlight: {said}"), name


def test_quiet_says_nothing(tmp_path: Path) -> None:
    done = finished("run", "-q", "--listen", f"127.0.0.1:{free_port()}", program(tmp_path, "print('ran')"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "ran\n", "")


def test_it_listens_on_several_addresses_and_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "look.sock"
    words = ("--listen", f"unix:{path}", "--listen", "localhost:0", "--listen", "[::1]:0")
    with started("run", *words, program(tmp_path, ASLEEP)) as process:
        assert process.line() == "up"
        told = process.addresses(3)
        assert [where.rpartition(":")[0] for where in told] == ["unix", "127.0.0.1", "[::1]"]
        assert [ask(where, "/api/livez") for where in told] == [ALIVE] * 3
        assert path.stat().st_mode & 0o777 == 0o600
        process.popen.send_signal(signal.SIGINT)
        assert process.end() == -signal.SIGINT
    assert not path.exists()


FILE = """
[http.main]
addr = "127.0.0.1:0"
authenticator_kind = "None"
enable_tls = false

[http.main.routes]
base = { enabled = false }
internal = { enabled = false }
metrics = { enabled = true, allowed_roles = "Normal" }
profiling = { enabled = false }
webhook = { enabled = false }
mcp_agent = { enabled = false }
mcp_developer = { enabled = false }
console_config = { enabled = false }
MORE
[sql]
"""


def test_a_file_says_what_is_served(tmp_path: Path) -> None:
    (tmp_path / "listeners.toml").write_text(FILE.replace("MORE", "[http.main.colour]"), encoding="utf-8")
    words = ("--config", str(tmp_path / "listeners.toml"), program(tmp_path, ASLEEP))
    with started("run", *words) as process:
        assert process.line() == "up"
        where = process.address()
        assert ask(where, "/api/livez") == ALIVE
        assert ask(where, "/")[0] == 404
        assert "fanlight: http.main.colour: unknown member, ignored" in process.errors


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--listen", "here"), "fanlight: --listen: expected IP:PORT"),
        (("--listen", "0.0.0.0:6876"), "allow_open_internal"),
        (("--config", "listeners.toml", "--listen", "127.0.0.1:0"), "fanlight: --listen: not together with --config"),
        (("--config", "listeners.toml"), "fanlight: http.main.routes.base.allowed_roles: "),
        (("--config", "listeners.yaml"), "fanlight: --config: expected a file whose name ends in .toml or .json"),
        (("--config", "gone.toml"), "does not exist"),
        (("--colour",), "No such option"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_started(words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    bad = FILE.replace("base = { enabled = false }", 'base = { enabled = true, allowed_roles = "All" }')
    (tmp_path / "listeners.toml").write_text(bad.replace("MORE", ""), encoding="utf-8")
    (tmp_path / "listeners.yaml").touch()
    done = finished("run", *words, program(tmp_path, "print('ran')"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_script_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = finished("run", *ANYWHERE, "gone.py", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"fanlight: can't open file '{tmp_path}/gone.py': [Errno 2] No such file or directory\n"
