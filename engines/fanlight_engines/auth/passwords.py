"""Passwords: hashing them, and checking them away from the host's loop.

The derivation is in C and releases the interpreter lock; it runs in threads of
its own, which leave a core to the host.  Their priority is the program's: a
thread that the kernel puts behind others may hold that lock when it does, and
then the host's loop waits with it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from fanlight.auth.effects import Attempt, AwaitPassword, HashPassword, VerifyPassword
from fanlight.auth.scram import ITERATIONS, LONGEST_PASSWORD, SALT_BYTES, derive, verify_evenly

MOST_THREADS = 4


def hash_password(password: str, *, iterations: int = ITERATIONS) -> str:
    """The stored form of `password`, with a fresh salt: for `Users.put`.

    Takes about half a second at the default count: not on an event loop.
    Raises ValueError for a password of more than 1,024 bytes, which nobody
    could log in with.
    """
    if len(password.encode()) > LONGEST_PASSWORD:
        raise ValueError(f"a password has at most {LONGEST_PASSWORD} bytes")
    return str(derive(password, os.urandom(SALT_BYTES), iterations))


def _cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class Passwords:
    """The engine that checks passwords."""

    interrupts: Mapping[type, Callable[[Any], None]] = {}
    own_effects: frozenset[type] = frozenset({VerifyPassword, HashPassword})

    def __init__(self) -> None:
        # One core is the host's: a thread that has to wait for one while it holds the interpreter's lock holds up all.
        self.own_threads = max(1, min(MOST_THREADS, _cores() - 1))
        self.handlers: Mapping[type, Callable[[Any], Any]] = {
            VerifyPassword: self._verify,
            AwaitPassword: self._await,
            HashPassword: lambda effect: hash_password(effect.password.reveal(), iterations=effect.iterations),
        }
        self._running: dict[Attempt, Future[bool]] = {}

    def _verify(self, effect: VerifyPassword) -> bool:
        attempt = effect.attempt
        done = self._running[attempt] = Future[bool]()
        try:
            if not attempt.begin():
                return False  # nobody waits for it
            attempt.result = verify_evenly(effect.password.reveal(), effect.stored, effect.least)
            return attempt.result
        finally:
            done.set_result(bool(attempt.result))
            del self._running[attempt]

    def _await(self, effect: AwaitPassword) -> bool:
        done = self._running.get(effect.attempt)
        return done.result() if done is not None else bool(effect.attempt.result)

    def close(self) -> None:
        """Nothing is held; checks that run end by themselves."""
