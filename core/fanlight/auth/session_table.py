"""The sessions of one listener: who logged in, when, and how long that still holds.

A table in memory, ordered by last activity.  It is keyed by the SHA-256 of the
id, so whoever sees the table (in a heap view, say) cannot use what it shows.
It reads no clock, draws no id and knows no cookie.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .identity import Identity
    from .users import Role

IDLE_SECONDS = 28_800
"""How long a session lasts without a request; each request begins it anew."""
MOST = 100_000
MOST_OF_USER = 1_000
_TRIES = 20
_SWEPT = 8
"""How many old sessions are looked at when a new one comes."""


class Session:
    """One login.  Times are Unix seconds; `mark` is that of the role it was made with (`users.Role.mark`).

    `kept` is the activity that a store knows of; `identity` who it was last found to be, by the value of the role
    then.
    """

    __slots__ = ("active", "created", "identity", "kept", "mark", "user")

    def __init__(self, user: str, created: float, active: float, mark: str) -> None:
        self.user = user
        self.created = created
        self.active = active
        self.mark = mark
        self.kept = active
        self.identity: tuple[Role, Identity] | None = None


class SessionTable:
    """Sessions by key.  `absolute` is how many seconds after its login a session ends, whatever happens.

    `changed` are the keys that a store does not know the present state of.
    """

    def __init__(self, absolute: float, most: int = MOST, most_of_user: int = MOST_OF_USER) -> None:
        self.looked_up = 0
        self.changed: set[bytes] = set()
        self._absolute = absolute
        self._most = most
        self._most_of_user = most_of_user
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        self._by_user: dict[str, set[bytes]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[tuple[bytes, Session]]:
        """Longest idle first.  A copy, so that another thread may read while the server works."""
        for _ in range(_TRIES):
            try:
                return iter(list(self._sessions.items()))
            except RuntimeError:
                continue  # changed while it was copied
        return iter(())

    def get(self, key: bytes) -> Session | None:
        """The session, whatever its age; changes nothing."""
        return self._sessions.get(key)

    def use(self, key: bytes, wall: float) -> Session | Literal["expired"] | None:
        """The session of `key`, active from now on; an expired one is gone with this call."""
        self.looked_up += 1
        session = self._sessions.get(key)
        if session is None:
            return None
        # `is_over` written out: every request of a session passes here.
        if not 0 <= wall - session.active <= IDLE_SECONDS or wall - session.created > self._absolute:
            self.drop(key)
            return "expired"
        session.active = wall
        self._sessions.move_to_end(key)
        return session

    def is_over(self, session: Session, wall: float) -> bool:
        """Idle or old for too long; one from the future (a clock was set back) cannot be trusted either."""
        idle = wall - session.active
        return not 0 <= idle <= IDLE_SECONDS or wall - session.created > self._absolute

    def add(self, key: bytes, session: Session) -> None:
        """A new session; where there are too many the longest idle one goes, of the same user first."""
        self._sweep(session.active)
        own = self._by_user.get(session.user, ())
        if len(own) >= self._most_of_user:
            self.drop(min(own, key=lambda key: self._sessions[key].active))
        elif len(self._sessions) >= self._most:
            self.drop(next(iter(self._sessions)))
        self._by_user.setdefault(session.user, set()).add(key)
        self._sessions[key] = session
        self.changed.add(key)

    def restore(self, key: bytes, session: Session) -> None:
        """A session that a store knew; those that were made meanwhile are younger."""
        if key in self._sessions or key in self.changed or len(self._sessions) >= self._most:
            return
        self._sessions[key] = session
        self._sessions.move_to_end(key, last=False)
        self._by_user.setdefault(session.user, set()).add(key)

    def drop(self, key: bytes) -> Session | None:
        """End a session; returns it if it was there."""
        session = self._sessions.pop(key, None)
        if session is None:
            return None
        own = self._by_user[session.user]
        own.remove(key)
        if not own:
            del self._by_user[session.user]
        self.changed.add(key)
        return session

    def of_user(self, user: str) -> frozenset[bytes]:
        """The keys of a user's sessions."""
        return frozenset(self._by_user.get(user, ()))

    def _sweep(self, wall: float) -> None:
        """Take away a few of the longest idle that are over."""
        for _ in range(_SWEPT):
            key = next(iter(self._sessions), None)
            if key is None or not self.is_over(self._sessions[key], wall):
                return
            self.drop(key)
