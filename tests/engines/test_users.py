"""The users file on disk: read at start, read again, rewritten whole."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fanlight.auth.effects import HashPassword, Secret, StorePassword
from fanlight.auth.scram import verify
from fanlight.auth.users import Role, Users
from fanlight.auth.users_file import write_users
from fanlight.config.settings import ConfigurationError
from fanlight_engines.auth.passwords import Passwords, hash_password
from fanlight_engines.auth.users import UsersFile, fresh_epoch, load, rewriting
from fanlight_engines.performer import Performer


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it never happens"
        time.sleep(0.005)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "users.json"
    made.write_text(write_users({"ada": Role(hash_password("secret", iterations=2), epoch=5)}))
    made.chmod(0o600)
    return made


def test_read_at_start_and_again(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fanlight")
    users = Users()
    file = UsersFile(str(path), users, 0.01)
    assert list(users) == ["ada"]
    with rewriting(path) as roles:
        roles["bob"] = Role(login=False)
    until(lambda: len(users) == 2)
    path.write_text("{")
    until(lambda: "stay who they were" in caplog.text)
    assert list(users) == ["ada", "bob"]
    path.unlink()
    until(lambda: "FileNotFoundError" in caplog.text)
    assert list(users) == ["ada", "bob"]
    file.close()
    assert not any(thread.name == "fanlight-users" for thread in threading.enumerate())


def test_a_file_that_cannot_be_used_keeps_the_server_from_starting(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        UsersFile(str(path.parent / "none"), Users())
    path.write_text('{"users": {"ada": {"password": "secret"}}}')
    with pytest.raises(ConfigurationError):
        UsersFile(str(path), Users())


def test_a_mode_for_everybody_is_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.chmod(0o644)
    UsersFile(str(path), Users()).close()
    assert "mode 0600" in caplog.text


def fail_while_rewriting(path: Path) -> None:
    with rewriting(path) as roles:
        roles.clear()
        raise RuntimeError


def test_rewriting(path: Path) -> None:
    new = path.parent / "new.json"
    with rewriting(new) as roles:
        assert roles == {}
        roles["ada"] = Role()
    assert os.stat(new).st_mode & 0o777 == 0o600
    with pytest.raises(RuntimeError):
        fail_while_rewriting(path)
    assert list(load(path)) == ["ada"]
    before = path.stat().st_ino
    with rewriting(path):
        pass
    assert path.stat().st_ino == before


def test_two_writers_lose_nothing(path: Path) -> None:
    def add(number: int) -> None:
        for each in range(10):
            with rewriting(path) as roles:
                roles[f"user {number} {each}"] = Role()

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(load(path)) == 41


def test_epochs_only_rise() -> None:
    ahead = Role(epoch=2**60)
    assert fresh_epoch(ahead) == 2**60 + 1
    assert fresh_epoch(None) > 1_600_000_000_000


def test_a_password_hashed_anew_is_written(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    users = Users()
    file = UsersFile(str(path), users, 0.01)
    performer = Performer([file, Passwords()])
    role = users.find("ada")
    assert role is not None
    assert role.stored is not None
    new = performer.perform(HashPassword(Secret("secret"), 3))
    assert verify("secret", new) == "ok"
    assert users.renew("ada", role, new)
    assert performer.perform(StorePassword("ada", role.stored, new)) is True
    until(lambda: load(path)["ada"].stored == new)
    until(lambda: getattr(users.find("ada"), "stored", None) == new)
    after = users.find("ada")
    assert after is not None
    assert after.vouches(role.mark)
    assert performer.perform(StorePassword("ada", role.stored, new)) is False  # it is another one by now
    assert performer.perform(StorePassword("bob", role.stored, new)) is False
    path.write_text("{")
    assert performer.perform(StorePassword("ada", new, role.stored)) is False
    assert "users file not written: ConfigurationError" in caplog.text
    performer.close()
