"""The time of a statement: work of the engine under a limit and a watch, and what becomes of it when it is to stop.

Stopped work may have ended well at the last moment; what is told is what really
happened to it, never a guess.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from ..asks import Ask, Race, Sleep
from .effects import Batch, Evaluate, Evaluated, Execute, Executed, FetchRows, Settle, SqlFailed
from .errors import CANCELLED, TIMED_OUT


class Clock:
    """What is left of a statement's time; only what the engine spends on it counts.

    `watch` is an ask whose answer, if it comes before the work is done, stops the work.
    """

    def __init__(self, limit: float, watch: Ask[Any] | None = None) -> None:
        self.limit = limit
        self.left = limit
        self._watch = watch

    async def timed(self, work: Execute | FetchRows | Evaluate) -> Executed | Batch | Evaluated | SqlFailed:
        """Perform `work`; when the time is up, stop it and see how it ended."""
        asks: tuple[Ask[Any], ...] = (work,) if self._watch is None else (self._watch, work)
        if self.limit:
            asks = (*asks, Sleep(max(self.left, 0.0)))
        if len(asks) == 1:
            return await work
        winner, answer = await Race(asks)
        if asks[winner] is not work:
            why = CANCELLED if asks[winner] is self._watch else TIMED_OUT
            answer = await Settle(work.session, work)
            if answer is None:
                return SqlFailed(why, aborted=False)
            if isinstance(answer, SqlFailed) and answer.error.code == CANCELLED.code:
                return evolve(answer, error=why)
        if isinstance(answer, Executed | Batch | Evaluated | SqlFailed):
            self.left -= answer.elapsed
            return answer
        raise TypeError(answer)
