"""Host disturbance: how long a host's loop is held up while someone looks into the process.

A host with a 1 ms heartbeat is looked at once a second; its lateness is
compared with that of the same host left alone.  The goals bound the worst beat.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from bench.load.tools import LoadFailed, client
from bench.processes import SERVER_CORE, NotStarted, Running, environment, pin, start
from bench.servers.rows import WHOLE, table


@frozen(kw_only=True)
class Look:
    """A way of looking: what the host holds, and the path that is asked; or else a table of `rows`, by SQL."""

    key: str
    title: str
    holds: tuple[str, ...]
    path: str = ""
    gzip: bool = False
    rows: int = 0


Beats = dict[str, list[float]]
SERIES, OBJECTS, BLOCKS, ROWS = 100_000, 100_000, 1_700_000, 100_000


def looks(scale: float = 1.0) -> list[Look]:
    """The looks of the goals; `scale` shrinks what the hosts hold (for the smoke test)."""
    series, objects, blocks = (str(int(count * scale)) for count in (SERIES, OBJECTS, BLOCKS))
    return [
        Look(key="metrics", title=f"/metrics, {int(series):,} series", holds=("--series", series), path="/metrics"),
        Look(
            key="metrics-gzip",
            title=f"/metrics, {int(series):,} series, gzip",
            holds=("--series", series),
            path="/metrics",
            gzip=True,
        ),
        Look(
            key="catalog",
            title=f"/api/catalog/dump, {int(objects):,} objects",
            holds=("--objects", objects),
            path="/api/catalog/dump",
        ),
        Look(key="heap", title=f"/prof/heap, {int(blocks):,} blocks", holds=("--blocks", blocks), path="/prof/heap"),
        Look(key="sql", title=f"/api/sql, {int(ROWS * scale):,} rows", holds=(), rows=int(ROWS * scale)),
    ]


@frozen
class Lateness:
    """Of the beats of one window, in seconds.

    `busiest` is the most CPU time that the host's thread used within one beat,
    `took` the median time of one look, as the client saw it.
    """

    p50: float
    p99: float
    worst: float
    busiest: float
    took: float = 0.0
    trouble: str = ""


def _of(beats: Beats, took: float) -> Lateness:
    ordered = sorted(beats["late"])
    if not ordered:
        return _failed("no beats")
    p99 = ordered[int(len(ordered) * 0.99)]
    return Lateness(ordered[len(ordered) // 2], p99, ordered[-1], max(beats["busy"]), took)


def _failed(trouble: str) -> Lateness:
    return Lateness(0, 0, 0, 0, trouble=trouble)


def window(process: int, sink: Path, during: Callable[[], float]) -> Lateness:
    """The lateness while `during` runs.  What came before is thrown away."""
    _collect(process, sink)
    took = during()
    return _of(_collect(process, sink), took)


def _collect(process: int, sink: Path) -> Beats:
    os.kill(process, signal.SIGUSR1)
    deadline = time.monotonic() + 30
    while not sink.exists():
        if time.monotonic() > deadline:
            raise LoadFailed("the heartbeat did not report")
        time.sleep(0.01)
    found: Beats = json.loads(sink.read_text())
    sink.unlink()
    return found


def _quiet(seconds: float) -> float:
    time.sleep(seconds)
    return 0.0


def _words(running: Running, look: Look) -> list[object]:
    """The load client and its options for one look."""
    once = ("--port", running.port, "--seconds", 0, "--least", 1)
    if look.rows:
        return ["sql", *once, "--query", WHOLE]
    return ["scrape", *once, "--path", look.path, "--user", "mz_system", *(["--gzip"] if look.gzip else [])]


def _looking(running: Running, look: Look, times: int) -> float:
    words = _words(running, look)
    spent = []
    for _ in range(times):
        began = time.monotonic()
        counted = client(*words)
        spent.append(time.monotonic() - began)
        if counted.failed:
            raise LoadFailed(f"{look.title} did not answer 200")
        # The rest of the second, and time for what comes after an answer.
        time.sleep(max(0.1, min(1.0, 0.25 * times) - spent[-1]))
    return sorted(spent)[len(spent) // 2]


def measure(loop: str, look: Look, *, times: int, logs: Path) -> tuple[Lateness, Lateness]:
    """The lateness of a host left alone and of the same host while it is looked at `times` times.

    The first look, which imports and fills caches, is inside the second window:
    a host suffers it too.  Only for SQL something was asked before, to make the table.
    """
    sink = logs / f"beats-{loop}-{look.key}"
    arguments = ["bench.servers.host", "--loop", loop, "--port", "{port}", "--sink", str(sink), *look.holds]
    try:
        running = start(f"host {loop} {look.key}", arguments, logs, patience=240.0)
    except NotStarted as error:
        return _failed(f"not started: {error}"), _failed(f"not started: {error}")
    try:
        if look.rows:
            client("sql", "--port", running.port, "--query", table(look.rows), "--writer")
        time.sleep(0.5)
        alone = window(running.pid, sink, lambda: _quiet(min(0.8 * times, 4)))
        return alone, window(running.pid, sink, lambda: _looking(running, look, times))
    except LoadFailed as error:
        failed = _failed(str(error) if running.alive() else running.last_words())
        return failed, failed
    finally:
        running.stop()


def naive(series: int, *, times: int, logs: Path) -> Lateness:
    """The lateness of an asyncio host that calls prometheus_client's `generate_latest` on its loop."""
    sink = logs / "beats-naive"
    arguments = ["--naive", "--port", "0", "--sink", str(sink), "--series", str(series)]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.servers.host", *arguments],
        env=environment(),
        preexec_fn=lambda: pin(SERVER_CORE),
    )

    def during() -> float:
        for _ in range(times):
            os.kill(process.pid, signal.SIGUSR2)
            time.sleep(0.5 + series / 25_000)
        return 0.0

    try:
        # Its handlers stand once it beats; before that a signal would end it.
        time.sleep(1.0 + series / 25_000)
        return window(process.pid, sink, during)
    finally:
        process.kill()
        process.wait()
