"""The engine behind leadership by a lock: a thread that asks for the lock, holds it, and watches over it.

It moves the machine (`fanlight.health.leadership`) and decides nothing.  The thread
ends with the server and gives the lock back, which is what hands the work
over.  Nothing of a connection string comes into a log.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fanlight.health.leadership import FileLockLeader, PostgresAdvisoryLockLeader

if TYPE_CHECKING:
    from fanlight.health.leadership import Leadership
    from fanlight.server import Server

log = logging.getLogger("fanlight")

JOIN_SECONDS = 5.0
Described = FileLockLeader | PostgresAdvisoryLockLeader


class Pause:
    """A wait that other threads cut short: once by `nudge`, for good by `end`."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.ended = False

    def __call__(self, seconds: float, *descriptors: int) -> bool:
        """Wait, or until a descriptor can be read; False when it was ended."""
        if not self.ended and self._read in select.select([self._read, *descriptors], [], [], seconds)[0]:
            os.read(self._read, 1)
        return not self.ended

    def nudge(self) -> None:
        """End the wait that is under way, or the next one."""
        os.write(self._write, b"x")

    def end(self) -> None:
        """No wait any more."""
        self.ended = True
        self.nudge()

    def close(self) -> None:
        """Free the descriptors, when nobody waits."""
        os.close(self._read)
        os.close(self._write)


class Lock(ABC):
    """What only one process has at a time.  Used by one thread.

    `epoch`, once it was taken: more than at every taking before.
    """

    epoch: int | None = None

    @abstractmethod
    def take(self, pause: Pause) -> bool:
        """Try to take it.  Raises when that cannot be tried now."""

    @abstractmethod
    def hold(self, pause: Pause) -> str:
        """Wait a while, and look whether it is still ours: why not, or empty."""

    @abstractmethod
    def give_back(self) -> None:
        """Let it go, if it is ours.  Raises nothing."""


class Candidate:
    """The thread of one lock."""

    def __init__(self, leadership: Leadership, described: Described, lock: Lock) -> None:
        self._leadership = leadership
        self._described = described
        self._lock = lock
        self._pause = Pause()
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="fanlight-leader", daemon=True)
        self._thread.start()

    def end(self) -> bool:
        """Give the lock back and end the thread; True when it has ended."""
        self._pause.end()
        self._thread.join(JOIN_SECONDS)
        if self._thread.is_alive():
            return False
        self._pause.close()
        return True

    def _run(self) -> None:
        try:
            if self._promoted() and self._taken():
                self._leadership.epoch = self._lock.epoch
                log.info("this process is the leader")
                self._leadership.move("set_is_leader")
                self._lead()
        except Exception as error:  # a watcher of the program's, or a bug
            log.exception("leadership ends")
            self._lose(f"{type(error).__qualname__} in the thread that holds the lock")
        finally:
            self._lock.give_back()

    def _promoted(self) -> bool:
        """Ready; and, unless somebody has to ask for it, promoted.  False when the server ends before."""
        leadership = self._leadership
        leadership.move("set_ready_to_promote")
        if not self._described.wait_for_promotion:
            leadership.promote()
        forget = leadership.promoted.watch(self._pause.nudge)
        try:
            while not leadership.promoted.happened and self._pause(3600.0):
                pass
        finally:
            forget()
        return leadership.promoted.happened and not self._pause.ended

    def _taken(self) -> bool:
        """Try until the lock is ours; False when the server ends before."""
        while not self._pause.ended:
            try:
                if self._lock.take(self._pause):
                    return True
                trouble = ""
            except Exception as error:  # noqa: BLE001 - a database that is down comes back
                # Its text may quote a connection string.
                trouble = f"{type(error).__qualname__} {getattr(error, 'sqlstate', None) or ''}".rstrip()
            if trouble and trouble != self._trouble:
                log.warning("cannot ask for the leadership now: %s", trouble)
            self._trouble = trouble
            self._pause(self._described.retry_seconds)
        return False

    def _lead(self) -> None:
        while not self._pause.ended:
            reason = self._lock.hold(self._pause)
            if reason:
                self._lose(reason)
                return

    def _lose(self, reason: str) -> None:
        """Tell everybody: what the program has for this case, else whoever serves."""
        log.error("this process has lost the leadership: %s", reason)
        try:
            self._leadership.lose(reason)
            if self._described.on_lost is not None:
                self._described.on_lost(reason)
        except Exception:
            log.exception("on_lost failed")


class Leaders:
    """Stands for election as `app.leader` says, from now until `close`."""

    handlers: Mapping[type, Callable[[Any], Any]] = {}
    interrupts: Mapping[type, Callable[[Any], None]] = {}

    def __init__(self, server: Server) -> None:
        self._candidate: Candidate | None = None
        leader = server.app.leader
        if isinstance(leader, FileLockLeader):
            from .file_lock import FileLock

            self._candidate = Candidate(server.leadership, leader, FileLock(leader.path, leader.check_seconds))
        elif isinstance(leader, PostgresAdvisoryLockLeader):
            if find_spec("psycopg") is None:
                raise ModuleNotFoundError("PostgresAdvisoryLockLeader needs psycopg 3: the extra `postgres`")
            from .advisory_lock import AdvisoryLock

            self._candidate = Candidate(server.leadership, leader, AdvisoryLock(leader))

    def close(self) -> None:
        """Give the lock back: somebody else may lead."""
        candidate, self._candidate = self._candidate, None
        if candidate is not None and not candidate.end():
            log.warning("the thread that holds the leadership is still busy")
