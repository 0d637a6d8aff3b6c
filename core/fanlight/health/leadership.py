"""Leadership: which of several processes does the work, as a machine that only goes forwards.

A process begins as `Initializing`; it may catch up with the one that leads
now; it is promoted by somebody's request; it leads.  There is no way back: a
process that has lost what made it the leader ends (`Leadership.lose`).  What
moves the machine is the program, or a lock that an engine holds; the choice is
a value (`Leader`).  Nothing here waits, locks a file or speaks to a database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from .occasion import Occasion

if TYPE_CHECKING:
    from .readiness import Readiness

State = Literal["Initializing", "CatchingUp", "ReadyToPromote", "Promoting", "IsLeader"]
Move = Literal["set_catching_up", "set_ready_to_promote", "promote", "set_is_leader"]
Watcher = Callable[[State], object]

STATES: tuple[State, ...] = ("Initializing", "CatchingUp", "ReadyToPromote", "Promoting", "IsLeader")
MOVES: Mapping[Move, tuple[frozenset[State], State]] = MappingProxyType(
    {
        "set_catching_up": (frozenset({"Initializing"}), "CatchingUp"),
        "set_ready_to_promote": (frozenset({"Initializing", "CatchingUp"}), "ReadyToPromote"),
        "promote": (frozenset({"ReadyToPromote"}), "Promoting"),
        "set_is_leader": (frozenset({"Initializing", "Promoting"}), "IsLeader"),
    }
)
"""From which states each move leads, and where to."""


class Leadership:
    """The machine.  Any thread may ask and move it.

    `skipped` happens when somebody asks not to wait for the catching up,
    `promoted` when somebody asks for the promotion, `lost` when a leader has to
    stop being one.  `epoch` is known from `IsLeader` on where a lock makes the
    leader: a number that is higher than that of every leader before, for a guard
    to compare (a fencing token).  It may have gaps.
    """

    def __init__(self, watchers: tuple[Watcher, ...] = ()) -> None:
        # Each state is left at most once, so to leave it is one `setdefault`: no lock, and no two ways out.
        self._left: dict[State, list[State]] = {}
        self._watchers = watchers
        self.skipped = Occasion()
        self.promoted = Occasion()
        self.lost = Occasion()
        self.reason = ""
        self.epoch: int | None = None

    @property
    def state(self) -> State:
        """Where it stands."""
        state: State = "Initializing"
        while (step := self._left.get(state)) is not None:
            state = step[0]
        return state

    @property
    def status(self) -> State:
        """The state as it is told to others: that a process is catching up is its own affair."""
        state = self.state
        return "Initializing" if state == "CatchingUp" else state

    @property
    def leads(self) -> bool:
        """Whether this process is the leader, and nothing has been heard to the contrary."""
        return self.state == "IsLeader" and not self.lost.happened

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Have `watcher(state)` called after each move, on the thread that made it; returns how to stop that."""
        self._watchers = (*self._watchers, watcher)

        def unwatch() -> None:
            self._watchers = tuple(other for other in self._watchers if other is not watcher)

        return unwatch

    # What the program does: each raises RuntimeError from a state that the move does not lead from.

    def set_catching_up(self) -> Occasion:
        """The process follows the leader until it knows as much; returns `skipped`."""
        self._must("set_catching_up")
        return self.skipped

    def set_ready_to_promote(self) -> Occasion:
        """The process could lead; returns `promoted`."""
        self._must("set_ready_to_promote")
        return self.promoted

    def set_is_leader(self) -> None:
        """The process leads."""
        self._must("set_is_leader")

    # What clients ask: refused by False.

    def promote(self) -> bool:
        """Somebody asks for the promotion; True also when it has been asked for before.

        Raises what a watcher raised; the promotion stands.
        """
        try:
            return self.move("promote") or self.state in ("Promoting", "IsLeader")
        finally:
            if "ReadyToPromote" in self._left:
                self.promoted.happen()

    def skip_catchup(self) -> bool:
        """Somebody asks not to wait for the catching up; True also when there is nothing to wait for any more."""
        state = self.state
        if state == "CatchingUp":
            self.skipped.happen()
        return state != "Initializing"

    # What backends do.

    def move(self, move: Move) -> bool:
        """Make the move if it leads from here; False otherwise, and nothing has happened.

        Raises what a watcher raised, after all were called; the move stands.
        """
        origins, target = MOVES[move]
        step: list[State] = [target]
        while (state := self.state) in origins:
            if self._left.setdefault(state, step) is step:
                self._tell(target)
                return True
        return False

    def lose(self, reason: str) -> None:
        """What made this process the leader is gone: nobody may take it for one any more.

        The state stays, for there is no way back.  `reason` is for the log.
        """
        if not self.lost.happened:
            self.reason = reason
            self.lost.happen()

    def again(self) -> Leadership:
        """A new machine with the same watchers, for another server."""
        return Leadership(self._watchers)

    def _must(self, move: Move) -> None:
        if not self.move(move):
            raise RuntimeError(f"{move}() in state {self.state}")

    def _tell(self, state: State) -> None:
        failure: Exception | None = None
        for watcher in self._watchers:
            try:
                watcher(state)
            except Exception as error:  # noqa: BLE001 - the others are to hear of it as well
                failure = failure or error
        if failure is not None:
            raise failure


@frozen
class SoloLeader:
    """There is one process: it leads as soon as the condition `engine`, if there is one, is met."""


@frozen
class ManualLeader:
    """The program moves `app.leadership` itself."""


OnLost = Callable[[str], object]
"""Told why, in a thread of the engine's; instead of it, by default, the server ends."""


def _positive(_: object, attribute: object, value: float) -> None:
    if not 0 < value <= 3600:
        raise ValueError(f"{getattr(attribute, 'name', '')} is more than 0 and at most 3600 seconds")


@frozen(kw_only=True)
class FileLockLeader:
    """Whoever holds the lock of the file `path` leads (`flock`, on a local file system).

    The file is made, mode 0600, and stays.  The lock is tried every
    `retry_seconds`; every `check_seconds` a leader makes sure that the file at
    `path` is still the one that it has locked.  With `wait_for_promotion` it is
    tried only after `/api/leader/promote`.
    """

    path: str
    retry_seconds: float = field(default=0.5, validator=_positive)
    check_seconds: float = field(default=1.0, validator=_positive)
    wait_for_promotion: bool = False
    on_lost: OnLost | None = field(default=None, repr=False)


@frozen(kw_only=True)
class PostgresAdvisoryLockLeader:
    """Whoever holds the advisory lock `key` of a PostgreSQL database leads.

    `conninfo` is a connection string or URI of libpq, never shown; `key` a
    64-bit number or a name that stands for one.  The lock is tried every
    `retry_seconds`.  The lock is the session's: a leader asks the server every
    `check_seconds` whether it is still there, and has lost when there is no
    answer in as many seconds; a connection that ends is noticed at once.
    """

    conninfo: str = field(repr=False)
    key: int | str
    retry_seconds: float = field(default=1.0, validator=_positive)
    check_seconds: float = field(default=5.0, validator=_positive)
    wait_for_promotion: bool = False
    on_lost: OnLost | None = field(default=None, repr=False)


Leader = SoloLeader | ManualLeader | FileLockLeader | PostgresAdvisoryLockLeader


def lead_when_ready(leadership: Leadership, readiness: Readiness) -> None:
    """What `SoloLeader` means: to lead when the condition `engine` is met, or is not there."""

    def look() -> bool:
        if readiness.states().get("engine", "met") == "met":
            leadership.move("set_is_leader")
        return leadership.state == "IsLeader"

    if not look():
        readiness.watch(look)
        look()  # it may have changed in between
