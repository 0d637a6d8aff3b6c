"""Password checks: from a name and a password to a role, in the order that gives nothing away.

The throttle is asked first, then the memory of checks that succeeded, then a
hash is worked out: once for equal attempts, a few at a time, the peers in turn.
A name that nobody has costs what any other costs.  Never hashes by itself, and
remembers no failure.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from hmac import digest
from typing import TYPE_CHECKING

from attrs import frozen

from ..asks import ClientGone, Moment, TimeUp
from ..latch import Await, Latch
from ..lobby import network_of
from .effects import Attempt, AwaitPassword, Secret, VerifyPassword
from .scram import LONGEST_PASSWORD, decoy
from .throttle import Rate, Reservation, Throttle
from .users import NOBODY, Role

if TYPE_CHECKING:
    from ..moment import Entropy
    from .users import Users

KEPT_SECONDS = 60.0
KEPT = 1024
AT_ONCE = 4
WAITING = 64


@frozen
class Refused:
    """No role.  `retry_after` is None for a wrong password, else in how many seconds to try again."""

    retry_after: float | None = None


WRONG = Refused()
BUSY = Refused(1.0)


class _Flight:
    """A check that several attempts share; `outcome` None after the latch opened: try again."""

    __slots__ = ("latch", "outcome")

    def __init__(self) -> None:
        self.latch = Latch()
        self.outcome: Role | Refused | None = None


class PasswordChecks:
    """The checks of a server, shared by its listeners, headers, logins and first messages."""

    def __init__(self, users: Users, named: Rate, peer: Rate, entropy: Entropy) -> None:
        self.throttle = Throttle(named, peer)
        self._users = users
        self._key = entropy.token(32)
        self._decoy_bytes = entropy.token(96)
        self._decoy = decoy(self._decoy_bytes, users.iterations)
        self._kept: OrderedDict[bytes, float] = OrderedDict()
        self._flights: dict[tuple[str, bytes], _Flight] = {}
        self._turns = Turns(AT_ONCE, WAITING)

    def forget(self) -> None:
        """The users have changed: nothing that was found before holds any more."""
        self._kept.clear()
        self._decoy = decoy(self._decoy_bytes, self._users.iterations)

    async def check(self, peer: str, user: str, password: str) -> Role | Refused:
        """The role of `user` if that is the password and the role may log in.

        `user` is fit for a name (`roles.is_user_name`).  The role is as it was
        when the check began.
        """
        network = network_of(peer)
        while True:
            mono = (await Moment()).mono
            delay = self.throttle.delay(network, user, mono)
            if delay:
                return Refused(delay)
            role, stored, sought = self._sought(user, password)
            key = digest(self._key, f"{user}\0{sought}\0{stored}".encode(), "sha256")
            if role is not NOBODY and self._remembers(key, mono):
                return role
            flight = self._flights.get((network, key))
            if flight is None:
                return await self._fly(network, user, key, role, VerifyPassword(stored, Secret(sought), Attempt()))
            await Await(flight.latch)
            if flight.outcome is not None:
                return flight.outcome

    def _sought(self, user: str, password: str) -> tuple[Role, str, str]:
        """The role (`NOBODY`: none that can log in), the form to check against, the password to check.

        For nobody the form is one of no password; a password that is too long
        is cut, and checked against it as well.
        """
        role = self._users.find(user) or NOBODY
        long = len(password) * 4 > LONGEST_PASSWORD  # at most four bytes each
        cut = password.encode()[:LONGEST_PASSWORD].decode(errors="ignore") if long else password
        if role.stored is None or not role.login or not role.iterations or cut != password:
            return NOBODY, self._decoy, cut
        return role, role.stored, password

    async def _fly(self, network: str, user: str, key: bytes, role: Role, verify: VerifyPassword) -> Role | Refused:
        """Do the check for everybody who has the same to ask meanwhile."""
        flight = self._flights[network, key] = _Flight()
        try:
            flight.outcome = await self._reserved(network, user, role, verify)
            if flight.outcome is role:
                self._remember(key, (await Moment()).mono)
            return flight.outcome
        finally:
            del self._flights[network, key]
            flight.latch.open()

    async def _reserved(self, network: str, user: str, role: Role, verify: VerifyPassword) -> Role | Refused:
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
            return role if passed else WRONG
        finally:
            reservation.release(failed=passed is False)

    def _remembers(self, key: bytes, mono: float) -> bool:
        """Has this very check succeeded not long ago?"""
        until = self._kept.get(key)
        return until is not None and mono < until

    def _remember(self, key: bytes, mono: float) -> None:
        """The oldest goes when there are too many; all last equally long, so the oldest is the first."""
        self._kept.pop(key, None)
        self._kept[key] = mono + KEPT_SECONDS
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
