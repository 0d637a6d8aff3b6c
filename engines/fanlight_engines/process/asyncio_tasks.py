"""The asyncio tasks of the process: of every loop in every thread.

asyncio keeps its tasks in registries of its own, which are read here in single
steps that need no loop and no lock.  This module never imports asyncio: where
nobody has, there are no tasks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any
from weakref import ReferenceType

from .stacks import is_running
from .tasks import State, Task

# Python 3.11 has the first; since 3.12 there are two, the eager ones apart.  Eager ones are read first, so that
# one which becomes an ordinary task meanwhile is seen twice rather than not at all.
_REGISTRIES = ("_all_tasks", "_eager_tasks", "_scheduled_tasks")


def asyncio_tasks() -> Iterator[Task]:
    """Every asyncio task that is alive, those that are done included."""
    module = sys.modules.get("asyncio.tasks")
    if module is None:
        return
    seen: set[int] = set()
    threads: dict[int, int | None] = {}
    for found in _registered(module):
        if id(found) in seen:
            continue
        seen.add(id(found))
        try:
            yield _task(found, threads)
        except Exception:  # noqa: BLE001 - somebody's own task class; what does not answer is left out
            continue


def current_tasks() -> Iterator[tuple[object, Callable[[], object]]]:
    """The coroutine of each task that a loop is stepping now, and what tells the task's name.

    From asyncio's own table, which may be a moment old for a loop of another
    thread.  Python 3.14 keeps none any more.
    """
    module = sys.modules.get("asyncio.tasks")
    for task in list(getattr(module, "_current_tasks", {}).values()):
        try:
            yield task.get_coro(), task.get_name
        except AttributeError:
            continue  # somebody's own task class, or a task that was just swapped out


def _registered(module: Any) -> Iterator[Any]:
    registries = [getattr(module, name) for name in _REGISTRIES if hasattr(module, name)]
    for registry in registries:
        # A WeakSet cannot be iterated while another thread changes it; the set inside it can be copied.
        for member in list(getattr(registry, "data", registry)):
            found = member() if isinstance(member, ReferenceType) else member
            if found is not None:
                yield found
    if not registries:
        # Newer Pythons keep them out of sight, and tell them for a loop.
        for loop in running_loops():
            yield from module.all_tasks(loop)


def _task(found: Any, threads: dict[int, int | None]) -> Task:
    loop = found.get_loop()
    if id(loop) not in threads:
        threads[id(loop)] = loop_thread(loop)
    waiter = getattr(found, "_fut_waiter", None)
    coroutine = found.get_coro()
    awaited = waiter if waiter is not None and hasattr(waiter, "get_coro") else None
    return Task(
        id=id(found),
        kind="asyncio",
        loop=id(loop),
        thread=threads[id(loop)],
        name=found.get_name(),
        state=_state(found, coroutine, waiter),
        coroutine=coroutine,
        awaited=awaited.get_name() if awaited is not None else None,
        future=type(waiter).__qualname__ if waiter is not None else None,
        parent=_parent(found),
    )


def _state(found: Any, coroutine: object, waiter: object) -> State:
    if found.done():
        return "done"
    if is_running(coroutine):
        return "running"
    return "waiting" if waiter is not None else "ready"


def _parent(found: Any) -> int | None:
    """The task whose TaskGroup this one belongs to: the group waits for it by a callback."""
    for entry in getattr(found, "_callbacks", None) or ():
        callback = entry[0] if isinstance(entry, tuple) else entry
        group = getattr(callback, "__self__", None)
        if type(group).__name__ == "TaskGroup" and type(group).__module__ == "asyncio.taskgroups":
            parent = getattr(group, "_parent_task", None)
            return None if parent is None else id(parent)
    return None


def loop_thread(loop: object) -> int | None:
    """The thread that runs `loop`, None when it is not running or does not tell."""
    ident = getattr(loop, "_thread_id", None)
    if isinstance(ident, int):
        return ident
    return next((thread for running, thread in _running() if running is loop), None)


def running_loops() -> list[Any]:
    """The loops that some thread is running now."""
    return [loop for loop, _ in _running()]


def _running() -> list[tuple[Any, int]]:
    """Loops with their threads, found as `self` of what runs them: asyncio's own loop, or the Runner of another."""
    found: dict[int, tuple[Any, int]] = {}
    for ident, leaf in list(sys._current_frames().items()):
        frame: FrameType | None = leaf
        while frame is not None:
            loop = _run_by(frame)
            if loop is not None:
                found.setdefault(id(loop), (loop, ident))
            frame = frame.f_back
    return list(found.values())


def _run_by(frame: FrameType) -> Any:
    code = frame.f_code
    if code.co_qualname == "BaseEventLoop.run_forever":
        return frame.f_locals.get("self")
    if code.co_qualname == "Runner.run" and frame.f_globals.get("__name__") == "asyncio.runners":
        return getattr(frame.f_locals.get("self"), "_loop", None)
    return None
