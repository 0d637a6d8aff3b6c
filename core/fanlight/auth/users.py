"""The users of kind Password: names, stored passwords, attributes.

A directory in memory, the one place that password checks and sessions ask.  It
may be changed from any thread while it is served: each change is one
replacement of one value, and whoever serves is told.  It hashes nothing, reads
no file and never holds a password.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256

from attrs import Factory, evolve, field, frozen

from ..config.settings import ConfigurationError
from ..observe.escape import escape
from .roles import is_user_name
from .scram import ITERATIONS, parse


def _mark_of(role: Role) -> str:
    digest = sha256((role.stored or "").encode("utf-8", "surrogatepass")).hexdigest()
    return f"{role.epoch}:{digest[:16]}"


def _iterations_of(role: Role) -> int:
    parts = parse(role.stored) if role.stored is not None else None
    return parts.iterations if parts is not None else 0


@frozen
class Role:
    """A user.  `stored` is the form of `scram`, None for one who has no password.

    `epoch` counts what ends sessions: a new password, the loss of `login`.
    `mark` is what a session remembers of the credentials it was made with;
    another one ends it.  It is not the stored form itself, so that a list of
    sessions tells nothing.  `iterations` is the count of the stored form, 0 for
    none and for a malformed one.  `former` is the mark before the same password
    was hashed anew.
    """

    stored: str | None = field(default=None, repr=False)
    login: bool = True
    superuser: bool = False
    epoch: int = 0
    former: str = field(default="", eq=False, repr=False)
    mark: str = field(init=False, eq=False, repr=False, default=Factory(_mark_of, takes_self=True))
    iterations: int = field(init=False, eq=False, repr=False, default=Factory(_iterations_of, takes_self=True))

    def vouches(self, mark: str) -> bool:
        """Is `mark` of these very credentials?"""
        return mark == self.mark or (mark == self.former and bool(mark))


NOBODY = Role(login=False)

MOST_FOR_ALL = 4 * ITERATIONS
"""The highest count that refusals of other names may cost: about two seconds of a core."""

Watcher = Callable[[frozenset[str]], None]
"""Told the names of those whose sessions and sockets may have to end."""


class Users:
    """The directory.  Any thread may read it and change it, but only one at a time may change it.

    `iterations` is the highest count of their stored forms (none:
    `default_iterations`), and what every refusal costs (threats: T2).  A count
    above `MOST_FOR_ALL` does not count: it would let one user's form make all
    wrong guesses expensive.
    """

    def __init__(self, roles: Mapping[str, Role] | None = None) -> None:
        self._roles: Mapping[str, Role] = {}
        self._watchers: tuple[Watcher, ...] = ()
        self._counts: Counter[int] = Counter()
        self._renewed: dict[str, str] = {}
        self._drops = 0
        self.default_iterations = ITERATIONS
        self.iterations = ITERATIONS
        if roles:
            self.replace(roles)

    def __len__(self) -> int:
        return len(self._roles)

    def __iter__(self) -> Iterator[str]:
        """The names, in the order they came."""
        return iter(self._roles)

    @property
    def counts(self) -> Mapping[int, int]:
        """How many users' passwords are hashed so many times, lowest count first."""
        return {count: number for count, number in sorted(self._counts.items()) if count and number > 0}

    def find(self, name: str) -> Role | None:
        """The user of exactly that name."""
        return self._roles.get(name)

    def stored_of(self, role: Role) -> str | None:
        """What a password of `role` is checked against: its stored form, or the one that took its place."""
        return self._renewed.get(role.stored, role.stored) if role.stored is not None else None

    def renew(self, name: str, role: Role, stored: str) -> bool:
        """The same password, hashed anew: `stored` takes the place of the role's form, and ends nothing.

        False if `name` has another role by now.  The role itself stays, so
        another thread may put another one in its place meanwhile.
        """
        if role.stored is not None and self._roles.get(name) is role:
            self._counts[self._count(role)] -= 1
            self._renewed[role.stored] = stored
            self._counts[self._count(role)] += 1
            self._weigh()
            return True
        return False

    def put(self, name: str, stored: str | None, *, login: bool = True, superuser: bool = False) -> None:
        """Add a user, or replace what is known of one.

        `stored` is what `fanlight_engines.auth.passwords.hash_password` returns;
        None: nobody can log in by that name.  Another password, or the loss of
        `login`, ends the user's sessions and sockets.  Raises
        `ConfigurationError` for a name or a form that cannot be used.
        """
        check_user(name, stored, "users")
        self._set(name, self._raised(self._roles.get(name), Role(stored, login, superuser)))

    def revoke(self, name: str) -> bool:
        """End all sessions and sockets of a user, who may log in again; False when there is no such user."""
        role = self._roles.get(name)
        if role is None:
            return False
        self._set(name, evolve(role, epoch=role.epoch + 1))
        return True

    def revoke_all(self) -> None:
        """The same for everybody."""
        self.replace({name: evolve(role, epoch=role.epoch + 1) for name, role in self._roles.items()})

    def _set(self, name: str, role: Role) -> None:
        self._forget(self._roles.get(name))
        self._counts[self._count(role)] += 1
        self._changed({**self._roles, name: role}, frozenset((name,)))

    def drop(self, name: str) -> bool:
        """Remove a user and end what they have open; False when there was none."""
        old = self._roles.get(name)
        if old is None:
            return False
        self._forget(old)
        self._drops += 1
        self._changed({other: role for other, role in self._roles.items() if other != name}, frozenset((name,)))
        return True

    def replace(self, roles: Mapping[str, Role]) -> None:
        """Replace everybody at once, as a file that was read again does; nothing is checked.

        A user whose credentials changed gets a new epoch, even if the new
        value brings none, so an epoch never stands for two passwords.
        """
        self._drops += len(self._roles.keys() - roles.keys())
        new = {name: self._raised(self._roles.get(name), role) for name, role in roles.items()}
        kept = {role.stored for role in new.values()}
        self._renewed = {old: renewed for old, renewed in self._renewed.items() if old in kept}
        self._counts = Counter(map(self._count, new.values()))
        self._changed(new, frozenset(name for name, role in self._roles.items() if new.get(name) != role))

    def _changed(self, roles: Mapping[str, Role], names: frozenset[str]) -> None:
        self._roles = roles
        self._weigh()
        for watcher in self._watchers:
            watcher(names)

    def _weigh(self) -> None:
        most = max(MOST_FOR_ALL, self.default_iterations)
        in_use = (count for count, number in self._counts.items() if number and 0 < count <= most)
        self.iterations = max(in_use, default=self.default_iterations)

    def _count(self, role: Role | None) -> int:
        """The iterations of what a password of `role` is checked against; 0 without one."""
        renewed = self._renewed.get(role.stored or "") if role is not None else None
        if renewed is None:
            return role.iterations if role is not None else 0
        parts = parse(renewed)
        return parts.iterations if parts is not None else 0

    def _forget(self, role: Role | None) -> None:
        self._counts[self._count(role)] -= 1
        if role is not None and role.stored is not None:
            self._renewed.pop(role.stored, None)

    def _raised(self, old: Role | None, new: Role) -> Role:
        if old is None:
            return evolve(new, epoch=new.epoch + self._drops)  # somebody of that name may have been here before
        kept = new.login or not old.login
        if old.stored == new.stored and kept:
            return evolve(new, epoch=max(old.epoch, new.epoch), former=old.former)
        if old.stored is not None and self._renewed.get(old.stored) == new.stored and kept:
            return evolve(new, epoch=max(old.epoch, new.epoch), former=old.mark)  # what `renew` said, from a file
        return evolve(new, epoch=max(old.epoch + 1, new.epoch))

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` with names after every change, on the thread that made it; returns what stops that."""
        self._watchers = (*self._watchers, watcher)

        def stop() -> None:
            self._watchers = tuple(other for other in self._watchers if other is not watcher)

        return stop


def check_user(name: object, stored: object, path: str) -> None:
    """Raise `ConfigurationError` about `path` unless a user may be called so and have that stored form."""
    if not isinstance(name, str) or not is_user_name(name):
        raise ConfigurationError(path, "a user's name is 1 to 255 bytes of UTF-8 without control characters")
    if stored is not None and (not isinstance(stored, str) or parse(stored) is None):
        raise ConfigurationError(path, f"the stored password of {escape(name)} is no form of SCRAM-SHA-256")
