"""Worker threads: where effects that may block are performed.

A few daemon threads and one queue, started when they are first needed.  Daemon,
because a guest must not keep its host's process from ending; whoever works
inside a library that cannot bear that (DuckDB) ends its work at exit itself.
They know no event loop: the answer is given to a callback, in the worker's thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Work = Callable[[], Callable[[], None] | None]
"""Does something; what it returns is called, in the same thread, when the worker is free for the next."""

MOST = 8


class Workers:
    """At most `most` threads, which take work in the order it came."""

    def __init__(self, most: int = MOST, name: str = "fanlight-worker") -> None:
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._most = most
        self._name = name
        self._lock = threading.Lock()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, work: Work) -> None:
        """Run `work` soon, in some worker's thread.  It raises nothing.

        Raises RuntimeError when there is no thread and none can be started any
        more, because the interpreter is ending.
        """
        if not self._idle.acquire(blocking=False):
            self._start_one()
        self._queue.put(work)

    def _start_one(self) -> None:
        with self._lock:
            if self._closed or len(self._threads) >= self._most:
                return
            thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads) + 1}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                if not self._threads:
                    raise
                return  # the others will come to it
            self._threads.append(thread)

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            if work is None:
                return
            tell = work()
            # First: what is told may be followed by the next work at once, which needs no other thread then.
            self._idle.release()
            if tell is not None:
                tell()
            del work, tell

    def close(self, timeout: float) -> bool:
        """End the threads after the work that waits; True when all ended within `timeout` seconds."""
        with self._lock:
            self._closed = True
            threads = list(self._threads)
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            thread.join(timeout / max(1, len(threads)))
        return not any(thread.is_alive() for thread in threads)
