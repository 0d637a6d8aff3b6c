"""What SQL may cost at its ends: huge answers, stalled readers, quiet subscriptions, statements that are stopped.

Each figure is read from outside the server: its memory and its clocks from the
kernel, its answers from a socket.  Only fanlight is measured.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import field, frozen

from bench.load.sql import Asking, request
from bench.load.sql_socket import CLOSE, SqlSocket
from bench.load.tools import LoadFailed, client
from bench.processes import NotStarted, Running, cpu, peak, rss, spawn, start
from bench.servers.rows import computed

ROWS, CLIENTS = 5_000_000, 1000
FIRST_ROWS = 100_000
STALL = 3.0
QUIET = 15.0
SETTLED = 5.0
"""Seconds after which all that subscribe have begun, and had their first Ping."""
BUSY = "select count(*) from range(100000) a(i), range(100000) b(j) where (i * j) % 7 = 3"
STOPS = ("pg_cancel_backend", "Close", "EOF")


@frozen
class Huge:
    """An answer of many rows: its bytes, the seconds it took, and by how much resident memory rose at most."""

    way: str
    size: int
    seconds: float
    added: int


@frozen(kw_only=True)
class SqlLimits:
    """Of one loop; times in seconds, memory in bytes.

    `stalled` is the CPU time used in the last two thirds of `STALL` seconds in
    which nobody read; `first` when the first row came; `quiet` the share of a
    core that the held subscriptions took; `stops` the times from a cancel to an
    idle server.
    """

    huge: list[Huge] = field(factory=list)
    stalled: float = 0.0
    first: list[float] = field(factory=list)
    held: int = 0
    quiet: float = 0.0
    told: str = ""
    stops: dict[str, list[float]] = field(factory=dict)
    trouble: str = ""


def measure(loop: str, *, rows: int, clients: int, times: int, settled: float, logs: Path) -> SqlLimits:
    """All of it on one server of `loop`, for `rows` of a huge answer and `clients` that subscribed `settled` ago."""
    try:
        running = start(f"sql {loop}", ["bench.servers.fanlight_server", "--port", "{port}", "--loop", loop], logs)
    except NotStarted as error:
        return SqlLimits(trouble=f"not started: {error}")
    try:
        _warm(running.port)
        huge = list(_answers(running, rows))
        stalling, stalled = _stalled(running, rows)
        first = [_first_row(running.port) for _ in range(times)]
        stops = {way: [_stopped(running, way) for _ in range(times)] for way in STOPS}
        held, quiet, told = _quiet(running, clients, settled)
    except (LoadFailed, SystemExit, OSError) as error:
        return SqlLimits(trouble=str(error) if running.alive() else running.last_words())
    finally:
        running.stop()
    return SqlLimits(
        huge=[*huge, stalling], stalled=stalled, first=first, held=held, quiet=quiet, told=told, stops=stops
    )


def _warm(port: int) -> None:
    """Have everything imported, and what small statements need allocated."""
    for query in ("select 1", computed(1000), computed(1000)):
        _post(port, query)
        warmed = SqlSocket(port)
        warmed.answer(query)
        warmed.close()


def _post(port: int, query: str) -> int:
    """The size of an answer over HTTP, of which nothing is kept."""
    asking = Asking(port, request("post", query, port))
    asking.ask()
    while not asking.read():
        pass
    asking.socket.close()
    if asking.status != 200:
        raise LoadFailed(f"POST answered {asking.status}")
    return asking.size


def _grown(running: Running, way: str, run: Callable[[], int]) -> Huge:
    """What `run`, which returns the size of an answer, adds to the server's memory at its peak."""
    time.sleep(0.3)
    before = rss(running.pid)
    peak(running.pid, reset=True)
    began = time.monotonic()
    size = run()
    took = time.monotonic() - began
    return Huge(way, size, took, max(0, peak(running.pid) - before))


def _answers(running: Running, rows: int) -> Iterator[Huge]:
    query = computed(rows)

    def streamed() -> int:
        reader = SqlSocket(running.port)
        reader.ask(query)
        count, size, _ = reader.drain()
        reader.close()
        if count != rows:
            raise LoadFailed(f"{count} rows instead of {rows}")
        return size

    # The second time the engine knows that the statement has many rows, and takes another way.
    for time_ in ("first", "second"):
        yield _grown(running, f"POST, {time_} time", lambda: _post(running.port, query))
    yield _grown(running, "WebSocket", streamed)


def _stalled(running: Running, rows: int) -> tuple[Huge, float]:
    """A reader that takes a megabyte and then nothing: the memory, and the CPU time while it waits."""
    used = 0.0

    def stall() -> int:
        nonlocal used
        reader = SqlSocket(running.port)
        reader.ask(computed(rows))
        size = reader.read(1024 * 1024)
        time.sleep(STALL / 3)
        before = cpu(running.pid)
        time.sleep(STALL * 2 / 3)
        used = cpu(running.pid) - before
        reader.close()
        return size

    return _grown(running, "WebSocket, stalled", stall), used


def _first_row(port: int) -> float:
    reader = SqlSocket(port)
    began = time.monotonic()
    reader.ask(computed(FIRST_ROWS))
    _, _, first = reader.drain()
    reader.close()
    return first - began


def _stopped(running: Running, way: str) -> float:
    """Seconds from the cancel of a statement that runs to the last moment in which the server was busy."""
    busy = SqlSocket(running.port)
    other = SqlSocket(running.port)
    busy.ask(BUSY)
    time.sleep(0.3)
    if way == "pg_cancel_backend":
        other.ask(f"select pg_cancel_backend({busy.number})")
    elif way == "Close":
        busy.socket.sendall(CLOSE)
    else:
        busy.close()
    last = _busy_until(running, time.monotonic())
    busy.close()
    other.close()
    return last


def _busy_until(running: Running, began: float, window: float = 0.25) -> float:
    """How long after `began` the server's processor was still in use, looking every millisecond for `window`.

    In use is more than half of a look: what a server does for its sockets is less.
    """
    last = 0.0
    at, used = began, cpu(running.pid)
    while at - began < max(window, last * 2):
        time.sleep(0.001)
        now, more = time.monotonic(), cpu(running.pid)
        if more - used > 0.5 * (now - at):
            last = now - began
        at, used = now, more
    return last


def _quiet(running: Running, clients: int, settled: float) -> tuple[int, float, str]:
    """How many subscriptions were held, what share of a core they took, and what they were told."""
    client("sql", "--port", running.port, "--query", "create table quiet as select 1 as a", "--writer")
    words = ["--port", str(running.port), "--subscribe", str(clients), "--query", "SUBSCRIBE quiet"]
    holder = spawn("bench.load.sql_socket", *words, stdin=subprocess.PIPE)
    assert holder.stdout is not None
    try:
        begun = json.loads(holder.stdout.readline() or '{"held": 0}')
        time.sleep(settled)
        before, since = cpu(running.pid), time.monotonic()
        time.sleep(min(QUIET, 3 * settled))
        share = (cpu(running.pid) - before) / (time.monotonic() - since)
        out, _ = holder.communicate("\n", timeout=30)
    finally:
        holder.kill()
    told = json.loads(out.splitlines()[-1])
    return begun["held"], share, f"{told['rows']} rows, {told['pings']} Pings, {told['closed']} closed"
