"""Where a thread or a task stands: its frames as names, files and lines.

Frames are looked at from outside while the program runs on; each is read in one
step and let go.  Locals are never read, no source is opened, no method of the
host's objects is called.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any, NamedTuple

from .pace import hidden

DEEPEST = 200
"""Frames of one stack that are shown, innermost first."""

# Objects between an `async for`, `anext()` or `__await__` and what they drive, known by name only.
_GO_BETWEENS = frozenset({"async_generator_asend", "async_generator_athrow", "coroutine_wrapper"})


class Place(NamedTuple):
    """One frame: a function's qualified name, its file, and the line it is at (0: not known)."""

    function: str
    file: str
    line: int


def place(frame: FrameType) -> Place:
    """Where `frame` stands now."""
    code = frame.f_code
    return Place(code.co_qualname, code.co_filename, frame.f_lineno or 0)


def thread_frames(leaf: FrameType | None) -> Iterator[FrameType]:
    """The frames from `leaf` outwards that may be shown."""
    frame = leaf
    for _ in range(DEEPEST):
        if frame is None:
            return
        if not hidden(frame.f_code.co_filename):
            yield frame
        frame = frame.f_back


def thread_stack(leaf: FrameType | None) -> list[Place]:
    """The stack of a thread, innermost first, from its current frame."""
    return [place(frame) for frame in thread_frames(leaf)]


def awaited_frames(awaitable: object) -> list[FrameType]:
    """The frames of a suspended coroutine and of all that it awaits, innermost first."""
    frames: list[FrameType] = []
    current: Any = awaitable
    for _ in range(DEEPEST):
        kind = type(current)
        frame: FrameType | None = None
        following: Any = None
        if kind is CoroutineType:
            frame, following = current.cr_frame, current.cr_await
        elif kind is GeneratorType:
            frame, following = current.gi_frame, current.gi_yieldfrom
        elif kind is AsyncGeneratorType:
            frame, following = current.ag_frame, current.ag_await
        elif kind.__name__ in _GO_BETWEENS:
            following = _driven(current)
        if frame is not None and not hidden(frame.f_code.co_filename):
            frames.append(frame)
        if following is None:
            break
        current = following
    frames.reverse()
    return frames


def _driven(go_between: object) -> object | None:
    """What an `asend()` or an `__await__` object drives: it refers to that and says so to nobody else."""
    for referent in gc.get_referents(go_between):
        if type(referent) in (AsyncGeneratorType, CoroutineType, GeneratorType):
            return referent  # type: ignore[no-any-return]
    return None


def task_stack(awaitable: object) -> list[Place]:
    """The stack of a task's coroutine, innermost first; of one that is running, from its thread."""
    if is_running(awaitable):
        return _running_stack(getattr(awaitable, "cr_frame", None) or getattr(awaitable, "gi_frame", None))
    return [place(frame) for frame in awaited_frames(awaitable)]


def is_running(awaitable: object) -> bool:
    """Whether the coroutine is being executed right now, by whichever thread."""
    if type(awaitable) is CoroutineType:
        return awaitable.cr_running
    return awaitable.gi_running if type(awaitable) is GeneratorType else False


def _running_stack(outermost: FrameType | None) -> list[Place]:
    for leaf in list(sys._current_frames().values()):
        frames = list(thread_frames(leaf))
        if outermost in frames:
            return [place(frame) for frame in frames[: frames.index(outermost) + 1]]
    return [place(outermost)] if outermost is not None else []
