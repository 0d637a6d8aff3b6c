"""Where all threads and tasks stand: as a profile, and as trees to read.

What Go calls goroutines.  Functions, files and lines; never a local, an
argument or a line of source; frames of the modules that check credentials are
left out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from threading import enumerate as living
from typing import Any

from attrs import frozen

from fanlight.profiling.effects import CaptureStacks, DescribeStacks
from fanlight.profiling.formats import ENCODERS
from fanlight.profiling.profile import Frame, Sample, StackProfile, ValueType

from ..process.pace import line, polite
from ..process.stacks import Place, task_stack, thread_stack
from ..process.tasks import Task, all_tasks, function_of, libraries, position
from .sampled import program
from .traces import HIDDEN

_COUNT = ValueType("goroutine", "count")


@frozen
class _Thread:
    """A thread with its stack, innermost first."""

    ident: int
    name: str
    stack: list[Place]


class StackReader:
    """Answers `CaptureStacks` and `DescribeStacks`."""

    interrupts: Mapping[type, Callable[[Any], None]] = {}

    def __init__(self) -> None:
        self.handlers: Mapping[type, Callable[[Any], Any]] = {
            CaptureStacks: lambda effect: b"".join(polite(ENCODERS[effect.format](capture()))),
            DescribeStacks: lambda effect: "".join(f"{text}\n" for text in describe(whole=effect.whole)),
        }

    def close(self) -> None:
        """Nothing is held."""


def _threads() -> Iterator[_Thread]:
    names = {thread.ident: thread.name for thread in living()}
    leaves = sys._current_frames()
    for ident in polite(list(leaves)):
        leaf = leaves.pop(ident)
        # This profiler's own frames are no news.
        stack = [place for place in thread_stack(leaf) if not place.file.startswith(HIDDEN)]
        yield _Thread(ident, line(names.get(ident, f"thread {ident}")), stack)


def capture() -> StackProfile:
    """All stacks as a profile that counts: one for each thread, and for each task that is not done."""
    numbers: dict[Frame, int] = {}
    samples: dict[tuple[tuple[int, ...], tuple[tuple[str, str], ...]], int] = {}
    for stack, labels in _labelled():
        places = (numbers.setdefault(_frame(place), len(numbers)) for place in stack)
        key = (tuple(places), labels)
        samples[key] = samples.get(key, 0) + 1
    return StackProfile(
        types=(_COUNT,),
        default_type="goroutine",
        period_type=_COUNT,
        period=1,
        frames=list(numbers),
        samples=[Sample(stack, (count,), labels) for (stack, labels), count in samples.items()],
        time_nanos=time.time_ns(),
        program=program(),
    )


def _frame(place: Place) -> Frame:
    return Frame(place.function, place.file, place.line)


def _labelled() -> Iterator[tuple[list[Place], tuple[tuple[str, str], ...]]]:
    names: dict[int | None, str] = {}
    for thread in _threads():
        names[thread.ident] = thread.name
        if thread.stack:
            yield thread.stack, (("kind", "thread"), ("thread", thread.name))
    for task in polite(all_tasks()):
        stack = [] if task.state == "done" else task_stack(task.coroutine)
        if stack:
            labels = (("kind", task.kind), ("task", line(task.name)), ("state", task.state))
            thread_name = names.get(task.thread)
            yield stack, (*labels, ("thread", thread_name)) if thread_name else labels


def describe(*, whole: bool) -> Iterator[str]:
    """The lines: threads first, then a tree for each asyncio loop and each trio run."""
    threads = list(_threads())
    tasks = [task for task in polite(all_tasks()) if task.state != "done"]
    yield f"goroutine profile: total {len(threads) + len(tasks)}"
    yield ""
    yield f"threads: {len(threads)}"
    for thread in threads:
        yield from _entry(f'thread {thread.ident} "{thread.name}"', thread.stack, "", whole)
    for loop in dict.fromkeys(task.loop for task in tasks):
        yield ""
        yield from _tree([task for task in tasks if task.loop == loop], whole)


def _tree(tasks: list[Task], whole: bool) -> Iterator[str]:
    """The tasks of one loop below those that wait for them: a TaskGroup's or a nursery's owner."""
    known = {task.id for task in tasks}
    children: dict[int | None, list[Task]] = {}
    for task in sorted(tasks, key=lambda task: line(task.name)):
        children.setdefault(task.parent if task.parent in known else None, []).append(task)
    kind = "asyncio tasks" if tasks[0].kind == "asyncio" else "trio tasks"
    thread = f", thread {tasks[0].thread}" if tasks[0].thread is not None else ""
    yield f"{kind}: {len(tasks)}{thread}"
    # With a stack of its own: trees may be deeper than recursion goes.
    todo = [(task, 0) for task in reversed(children.get(None, []))]
    seen: set[int] = set()
    while todo:
        task, depth = todo.pop()
        if task.id in seen:
            continue
        seen.add(task.id)
        yield from _entry(_title(task), task_stack(task.coroutine), "    " * min(depth, 20), whole)
        todo += [(child, depth + 1) for child in reversed(children.get(task.id, []))]
        time.sleep(0)


def _title(task: Task) -> str:
    waits = f" for task {line(task.awaited)}" if task.awaited is not None and task.state == "waiting" else ""
    return f'task "{line(task.name)}" [{task.state}{waits}] {function_of(task.coroutine)}'


def _entry(title: str, stack: list[Place], indent: str, whole: bool) -> Iterator[str]:
    """A line for a stack, with its innermost place outside of asyncio and trio; or the stack below it."""
    if whole:
        yield f"{indent}{title}"
        yield from (f"{indent}  {_told(place)}" for place in stack)
    else:
        yield f"{indent}{title}{f' at {_told(position(stack, libraries()))}' if stack else ''}"


def _told(place: Place) -> str:
    return f"{line(place.function)} ({line(place.file, 4096)}:{place.line})"
