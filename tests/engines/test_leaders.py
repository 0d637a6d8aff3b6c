"""Leadership by a lock: the thread that asks for it, and hand-overs between real processes, by file and PostgreSQL."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fanlight import App, FileLockLeader, PostgresAdvisoryLockLeader
from fanlight.moment import Now
from fanlight.server import Server
from fanlight_engines.leadership.advisory_lock import AdvisoryLock, key_number
from fanlight_engines.leadership.file_lock import FileLock
from fanlight_engines.leadership.leaders import Candidate as Standing
from fanlight_engines.leadership.leaders import Leaders, Lock, Pause
from fanlight_engines.performer import SystemEntropy
from tests.engines.electing import PATIENCE, Postgres, binary, candidates, postgres


def server(leader: FileLockLeader | PostgresAdvisoryLockLeader) -> Server:
    return Server(App(leader=leader), now=Now(time.monotonic(), time.time()), entropy=SystemEntropy())


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def held(path: Path) -> bool:
    """Whether somebody holds the lock of the file, by asking for it oneself."""
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


# ---- the thread ----------------------------------------------------------------


class Scripted(Lock):
    """A lock that does what the test says: each answer once, the last for ever."""

    def __init__(self, *takes: bool | Exception, holds: str | Exception = "") -> None:
        self.takes = list(takes)
        self.holds = holds
        self.given_back = 0

    def take(self, pause: Pause) -> bool:
        answer = self.takes.pop(0) if len(self.takes) > 1 else self.takes[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def hold(self, pause: Pause) -> str:
        pause(0.01)
        if isinstance(self.holds, Exception):
            raise self.holds
        return self.holds

    def give_back(self) -> None:
        self.given_back += 1


def stand(lock: Lock, **given: object) -> tuple[Server, Standing]:
    described = FileLockLeader(path="unused", retry_seconds=0.01, **given)  # type: ignore[arg-type]
    made = server(described)
    return made, Standing(made.leadership, described, lock)


def test_it_tries_until_the_lock_is_taken_and_gives_it_back_at_the_end() -> None:
    lock = Scripted(False, False, True)
    made, candidate = stand(lock)
    eventually(lambda: made.leadership.state == "IsLeader")
    assert lock.given_back == 0
    assert candidate.end()
    assert lock.given_back == 1
    assert not made.leadership.lost.happened


def test_it_ends_while_it_waits() -> None:
    lock = Scripted(False)
    made, candidate = stand(lock)
    eventually(lambda: made.leadership.state == "Promoting")
    assert candidate.end()
    assert made.leadership.state == "Promoting"
    assert lock.given_back == 1


def test_it_waits_for_the_promotion_where_it_was_told_to() -> None:
    made, candidate = stand(Scripted(True), wait_for_promotion=True)
    eventually(lambda: made.leadership.state == "ReadyToPromote")
    time.sleep(0.05)
    assert made.leadership.state == "ReadyToPromote"
    made.leadership.promote()
    eventually(lambda: made.leadership.state == "IsLeader")
    assert candidate.end()


def test_it_ends_while_nobody_promotes_it() -> None:
    lock = Scripted(True)
    made, candidate = stand(lock, wait_for_promotion=True)
    eventually(lambda: made.leadership.state == "ReadyToPromote")
    assert candidate.end()
    assert made.leadership.state == "ReadyToPromote"


def test_trouble_is_logged_once_by_its_type_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    secret = ConnectionError("password=staple")
    made, candidate = stand(Scripted(secret, secret, secret, True))
    eventually(lambda: made.leadership.state == "IsLeader")
    assert candidate.end()
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == ["cannot ask for the leadership now: ConnectionError"]
    assert "staple" not in caplog.text


@pytest.mark.parametrize("holds", ["the lock is gone", OSError("disk")])
def test_a_loss_is_told_to_the_program_or_to_whoever_serves(
    holds: str | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    made, candidate = stand(Scripted(True, holds=holds), on_lost=told.append)
    eventually(lambda: bool(told) and made.leadership.lost.happened)
    assert told == [made.leadership.reason]
    assert not made.ends_with_leadership
    assert candidate.end()
    assert "has lost the leadership" in caplog.text


def test_an_on_lost_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def bad(reason: str) -> None:
        raise ValueError(reason)

    made, candidate = stand(Scripted(True, holds="gone"), on_lost=bad)
    eventually(lambda: made.leadership.lost.happened)
    assert candidate.end()
    assert "on_lost failed" in caplog.text


def test_a_watcher_that_raises_ends_the_leadership_and_not_the_process(caplog: pytest.LogCaptureFixture) -> None:
    app = App(leader=FileLockLeader(path="unused"))

    def bad(state: str) -> None:
        if state == "IsLeader":
            raise ValueError("of the program")

    app.leadership.watch(bad)
    made = Server(app, now=Now(0.0, 0.0), entropy=SystemEntropy())
    lock = Scripted(True)
    candidate = Standing(made.leadership, FileLockLeader(path="unused"), lock)
    eventually(lambda: made.leadership.lost.happened)
    assert candidate.end()
    assert lock.given_back == 1


def test_there_is_no_thread_without_a_lock() -> None:
    before = threading.active_count()
    engine = Leaders(Server(App(), now=Now(0.0, 0.0), entropy=SystemEntropy()))
    assert threading.active_count() == before
    engine.close()
    engine.close()


# ---- files ---------------------------------------------------------------------


def test_one_has_the_lock_of_a_file_at_a_time(tmp_path: Path) -> None:
    path, pause = tmp_path / "leader", Pause()
    first, second = FileLock(str(path), 0.01), FileLock(str(path), 0.01)
    assert first.take(pause)
    assert not second.take(pause)
    assert first.hold(pause) == ""
    assert path.read_text().split() == [str(os.getpid()), "epoch", "1"]
    assert path.stat().st_mode & 0o777 == 0o600
    first.give_back()
    first.give_back()
    assert second.take(pause)
    second.give_back()
    pause.close()


def test_the_epoch_of_a_file_rises_with_each_leader(tmp_path: Path) -> None:
    path, pause = tmp_path / "leader", Pause()
    path.write_text("4711\n")  # as it was written before there were epochs
    epochs: list[int | None] = []
    for _ in range(12):
        lock = FileLock(str(path), 0.01)
        assert lock.epoch is None
        assert lock.take(pause)
        epochs.append(lock.epoch)
        lock.give_back()
    assert epochs == list(range(1, 13))
    path.write_text("x" * 1000)
    assert lock.take(pause)
    assert lock.epoch == 1
    assert path.read_text().split() == [str(os.getpid()), "epoch", "1"]
    lock.give_back()
    pause.close()


def test_the_epoch_is_known_when_the_process_leads() -> None:
    lock = Scripted(True)
    lock.epoch = 7
    made = server(FileLockLeader(path="unused"))
    epochs: list[int | None] = []
    made.leadership.watch(lambda state: epochs.append(made.leadership.epoch) if state == "IsLeader" else None)
    candidate = Standing(made.leadership, FileLockLeader(path="unused"), lock)
    eventually(lambda: made.leadership.leads)
    assert candidate.end()
    assert (epochs, made.leadership.epoch) == ([7], 7)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_gone_or_another_is_a_lost_lock(tmp_path: Path, replaced: bool) -> None:
    path, pause = tmp_path / "leader", Pause()
    lock = FileLock(str(path), 0.01)
    assert lock.take(pause)
    path.unlink()
    if replaced:
        path.touch()
    assert lock.hold(pause) == "the lock file was removed or replaced"
    lock.give_back()
    pause.close()


def test_what_is_no_regular_file_is_not_locked(tmp_path: Path) -> None:
    pause = Pause()
    (tmp_path / "target").touch()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", "missing/leader"):
        with pytest.raises(OSError):
            FileLock(str(tmp_path / name), 0.01).take(pause)
    pause.close()


def test_a_forked_child_does_not_hold_the_lock_of_its_parent(tmp_path: Path) -> None:
    path, pause = tmp_path / "leader", Pause()
    lock = FileLock(str(path), 0.01)
    assert lock.take(pause)
    child = os.fork()
    if not child:
        signal.pause()
    try:
        eventually(lambda: str(path) not in {os.path.realpath(p) for p in Path(f"/proc/{child}/fd").iterdir()})
        assert held(path)
        lock.give_back()
        assert not held(path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pause.close()


@pytest.mark.parametrize("over", ["thread", "asyncio", "trio"])
def test_a_file_hands_over_between_processes(over: str, tmp_path: Path) -> None:
    path = tmp_path / "leader"
    with candidates(over, "file", str(path)) as (first, second):
        assert second.silent(0.5)
        assert path.read_text().split() == [str(first.process.pid), "epoch", "1"]
        first.stop()
        second.until("IsLeader")
        assert path.read_text().split() == [str(second.process.pid), "epoch", "2"]
        assert first.process.returncode == 0
        second.stop()
        assert not held(path)


def test_a_process_that_is_killed_leads_no_more(tmp_path: Path) -> None:
    with candidates("thread", "file", str(tmp_path / "leader")) as (first, second):
        first.kill()
        second.until("IsLeader")


@pytest.mark.parametrize("over", ["thread", "asyncio", "trio"])
def test_a_server_whose_lock_file_is_replaced_ends(over: str, tmp_path: Path) -> None:
    path = tmp_path / "leader"
    with candidates(over, "file", str(path)) as (first, second):
        path.unlink()
        second.until("IsLeader")
        first.until("served")
        first.stop()
        assert "has lost the leadership: the lock file was removed or replaced" in first.errors


# ---- PostgreSQL ----------------------------------------------------------------


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    if binary("postgres") is None or binary("initdb") is None:
        pytest.skip("PostgreSQL's server is not installed")
    with postgres() as made:
        yield made


def lock_of(database: Postgres, key: int | str = "orders", check_seconds: float = 0.5) -> AdvisoryLock:
    return AdvisoryLock(PostgresAdvisoryLockLeader(conninfo=database.conninfo, key=key, check_seconds=check_seconds))


def test_a_name_stands_for_a_number() -> None:
    assert key_number(7) == 7
    assert key_number("orders") == key_number("orders") != key_number("parcels")
    assert all(-(2**63) <= key_number(str(name)) < 2**63 for name in range(100))


def test_one_session_has_the_lock_at_a_time(database: Postgres) -> None:
    pause = Pause()
    first, second, other = lock_of(database), lock_of(database), lock_of(database, "parcels")
    assert first.take(pause)
    assert not second.take(pause)
    assert not second.take(pause)
    assert other.take(pause)
    assert first.hold(pause) == ""
    first.give_back()
    eventually(lambda: second.take(pause))
    assert first.epoch is not None
    assert second.epoch is not None
    assert second.epoch > first.epoch
    for lock in (first, second, other):
        lock.give_back()
    eventually(lambda: database.sessions() == [])
    pause.close()


def test_a_session_that_ends_is_noticed_at_once(database: Postgres) -> None:
    pause, lock = Pause(), lock_of(database, check_seconds=60.0)
    assert lock.take(pause)
    (pid,) = database.sessions()
    threading.Timer(0.2, lambda: database.query(f"select pg_terminate_backend({pid})")).start()
    began = time.monotonic()
    assert lock.hold(pause) == "the connection to PostgreSQL is gone"
    assert time.monotonic() - began < 10
    lock.give_back()
    pause.close()


def test_a_server_that_does_not_answer_in_time_counts_as_gone(database: Postgres) -> None:
    pause, lock = Pause(), lock_of(database, check_seconds=0.3)
    assert lock.take(pause)
    (pid,) = database.sessions()
    database.pause(pid, on=True)
    try:
        assert lock.hold(pause) == "the connection to PostgreSQL is gone"
    finally:
        database.pause(pid, on=False)
        lock.give_back()
        pause.close()


def test_an_end_is_not_held_up_by_a_server_that_does_not_answer(database: Postgres) -> None:
    pause, lock = Pause(), lock_of(database, check_seconds=60.0)
    assert lock.take(pause)
    (pid,) = database.sessions()
    database.pause(pid, on=True)
    try:
        threading.Timer(0.2, pause.end).start()
        began = time.monotonic()
        assert lock.hold(pause) == ""
        assert time.monotonic() - began < 10
    finally:
        database.pause(pid, on=False)
        lock.give_back()
        pause.close()


def test_a_database_that_is_down_is_asked_again(database: Postgres, caplog: pytest.LogCaptureFixture) -> None:
    database.stop()
    leader = PostgresAdvisoryLockLeader(
        conninfo=database.conninfo + " password=staple", key="orders", retry_seconds=0.05, check_seconds=0.5
    )
    made = server(leader)
    engine = Leaders(made)
    try:
        time.sleep(0.5)
        assert made.leadership.state == "Promoting"
    finally:
        database.start()
    eventually(lambda: made.leadership.leads)
    database.stop()
    eventually(lambda: made.leadership.lost.happened)
    database.start()
    engine.close()
    assert "cannot ask for the leadership now: OperationalError" in caplog.text
    assert "staple" not in caplog.text


@pytest.mark.parametrize("over", ["thread", "asyncio", "trio"])
def test_postgresql_hands_over_between_processes(over: str, database: Postgres) -> None:
    with candidates(over, "postgres", database.conninfo) as (first, second):
        eventually(lambda: len(database.sessions()) == 2)
        assert second.silent(0.5)
        first.stop()
        second.until("IsLeader")
        assert first.process.returncode == 0
        second.stop()
    eventually(lambda: database.sessions() == [])


@pytest.mark.parametrize("over", ["thread", "asyncio", "trio"])
def test_a_leader_whose_session_ends_serves_no_more_and_another_leads(over: str, database: Postgres) -> None:
    with candidates(over, "postgres", database.conninfo) as (first, second):
        database.query(f"select pg_terminate_backend({database.sessions()[0]})")
        second.until("IsLeader")
        first.until("served")
        first.stop()
        assert "has lost the leadership: the connection to PostgreSQL is gone" in first.errors


def test_a_leader_whose_process_is_killed_leads_no_more(database: Postgres) -> None:
    with candidates("thread", "postgres", database.conninfo) as (first, second):
        first.kill()
        second.until("IsLeader")


def test_without_psycopg_the_server_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanlight_engines.leadership.leaders.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="the extra `postgres`"):
        Leaders(server(PostgresAdvisoryLockLeader(conninfo="", key=1)))
