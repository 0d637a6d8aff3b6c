"""Drives routines by hand: the clock, the latches and the effects that they ask for, in any order.

What a connection does for its conversations, without a connection: `Crowd`
steps routines until each waits or ends; effects and sleeps wait until a test
answers them, signatures are verified at once and for real.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, cast

from attrs import define, field

from fanlight.asks import ClientGone, Effect, Moment, Sleep
from fanlight.auth.effects import VerifySignature
from fanlight.background import Begin
from fanlight.health.latch import Await
from fanlight.moment import Now
from fanlight.observe.records import Report
from fanlight_engines.auth.tokens import verify
from tests.sim import START


@define(eq=False)
class Actor:
    """One routine; `result` or `error` once it has ended."""

    crowd: Crowd
    routine: Coroutine[Any, Any, Any]
    waits: Any = None
    ended: bool = False
    result: Any = None
    error: BaseException | None = None

    def nudge(self) -> None:
        """Called by the latch that it waits at."""
        self.crowd.ready.append((self, None))

    def step(self, answer: Any) -> None:
        """Go on with `answer` (an exception is raised inside) until it waits or ends."""
        while not self.ended:
            self.waits = None
            try:
                ask = self.routine.throw(answer) if isinstance(answer, BaseException) else self.routine.send(answer)
            except StopIteration as stop:
                self.ended, self.result = True, stop.value
                return
            except BaseException as error:  # noqa: BLE001  what it ends with is what tests look at
                self.ended, self.error = True, error
                return
            if isinstance(ask, Moment):
                answer = self.crowd.now
            elif isinstance(ask, Report):
                self.crowd.reported.append(ask.record)
                answer = None
            elif isinstance(ask, Begin):
                self.crowd.begun.append(self.crowd.start(ask.task()))
                answer = None
            elif isinstance(ask, VerifySignature):
                answer = verify(ask)
            elif isinstance(ask, Await) and ask.latch.is_open:
                answer = None
            else:
                self._park(ask)
                return

    def _park(self, ask: Any) -> None:
        self.waits = ask
        if isinstance(ask, Await):
            ask.latch.waiting[cast(Any, self)] = cast(Any, self)
        else:
            assert isinstance(ask, Effect | Sleep), ask
            self.crowd.asked.append((self, ask))

    def leave(self) -> None:
        """The client has gone; what it cleans up with goes on."""
        if isinstance(self.waits, Await):
            self.waits.latch.waiting.pop(cast(Any, self), None)
        self.crowd.asked = [(actor, ask) for actor, ask in self.crowd.asked if actor is not self]
        self.step(ClientGone())
        self.crowd.run()


@define
class Crowd:
    """Routines under one clock.  `asked` are the effects that wait, oldest first, `begun` the background's tasks."""

    now: Now = START
    ready: list[tuple[Actor, Any]] = field(factory=list)
    asked: list[tuple[Actor, Any]] = field(factory=list)
    reported: list[Any] = field(factory=list)
    begun: list[Actor] = field(factory=list)

    def start(self, routine: Any) -> Actor:
        """Run a routine until it waits; what is no routine is an outcome that was known at once."""
        actor = Actor(self, routine)
        if isinstance(routine, Coroutine):
            actor.step(None)
            self.run()
        else:
            actor.ended, actor.result = True, routine
        return actor

    def run(self) -> None:
        """Step whoever was woken, until nobody is."""
        while self.ready:
            actor, answer = self.ready.pop(0)
            actor.step(answer)

    def answer(self, answer: Any, index: int = 0) -> Any:
        """Answer one of the effects that wait; returns it."""
        actor, ask = self.asked.pop(index)
        actor.step(answer)
        self.run()
        return ask

    def pass_time(self, seconds: float) -> None:
        """Both clocks go on."""
        self.now = Now(self.now.mono + seconds, self.now.wall + seconds)
