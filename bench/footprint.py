"""What fanlight costs while nobody asks: import time, idle memory, idle connections."""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

from attrs import frozen

from bench.contest import Contestant
from bench.processes import LOAD_CORE, ROOT, NotStarted, Running, environment, pin, rss, spawn

IMPORT = (
    "import time; began = time.perf_counter(); used = time.process_time(); import fanlight; "
    "used = time.process_time() - used; spent = time.perf_counter() - began; import sys, json; "
    "print(json.dumps([spent, used, sorted({'asyncio', 'trio'} & set(sys.modules))]))"
)
BARE = {
    "asyncio": "import asyncio; asyncio.run(asyncio.sleep(60))",
    "uvloop": "import asyncio, uvloop; uvloop.run(asyncio.sleep(60))",
    "trio": "import trio; trio.run(trio.sleep, 60)",
}
REQUEST = b"GET /api/livez HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: idle/1\r\n\r\n"


@frozen
class Import:
    """The best of the runs, in seconds by the clock and of CPU, and which event loops the import pulled in."""

    best: float
    cpu: float
    loops: tuple[str, ...]
    trouble: str = ""


def import_time(runs: int) -> Import:
    """`import fanlight` in `runs` fresh interpreters; the best, since load only adds."""
    best = cpu = float("inf")
    loops: tuple[str, ...] = ()
    for _ in range(runs):
        done = _python(IMPORT)
        if done.returncode:
            return Import(0.0, 0.0, (), done.stderr.strip().splitlines()[-1])
        spent, used, found = json.loads(done.stdout)
        best, cpu, loops = min(best, spent), min(cpu, used), tuple(found)
    return Import(best, cpu, loops)


def _python(source: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, env=environment(), cwd=ROOT, check=False
    )


def bare_memory(loop: str) -> int:
    """Resident bytes of an interpreter that only sleeps on `loop`."""
    process = subprocess.Popen([sys.executable, "-c", BARE[loop]], env=environment())
    try:
        time.sleep(1.5)
        return rss(process.pid)
    finally:
        process.kill()
        process.wait()


@frozen
class Memory:
    """Resident bytes: listening, after the first requests, and for each idle connection."""

    idle: int
    used: int
    connection: float
    held: int
    trouble: str = ""


def memory(server: Contestant, connections: int, logs: Path) -> Memory:
    """Start `server`, let it stand, ask it once, then hold `connections` keep-alive connections."""
    try:
        running = server.start(100, logs)
    except NotStarted as error:
        return Memory(0, 0, 0, 0, f"not started: {error}")
    try:
        time.sleep(1.0)
        idle = rss(running.pid)
        _hold(running, 50)
        used = rss(running.pid)
        grown, held = _hold(running, connections)
        return Memory(idle, used, max(0, grown - used) / max(1, held), held)
    finally:
        running.stop()


def _hold(server: Running, count: int) -> tuple[int, int]:
    """Resident bytes of `server` while `count` connections are held, and how many of them were."""
    words = ("--port", str(server.port), "--hold", str(count))
    holder = spawn("bench.footprint", *words, stdin=subprocess.PIPE)
    assert holder.stdout is not None
    held = int(holder.stdout.readline() or "0")
    time.sleep(0.5)
    grown = rss(server.pid)
    holder.communicate("\n", timeout=30)
    return grown, held


def hold(port: int, count: int) -> None:
    """Open `count` connections, ask once on each, say how many answered, keep them until a line comes in."""
    open_ones = []
    for _ in range(count):
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            connection.sendall(REQUEST)
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                break
        except OSError:
            break
        open_ones.append(connection)
    print(len(open_ones), flush=True)
    sys.stdin.readline()
    for connection in open_ones:
        connection.close()


def main() -> None:
    pin(LOAD_CORE)
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--hold", type=int, required=True)
    options = parser.parse_args()
    hold(options.port, options.hold)


if __name__ == "__main__":
    main()
