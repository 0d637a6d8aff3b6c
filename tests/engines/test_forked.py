"""Forked children, real ones: what they send, how they die, and that nothing is left of them."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fanlight_engines.profiling.forked import CAN_FORK, ForkedChild

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="this system cannot fork")

SOON = 20.0


@contextmanager
def child(work: Callable[[], bytes]) -> Iterator[ForkedChild]:
    """A child that is ended in any case."""
    made = ForkedChild(work)
    try:
        yield made
    finally:
        made.end()


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


def never() -> bytes:
    time.sleep(1000)
    return b""


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 40_000])
def test_the_work_is_sent_whole(data: bytes) -> None:
    with child(lambda: data) as made:
        assert made.result(SOON) == data


def test_the_child_sees_the_process_as_it_was() -> None:
    seen = ["before"]
    with child(lambda: ",".join(seen).encode()) as made:
        seen.append("after")
        assert made.result(SOON) == b"before"


def test_nothing_is_left_of_it() -> None:
    files = open_files()
    made = ForkedChild(never)
    made.end()
    assert open_files() == files
    with pytest.raises(ChildProcessError):
        os.waitpid(made.pid, os.WNOHANG)


def test_work_that_fails_sends_nothing_and_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> bytes:
        raise RuntimeError("secret")

    with child(work) as made:
        assert made.result(SOON) is None
    assert capfd.readouterr() == ("", "")


def test_no_exit_hook_runs_in_it(tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = (
        "import atexit, sys; from fanlight_engines.profiling.forked import ForkedChild\n"
        "atexit.register(lambda: open(sys.argv[1], 'a').write('x'))\n"
        "made = ForkedChild(lambda: b'done'); assert made.result(20) == b'done'; made.end()\n"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    pid = os.spawnve(os.P_NOWAIT, sys.executable, [sys.executable, "-c", program, str(told)], {"PYTHONPATH": paths})
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert told.read_text() == "x"


def test_a_child_that_takes_too_long_is_given_up() -> None:
    with child(never) as made:
        begun = time.monotonic()
        assert made.result(0.05) is None
        assert time.monotonic() - begun < SOON


def test_a_child_that_stops_in_the_middle_is_given_up() -> None:
    def work() -> bytes:
        os.kill(os.getpid(), signal.SIGSTOP)
        return b""

    with child(work) as made:
        assert made.result(0.2) is None


def test_kill_from_another_thread_ends_the_waiting() -> None:
    with child(never) as made:
        threading.Timer(0.05, made.kill).start()
        assert made.result(1000) is None
    made.kill()  # there is nobody any more: nothing happens


@pytest.mark.skipif(sys.platform != "linux", reason="needs pidfd")
def test_a_dead_child_is_noticed_though_another_process_holds_its_pipe(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    def work() -> bytes:
        other = os.fork()
        if other == 0:
            time.sleep(1000)
        note.write_text(str(other))
        raise RuntimeError

    with child(work) as made:
        begun = time.monotonic()
        assert made.result(1000) is None
        assert time.monotonic() - begun < SOON
    os.kill(int(note.read_text()), signal.SIGKILL)


def test_a_host_that_waits_for_everyone_may_reap_it_first() -> None:
    with child(lambda: b"done") as made:
        assert os.waitpid(made.pid, 0)[0] == made.pid
        assert made.result(SOON) == b"done"


def test_a_host_may_ignore_its_children() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with child(lambda: b"done") as made:
            assert made.result(SOON) == b"done"
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_no_handler_of_the_host_runs_in_it() -> None:
    handled: list[int] = []

    def work() -> bytes:
        os.kill(os.getpid(), signal.SIGTERM)
        return str(handled).encode()

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    before = signal.signal(signal.SIGTERM, lambda number, _: handled.append(number))
    try:
        with child(work) as made:
            assert made.result(SOON) == b"[]"
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask


def test_no_collection_and_no_tracing_in_it() -> None:
    before = gc.isenabled(), sys.gettrace()
    with child(lambda: repr((gc.isenabled(), sys.gettrace(), sys.getprofile())).encode()) as made:
        assert made.result(SOON) == b"(False, None, None)"
    assert (gc.isenabled(), sys.gettrace()) == before


def test_a_connection_that_the_parent_closes_is_closed() -> None:
    ours, theirs = socket.socketpair()
    theirs.settimeout(SOON)
    with child(never):
        ours.close()
        # The child is alive all the while.
        assert theirs.recv(1) == b""
    theirs.close()


def test_its_own_call_is_not_warned_about_but_every_other_is() -> None:
    resume = threading.Event()
    other = threading.Thread(target=resume.wait)
    other.start()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with child(lambda: b"done") as made:
                assert made.result(SOON) == b"done"
            assert caught == []
            if sys.version_info >= (3, 12):
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                os.waitpid(pid, 0)
                assert [warning.category for warning in caught] == [DeprecationWarning]
    finally:
        resume.set()
        other.join()


def test_a_refused_fork_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError("no more processes")

    files = open_files()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(BlockingIOError):
        ForkedChild(never)
    assert open_files() == files
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask


def test_without_pidfd_it_works_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with child(lambda: b"done") as made:
        assert made.result(SOON) == b"done"
    with child(never) as made:
        threading.Timer(0.05, made.kill).start()
        assert made.result(1000) is None
    with pytest.raises(ChildProcessError):
        os.waitpid(made.pid, os.WNOHANG)
