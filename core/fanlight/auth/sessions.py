"""Login sessions as requests meet them: found by a cookie, begun by a login, ended by a logout.

What a session is worth is asked of the users each time: a new password, the
loss of login, a dropped user end it.  The table is the truth; a store, where
there is one, is told, so that a restart does not end what people have open.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from attrs import evolve

from ..asks import Moment
from ..health.latch import Await, Latch
from .chain import NOTHING, Carried, Rejected
from .cookies import ID_BYTES, SessionCookie, id_text, is_session_id, session_values
from .effects import KeepSessions, KeptSession, LoadSessions
from .identity import Identity, Proof
from .roles import named
from .session_table import Session, SessionTable

if TYPE_CHECKING:
    from ..asks import Routine
    from ..config.settings import Dialect
    from ..http.request import Request
    from ..moment import Entropy
    from .users import Users

_KEPT_EVERY = 60.0
"""A store hears of activity so often; what it does not hear of a restart may take back."""

EXPIRED = Rejected("session expired")
UNREADABLE = Rejected("failed to update session")
UNWRITABLE = Rejected("failed to update session", body="", status=500)


class _Loading:
    """A look into the store that several requests wait for; not `failed` after the latch opened: try again."""

    __slots__ = ("failed", "latch")

    def __init__(self) -> None:
        self.latch = Latch()
        self.failed = False


class Sessions:
    """The sessions of one listener.

    `stored`: an engine keeps them (`LoadSessions`, `KeepSessions`), and is
    asked for what it knows when the first cookie comes.
    """

    def __init__(
        self,
        listener: str,
        *,
        dialect: Dialect,
        users: Users,
        entropy: Entropy,
        absolute: float,
        cookie: SessionCookie | None = None,
        stored: bool = False,
    ) -> None:
        self.table = SessionTable(absolute)
        self._listener = listener
        self._dialect = dialect
        self._users = users
        self._entropy = entropy
        self.cookie = cookie or SessionCookie(dialect.session_cookie)
        self._stored = stored
        self._loaded = not stored
        self._loading: _Loading | None = None

    def find(self, request: Request) -> Carried | Routine[Carried]:
        """Gate 9 (spec auth.md S3); a routine where a store is asked or told.

        More than one cookie of the name is none.
        """
        head = request.head
        line = head.values.get("cookie")
        if line is None:
            return NOTHING
        alone = self.cookie.lone.fullmatch(line)  # as a browser sends it that has no other cookie of this host
        if alone is not None and len(head.values) == len(head.fields):
            value = alone[1]
        else:
            values = session_values(head, self.cookie.name)
            if len(values) != 1:
                return NOTHING
            value = values[0]
            if not is_session_id(value):
                return Carried(None, self.cookie.removal)
        return self._use(value, request.arrived.wall) if self._loaded else self._load_and_use(value)

    def _use(self, value: str, wall: float) -> Carried | Routine[Carried]:
        """The session that the cookie names, active from now on."""
        key = key_of(value)
        session = self.table.use(key, wall)
        if session is None:
            return Carried(None, self.cookie.removal)
        identity = self._identity(key, session) if session != "expired" else None
        if identity is None or session == "expired":
            self.table.drop(key)
            return self._told(Carried(EXPIRED, self.cookie.removal))
        carried = Carried(identity, self.cookie.set_value(value))
        if self._stored and session.active - session.kept >= _KEPT_EVERY:
            self.table.changed.add(key)
            return self._told(carried)
        return carried

    async def _load_and_use(self, value: str) -> Carried:
        if not await self._load():
            return Carried(UNREADABLE)
        used = self._use(value, (await Moment()).wall)  # whoever came later may have been quicker
        return used if isinstance(used, Carried) else await used

    async def _told(self, carried: Carried) -> Carried:
        """Tell the store; a request whose activity cannot be kept fails, one that is refused is refused either way."""
        kept = await self._keep()
        return carried if kept or carried.outcome is EXPIRED else Carried(UNWRITABLE)

    def _identity(self, key: bytes, session: Session) -> Identity | None:
        """Who the session is of, if its credentials still hold; worked out once for each value of the role."""
        role = self._users.find(session.user)
        if session.identity is not None and session.identity[0] is role:
            return session.identity[1]
        if role is None or not role.login or not role.vouches(session.mark):
            return None
        proof = Proof(session.mark, key)
        identity = named(session.user, "Password", self._dialect)
        identity = evolve(identity, superuser=role.superuser, proof=proof)
        session.identity = (role, identity)
        return identity

    async def begin(self, request: Request, identity: Identity) -> str | None:
        """A session under a new id for whoever has just logged in; the Set-Cookie value, None if it cannot be kept.

        Sessions that the request's own cookies name are over: an id that was
        there before the login is never worth more after it (threats: T3).
        """
        assert identity.proof is not None
        if not await self._load():
            return None
        self._end_named(request)
        text = id_text(self._entropy.token(ID_BYTES))
        wall = request.arrived.wall
        key = key_of(text)
        self.table.add(key, Session(identity.user, wall, wall, identity.proof.mark))
        if not await self._keep():
            self.table.drop(key)
            return None
        return self.cookie.set_value(text)

    async def end(self, request: Request) -> bool:
        """Log out: the sessions that the request's cookies name are over; False if a store still has one."""
        if not await self._load():
            return False
        self._end_named(request)
        return await self._keep()

    def _end_named(self, request: Request) -> None:
        values = session_values(request.head, self.cookie.name)
        keys = [key_of(value) for value in values if is_session_id(value)]
        ended = [key for key in keys if self.table.drop(key) is not None]
        if ended:
            request.server.end_sockets(lambda identity, proof: proof.session in ended)

    async def _load(self) -> bool:
        """Take over what the store knows; one asks, the others wait for it.

        False while it cannot be read: its sessions may be good, so nobody is
        told that they are none, and the next request asks again.
        """
        while not self._loaded:
            if self._loading is not None:
                loading = self._loading
                await Await(loading.latch)
                if loading.failed:
                    return False
                continue
            loading = self._loading = _Loading()
            try:
                known = await LoadSessions(self._listener)
                loading.failed = known is None
                for kept in known or ():
                    self.table.restore(kept.key, Session(kept.user, kept.created, kept.active, kept.mark))
                self._loaded = known is not None
            finally:
                self._loading = None
                loading.latch.open()
            if loading.failed:
                return False
        return True

    async def _keep(self) -> bool:
        """Tell the store what has changed; True as well where there is none."""
        if not self._stored:
            self.table.changed.clear()
            return True
        keys = tuple(self.table.changed)
        if not keys:
            return True
        self.table.changed.clear()
        saved = [KeptSession(key, s.user, s.created, s.active, s.mark) for key in keys if (s := self.table.get(key))]
        dropped = tuple(set(keys) - {kept.key for kept in saved})
        done = False
        try:
            done = await KeepSessions(self._listener, tuple(saved), dropped)
        finally:
            if not done:
                self.table.changed.update(keys)  # another try with the next change
        for kept in saved:
            session = self.table.get(kept.key)
            if session is not None and done:
                session.kept = kept.active
        return done


def key_of(text: str) -> bytes:
    """How the table knows the id `text`, which has one spelling only (`cookies.is_session_id`)."""
    return sha256(text.encode()).digest()
