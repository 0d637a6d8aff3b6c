"""Processes under measurement: their CPU clocks, memory, cores and children.

Everything is read from the kernel; nothing in the measured process takes part.
This module starts no load and knows no server by name.
"""

from __future__ import annotations

import compileall
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).resolve().parent.parent
SOURCE_ROOTS = ("core", "engines", "transports", "cli")
SERVER_CORE = 0
LOAD_CORE = 1


def pin(core: int) -> None:
    """Keep the calling process on one core; without effect where there is only one."""
    cores = os.cpu_count() or 1
    if cores > 1:
        os.sched_setaffinity(0, {core % cores})


def compile_sources() -> None:
    """Leave byte code of the project's packages beside their sources, as an installation does.

    Without it (a checkout, with PYTHONDONTWRITEBYTECODE set) a first request
    would be charged with compiling what it imports, which no installed package
    does.
    """
    for root in (*SOURCE_ROOTS, "bench", "tests"):
        compileall.compile_dir(ROOT / root, quiet=2)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a child: ours, with the project's source roots importable."""
    found = dict(os.environ)
    roots = [str(ROOT), *(str(ROOT / root) for root in SOURCE_ROOTS)]
    found["PYTHONPATH"] = os.pathsep.join([*roots, found.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    found.update(extra or {})
    return found


def spawn(module: str, *words: str, stdin: int | None = None, stderr: int | None = None) -> subprocess.Popen[str]:
    """`python -m module words` on the core of the load, its output piped."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *words],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=environment(),
        cwd=ROOT,
        preexec_fn=lambda: pin(LOAD_CORE),
    )


def tree(pid: int) -> list[int]:
    """`pid` and all its living descendants."""
    found = [pid]
    for process in found:
        for task in _listing(f"/proc/{process}/task"):
            children = _read(f"/proc/{process}/task/{task}/children")
            found.extend(int(child) for child in children.split())
    return found


def cpu(pid: int) -> float:
    """User plus system seconds that the process tree has used so far.

    Each process's own CPU clock has nanoseconds and keeps the time of its
    threads that ended; children that ended are in `cutime` and `cstime`, in
    ticks of 10 ms.
    """
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for process in tree(pid):
        fields = _read(f"/proc/{process}/stat").rpartition(")")[2].split()
        if not fields:
            continue
        own = (int(fields[11]) + int(fields[12])) / ticks
        try:
            own = time.clock_gettime(((~process) << 3) | 2)
        except OSError:  # pragma: no cover - gone in between
            pass
        total += own + (int(fields[13]) + int(fields[14])) / ticks
    return total


def rss(pid: int) -> int:
    """Resident bytes of the process tree.  Shared pages count once for each process."""
    total = 0
    for process in tree(pid):
        for line in _read(f"/proc/{process}/status").splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def peak(pid: int, *, reset: bool = False) -> int:
    """The most bytes that were resident in one process since the last `reset`."""
    if reset:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    lines = _read(f"/proc/{pid}/status").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def queue_wait(pid: int) -> float:
    """Seconds that the main thread of `pid` has waited for a core, being runnable."""
    fields = _read(f"/proc/{pid}/schedstat").split()
    return int(fields[1]) / 1e9 if len(fields) > 1 else 0.0


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, ValueError):
        return ""


def _listing(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@frozen(kw_only=True)
class Running:
    """A started server: its process, its port, and where its output went."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        """End the process and its children, by their own ids; at most five seconds."""
        family = tree(self.pid)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in family:
                _signal(process, number)
            try:
                self.process.wait(timeout=2.5)
            except subprocess.TimeoutExpired:
                continue
            family = family[1:]
            if number == signal.SIGTERM and not any(Path(f"/proc/{child}").exists() for child in family):
                return

    def last_words(self) -> str:
        """The end of what the server printed, for a message about its failure."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:])[-300:]


def _signal(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


class NotStarted(Exception):
    """A server did not begin to listen; the text says what it printed."""


def start(
    name: str, arguments: Sequence[str], logs: Path, extra: Mapping[str, str] | None = None, patience: float = 60.0
) -> Running:
    """Start `python -m arguments` on the server's core and wait until its port answers.

    `{port}` in an argument becomes a free port.  Raises `NotStarted`, also when
    `patience` seconds have passed.
    """
    port = free_port()
    log = logs / (name.replace(" ", "_").replace("/", "_") + ".log")
    command = [sys.executable, "-m", *(argument.replace("{port}", str(port)) for argument in arguments)]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            stdout=sink,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment(extra),
            cwd=ROOT,
            preexec_fn=lambda: pin(SERVER_CORE),
        )
    running = Running(name=name, process=process, port=port, log=log)
    _await_port(running, patience)
    return running


def _await_port(running: Running, patience: float) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and running.alive():
        try:
            socket.create_connection(("127.0.0.1", running.port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    running.stop()
    raise NotStarted(running.last_words() or f"silent for {patience:g} s")
