"""The trio tasks of the process: of every run in every thread.

trio keeps its state where only its own thread finds it, so a run is found by
the frame that runs it, or was remembered when the server began inside it.
This module never imports trio and changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

from .stacks import is_running
from .tasks import State, Task

_FRAMES = frozenset({"run", "unrolled_run"})
"""The functions of trio that have the runner in a local: between them, one is always on the stack of its thread."""

_remembered: WeakKeyDictionary[Any, None] = WeakKeyDictionary()


def remember_run() -> None:
    """Called inside a run: keep its root task in mind.

    For runs that leave no frame behind, as guests of another loop do.
    """
    trio = sys.modules.get("trio.lowlevel")
    try:
        root = trio.current_root_task() if trio is not None else None
    except RuntimeError:
        return
    if root is not None:
        _remembered[root] = None


def trio_tasks() -> Iterator[Task]:
    """Every trio task that has not exited."""
    if "trio" not in sys.modules:
        return
    seen: set[int] = set()
    for runner, thread, tasks in _runs():
        for found in tasks:
            if id(found) in seen:
                continue
            seen.add(id(found))
            try:
                yield _task(found, runner, thread)
            except Exception:  # noqa: BLE001 - another version of trio; what does not answer is left out
                continue


def _runs() -> Iterator[tuple[Any, int | None, list[Any]]]:
    """Runners, their threads where these are known, and their tasks."""
    for runner, thread in _running():
        yield runner, thread, list(getattr(runner, "tasks", ()))
    for root in list(_remembered):
        yield getattr(root, "_runner", root), None, _family(root)


def _running() -> list[tuple[Any, int]]:
    found: dict[int, tuple[Any, int]] = {}
    for ident, leaf in list(sys._current_frames().items()):
        frame: FrameType | None = leaf
        while frame is not None:
            if frame.f_code.co_name in _FRAMES and frame.f_globals.get("__name__") == "trio._core._run":
                runner = frame.f_locals.get("runner")
                if runner is not None:
                    found.setdefault(id(runner), (runner, ident))
            frame = frame.f_back
    return list(found.values())


def _family(root: Any) -> list[Any]:
    """`root` and all tasks below it, by their nurseries."""
    family = [root]
    for task in family:
        for nursery in list(getattr(task, "child_nurseries", ())):
            family.extend(nursery.child_tasks)
    return family


def _task(found: Any, runner: object, thread: int | None) -> Task:
    nursery = getattr(found, "parent_nursery", None)
    parent = getattr(nursery, "parent_task", None)
    return Task(
        id=id(found),
        kind="trio",
        loop=id(runner),
        thread=thread,
        name=found.name,
        state=_state(found),
        coroutine=found.coro,
        awaited=None,
        future=None,
        parent=None if parent is None else id(parent),
    )


def _state(found: Any) -> State:
    if found.coro.cr_frame is None:
        return "done"
    if is_running(found.coro):
        return "running"
    # Set while a task is parked, and taken away when it is scheduled.
    return "waiting" if found._abort_func is not None else "ready"


class _Steps:
    """An instrument of one run: the task whose step it is in, None between two."""

    def __init__(self) -> None:
        self.task: Any = None

    def before_task_step(self, task: Any) -> None:
        self.task = task

    def after_task_step(self, task: Any) -> None:
        del task
        self.task = None


class Watch:
    """A context in which it is known what each run is stepping.

    trio has no table of that, so every run is given an instrument, on its own
    thread and soon, and has it taken away at the end.  Runs that begin later
    are not watched.
    """

    def __init__(self) -> None:
        self._watched: list[tuple[Any, _Steps]] = []

    def __enter__(self) -> None:
        if "trio" not in sys.modules:
            return
        for runner in {id(runner): runner for runner, _, _ in _runs()}.values():
            steps = _Steps()
            if _run_soon(runner, "add_instrument", steps):
                self._watched.append((runner, steps))

    def __exit__(self, *_: object) -> None:
        for runner, steps in self._watched:
            _run_soon(runner, "remove_instrument", steps)
        self._watched.clear()

    def current(self) -> Iterator[tuple[object, Callable[[], object]]]:
        """The coroutine of each task that is being stepped, and what tells the task's name."""
        for _, steps in self._watched:
            task = steps.task
            if task is not None:
                yield task.coro, partial(getattr, task, "name")


def _run_soon(runner: Any, name: str, steps: _Steps) -> bool:
    """Have the run call a function of `trio.lowlevel`; whether it will."""

    def call() -> None:
        try:
            getattr(sys.modules["trio.lowlevel"], name)(steps)
        except Exception:  # noqa: BLE001 - what is raised here would end the host's run
            pass

    try:
        runner.entry_queue.run_sync_soon(call)
    except Exception:  # noqa: BLE001 - the run is over, or trio is another version
        return False
    return True
