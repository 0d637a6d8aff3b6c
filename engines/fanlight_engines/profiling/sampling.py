"""The sampler: a thread that looks at the stacks of all others, and at their clocks.

A look takes the interpreter for a fraction of a millisecond.  A thread that
wants it while others compute comes late, so a stack is weighed with the time
that was measured, never with the time that should have passed.  Only what is
needed to name a line later is kept: no frame, no local.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Set
from threading import Lock, Thread, get_ident
from types import FrameType
from typing import Literal

from ..process.pace import BUDGET as SLICE
from ..process.pace import line, polite
from ..process.tasks import all_tasks
from .sampled_stacks import MOST_NAMES, TRUNCATED, Names, Stack, Stacks, packed
from .switch_interval import EagerSwitchInterval, LowSwitchInterval
from .thread_clocks import Meters

MOST_HZ = 1000
MOST_SAMPLES = 50_000
"""Different samples (stack, thread, task); what comes later counts as `[truncated]`."""
MOST_TASKS = 1000
"""Suspended tasks that one look of the wall clock takes in."""
BUDGET = 0.05
"""The share of a core that looking may take: beyond it, looks come less often."""
IDLE = 0.05
"""A thread that has used less than this share of a period is not looked at yet."""
WINDOW = 0.0002
"""Seconds between reading a clock and looking at the stack."""
MOSTLY = 0.7
"""The share of a time in which a thread must have run to be running now."""
MOST_DELAY = 400
"""Times after which a stack is believed to be where the time went, although its thread was never found running."""
NEWCOMERS = 8
"""Looks after which new threads are looked for, where all are idle; they count from their birth."""


class Sampler:
    """Looks `hz` times a second, in a thread of its own, until `seconds` have passed, `stop()` or `stopping()`.

    What it saw is in `samples`, to be read when it has ended: count and
    nanoseconds by thread name, task name (both by number) and stack.
    """

    def __init__(self, seconds: float, hz: int, clock: Literal["cpu", "wall"], stopping: Callable[[], bool]) -> None:
        self.seconds, self.hz, self.clock = seconds, hz, clock
        self.samples: dict[tuple[int, int, bytes], list[int]] = {}
        self.stacks = Stacks()
        self.threads = Names(MOST_NAMES)
        self.looks = 0
        self.began_wall = time.time_ns()
        self.duration = self.own = 0
        self.truncated = False
        self.failure: BaseException | None = None
        self.meters = Meters()
        self._names: dict[int, int] = {}
        self._before: dict[int, tuple[tuple[int, int], Stack]] = {}
        self._delays: dict[int, int] = {}
        self._stopping = stopping
        self._stop_lock = Lock()
        self._stop_lock.acquire()
        self._thread = Thread(target=self._run, name="fanlight-cpu-profiler", daemon=True)

    @property
    def running(self) -> bool:
        """Whether it looks still.  In a forked child it does not: threads are not inherited."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin; raises RuntimeError where no thread can be started."""
        self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end."""
        self._thread.join(timeout)

    def stop(self) -> None:
        """End soon; from any thread, any number of times."""
        try:
            self._stop_lock.release()
        except RuntimeError:
            pass  # it was told before

    def _run(self) -> None:
        """Sample, and leave the process as it was."""
        try:
            with LowSwitchInterval(), self.stacks.watch:
                self._sample()
        except BaseException as error:  # noqa: BLE001 - told with the result; never into the host's thread hook
            self.failure = error

    def _sample(self) -> None:
        began = before = time.perf_counter_ns()
        end = began + round(self.seconds * 1e9)
        period = round(1e9 / min(self.hz, MOST_HZ))
        due, cost = began, 0.0
        self._meet(sys._current_frames().keys())
        self.meters.advance()
        told = False
        while before < end and not told and not self._stopping():
            due = max(due + max(period, round(cost / BUDGET)), time.perf_counter_ns())
            told = self._stop_lock.acquire(timeout=max(0, min(due, end) - time.perf_counter_ns()) / 1e9)
            now, used = time.perf_counter_ns(), time.thread_time_ns()
            last = told or now >= end
            self._look(now - before, last)
            cost += (time.thread_time_ns() - used - cost) / (8 if self.looks else 1)
            before = now
            self.looks += 1
        self.duration = max(1, before - began)
        self.own = time.thread_time_ns()
        self._before.clear()

    def _look(self, elapsed: int, last: bool) -> None:
        if self.clock == "wall":
            self._look_at_all(elapsed)
            self._look_at_suspended(elapsed)
        elif self.meters.known:
            self._look_at_busy(elapsed, last)
        else:
            self._look_at_moved(elapsed)

    def _look_at_busy(self, elapsed: int, last: bool) -> None:
        """Record the threads that have used something, each at a moment when it runs.

        A thread that waits now has used elsewhere what it used: that is kept
        for a look that finds it running.  Whoever waits for the interpreter
        gets it the sooner from those who are about to wait themselves, so where
        the processor is not busy all the time there is a second look, which
        interrupts.
        """
        used = self.meters.advance()
        least = IDLE * elapsed
        busy = [ident for ident, meter in self.meters.by_thread.items() if meter.used >= least]
        if not busy:
            if self.looks % NEWCOMERS == 0:
                self._meet(sys._current_frames().keys())
            return
        crowded = sum(used.values()) >= elapsed * MOSTLY
        busy = self._record_running(busy, lambda ident: crowded and used.get(ident, 0) >= least)
        if busy:
            with EagerSwitchInterval():
                time.sleep(0 if last else WINDOW)
            new = {ident: self.meters.advance_one(ident) for ident in busy}
            self._record_running(busy, lambda ident: last or new[ident] >= WINDOW * 1e9 * MOSTLY)

    def _record_running(self, busy: list[int], certainly: Callable[[int], bool]) -> list[int]:
        """Record those of the threads that run now; the others.

        `certainly` tells of some that they do.  Of others the instruction may
        tell, or they have been waited for too long.
        """
        frames = sys._current_frames()
        self._meet(frames.keys())
        running = self.stacks.running()
        left: list[int] = []
        for ident in busy:
            frame, meter = frames.get(ident), self.meters.by_thread.get(ident)
            if frame is None or meter is None or ident == get_ident():
                continue
            self._delays[ident] = late = self._delays.get(ident, 0) + 1
            if certainly(ident) or late > MOST_DELAY or self.stacks.yields(frame):
                del self._delays[ident]
                self._record(ident, self.stacks.walk(frame, running), meter.take())
            else:
                left.append(ident)
        return left

    def _look_at_moved(self, elapsed: int) -> None:
        """Without clocks: the time that passed, shared by the threads that compute, as far as that can be told."""
        frames = self._others()
        running = self.stacks.running()
        places = {ident: (id(frame), frame.f_lasti) for ident, frame in frames.items()}
        known = [ident for ident in places if ident in self._before]
        moved = [i for i in known if self._before[i][0] != places[i] or self.stacks.yields(frames[i])]
        for ident in moved:
            self._record(ident, self.stacks.walk(frames[ident], running), elapsed // len(moved))
        self._before = {ident: (place, (b"", 0)) for ident, place in places.items()}

    def _look_at_all(self, elapsed: int) -> None:
        """By the wall clock all threads count; one that has not run since is where it was."""
        used = self.meters.advance()
        done: set[int] = set()
        while not self._count(self._others(), done, used, elapsed):
            time.sleep(0)

    def _count(self, frames: dict[int, FrameType], done: set[int], used: dict[int, int], elapsed: int) -> bool:
        """Record threads until it takes too long; whether all are `done`."""
        running = self.stacks.running()
        until = time.perf_counter() + SLICE
        for ident in frames.keys() - done:
            before = self._before.get(ident)
            stood = before is not None and self.meters.known and ident not in used
            stack = before[1] if before is not None and stood else self.stacks.walk(frames[ident], running)
            self._before[ident] = ((0, 0), stack)
            self._record(ident, stack, elapsed)
            done.add(ident)
            if time.perf_counter() > until:
                break
        return done >= frames.keys()

    def _look_at_suspended(self, elapsed: int) -> None:
        """By the wall clock a task that waits takes its time as well: at its innermost await."""
        for task in polite(all_tasks(), MOST_TASKS):
            if task.state not in ("done", "running"):
                stack = self.stacks.awaited(task.coroutine, task.name)
                self._record(task.thread or 0, stack, elapsed)

    def _others(self) -> dict[int, FrameType]:
        """The frames of all threads but this one."""
        frames = sys._current_frames()
        self._meet(frames.keys())
        frames.pop(get_ident(), None)
        return frames

    def _meet(self, idents: Set[int]) -> None:
        """Know the names and the clocks of these threads."""
        if idents <= self._names.keys() and (not self.meters.known or idents <= self.meters.by_thread.keys()):
            return
        self.meters.meet(idents)
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for ident in idents:
            self._names[ident] = self.threads.number(line(names.get(ident, f"thread {ident}")))

    def _record(self, ident: int, stack: Stack, weight: int) -> None:
        places, task = stack
        key = (self._names.get(ident, 0), task, places)
        found = self.samples.get(key)
        if found is None:
            if len(self.samples) >= MOST_SAMPLES:
                self.truncated = True
                key = (key[0], 0, packed([TRUNCATED]))
            found = self.samples.setdefault(key, [0, 0])
        found[0] += 1
        found[1] += weight
