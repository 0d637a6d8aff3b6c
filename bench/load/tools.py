"""Runs one load generator on the load's core and reads what it counted."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from bench.processes import LOAD_CORE, ROOT, environment, pin

HERE = Path(__file__).resolve().parent


@frozen
class Counted:
    """What a load generator saw: answers, failures among them, the body's size where it says so."""

    requests: int
    failed: int
    size: int = 0


class LoadFailed(Exception):
    """A load generator ended badly; the text is the end of what it printed."""


def wrk(port: int, path: str, script: str, connections: int, seconds: float) -> Counted:
    """HTTP/1.1 keep-alive load by wrk with one of the Lua scripts beside this file."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(HERE / script)]
    return _counted(_run([*command, f"http://127.0.0.1:{port}{path}"], seconds))


def h2load(port: int, path: str, connections: int, streams: int, seconds: float) -> Counted:
    """HTTP/2 load by prior knowledge, `streams` at once on each connection.

    A number of requests is asked for, found by a short run before, rather than
    a time: at the end of a time h2load hangs up on open streams, and there are
    servers that end as a whole when it does.
    """
    command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"http://127.0.0.1:{port}{path}"]
    first, rate = _h2load(command, 320)
    second, _ = _h2load(command, max(320, int(rate * seconds)))
    return Counted(requests=first.requests + second.requests, failed=first.failed + second.failed)


def _h2load(command: list[str], requests: int) -> tuple[Counted, float]:
    out = _run([*command, f"-n{requests}"], 60.0)
    finished = re.search(r"finished in [^,]+, ([0-9.]+) req/s", out)
    counts = re.search(r"requests: (\d+) total, .* (\d+) done, .*", out)
    statuses = re.search(r"status codes: (\d+) 2xx", out)
    if not finished or not counts or not statuses:
        raise LoadFailed(out[-300:].strip())
    answered = int(statuses[1])
    return Counted(requests=answered, failed=int(counts[1]) - answered), float(finished[1])


def client(module: object, *arguments: object) -> Counted:
    """One of the Python clients of this package."""
    command = [sys.executable, "-m", f"bench.load.{module}", *map(str, arguments)]
    return _counted(_run(command, 60.0))


def missing() -> list[str]:
    """The programs that are not installed (Debian: `wrk`, `nghttp2-client`)."""
    return [name for name in ("wrk", "h2load") if shutil.which(name) is None]


def _run(command: Sequence[str], seconds: float) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=seconds + 90,
        cwd=ROOT,
        env=environment({"BENCH_LOAD": str(HERE)}),
        preexec_fn=lambda: pin(LOAD_CORE),
        check=False,
    )
    if done.returncode:
        raise LoadFailed((done.stderr or done.stdout)[-300:].strip())
    return done.stdout


def _counted(out: str) -> Counted:
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if not lines:
        raise LoadFailed(out[-300:].strip())
    found = json.loads(lines[-1])
    return Counted(requests=found["requests"], failed=found["failed"], size=found.get("bytes", 0))
