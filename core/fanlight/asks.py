"""Asks: the only things a routine may await.

A routine is an `async def` that is driven by a connection, not by an event
loop: each `await` hands one `Ask` out and is resumed with its answer.  There
are two families.  An `Effect` leaves the core (a host has a performer do it,
or does it itself: `Task`); an `Op` stays inside (the connection itself answers it).  This module never
performs anything and never knows who answers.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from attrs import frozen

if TYPE_CHECKING:
    from .moment import Now  # noqa: F401  (ruff does not look into the string below)

T = TypeVar("T")
R = TypeVar("R")


class Ask(Generic[T]):
    """Awaiting suspends the routine until the answer, a `T`, comes back."""

    __slots__ = ()

    def __await__(self) -> Generator[Ask[Any], Any, T]:
        answer: T = yield self
        return answer


class Effect(Ask[T]):
    """A question to the outside, answered by a performer.

    `runs` says where: `"worker"` may block and is given a thread; `"loop"`
    must return within a millisecond and is answered inline, on the thread
    that drives the connection.
    """

    __slots__ = ()
    runs: ClassVar[Literal["worker", "loop"]] = "worker"


class Task(Effect[T]):
    """An effect that no engine does: an `async def` of the program's.

    The host awaits `run` in a task of its loop, cancels that task when nobody
    waits for it any more, and calls `ended` when it is over, however it ended
    and even if it never began.
    """

    __slots__ = ()

    async def run(self) -> T:
        """What is to be awaited."""
        raise NotImplementedError

    def ended(self) -> None:
        """The task is over."""


class Op(Ask[T]):
    """A question that the connection answers out of its own state."""

    __slots__ = ()


Routine = Coroutine[Ask[Any], Any, R]
"""What an `async def` of the core returns: awaits asks only, yields an `R`."""


class ClientGone(BaseException):
    """Thrown into a routine whose peer has left (design.md, trap 3).

    A `finally` block may still ask: release a session, close a cursor.  The
    connection keeps answering until the routine ends or its cleanup deadline
    passes.
    """


class EffectFailed(Exception):
    """A performer raised: a bug or a broken engine, never an expected refusal."""


@frozen
class Sleep(Op[None]):
    """Resume after `seconds`; 0 gives the host's loop one turn and then resumes."""

    seconds: float


class TimeUp(Exception):
    """Raised where the routine waits, when what it was given by `LimitTime` is over."""


@frozen
class LimitTime(Op[None]):
    """Raise `TimeUp` inside this routine once `seconds` have passed, wherever it waits then.

    None lifts the limit.  Never waits.
    """

    seconds: float | None


@frozen
class Moment(Op["Now"]):
    """The moment of this turn of the host's loop.  Never waits."""


@frozen
class Race(Op["tuple[int, Any]"]):
    """Resume with `(index, answer)` of the first of `asks` that is answered.

    The losers are cancelled: a `Perform` that is under way gets a `Cancel`.
    At least two asks; nested races are not allowed.
    """

    asks: tuple[Ask[Any], ...]
