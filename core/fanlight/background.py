"""Background: routines that belong to the server and to no client.

What must go on though nobody waits for it (keys that are fetched again before
they are too old, a password that is hashed anew) runs here, one conversation
each.  The server hands its outputs out and its answers in, and wakes it at its
deadline; a new routine is stepped in a turn of its own, which is due at once.
Such a routine may ask for effects, sleep, wait at latches and report; it has no
request, no wire and no client that could leave.  It reads no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any, cast

from attrs import frozen

from .asks import ClientGone, Moment, Op, Sleep
from .health.latch import Await
from .observe.records import Failure, Report
from .outputs import Cancel, Note, Perform
from .routine import PARKED, Attempt, Conversation
from .underway import Underway

if TYPE_CHECKING:
    from .asks import Routine
    from .moment import Now

WHERE = "a task in the background"

Task = Callable[[], "Routine[None]"]


@frozen
class Begin(Op[None]):
    """Have the routine that `task` makes run in the background of the server.  Never waits for it."""

    task: Task


class Background:
    """The tasks of one server.

    `deadline` is when `handle_timeout` must be called (`inf`: never).
    """

    def __init__(self) -> None:
        self.deadline = inf
        self.ticking = False
        self.stopped = False
        self._conversations: dict[Conversation, None] = {}
        self._fresh: list[Task] = []
        self._outputs: list[Perform | Cancel | Note] = []
        self.underway = Underway(self._outputs)
        self._nudged = False
        self.opens = _OPENS
        self.attempts = _ATTEMPTS
        self.now: Now

    def __len__(self) -> int:
        """How many tasks are under way."""
        return len(self._conversations) + len(self._fresh)

    def begin(self, task: Task, now: Now) -> None:
        """Run `task` from the next turn on; after `stop` nothing begins any more."""
        if not self.stopped:
            self._fresh.append(task)
            self.deadline = min(self.deadline, now.mono)

    def poll(self) -> Perform | Cancel | Note | None:
        """The next thing to do, or None when all is said."""
        return self._outputs.pop(0) if self._outputs else None

    def reply(self, number: int, answer: object, error: BaseException | None, now: Now) -> None:
        """The answer to `Perform(number, …)`, or the exception that performing it raised."""
        self.now = now
        resumed = self.underway.answered(number, answer, error)
        if resumed is not None:
            self._step(*resumed)
        self._settle()

    def handle_timeout(self, now: Now) -> None:
        """Some deadline may have passed.  A call that comes early does nothing."""
        self.now = now
        fresh, self._fresh = self._fresh, []
        for task in fresh:
            conversation = Conversation(0, cast(Any, None))  # nobody's exchange
            conversation.routine = task()
            self._conversations[conversation] = None
            self._step(conversation, None)
        self.ticking, nudged, self._nudged = True, self._nudged, False
        for conversation in tuple(self._conversations):
            if nudged or conversation.wake_at <= now.mono:
                answer = conversation.retry(self)
                if answer is not PARKED:
                    self._step(conversation, answer)
        self.ticking = False
        self._settle()

    def stop(self) -> None:
        """The server ends: every task ends where it waits, without another ask."""
        self.stopped = True
        for conversation in tuple(self._conversations):
            self.underway.withdraw(conversation)
            routine, conversation.routine = conversation.routine, None
            assert routine is not None
            try:
                routine.throw(ClientGone())
                routine.close()  # it asks for more: nobody answers now
            except (StopIteration, ClientGone):
                pass
            except Exception as error:  # noqa: BLE001  a bug in a task must not reach the host
                self._outputs.append(Note(Failure(WHERE, error)))
        self._conversations.clear()
        self._fresh.clear()
        self.deadline = inf

    # ---- what conversations and latches need -----------------------------------

    def nudge(self) -> None:
        """A latch is open: look again in a turn of its own, at once."""
        self._nudged = True
        self.deadline = -inf

    def note(self, record: Any) -> None:
        """Hand a record out."""
        self._outputs.append(Note(record))

    def _step(self, conversation: Conversation, answer: Any) -> None:
        """Resume a task; a bug in it is told, and ends it alone."""
        try:
            outcome = conversation.step(answer, self)
        except Exception as error:  # noqa: BLE001  a bug in a task must not reach the host
            self.underway.withdraw(conversation)
            self._outputs.append(Note(Failure(WHERE, error)))
            outcome = None
        if outcome is not PARKED:
            self._conversations.pop(conversation, None)

    def _settle(self) -> None:
        """Work out the deadline after an input."""
        soonest = min((conversation.wake_at for conversation in self._conversations), default=inf)
        self.deadline = -inf if self._nudged else min(soonest, self.now.mono if self._fresh else inf)


def _sleep(background: Background, conversation: Conversation, op: Sleep) -> Any:
    conversation.wake_at = min(conversation.wake_at, background.now.mono + op.seconds)  # the shortest of a race
    return PARKED


def _wake(background: Background, conversation: Conversation, op: Sleep) -> Any:
    if not background.ticking or background.now.mono < conversation.wake_at:
        return PARKED
    conversation.wake_at = inf
    return None


def _moment(background: Background, conversation: Conversation, op: Moment) -> Any:
    return background.now


def _await(background: Background, conversation: Conversation, op: Await) -> Any:
    if op.latch.is_open:
        return None
    op.latch.waiting[conversation] = background
    return PARKED


def _report(background: Background, conversation: Conversation, op: Report) -> Any:
    background.note(op.record)
    return None


def _begin(background: Background, conversation: Conversation, op: Begin) -> Any:
    background.begin(op.task, background.now)
    return None


_OPENS: Mapping[type, Attempt] = {Sleep: _sleep, Moment: _moment, Await: _await, Report: _report, Begin: _begin}
_ATTEMPTS: Mapping[type, Attempt] = {Sleep: _wake, Await: _await}
