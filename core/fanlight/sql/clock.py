"""The time of a statement: work of the engine under a limit, and what becomes of it when the time is up.

Stopped work may have ended well at the last moment; what is told is what really
happened to it, never a guess.
"""

from __future__ import annotations

from attrs import evolve

from ..asks import Race, Sleep
from .effects import Batch, Execute, Executed, FetchRows, Settle, SqlFailed
from .errors import CANCELLED, TIMED_OUT


class Clock:
    """What is left of a statement's time; only what the engine spends on it counts."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.left = limit

    async def timed(self, work: Execute | FetchRows) -> Executed | Batch | SqlFailed:
        """Perform `work`; when the time is up, stop it and see how it ended."""
        if not self.limit:
            return await work
        winner, answer = await Race((work, Sleep(max(self.left, 0.0))))
        if winner:
            answer = await Settle(work.session, work)
            if answer is None:
                return SqlFailed(TIMED_OUT, aborted=False)
            if isinstance(answer, SqlFailed) and answer.error.code == CANCELLED.code:
                return evolve(answer, error=TIMED_OUT)
        if isinstance(answer, Executed | Batch | SqlFailed):
            self.left -= answer.elapsed
            return answer
        raise TypeError(answer)
