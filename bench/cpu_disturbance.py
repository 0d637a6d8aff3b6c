"""How much a CPU profile disturbs the program that is profiled, and whether its sum is true.

    python -m bench.cpu_disturbance [--threads N] [--every S] [--hz N] [--seconds S] [--ways WAYS] [--runs N]

A host with N threads (20 calls deep, each a little busy every `--every` seconds) runs an
asyncio loop with a heartbeat of 1 ms.  Told is by how much the heartbeat was
late, less the time for which the main thread was ready but another one had the
processor (its run-queue wait, from schedstat).  `idle` is the same host without
a profile; `naive` is what a few lines would do: a thread that sleeps, and walks
every stack of `sys._current_frames` at each turn.  The ways take turns, each
run in a fresh process; the median of the runs counts, and `÷ idle` is a row's
p99 divided by that of `idle`.  `core %` is what the sampling thread took of a
core, `Hz` how often it really looked.

Then four threads compute, and `shown` is the sum of the profile divided by what
the process used meanwhile; `with own` adds what the sampler says it took itself.
Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from bench.heap_disturbance import beat
from fanlight.profiling.effects import BeginCpu, Clock, CpuCapture
from fanlight_engines.profiling.cpu import CpuProfiler
from fanlight_engines.profiling.sampling import Sampler


class Serving:
    """What the profiler reads of a server."""

    stopping = False


def wait_now_and_then(stop: threading.Event, every: float, depth: int = 20) -> None:
    """What a thread of the host does."""
    if depth:
        wait_now_and_then(stop, every, depth - 1)
        return
    while not stop.wait(every):
        sum(range(100))


def compute(stop: threading.Event) -> None:
    """What a busy thread does."""
    while not stop.is_set():
        sum(range(1000))


class Naive(threading.Thread):
    """The few lines."""

    def __init__(self, hz: int) -> None:
        super().__init__(daemon=True)
        self._hz = hz
        self.stop = threading.Event()
        self.own = self.looks = 0
        self._counts: dict[tuple[object, ...], int] = {}

    def run(self) -> None:
        while not self.stop.wait(1 / self._hz):
            for ident, frame in sys._current_frames().items():
                stack: list[object] = [ident]
                at: Any = frame
                while at is not None:
                    stack.append((at.f_code.co_filename, at.f_code.co_name, at.f_lineno))
                    at = at.f_back
                self._counts[tuple(stack)] = self._counts.get(tuple(stack), 0) + 1
            self.looks += 1
        self.own = time.thread_time_ns()


def begin(hz: int, clock: Clock) -> Sampler:
    """A capture that goes on until it is stopped."""
    capture = CpuProfiler(Serving()).handlers[BeginCpu](BeginCpu(600, hz, clock))
    assert isinstance(capture, CpuCapture)
    sampler: Sampler = capture.sampler
    return sampler


def sampling(way: str, hz: int) -> Sampler | Naive | None:
    """Begin what `way` says."""
    if way == "naive":
        naive = Naive(hz)
        naive.start()
        return naive
    return None if way == "idle" else begin(hz, "wall" if way == "wall" else "cpu")


def end(running: Sampler | Naive | None) -> tuple[int, int]:
    """End it; nanoseconds of processor time, and looks."""
    if running is None:
        return 0, 0
    (running.stop.set if isinstance(running, Naive) else running.stop)()
    running.join()
    return running.own, running.looks


async def host(seconds: float) -> list[float]:
    """Beat for so long; the latenesses."""
    late: list[float] = []
    done = asyncio.Event()
    heart = asyncio.create_task(beat(late, done))
    await asyncio.sleep(seconds)
    done.set()
    await heart
    return late


def disturbed(way: str, chosen: argparse.Namespace) -> dict[str, float]:
    """One run in this process."""
    stop = threading.Event()
    for _ in range(chosen.threads):
        threading.Thread(target=wait_now_and_then, args=(stop, chosen.every), daemon=True).start()
    asyncio.run(host(0.5))
    running = sampling(way, chosen.hz)
    began = time.perf_counter()
    late = sorted(asyncio.run(host(chosen.seconds)))
    own, looks = end(running)
    took = time.perf_counter() - began
    stop.set()
    p99 = late[len(late) * 99 // 100]
    core, rate = own / 1e7 / took, looks / took
    return {"p50": late[len(late) // 2], "p99": p99, "max": late[-1], "core %": core, "Hz": rate}


def summed(hz: int, seconds: float) -> dict[str, float]:
    """The sum of a profile of four busy threads, against the clock of the process."""
    stop = threading.Event()
    for _ in range(4):
        threading.Thread(target=compute, args=(stop,), daemon=True).start()
    sampler = begin(hz, "cpu")
    before = time.process_time_ns()
    time.sleep(seconds)
    end(sampler)
    used = time.process_time_ns() - before
    stop.set()
    shown = sum(weight for _, weight in sampler.samples.values())
    return {
        "shown": shown / used,
        "with own": (shown + sampler.own) / used,
        "Hz": sampler.looks * 1e9 / sampler.duration,
    }


def once(way: str, chosen: argparse.Namespace) -> dict[str, float]:
    """One run in a fresh process."""
    names = ("threads", "every", "hz", "seconds")
    given = [word for name in names for word in (f"--{name}", getattr(chosen, name))]
    command = [sys.executable, "-m", "bench.cpu_disturbance", "--one", way, *map(str, given)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """The median of each number."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def show(way: str, row: dict[str, float]) -> None:
    """A line of the table."""
    print(f"{way:>8}  " + "  ".join(f"{name} {value:7.2f}" for name, value in row.items()), flush=True)


def main(words: Sequence[str] | None = None) -> None:
    """Run every way in turns and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=50)
    parser.add_argument("--every", type=float, default=0.5)
    parser.add_argument("--hz", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--ways", default="idle,cpu,wall,naive")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args(words)
    if chosen.one == "sum":
        print(json.dumps(summed(chosen.hz, chosen.seconds)))
        return
    if chosen.one:
        print(json.dumps(disturbed(chosen.one, chosen)))
        return
    ways = [*chosen.ways.split(","), "sum"]
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(chosen.runs):
        for way in ways:
            runs[way].append(once(way, chosen))
    rows = {way: medians(found) for way, found in runs.items()}
    for way, row in rows.items():
        if "idle" in rows and way not in ("idle", "sum"):
            row["÷ idle"] = row["p99"] / rows["idle"]["p99"]
        show("4 busy" if way == "sum" else way, row)


if __name__ == "__main__":
    main()
