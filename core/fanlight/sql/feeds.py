"""Feeds: one evaluation of a query for all who subscribe to the same, and who of them does it when.

A `Feed` is what equal subscriptions share: the query's rows at its last tick, the
tick's timestamp, and the moment of the next.  A `Seat` is one subscriber's place
at it.  Those who wait are parked; one of them watches the clock for all, so that
a thousand quiet subscribers wake one connection a tick.  Whoever is told that
it is due evaluates, on its own session, and publishes; one at a time.

Pure: moments come in, `Signal`s are set.  Nothing here asks an engine or sends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from math import inf
from typing import TYPE_CHECKING

from attrs import define, field

from ..http.websocket import Signal
from .changes import NOTHING, Form, Rows, Shape
from .errors import SqlError, not_supported
from .values import Descriptor

if TYPE_CHECKING:
    from ..moment import Now
    from .effects import Evaluated


@define(eq=False)
class Seat:
    """One subscriber.

    `seen` are the rows that its client knows, as of `version` of the feed;
    `told` is the last timestamp that it was told of, -1 before the first.
    `since` is how many evaluations had begun when it came: it starts with a later one.
    """

    form: Form
    up_to: int | None
    since: int
    seen: Rows = NOTHING
    version: int = -1
    told: int = -1
    signal: Signal = field(factory=Signal)


class Load:
    """What all queries take together: `size` bytes of rows, and `total` of one worker's time (0.5 is half of it).

    The time is what they would take if each had its ticks.
    """

    __slots__ = ("size", "total")

    def __init__(self) -> None:
        self.size = 0
        self.total = 0.0


class Feed:
    """One query, evaluated every `poll` seconds while anybody waits for it.

    `current` is the last evaluation and `timestamp` its milliseconds; `version`
    counts changes, the last of which came at `changed`; `payloads` is that change in
    each form, for those who knew the version before.  `failure` ended it for all.
    """

    def __init__(self, poll: float, load: Load) -> None:
        self.poll = poll
        self.load = 0.0
        """Its part of the load of all."""
        self._all = load
        self.current: Evaluated | None = None
        self.timestamp = self.changed = 0
        self.version = 0
        self.failure: SqlError | None = None
        self.shapes: dict[Form, Shape] = {}
        self.payloads: dict[Form, Sequence[bytes]] = {}
        self.seats = 0
        self._forms: Counter[Form] = Counter()
        self._parked: dict[Seat, None] = {}
        self._watcher: Seat | None = None
        self._evaluator: Seat | None = None
        self._begun = self._settled = 0
        self._due = -inf
        self._began_at = self._latest = 0.0

    # --- Subscribers. ---

    def seat(self, form: Form, up_to: int | None) -> Seat:
        """A place for one more; it ends with `leave`."""
        self.seats += 1
        self._forms[form] += 1
        return Seat(form, up_to, self._begun)

    def leave(self, seat: Seat, now: Now) -> None:
        """A subscriber is gone, whatever it was doing."""
        self.seats -= 1
        self._forms[seat.form] -= 1
        if not self._forms[seat.form]:
            del self._forms[seat.form]
            self.shapes.pop(seat.form, None)
        if self._evaluator is seat:
            self.abandon(now)
        self.unpark(seat)

    def shape(self, form: Form, columns: Sequence[Descriptor]) -> Shape:
        """The shape of a form here; from now on changes are kept in it.  Raises `Unreadable` as `Shape` does."""
        if form not in self.shapes:
            self.shapes[form] = Shape(form, columns)
        return self.shapes[form]

    def park(self, seat: Seat, now: Now) -> None:
        """The subscriber waits from here on; its signal says when it is due, for news or for work."""
        self._parked[seat] = None
        self._latest = now.mono
        if self.has_news(seat) or (self._evaluator is None and not self._fresh(seat)):
            seat.signal.set(now.mono)
            return
        seat.signal.set(inf)
        self._keep_watch()

    def unpark(self, seat: Seat) -> None:
        """It waits no longer; if it kept watch, another one does."""
        self._parked.pop(seat, None)
        if self._watcher is seat:
            self._watcher = None
            self._keep_watch()

    def _keep_watch(self) -> None:
        """Have somebody wake at the next tick, unless somebody evaluates."""
        if self._watcher is None and self._evaluator is None and self._parked:
            self._watcher = next(iter(self._parked))
            signal = self._watcher.signal
            # Not before the present: a wake in the past would pass for a late loop.
            signal.set(min(signal.at, max(self._due, self._latest)))

    def has_news(self, seat: Seat) -> bool:
        """Whether there is something to tell this subscriber."""
        if self.failure is not None:
            return True
        if self.current is None or not self._fresh(seat):
            return False
        if seat.told < 0 or seat.version != self.version:
            return True
        if seat.told >= self.timestamp:
            return False
        return seat.form.progress or (seat.up_to is not None and self.timestamp >= seat.up_to)

    def _fresh(self, seat: Seat) -> bool:
        """Whether an evaluation has ended that began after the subscriber came."""
        return self._settled > seat.since

    # --- Evaluations. ---

    def is_due(self, seat: Seat, now: Now) -> bool:
        """Whether this subscriber is to evaluate now."""
        if self._evaluator is not None or self.failure is not None:
            return False
        return not self._fresh(seat) or now.mono >= self._due

    def begin(self, seat: Seat, now: Now) -> None:
        """`seat` evaluates: exactly one `publish`, `fail` or `abandon` follows."""
        self._evaluator = seat
        self._latest = now.mono
        if self._watcher is not None and self._watcher is not seat:
            self._watcher.signal.set(inf)
        self._watcher = None
        self._begun += 1
        self._began_at = now.mono

    def publish(self, evaluated: Evaluated, payloads: dict[Form, Sequence[bytes]], now: Now) -> None:
        """A tick: the query's rows, and the change in every form of `shapes` if they are not those of `current`.

        A query that takes longer than half of its tick is evaluated less often,
        and so are all when together they would keep one worker busy for good.
        """
        before = self.current
        if before is not None and before.columns != evaluated.columns:
            self.fail(not_supported("SUBSCRIBE to a query whose columns have changed"), now)
            return
        self._all.size += evaluated.size - (before.size if before is not None else 0)
        self._evaluator = None
        self._settled = self._begun
        self._due = self._began_at + self._tick(now.mono - self._began_at)
        self.current = evaluated
        self.timestamp = max(self.timestamp + 1, int(now.wall * 1000))
        if before is None or before.rows is not evaluated.rows:
            self.version += 1
            self.changed = self.timestamp
            self.payloads = payloads
        self._tell(now)

    def end(self) -> None:
        """Nobody is left: nothing is kept, and nothing is to be done."""
        self._all.total -= self.load
        self._all.size -= self.current.size if self.current is not None else 0
        self.load, self.current = 0.0, None

    def _tick(self, taken: float) -> float:
        """Seconds between two evaluations that take so long each."""
        alone = max(self.poll, 2 * taken)
        self._all.total += taken / alone - self.load
        self.load = taken / alone
        return alone * max(1.0, self._all.total)

    def fail(self, error: SqlError, now: Now) -> None:
        """An evaluation failed: that is the end, for all."""
        self._evaluator = None
        self.failure = error
        self._tell(now)

    def abandon(self, now: Now) -> None:
        """Whoever evaluated was stopped, which is nobody else's affair: the next one does it."""
        self._evaluator = None
        self._tell(now)

    def _tell(self, now: Now) -> None:
        """Wake those with news, and one for the work that is left."""
        late = False
        self._latest = now.mono
        for seat in self._parked:
            if self.has_news(seat):
                seat.signal.set(now.mono)
            elif not late and not self._fresh(seat):
                late = True
                seat.signal.set(now.mono)
        self._watcher = None
        self._keep_watch()


class Feeds:
    """All feeds of a server, by what makes subscriptions equal; at most `most` subscribers."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.subscribers = 0
        self.load = Load()
        self._feeds: dict[Hashable, Feed] = {}

    def __len__(self) -> int:
        return len(self._feeds)

    def join(self, key: Hashable, poll: float) -> Feed | None:
        """The feed of `key`, a new one if there is none that goes on; None when there are too many subscribers."""
        if self.subscribers >= self.most:
            return None
        self.subscribers += 1
        feed = self._feeds.get(key)
        if feed is None or feed.failure is not None:
            feed = self._feeds[key] = Feed(poll, self.load)
        return feed

    def leave(self, key: Hashable, feed: Feed) -> None:
        """One subscriber of `feed` has left it."""
        self.subscribers -= 1
        if not feed.seats:
            feed.end()
        if not feed.seats and self._feeds.get(key) is feed:
            del self._feeds[key]
