"""`process.frames`: the stacks of all threads and tasks, frame by frame.

Functions, files and lines; never a local, an argument or a line of source.
Frames of the modules that check credentials are left out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from fanlight.relations import Column, Relation

from .pace import polite
from .stacks import Place, task_stack, thread_stack
from .tasks import all_tasks


def _stacks() -> Iterator[tuple[str, int, list[Place]]]:
    for ident, leaf in list(sys._current_frames().items()):
        yield "thread", ident, thread_stack(leaf)
    for task in all_tasks():
        yield "task", task.id, task_stack(task.coroutine)


def _frames() -> Iterator[tuple[object, ...]]:
    for kind, owner, stack in _stacks():
        for depth, place in enumerate(stack):
            yield kind, owner, depth, place.function, place.file, place.line or None


FRAMES = Relation(
    name="frames",
    columns=(
        Column("owner_kind", "text", "`thread` or `task`."),
        Column("owner_id", "bigint", "`threads.ident` or `tasks.id`."),
        Column("depth", "integer", "0 for the innermost frame, then outwards; at most 200 frames of a stack."),
        Column("function", "text", "The function's qualified name."),
        Column("file", "text", "Its file."),
        Column("line", "integer", "The line it is at."),
    ),
    rows=lambda: polite(_frames()),
    doc="The Python stacks of all threads, and the chains of coroutines of all tasks.",
    cost="About 2 microseconds for each frame.",
    privileged=True,
)
