"""How much a heap profile disturbs the program whose heap it is.

    python bench/heap_disturbance.py [--blocks N] [--frames 1,16] [--ways fork,never] [--runs N] [--json FILE]

A host with N live traced blocks runs an asyncio loop with a heartbeat of 1 ms
and is profiled once a second.  What is told is by how much the heartbeat was
late, less the time for which the main thread was ready but another one had the
processor (its run-queue wait, from schedstat): what is left is what was done
to it.  `idle` is the same without any profile.  `fork cpu` is what the longest
fork itself took of the processor: on a busy machine the thread that forks is
preempted while it holds the interpreter, which counts as lateness although
another program caused it.  Times in milliseconds; the median of the runs.
Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from typing import Any, Literal, cast

from attrs import frozen

from fanlight.profiling.effects import CaptureHeap, SwitchHeapMode
from fanlight_engines.profiling.heap import HeapProfiler

BEAT = 0.001
CAPTURES = 4


@frozen
class Settings:
    """What the profiler reads of an application."""

    heap_frames: int
    fork: Literal["auto", "never"]


def blocks(count: int, depth: int = 20) -> list[Any]:
    """Half of `count` lists with a string each, made at the end of a stack of `depth` calls."""
    if depth:
        return blocks(count, depth - 1)
    return [[str(number)] for number in range(count // 2)]


async def beat(late: list[float], done: asyncio.Event) -> None:
    """Note each heartbeat's self-inflicted lateness in milliseconds."""
    schedstat = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
    waited = int(os.pread(schedstat, 100, 0).split()[1])
    while not done.is_set():
        begun = time.perf_counter()
        await asyncio.sleep(BEAT)
        lateness = time.perf_counter() - begun - BEAT
        waited, before = int(os.pread(schedstat, 100, 0).split()[1]), waited
        late.append(max(0.0, lateness * 1e3 - (waited - before) / 1e6))
    os.close(schedstat)


async def host(profiler: HeapProfiler | None) -> tuple[list[float], list[float], int]:
    """Beat while being profiled; lateness, seconds of each capture, size of the profile."""
    late: list[float] = []
    took: list[float] = []
    size = 0
    done = asyncio.Event()
    heart = asyncio.create_task(beat(late, done))
    for _ in range(CAPTURES):
        await asyncio.sleep(1.0)
        if profiler is not None:
            begun = time.perf_counter()
            answer = await asyncio.to_thread(profiler.handlers[CaptureHeap], CaptureHeap())
            took.append(time.perf_counter() - begun)
            size = len(cast(bytes, answer))
    done.set()
    await heart
    return late, took, size


def time_forks() -> list[float]:
    """Have `os.fork` note the processor time of each call, in milliseconds."""
    spent: list[float] = []
    real = os.fork

    def fork() -> int:
        begun = time.thread_time()
        pid = real()
        spent.append((time.thread_time() - begun) * 1e3)
        return pid

    os.fork = fork
    return spent


def measure(way: str, count: int, frames: int) -> dict[str, float]:
    """One run in this process."""
    profiler = HeapProfiler(Settings(frames, "never" if way == "never" else "auto"))
    profiler.handlers[SwitchHeapMode](SwitchHeapMode(True))
    kept = blocks(count)
    gc.collect()
    forks = time_forks()
    late, took, size = asyncio.run(host(None if way == "idle" else profiler))
    late.sort()
    live = len(kept) * 2
    return {
        "live blocks": live,
        "p50": late[len(late) // 2],
        "p99": late[len(late) * 99 // 100],
        "max": late[-1],
        "fork cpu": max(forks, default=0.0),
        "capture s": statistics.median(took) if took else 0.0,
        "profile bytes": size,
        "host MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "child MB": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "child cpu s": sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) / max(1, len(took)),
    }


def median_of(way: str, count: int, frames: int, runs: int) -> dict[str, float]:
    """The median of several runs, each in a fresh process."""
    command = [sys.executable, __file__, "--one", way, "--blocks", str(count), "--frames", str(frames)]
    results = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(runs)]
    return {name: statistics.median(result[name] for result in results) for name in results[0]}


def main() -> None:
    """Run every combination and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=1_700_000)
    parser.add_argument("--frames", default="1,16")
    parser.add_argument("--ways", default="idle,fork,never")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one, chosen.blocks, int(chosen.frames))))
        return
    rows: list[dict[str, float | str]] = []
    for frames in map(int, chosen.frames.split(",")):
        for way in chosen.ways.split(","):
            rows.append({"way": way, "frames": frames, **median_of(way, chosen.blocks, frames, chosen.runs)})
            row = rows[-1]
            if len(rows) == 1:
                print("  ".join(f"{name:>13}" for name in row))
            print("  ".join(f"{v:>13.2f}" if isinstance(v, float) else f"{v:>13}" for v in row.values()), flush=True)
    if chosen.json:
        with open(chosen.json, "w") as file:
            json.dump(rows, file, indent=2)


if __name__ == "__main__":
    main()
