"""Password checks: from a name and a password to an identity, in the order that gives nothing away.

The throttle is asked first, then the memory of checks that succeeded, then a
hash is worked out: once for equal attempts, a few at a time, the peers in turn.
A name that nobody has costs what any other costs.  What is known already is told
at once, without a routine: most requests of a client are like its last.  Never
hashes by itself, and remembers no failure.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from attrs import frozen

from ..asks import ClientGone, Moment, TimeUp
from ..background import Begin
from ..health.latch import Await, Latch
from ..peer import network_of
from .chain import Rejected, too_many
from .effects import Attempt, AwaitPassword, HashPassword, Secret, StorePassword, VerifyPassword
from .identity import Identity, Proof
from .roles import is_internal, is_user_name
from .scram import ITERATIONS, LONGEST_PASSWORD, MECHANISM, decoy
from .throttle import Rate, Reservation, Throttle
from .users import NOBODY, Role

if TYPE_CHECKING:
    from ..asks import Routine
    from ..config.settings import Dialect
    from ..moment import Entropy, Now
    from .users import Users

KEPT_SECONDS = 60.0
KEPT = 1024
AT_ONCE = 4
WAITING = 64


@frozen
class Refused:
    """Nobody.  `retry_after` is None for a wrong password, else in how many seconds to try again."""

    retry_after: float | None = None


WRONG = Refused()
BUSY = Refused(1.0)

Found = Identity | Refused


class _Sought(NamedTuple):
    """What is to be checked: `password` against `stored`, which is that of `role` unless that is `NOBODY`."""

    role: Role
    stored: str
    password: str
    key: bytes


class _Kept(NamedTuple):
    """A check that succeeded; good `until` then, for as long as the role is that very one."""

    until: float
    role: Role
    identity: Identity


class _Flight:
    """A check that several attempts share; `outcome` None after the latch opened: try again."""

    __slots__ = ("latch", "outcome")

    def __init__(self) -> None:
        self.latch = Latch()
        self.outcome: Found | None = None


class PasswordChecks:
    """The checks of a server, shared by its listeners, headers, logins and first messages.

    A password that was hashed with another count than `iterations` is hashed
    anew in the background after it was right; `filed`: the new form is written
    where the users are kept (`StorePassword`).
    """

    def __init__(
        self,
        users: Users,
        dialect: Dialect,
        named: Rate,
        peer: Rate,
        entropy: Entropy,
        *,
        iterations: int = ITERATIONS,
        filed: bool = False,
    ) -> None:
        self.throttle = Throttle(named, peer)
        self._users = users
        self._dialect = dialect
        self._iterations = iterations
        self._filed = filed
        self._hashing: set[str] = set()
        # HMAC-SHA256 under a key of this process, with both pads worked in (RFC 2104 section 4).
        pads = entropy.token(32).ljust(64, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in pads))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in pads))
        self._decoy_bytes = entropy.token(96)
        self._decoy = decoy(self._decoy_bytes, users.iterations)
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._flights: dict[tuple[str, bytes], _Flight] = {}
        self._turns = Turns(AT_ONCE, WAITING)

    def forget(self) -> None:
        """The users have changed: nothing that was found before holds any more."""
        self._kept.clear()
        self._decoy = decoy(self._decoy_bytes, self._users.iterations)

    def check(self, peer: str, user: str, password: str, mono: float) -> Found | Routine[Found]:
        """Who `user` is if that is the password and the role may log in; a routine where that has to be found out.

        `user` is fit for a name (`roles.is_user_name`).  The identity is that
        of the role when the check began.
        """
        network = network_of(peer)
        known = self._known(network, user, password, mono)
        return self._find_out(network, user, password) if isinstance(known, _Sought) else known

    def _known(self, network: str, user: str, password: str, mono: float) -> Found | _Sought:
        """The throttle's word, then what is remembered, else what is to be checked.

        For nobody that is a form of no password; a password that is too long
        is cut, and checked against it as well.
        """
        delay = self.throttle.delay(network, user, mono)
        if delay:
            return Refused(delay)
        role, cut = self._users.find(user) or NOBODY, password
        if len(password) * 4 > LONGEST_PASSWORD:  # at most four bytes each
            cut = password.encode()[:LONGEST_PASSWORD].decode(errors="ignore")
        stored = self._users.stored_of(role)
        if stored is None or not role.login or not role.iterations or cut != password:
            role, stored = NOBODY, self._decoy
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"{user}\0{cut}\0{stored}".encode())
        outer.update(inner.digest())
        key = outer.digest()
        kept = self._kept.get(key)
        if kept is not None and kept.role is role and mono < kept.until:
            return kept.identity
        return _Sought(role, stored, cut, key)

    async def _find_out(self, network: str, user: str, password: str) -> Found:
        """Check, or wait for whoever checks the same."""
        while True:
            known = self._known(network, user, password, (await Moment()).mono)
            if not isinstance(known, _Sought):
                return known
            flight = self._flights.get((network, known.key))
            if flight is None:
                return await self._fly(network, user, known)
            await Await(flight.latch)
            if flight.outcome is not None:
                return flight.outcome

    async def _fly(self, network: str, user: str, sought: _Sought) -> Found:
        """Do the check for everybody who has the same to ask meanwhile."""
        flight = self._flights[network, sought.key] = _Flight()
        verify = VerifyPassword(sought.stored, Secret(sought.password), Attempt(), self._users.iterations)
        try:
            flight.outcome = outcome = await self._reserved(network, user, sought.role, verify)
            if isinstance(outcome, Identity):
                self._remember(sought.key, _Kept((await Moment()).mono + KEPT_SECONDS, sought.role, outcome))
                await self._renew(user, sought)
            return outcome
        finally:
            del self._flights[network, sought.key]
            flight.latch.open()

    async def _renew(self, user: str, sought: _Sought) -> None:
        """Begin to hash a right password anew, if its stored form has another count than new ones."""
        up_to_date = sought.stored.startswith(f"{MECHANISM}${self._iterations}:")
        if not up_to_date and user not in self._hashing:
            self._hashing.add(user)
            await Begin(partial(self._hash_anew, user, sought))

    async def _hash_anew(self, user: str, sought: _Sought) -> None:
        try:
            stored = await HashPassword(Secret(sought.password), self._iterations)
            if not self._users.renew(user, sought.role, stored):
                return  # it is another password by now
            self.forget()
            if self._filed:
                await StorePassword(user, sought.stored, stored)
        finally:
            self._hashing.discard(user)

    async def _reserved(self, network: str, user: str, role: Role, verify: VerifyPassword) -> Found:
        """Between a reservation and its release, whatever happens.

        A client that leaves before the hash was begun is charged nothing; later
        it is charged for what comes out, which it will not hear.
        """
        reservation = await self.throttle.reserve(network, user)
        if not isinstance(reservation, Reservation):
            return Refused(reservation)
        passed: bool | None = None
        try:
            if not await self._turns.enter(network):
                return BUSY
            try:
                passed = await verify and role is not NOBODY
            except (ClientGone, TimeUp):
                if not verify.attempt.abandon():
                    passed = await AwaitPassword(verify.attempt) and role is not NOBODY
                raise
            finally:
                self._turns.leave()
            return self._identity(user, role) if passed else WRONG
        finally:
            reservation.release(failed=passed is False)

    def _identity(self, user: str, role: Role) -> Identity:
        internal = is_internal(user, self._dialect)
        return Identity(user, "Password", internal=internal, superuser=role.superuser, proof=Proof(role.mark))

    def _remember(self, key: bytes, kept: _Kept) -> None:
        """The oldest goes when there are too many; all last equally long, so the oldest is the first."""
        self._kept.pop(key, None)
        self._kept[key] = kept
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)


class Turns:
    """`most` may be inside at once, `waiting` may wait: in the order they came, the peers in turn."""

    def __init__(self, most: int, waiting: int) -> None:
        self._free = most
        self._most_waiting = waiting
        self._lines: OrderedDict[str, deque[Latch]] = OrderedDict()
        self._waiting = 0

    async def enter(self, network: str) -> bool:
        """Wait for a place; False when too many wait already.  Every True is followed by one `leave`."""
        if self._free and not self._waiting:
            self._free -= 1
            return True
        if self._waiting >= self._most_waiting:
            return False
        latch = Latch()
        self._lines.setdefault(network, deque()).append(latch)
        self._waiting += 1
        try:
            await Await(latch)
        except BaseException:
            if latch.is_open:
                self.leave()  # a place was given that nobody takes
            else:
                self._lines[network].remove(latch)
                self._left(network)
            raise
        return True

    def leave(self) -> None:
        """Give the place to the first in the line of the next network."""
        if not self._waiting:
            self._free += 1
            return
        network, line = next(iter(self._lines.items()))
        line.popleft().open()
        self._lines.move_to_end(network)
        self._left(network)

    def _left(self, network: str) -> None:
        self._waiting -= 1
        if not self._lines[network]:
            del self._lines[network]


def prove_password(
    checks: PasswordChecks, peer: str, user: str, password: str, now: Now
) -> Identity | Rejected | Routine[Identity | Rejected]:
    """Who `user` is, if that is the password (spec auth.md A4); a routine where that has to be found out.

    A wrong password, a user that nobody is, one that may not log in and one
    without a password are told apart by nothing.
    """
    if not is_user_name(user):
        return Rejected("invalid credentials", user=user)
    known = checks.check(peer, user, password, now.mono)
    if isinstance(known, Identity):
        return known
    return _rejected(known, user) if isinstance(known, Refused) else _proved(known, user)


async def _proved(check: Routine[Found], user: str) -> Identity | Rejected:
    outcome = await check
    return outcome if isinstance(outcome, Identity) else _rejected(outcome, user)


def _rejected(refused: Refused, user: str) -> Rejected:
    if refused.retry_after is None:
        return Rejected("invalid credentials", user=user)
    return too_many(refused.retry_after, user)
