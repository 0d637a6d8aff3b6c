"""Login sessions as requests meet them: found by a cookie, begun by a login, ended by a logout.

What a session is worth is asked of the users each time: a new password, the
loss of login, a dropped user end it.  The table is the truth; a store, where
there is one, is told, so that a restart does not end what people have open.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from ..latch import Await, Latch
from .chain import Rejected
from .cookies import ID_BYTES, id_bytes, id_text, is_session_id, remove_session, session_values, set_session
from .effects import KeepSessions, KeptSession, LoadSessions
from .identity import Identity, Proof
from .roles import named
from .session_table import Session, SessionTable

if TYPE_CHECKING:
    from ..config import Dialect
    from ..http.request import Request
    from ..moment import Entropy
    from .users import Users

_KEPT_EVERY = 60.0
"""A store hears of activity so often; what it does not hear of a restart may take back."""

EXPIRED = Rejected("session expired")


@frozen
class Carried:
    """What a request's cookie says: an identity, a rejection, or nothing; and the Set-Cookie value to answer with."""

    outcome: Identity | Rejected | None = None
    cookie: str | None = None


NOTHING = Carried()


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
        secure: bool = False,
        stored: bool = False,
    ) -> None:
        self.table = SessionTable(absolute)
        self._listener = listener
        self._dialect = dialect
        self._users = users
        self._entropy = entropy
        self._secure = secure
        self._stored = stored
        self._loaded = not stored
        self._loading: Latch | None = None

    async def find(self, request: Request) -> Carried:
        """Gate 9 (spec auth.md S3).  More than one cookie of the name is none."""
        values = session_values(request.head, self._dialect.session_cookie)
        if len(values) != 1:
            return NOTHING
        if not is_session_id(values[0]):
            return Carried(None, self._removal())
        if not self._loaded:
            await self._load()
        key = key_of(id_bytes(values[0]))
        session = self.table.use(key, request.arrived.wall)
        if session is None:
            return Carried(None, self._removal())
        identity = self._identity(key, session) if isinstance(session, Session) else None
        if identity is None or not isinstance(session, Session):
            self.table.drop(key)
            await self._keep()
            return Carried(EXPIRED, self._removal())
        if self._stored and session.active - session.kept >= _KEPT_EVERY:
            self.table.changed.add(key)
            await self._keep()
        return Carried(identity, set_session(self._dialect.session_cookie, values[0], secure=self._secure))

    def _identity(self, key: bytes, session: Session) -> Identity | None:
        """Who the session is of, if its credentials still hold; worked out once for each value of the role."""
        role = self._users.find(session.user)
        if session.identity is not None and session.identity[0] is role:
            return session.identity[1]
        if role is None or not role.login or role.mark != session.mark:
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
        if not self._loaded:
            await self._load()
        self._end_named(request)
        raw = self._entropy.token(ID_BYTES)
        wall = request.arrived.wall
        key = key_of(raw)
        self.table.add(key, Session(identity.user, wall, wall, identity.proof.mark))
        if not await self._keep():
            self.table.drop(key)
            return None
        return set_session(self._dialect.session_cookie, id_text(raw), secure=self._secure)

    async def end(self, request: Request) -> bool:
        """Log out: the sessions that the request's cookies name are over; False if a store still has one."""
        if not self._loaded:
            await self._load()
        self._end_named(request)
        return await self._keep()

    def _end_named(self, request: Request) -> None:
        values = session_values(request.head, self._dialect.session_cookie)
        keys = [key_of(id_bytes(value)) for value in values if is_session_id(value)]
        ended = [key for key in keys if self.table.drop(key) is not None]
        if ended:
            request.server.end_sockets(lambda identity, proof: proof.session in ended)

    def _removal(self) -> str:
        return remove_session(self._dialect.session_cookie, secure=self._secure)

    async def _load(self) -> None:
        """Take over what the store knows; one asks, the others wait for it."""
        while not self._loaded:
            if self._loading is not None:
                await Await(self._loading)
                continue
            latch = self._loading = Latch()
            try:
                for kept in await LoadSessions(self._listener):
                    self.table.restore(kept.key, Session(kept.user, kept.created, kept.active, kept.mark))
                self._loaded = True
            finally:
                self._loading = None
                latch.open()

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


def key_of(raw: bytes) -> bytes:
    """How the table knows an id."""
    return sha256(raw).digest()
