"""Checks: what the program wants to be asked before its process is called ready.

A check belongs to the program, may be slow, may raise, may hang; whoever asks
is a stranger who may ask often.  So one call answers all who ask meanwhile and
for a moment afterwards, no call is begun while another is still at work, and
only the log hears why.  Who runs the function, and where, is for a host to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from ..asks import Effect, EffectFailed, Moment, Race, Sleep, Task
from ..observe.records import Checked, Report
from .latch import Await, Latch

HUNG = "the last call has not returned yet"
POLL_SECONDS = 0.02


class Check:
    """One check and what is known of it.

    `busy` from the moment a call is asked for to the moment it has returned,
    also when nobody waits for it any more.
    """

    def __init__(self, name: str, function: Callable[[], Any], timeout: float, every: float) -> None:
        from inspect import iscoroutinefunction  # costs more than all the rest of this module, and few need it

        self.name = name
        self.function = function
        self.timeout = timeout
        self.every = every
        self.asynchronous = iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
        self.busy = False
        self.reason: str | None = None
        """Why it fails, as far as anybody knows; empty: it passes; None: nobody has asked yet."""
        self.until = 0.0
        self._began = 0.0
        self.asking: Latch | None = None

    async def passes(self) -> bool:
        """Whether it passes: asked now, or less than `every` seconds ago."""
        while (await Moment()).mono >= self.until:
            if self.asking is None:
                await self._ask()
            else:
                await Await(self.asking)
        return not self.reason

    async def _ask(self) -> None:
        """Find out, for everybody who wants to know meanwhile."""
        self.asking = latch = Latch()
        try:
            reason, error = await self._outcome()
            if reason != (self.reason or ""):
                await Report(Checked(self.name, reason, error))
            self.reason = reason
            self.until = (await Moment()).mono + self.every
        finally:
            self.asking = None
            latch.open()

    async def _outcome(self) -> tuple[str, BaseException | None]:
        """Why it fails, empty if it passes, and what it raised."""
        if await self._hangs():
            return HUNG, None
        self.busy = True
        self._began = (await Moment()).mono
        call = AwaitCheck(self) if self.asynchronous else CallCheck(self)
        try:
            first, answer = await Race((call, Sleep(self.timeout)))
        except EffectFailed as failed:
            self.busy = False
            error = failed.__cause__ or failed
            return f"raised {type(error).__qualname__}", error
        if first:
            return f"took longer than {self.timeout:g} seconds", None
        return "returned False" if answer is False else "", None

    async def _hangs(self) -> bool:
        """Whether a call that nobody waited for to the end is at work for too long; one that is not is waited for.

        Otherwise a stranger who asks and leaves would make the others fail.
        """
        while self.busy:
            if (await Moment()).mono >= self._began + self.timeout:
                return True
            await Sleep(POLL_SECONDS)
        return False


@frozen(eq=False)
class CallCheck(Effect[object]):
    """Call the function of a check, in a thread that nobody else waits for, and clear `busy` when it has returned."""

    check: Check = field(repr=False)


@frozen(eq=False)
class AwaitCheck(Task[object]):
    """Await the function of a check, as a task of the loop that serves."""

    check: Check = field(repr=False)

    async def run(self) -> object:
        return await self.check.function()

    def ended(self) -> None:
        self.check.busy = False
