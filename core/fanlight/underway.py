"""Effects under way: their numbers, which routine waits for each, and which nobody waits for any more.

Whoever drives routines (a connection, the background of a server) has one such
table.  It puts `Perform` and `Cancel` among the outputs of its owner and says
whom an answer is for; it performs nothing, resumes nobody and reads no clock.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from .asks import EffectFailed
from .health.latch import Await
from .outputs import Cancel, Perform
from .routine import Thrown

if TYPE_CHECKING:
    from .asks import Effect
    from .routine import Conversation


class Outputs(Protocol):
    """Where outputs are put until the owner's `poll` hands them out."""

    def append(self, output: Perform | Cancel, /) -> None:
        """Put `output` behind what is there."""
        ...


class Underway:
    """The effects of one connection, or of the background.

    Numbers count from 1 and are never used twice, so that an answer which comes
    after its `Cancel` finds nobody.  A conversation's own share is its `performing`.
    """

    __slots__ = ("_count", "_outputs", "_waiting")

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._count = 0
        self._waiting: dict[int, tuple[Conversation, int]] = {}

    def perform(self, conversation: Conversation, effect: Effect[Any], position: int) -> None:
        """Hand `effect` out, for the ask at `position` of `conversation`."""
        self._count = number = self._count + 1
        self._waiting[number] = (conversation, position)
        if conversation.performing is None:
            conversation.performing = {}
        conversation.performing[number] = effect
        self._outputs.append(Perform(number, effect))

    def answered(self, number: int, answer: object, error: BaseException | None) -> tuple[Conversation, Any] | None:
        """The conversation that waits for `Perform(number, …)`, and what to resume it with; None when nobody does.

        An `error` that performing raised is raised there as `EffectFailed`, with
        its type's name only: the cause is for the log.  A race is won by this
        answer, and what else it had under way is withdrawn.
        """
        waiting = self._waiting.pop(number, None)
        if waiting is None:
            return None
        conversation, position = waiting
        assert conversation.performing is not None
        del conversation.performing[number]
        if error is not None:
            failed = EffectFailed(type(error).__name__)
            failed.__cause__ = error
            answer = Thrown(failed)
        if conversation.racing:
            answer = conversation.win(position, answer, self)
        return conversation, answer

    def withdraw(self, conversation: Conversation) -> None:
        """`conversation` waits for nothing any more: no effect, no latch, no time of its asks."""
        if conversation.performing:
            for number, effect in conversation.performing.items():
                del self._waiting[number]
                self._outputs.append(Cancel(number, effect))
        conversation.performing = None
        for ask in conversation.asks:
            if type(ask) is Await:
                ask.latch.waiting.pop(conversation, None)
        conversation.wake_at = conversation.beat_at = conversation.read_by = inf
