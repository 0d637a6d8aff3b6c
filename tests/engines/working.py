"""Threads that work or wait, for tests of what looks at them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def burn(stop: threading.Event, depth: int = 0) -> int:
    """Compute until `stop`, at the end of a stack of `depth` calls more."""
    if depth:
        return burn(stop, depth - 1)
    number = 0
    while not stop.is_set():
        for _ in range(1000):
            number += 1
    return number


def idle(stop: threading.Event) -> None:
    """Wait until `stop`."""
    stop.wait()


@contextmanager
def working(*jobs: tuple[str, Callable[[threading.Event], object]]) -> Iterator[threading.Event]:
    """A thread for each name and job, which end with the context (or with the event that it yields)."""
    stop = threading.Event()
    threads = [threading.Thread(target=job, args=(stop,), name=name, daemon=True) for name, job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
