"""The users file on disk: read at start and again when it changes, rewritten whole by the command line.

A file that cannot be read at start keeps the server from starting; one that
cannot be read later is reported, and the users stay who they were.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve

from fanlight.auth.effects import StorePassword
from fanlight.auth.users_file import read_users, write_users
from fanlight.config.settings import ConfigurationError

if TYPE_CHECKING:
    from fanlight.auth.users import Role, Users

log = logging.getLogger("fanlight")

LOOK_SECONDS = 1.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def load(path: Path) -> dict[str, Role]:
    """The users of the file.  Raises OSError and `ConfigurationError`."""
    return read_users(path.read_bytes())


@contextmanager
def rewriting(path: Path) -> Generator[dict[str, Role]]:
    """The users of the file, to be changed; written when the block ends without an exception.

    One at a time (a lock on a file beside it), and whole: a reader sees the
    old file or the new one.  A file that is not there yet is empty, and is made
    with mode 0600.
    """
    with (path.parent / f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        roles = load(path) if path.exists() else {}
        before = dict(roles)
        yield roles
        if roles != before or not path.exists():
            _replace(path, write_users(roles))


def _replace(path: Path, text: str) -> None:
    import tempfile  # brings much along that a server which only reads never needs

    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def fresh_epoch(role: Role | None) -> int:
    """An epoch that no earlier credentials of that name had, whoever remembers them: milliseconds of the wall clock."""
    now = time.time_ns() // 1_000_000
    return now if role is None else max(now, role.epoch + 1)


class UsersFile:
    """Keeps a directory as a file says.  One thread that looks at the file's times once a second.

    Made by the thread that starts the server; raises OSError and
    `ConfigurationError` for a file that cannot be used.
    """

    interrupts: Mapping[type, Callable[[Any], None]] = {}

    def __init__(self, path: str, users: Users, every: float = LOOK_SECONDS) -> None:
        self._path = Path(path)
        self._users = users
        self._every = every
        self.handlers: Mapping[type, Callable[[Any], Any]] = {StorePassword: self._store}
        self._stamp = self._look()
        self._users.replace(load(self._path))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="fanlight-users", daemon=True)
        self._thread.start()

    def _look(self) -> tuple[int, int, int]:
        seen = self._path.stat()
        if seen.st_mode & _OTHERS:
            log.warning("%s can be read by other users of this machine; it should have mode 0600", self._path.name)
        return seen.st_mtime_ns, seen.st_size, seen.st_ino

    def _watch(self) -> None:
        while not self._ended.wait(self._every):
            try:
                self._renew()
            except (OSError, ConfigurationError) as error:
                problem = error if isinstance(error, ConfigurationError) else type(error).__name__
                log.warning("users file not read again, the users stay who they were: %s", problem)

    def _renew(self) -> None:
        seen = self._path.stat()
        stamp = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
        if stamp == self._stamp:
            return
        self._stamp = self._look()
        self._users.replace(load(self._path))
        log.info("users file read again")

    def _store(self, effect: StorePassword) -> bool:
        """A file that cannot be written keeps the old form, and the user logs in with it."""
        try:
            with rewriting(self._path) as roles:
                role = roles.get(effect.user)
                if role is None or role.stored != effect.old:
                    return False
                roles[effect.user] = evolve(role, stored=effect.new)
        except (OSError, ConfigurationError) as error:
            log.warning("users file not written: %s", type(error).__name__)
            return False
        return True

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()
