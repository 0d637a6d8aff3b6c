"""SUBSCRIBE: the conversation that tells a client how a query's rows change.

The engine has no stream of changes, so the query is evaluated again and again
and the difference is told.  A client that does not read is not told more: it
gets the whole difference once it reads again, so that nothing queues up.  Between
ticks nothing of the engine is held.
"""

from __future__ import annotations

from collections.abc import Sequence
from json import loads
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from ..asks import Moment
from ..http.websocket import Attend, Watch
from .changes import Form, Rows, Shape
from .clock import Clock
from .effects import Compare, Evaluate, Evaluated, SqlFailed
from .errors import (
    CANCELLED,
    Notice,
    SqlError,
    Unreadable,
    beyond_bounds,
    empty_bounds,
    not_supported,
    too_many_subscriptions,
)
from .feeds import Feed, Feeds, Seat
from .frames import SocketSink
from .statements import AsOf, Instant, Statement, Subscribe, subscribed_query
from .subscribe_text import millis_of

if TYPE_CHECKING:
    from ..config.limits import Limits
    from .session import Session
    from .variables import Parameter

NEVER = 2**64 - 1
"""The timestamp of rows that can never change."""

PING_SECONDS = 1.0
"""A client that hears nothing for so long gets a Ping."""

PINGS = 100
"""So many Pings a second go to all who subscribe: a thousand would cost more than all else."""

RARELY_SECONDS = 15.0
"""No quiet client waits longer for one, however many there are."""

SHORT = 400
"""Rows that are compared at once, in less than half a millisecond; more are a worker's."""


@frozen
class Work:
    """What an evaluation runs: the query, its parameters, the engine's settings, seconds it may take (0: any)."""

    query: Statement
    params: tuple[str | None, ...]
    settings: tuple[Parameter, ...]
    timeout: float


class Subscriber:
    """Carries the SUBSCRIBEs of one socket's session.  `poll` is in seconds, for those that do not say."""

    def __init__(self, session: Session, sink: SocketSink, feeds: Feeds, limits: Limits, poll: float) -> None:
        self._session = session
        self._sink = sink
        self._feeds = feeds
        self._limits = limits
        self._poll = poll

    async def run(self, statement: Statement, params: Sequence[str | None]) -> SqlError | None:
        """Subscribe; returns why it ended, None when there is nothing more to come."""
        action, query = statement.action, subscribed_query(statement)
        if not isinstance(action, Subscribe) or query is None:
            raise TypeError(statement)
        variables = self._session.variables
        timeout = variables.micros("statement_timeout") / 1e6
        work = Work(query, tuple(params), variables.engine_settings(), timeout)
        now = await Moment()
        bounds = await self._bounds(action, work, int(now.wall * 1000))
        if isinstance(bounds, SqlError):
            return bounds
        if bounds.notice is not None:
            self._session.notices.append(bounds.notice)
        poll = self._poll if action.poll is None else action.poll
        key = (self._session.handle.sight, work.query.text, work.params, work.settings, timeout, poll)
        feed = self._feeds.join(key, poll)
        if feed is None:
            return too_many_subscriptions(self._feeds.most)
        seat = feed.seat(Form.of(action), bounds.up_to)
        try:
            return await self._follow(feed, seat, work, snapshot=action.snapshot)
        finally:
            try:
                now = await Moment()
            finally:  # whatever became of the routine
                feed.leave(seat, now)
                self._feeds.leave(key, feed)

    async def _bounds(self, action: Subscribe, work: Work, now: int) -> Bounds | SqlError:
        """When it ends, once the engine has said what it takes to know that."""
        as_of = action.as_of or AsOf(None)
        lower = await self._millis(as_of.instant, work)
        upper = await self._millis(action.up_to, work)
        if isinstance(lower, SqlError):
            return lower
        return upper if isinstance(upper, SqlError) else bounds_of(lower, upper, now, as_of.at_least)

    async def _millis(self, instant: Instant | None, work: Work) -> int | SqlError | None:
        """Milliseconds since the epoch; those of an expression are asked of the engine, once."""
        if not isinstance(instant, Statement):
            return instant
        handle, limits = self._session.handle, self._limits
        asked = Evaluate(handle, instant.text, (), work.settings, 1, limits.subscription_bytes)
        answer = await Clock(work.timeout, Attend(PING_SECONDS)).timed(asked)
        if isinstance(answer, SqlFailed):
            return evolve(answer.error, position=None)
        if not isinstance(answer, Evaluated):
            raise TypeError(answer)
        return instant_of(answer)

    async def _follow(self, feed: Feed, seat: Seat, work: Work, *, snapshot: bool) -> SqlError | None:
        """Wait, evaluate when it is this one's turn, tell what is new."""
        shape: Shape | None = None
        while True:
            feed.park(seat, await Moment())
            why = await Watch(PING_SECONDS, seat.signal, self._gap)
            now = await Moment()
            due = why == "signal" and feed.is_due(seat, now)
            if due:
                feed.begin(seat, now)
            feed.unpark(seat)
            if why != "signal":
                return CANCELLED
            if due:
                failed = await self._evaluate(feed, seat, work)
                if failed is not None:
                    return failed
            if feed.failure is not None:
                return feed.failure
            if feed.current is None or not feed.has_news(seat):
                continue
            if shape is None:
                try:
                    shape = feed.shape(seat.form, feed.current.columns)
                except Unreadable as refusal:
                    return refusal.error
                await self._sink.stream(shape.columns)
                if not snapshot:
                    seat.seen, seat.version = feed.current.rows, feed.version
            if await self._tell(feed, feed.current, seat, shape):
                return None

    def _room(self, before: Evaluated | None) -> int:
        """Bytes that the rows of a query may take, with what those of the others leave."""
        others = self._feeds.load.size - (before.size if before is not None else 0)
        return min(self._limits.subscription_bytes, max(0, self._limits.subscriptions_bytes - others))

    def _gap(self) -> float:
        """Seconds between the Pings to a quiet client: one, until there are very many of them."""
        return min(max(PING_SECONDS, self._feeds.subscribers / PINGS), RARELY_SECONDS)

    async def _evaluate(self, feed: Feed, seat: Seat, work: Work) -> SqlError | None:
        """A tick that has begun; why this subscriber ends.  One that is stopped leaves the tick to the others."""
        before = feed.current
        answer = await Clock(work.timeout, Attend(PING_SECONDS, self._gap)).timed(
            Evaluate(
                self._session.handle,
                work.query.text,
                work.params,
                work.settings,
                self._limits.subscription_rows,
                self._room(before),
                before,
            )
        )
        if isinstance(answer, SqlFailed):
            if answer.error != CANCELLED:
                feed.fail(_lost(answer.error) if before is not None else answer.error, await Moment())
            return answer.error if feed.failure is None else feed.failure
        if not isinstance(answer, Evaluated):
            raise TypeError(answer)
        payloads: dict[Form, Sequence[bytes]] = {}
        if before is not None and before.rows is not answer.rows and before.columns == answer.columns:
            for form, shape in tuple(feed.shapes.items()):
                payloads[form] = await _payloads(shape, before.rows, answer.rows)
        feed.publish(answer, payloads, await Moment())
        return None

    async def _tell(self, feed: Feed, current: Evaluated, seat: Seat, shape: Shape) -> bool:
        """Tell what this client does not know yet; True when nothing can follow."""
        first, at, version = seat.told < 0, feed.timestamp, feed.version
        ended = seat.up_to is not None and at >= seat.up_to
        when = at if first else feed.changed
        if current.constant and seat.up_to is None:
            when = NEVER
        parts: list[tuple[int, Sequence[bytes]]] = []
        if first and seat.form.progress and not ended:
            parts.append((when, [shape.progressed]))
        if seat.version != version and (seat.up_to is None or when < seat.up_to):
            ready = feed.payloads.get(seat.form) if seat.version == version - 1 and not first else None
            parts.append((when, await _payloads(shape, seat.seen, current.rows) if ready is None else ready))
        if seat.form.progress and not ended and not current.constant:
            parts.append((at + 1, [shape.progressed]))
        seat.seen, seat.version, seat.told = current.rows, version, at
        for timestamp, payloads in parts:
            await self._sink.changes(timestamp, payloads)
        return ended or current.constant


async def _payloads(shape: Shape, before: Rows, after: Rows) -> Sequence[bytes]:
    if len(before) + len(after) <= SHORT:
        return shape.payloads(before, after)
    return await Compare(shape, before, after)


def _lost(error: SqlError) -> SqlError:
    """What a query needs is gone: said as the loss of an object."""
    return evolve(error, code="42704") if error.code == "42P01" else error


@frozen
class Bounds:
    """Before which timestamp a subscription ends (None: never), and what is to be said of it."""

    up_to: int | None
    notice: Notice | None = None


def bounds_of(as_of: int | None, up_to: int | None, now: int, at_least: bool) -> Bounds | SqlError:
    """The bounds of a subscription that begins now (all in milliseconds): the past is not kept, the future unknown."""
    lower = now if as_of is None or (at_least and as_of <= now) else as_of
    if up_to is not None and up_to < lower:
        return beyond_bounds(lower, up_to)
    if up_to == lower:
        return Bounds(0, empty_bounds(lower))
    if lower != now:
        return not_supported("AS OF a moment other than now")
    return Bounds(up_to)


def instant_of(value: Evaluated) -> int | SqlError:
    """The moment that a query of one value gives, in milliseconds since the epoch."""
    rows = list(value.rows)
    if len(value.columns) != 1 or len(rows) != 1:
        return SqlError("AS OF and UP TO take one value", "22023")
    told = loads(rows[0])[0]
    millis = None
    if isinstance(told, str):
        # Timestamps are written as milliseconds with a fraction; numbers may have one that says nothing.
        whole, _, rest = told.partition(".")
        exact = value.columns[0].type_oid in _TIMESTAMPS or not rest.strip("0")
        millis = millis_of(whole if exact and whole.isdecimal() else told)
    return SqlError(f"{rows[0][1:-1].decode()} is no moment of AS OF and UP TO", "22023") if millis is None else millis


_TIMESTAMPS = frozenset({1114, 1184})
