"""The engine of passwords: hashes that verify, checks that were given up, what becomes of the host meanwhile."""

from __future__ import annotations

import os
import threading
import time

import pytest

from fanlight.auth.effects import Attempt, AwaitPassword, Secret, VerifyPassword
from fanlight.auth.scram import parse, verify
from fanlight_engines.auth.passwords import Passwords, hash_password
from fanlight_engines.performer import Performer


def effect(password: str, stored: str) -> VerifyPassword:
    return VerifyPassword(stored, Secret(password), Attempt())


def test_hashing() -> None:
    one, other = hash_password("secret", iterations=2), hash_password("secret", iterations=2)
    assert one != other
    assert verify("secret", one) == verify("secret", other) == "ok"
    stored = parse(hash_password("secret"))
    assert stored is not None
    assert stored.iterations == 600_000
    with pytest.raises(ValueError, match="1024"):
        hash_password("é" * 513, iterations=2)


def test_checking() -> None:
    engine, stored = Passwords(), hash_password("secret", iterations=2)
    performer = Performer([engine])
    assert performer.perform(effect("secret", stored)) is True
    assert performer.perform(effect("Secret", stored)) is False
    assert performer.perform(effect("secret", "nonsense")) is False
    performer.close()


def test_what_was_given_up_before_is_not_hashed() -> None:
    performer, given_up = Performer([Passwords()]), effect("secret", hash_password("secret", iterations=2))
    assert given_up.attempt.abandon()
    assert performer.perform(given_up) is False
    assert given_up.attempt.result is None
    performer.close()


def test_what_was_given_up_later_can_be_asked_for() -> None:
    performer, late = Performer([Passwords()]), effect("secret", hash_password("secret", iterations=200_000))
    answers = list[object]()
    performer.submit(late, lambda answer, error: answers.append(answer))
    deadline = time.monotonic() + 5
    while late.attempt._fate.get("is") != "begun":
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert not late.attempt.abandon()
    assert performer.perform(AwaitPassword(late.attempt)) is True
    assert performer.perform(AwaitPassword(late.attempt)) is True
    performer.close()
    assert answers[-1] is True


def test_few_threads_of_their_own() -> None:
    engine = Passwords()
    performer, stored = Performer([engine]), hash_password("secret", iterations=20_000)
    done = threading.Semaphore(0)
    for _ in range(40):
        performer.submit(effect("secret", stored), lambda answer, error: done.release())
    for _ in range(40):
        assert done.acquire(timeout=10)
    names = {thread.name for thread in threading.enumerate() if thread.name.startswith("fanlight-passwords")}
    assert 1 <= len(names) <= min(4, engine.own_threads)
    performer.close()


def test_a_core_is_left_to_the_host() -> None:
    assert Passwords().own_threads <= max(1, (os.cpu_count() or 1) - 1)
