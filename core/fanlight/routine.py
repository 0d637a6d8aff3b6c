"""Conversations: one routine each, and what it waits for.

A `Conversation` steps a routine, knows which asks are open, and turns an answer
into the next step.  Who answers is for the connection: it registers one function
for each kind of op, and keeps the effects that are under way.  Nothing here knows HTTP.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from .asks import Ask, Effect, Race

if TYPE_CHECKING:
    from .http.pipeline import Exchange
    from .underway import Underway
    from .wire.ws import Item, WebSocket


class _Parked:
    def __repr__(self) -> str:
        return "PARKED"


PARKED: Any = _Parked()
"""Returned by an op's function for: no answer yet, the routine waits."""

Attempt = Callable[[Any, "Conversation", Any], Any]
"""`(host, conversation, op)`: answers the op now, or returns `PARKED`.

Called again whenever something has moved.  A `Thrown` answer is raised inside
the routine.
"""


class Thrown:
    """An answer that is raised at the `await` instead of returned from it."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class WrongAsk(TypeError):
    """A routine awaited something that is no ask: a bug, named where it happened."""


class Conversation:
    """One routine of one stream.

    `asks` are the open ones, in the order of the race if `racing`;
    `performing` the effects under way by number.  `pending` is output that a
    window holds back: since `moved_at` only `moved` bytes of it went.  A body
    that is waited for must have come on by `read_by`; since that was set, `come`
    bytes came.  `unended` says that the wire must be told the end of the body,
    `owed` how many bytes its head promised.  `beat_at` is when an attended
    exchange is due for a Ping, `next_beat` not before when, `spoke_at` when a
    message last came or went; `stopped` says that somebody wants its work to
    stop, `ends_at` when its time or its identity is over, `number` what it is
    enlisted as, `alone` that nothing is to be read
    ahead.  `started`: a response head was written; `ending`: the response is
    complete but for `pending`; `gone`: the client has left.
    """

    # Most requests never wait, so what only a few need stays in the class until it is needed.
    routine: Coroutine[Ask[Any], Any, Any] | None = None
    asks: tuple[Ask[Any], ...] = ()
    racing = False
    performing: dict[int, Effect[Any]] | None = None
    wake_at = inf
    beat_at = inf
    spoke_at = 0.0
    next_beat = 0.0
    number = 0
    alone = False
    stopped = False
    cleanup_at = inf
    ends_at = inf
    gone = False
    started = False
    ending = False
    status = 0
    sent = 0
    owed: int | None = None
    head_at = 0.0
    pending: bytes | memoryview = b""
    moved_at = 0.0
    moved = 0
    read_by = inf
    come = 0
    unended = False
    body: bytearray | None = None
    body_size = 0
    socket: WebSocket | None = None

    def __init__(self, stream: int, exchange: Exchange) -> None:
        self.stream = stream
        self.exchange = exchange

    @cached_property
    def inbox(self) -> deque[Item]:
        """Messages that no routine has taken yet."""
        return deque()

    @property
    def left(self) -> bool:
        """Whether the last of all messages has come."""
        return bool(self.inbox) and not isinstance(self.inbox[-1], (str, bytes))

    @property
    def waiting(self) -> bool:
        """Whether a routine is suspended on an ask."""
        return bool(self.asks)

    def step(self, answer: Any, host: Host) -> Any:
        """Resume with `answer` and run on until the routine waits or ends.

        Returns `PARKED`, or what the routine returned.  Whatever the routine
        raises comes out unchanged.
        """
        routine = self.routine
        assert routine is not None
        while True:
            self.asks = ()
            try:
                ask = routine.throw(answer.error) if type(answer) is Thrown else routine.send(answer)
            except StopIteration as stop:
                return stop.value
            answer = self._open(ask, host)
            if answer is PARKED:
                return PARKED

    def _open(self, ask: Any, host: Host) -> Any:
        """Open one ask (or all of a race) and return the answer or `PARKED`."""
        if type(ask) is Race:
            return self._open_race(ask, host)
        answer = self._open_one(ask, 0, host)
        if answer is PARKED:
            self.racing = False
            self.asks = (ask,)
        return answer

    def _open_race(self, race: Race, host: Host) -> Any:
        self.racing = True
        for position, ask in enumerate(race.asks):
            answer = self._open_one(ask, position, host)
            if answer is not PARKED:
                return self.win(position, answer, host.underway)
        self.asks = race.asks
        return PARKED

    def _open_one(self, ask: Any, position: int, host: Host) -> Any:
        attempt = host.opens.get(type(ask))
        if attempt is not None:
            return attempt(host, self, ask)
        if isinstance(ask, Effect):
            host.underway.perform(self, ask, position)
            return PARKED
        return Thrown(WrongAsk(f"a routine may await asks only, not {type(ask).__name__}"))

    def retry(self, host: Host) -> Any:
        """Try the open ops again; returns the answer for `step`, or `PARKED`."""
        for position, ask in enumerate(self.asks):
            attempt = host.attempts.get(type(ask))
            if attempt is not None:
                answer = attempt(host, self, ask)
                if answer is not PARKED:
                    return self.win(position, answer, host.underway) if self.racing else answer
        return PARKED

    def win(self, position: int, answer: Any, underway: Underway) -> Any:
        """The ask at `position` wins its race: withdraw the others; returns the answer for `step`."""
        self.racing = False
        underway.withdraw(self)
        return answer if type(answer) is Thrown else (position, answer)


class Host(Protocol):
    """What a conversation needs of whoever drives it.

    `opens` starts an op (and may answer at once), `attempts` tries it again;
    `underway` hands effects out, and takes back what is waited for no longer.
    """

    opens: Mapping[type, Attempt]
    attempts: Mapping[type, Attempt]
    underway: Underway
