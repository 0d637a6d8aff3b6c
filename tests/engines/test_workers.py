"""Worker threads: started when needed, no more than allowed, ended in order."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from fanlight_engines.workers import MOST, Workers

PATIENCE = 10.0


@pytest.fixture
def workers() -> Workers:
    return Workers(3, "test-worker")


def names(prefix: str = "test-worker") -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(prefix)}


def test_no_thread_before_work(workers: Workers) -> None:
    assert names() == set()
    assert workers.close(PATIENCE)


def test_work_is_done_in_a_daemon_thread_of_ours(workers: Workers) -> None:
    done: Future[threading.Thread] = Future()
    workers.submit(lambda: done.set_result(threading.current_thread()))
    thread = done.result(PATIENCE)
    assert thread.daemon
    assert thread.name == "test-worker-1"
    assert workers.close(PATIENCE)
    assert names() == set()


def test_whoever_hears_that_work_is_done_finds_its_thread_idle(workers: Workers) -> None:
    for _ in range(200):
        done: Future[None] = Future()
        workers.submit(lambda done=done: lambda: done.set_result(None))  # type: ignore[misc]
        done.result(PATIENCE)
    assert names() == {"test-worker-1"}
    assert workers.close(PATIENCE)


def test_as_many_threads_as_there_is_work_and_no_more(workers: Workers) -> None:
    gate, started = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        started.release()
        gate.wait(PATIENCE)

    for _ in range(7):
        workers.submit(work)
    for _ in range(3):
        assert started.acquire(timeout=PATIENCE)
    assert not started.acquire(timeout=0.05)
    assert len(names()) == 3
    gate.set()
    for _ in range(4):
        assert started.acquire(timeout=PATIENCE)
    assert workers.close(PATIENCE)


def test_one_thread_works_in_order() -> None:
    workers, order = Workers(1, "test-worker"), list[int]()
    for number in range(50):
        workers.submit(lambda number=number: order.append(number))  # type: ignore[misc]
    assert workers.close(PATIENCE)
    assert order == list(range(50))


def test_close_waits_for_what_was_submitted_and_says_when_it_could_not() -> None:
    workers, gate, done = Workers(1, "test-worker"), threading.Event(), list[str]()

    def slow() -> None:
        gate.wait(PATIENCE)
        done.append("slow")

    workers.submit(slow)
    workers.submit(lambda: done.append("next"))
    assert not workers.close(0.05)
    gate.set()
    assert workers.close(PATIENCE)
    assert done == ["slow", "next"]


def test_no_thread_is_started_after_close(workers: Workers) -> None:
    assert workers.close(PATIENCE)
    workers.submit(lambda: None)
    assert names() == set()


def test_the_usual_number_is_small() -> None:
    assert 1 <= MOST <= 32
