"""`process.tasks`: what the asyncio and trio tasks of the process are doing.

The walkers (`process_asyncio`, `process_trio`) find tasks; here they become
rows.  Nothing is imported that the host has not imported, no task is touched.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Literal

from attrs import frozen

from fanlight.relations import Column, Relation

from .pace import line, polite
from .stacks import Place, task_stack

State = Literal["running", "ready", "waiting", "done"]


@frozen
class Task:
    """A task of a loop.

    `awaited` is the name of another task that it waits for, `future` the type
    of what it waits for otherwise, where the loop tells.
    """

    id: int
    kind: Literal["asyncio", "trio"]
    loop: int
    thread: int | None
    name: object
    state: State
    coroutine: object
    awaited: object
    future: str | None
    parent: int | None


def all_tasks() -> Iterator[Task]:
    """Every task of every asyncio loop and every trio run of the process."""
    from .asyncio_tasks import asyncio_tasks
    from .trio_tasks import trio_tasks

    yield from asyncio_tasks()
    yield from trio_tasks()


def function_of(coroutine: object) -> str:
    """The qualified name of a coroutine, or the type of what else a task may run."""
    name = getattr(coroutine, "__qualname__", None)
    return line(name if isinstance(name, str) else type(coroutine).__qualname__)


def libraries() -> tuple[str, ...]:
    """Where the loops themselves live: a task that sleeps stands in one of these, which is no news."""
    found = [getattr(sys.modules.get(name), "__file__", None) for name in ("asyncio", "trio", "outcome", "anyio")]
    return tuple(os.path.join(os.path.dirname(file), "") for file in found if isinstance(file, str))


def position(stack: list[Place], loops: tuple[str, ...]) -> Place:
    """The innermost place outside the loops' own code; for a task that is all theirs, where it began."""
    outside = (place for place in stack if not place.file.startswith(loops))
    return next(outside, stack[-1] if stack else Place("", "", 0))


def _waiting_on(task: Task, stack: list[Place], loops: tuple[str, ...]) -> str | None:
    """For a task that waits: the other task, or the function of the loop's library that was called."""
    if task.state != "waiting":
        return None
    if task.awaited is not None:
        return f"task {line(task.awaited)}"
    called: str | None = None
    for place in stack:
        if not place.file.startswith(loops):
            break
        called = place.function
    return called or task.future


def _rows() -> Iterator[tuple[object, ...]]:
    loops = libraries()
    for task in polite(all_tasks()):
        stack = task_stack(task.coroutine)
        at = position(stack, loops)
        yield (
            task.id,
            task.kind,
            task.loop,
            task.thread,
            line(task.name),
            task.state,
            function_of(task.coroutine),
            at.function or None,
            at.file or None,
            at.line or None,
            _waiting_on(task, stack, loops),
            task.parent,
        )


TASKS = Relation(
    name="tasks",
    columns=(
        Column("id", "bigint", "The task, for as long as it lives; `frames.owner_id` of its stack."),
        Column("kind", "text", "`asyncio` or `trio`."),
        Column("loop", "bigint", "The event loop or trio run it belongs to."),
        Column("thread", "bigint", "`threads.ident` of the thread that runs the loop, where that is known."),
        Column("name", "text", "The task's name."),
        Column("state", "text", "`running`, `ready` (its turn comes), `waiting` or `done`."),
        Column("coroutine", "text", "The function the task was started with."),
        Column("function", "text", "The innermost function of the program in which it stands."),
        Column("file", "text", "The file of that function."),
        Column("line", "integer", "The line in that file."),
        Column(
            "waiting_on", "text", "The call it waits in (`Queue.get`), `task` and another's name, or a future's type."
        ),
        Column("parent", "bigint", "The task whose TaskGroup or nursery it belongs to."),
    ),
    rows=_rows,
    doc="The tasks of every asyncio loop and every trio run in the process, whichever thread they are in.",
    cost="About 10 microseconds for each task.",
)
