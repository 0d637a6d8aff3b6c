"""Stacks as a sampler keeps them: numbers that can be turned into functions and lines later.

What is kept is the code of each place, which lives as long as its program; no
frame, and nothing that a frame holds.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import partial
from opcode import opname
from types import CodeType, FrameType

from attrs import define, field

from ..process.asyncio_tasks import current_tasks
from ..process.pace import line
from ..process.stacks import awaited_frames
from ..process.trio_tasks import Watch

DEEPEST = 256
"""Frames of a stack; of deeper ones the outermost are kept."""
MOST_NAMES = 1000
"""Names of threads or tasks that are told apart; the others are `[other]`."""

TRUNCATED = 0
"""Stands in a stack for frames that were left out."""

_FAR = 5000  # frames: where the outermost of a recursion is not looked for any more

Stack = tuple[bytes, int]
"""The places of a stack, leaf first, packed; and its task, by number."""


class Stacks:
    """Stacks as numbers of places, and the tasks that they belong to.

    `places` has the code of each place; `tasks` the names by number.
    """

    def __init__(self) -> None:
        self.places: dict[int, CodeType] = {}
        self.tasks = Names(MOST_NAMES)
        self.watch = Watch()
        self._yields: dict[int, bool] = {}

    def running(self) -> dict[int, Callable[[], object]]:
        """What tells the name of each task that is being stepped now, by the identity of its outermost frame.

        By the frame, because it tells the thread too, and makes sure: what a
        table says may be over, but a frame is on the stack or it is not.
        """
        found: dict[int, Callable[[], object]] = {}
        for coroutine, name in (*current_tasks(), *self.watch.current()):
            frame = getattr(coroutine, "cr_frame", None)
            if frame is not None:
                found[id(frame)] = name
        return found

    def walk(self, frame: FrameType | None, running: dict[int, Callable[[], object]]) -> Stack:
        """The stack from `frame` outwards.  Coroutines that await each other are on it one below the other."""
        places = self.places
        stack: list[int] = []
        task = 0
        while frame is not None and len(stack) < _FAR:
            code = frame.f_code
            # The instructions lie inside the code object, so their addresses are nobody else's.
            place = id(code) + frame.f_lasti
            places[place] = code
            stack.append(place)
            if running and id(frame) in running:
                task = self._name(running[id(frame)])
            frame = frame.f_back
        return packed(stack), task

    def yields(self, frame: FrameType) -> bool:
        """Whether a thread at this instruction wants to go on: it was only asked to let another run.

        That is asked where loops turn and functions begin; who waits inside of
        a call stands at the call.
        """
        code = frame.f_code
        place = id(code) + frame.f_lasti
        found = self._yields.get(place)
        if found is None:
            name = opname[code.co_code[frame.f_lasti]] if frame.f_lasti >= 0 else ""
            found = self._yields[place] = name.startswith(("JUMP_BACKWARD", "RESUME"))
            self.places[place] = code
        return found

    def awaited(self, coroutine: object, name: object) -> Stack:
        """The stack of a task that waits."""
        stack: list[int] = []
        for frame in awaited_frames(coroutine):
            place = id(frame.f_code) + frame.f_lasti
            self.places[place] = frame.f_code
            stack.append(place)
        return packed(stack), self._name(partial(str, name))

    def _name(self, ask: Callable[[], object]) -> int:
        try:
            return self.tasks.number(line(ask()))
        except Exception:  # noqa: BLE001 - somebody's own task class
            return 0


def packed(stack: list[int]) -> bytes:
    """The places of a stack as few bytes, not more than `DEEPEST` of them."""
    if len(stack) > DEEPEST:
        stack = [TRUNCATED, *stack[-DEEPEST:]]
    return array("Q", stack).tobytes()


@define
class Names:
    """Names by number from 1, at most `most` of them and `[other]`."""

    most: int
    _numbers: dict[str, int] = field(factory=dict)

    def number(self, name: str) -> int:
        """The number of `name`, given at first sight."""
        known = self._numbers.get(name)
        if known is None:
            if len(self._numbers) >= self.most:
                name = "[other]"
            known = self._numbers.setdefault(name, len(self._numbers) + 1)
        return known

    def listed(self) -> list[str]:
        """The name of each number; that of 0 is empty."""
        return ["", *self._numbers]
