"""Processes that stand for election, for tests of the locks, and a PostgreSQL of their own.

Run as a program, it serves with the lock that its arguments describe, prints
each state of its leadership, and ends when its standard input does.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 30.0


class Candidate:
    """A process of its own."""

    def __init__(self, *arguments: str) -> None:
        path = os.pathsep.join(str(ROOT / name) for name in ("core", "engines", "transports", "."))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.engines.electing", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.lines: SimpleQueue[str] = SimpleQueue()
        self.seen: list[str] = []
        self.errors = ""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._reading = (
            Thread(target=self._read, args=(self.process.stdout,)),
            Thread(target=self._complain, args=(self.process.stderr,)),
        )
        for thread in self._reading:
            thread.start()

    def _read(self, stdout: IO[str]) -> None:
        for line in stdout:
            self.lines.put(line.strip())
        self.lines.put("ended")

    def _complain(self, stderr: IO[str]) -> None:
        self.errors = stderr.read()

    def until(self, wanted: str, seconds: float = PATIENCE) -> float:
        """Wait for a line; returns how long that took."""
        began = time.monotonic()
        while wanted not in self.seen:
            left = began + seconds - time.monotonic()
            try:
                self.seen.append(self.lines.get(timeout=max(0.0, left)))
            except Empty:
                raise AssertionError(f"no {wanted!r} in {seconds} s, but {self.seen} {self.errors}") from None
            if self.seen[-1] == "ended" and wanted != "ended":
                raise AssertionError(f"ended before {wanted!r}: {self.seen} {self.errors}")
        return time.monotonic() - began

    def silent(self, seconds: float) -> bool:
        """Whether it says nothing for that long."""
        try:
            self.seen.append(self.lines.get(timeout=seconds))
        except Empty:
            return True
        return False

    def stop(self) -> None:
        """End it in order."""
        assert self.process.stdin is not None
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(PATIENCE)
        self._close()

    def kill(self) -> None:
        """As if its machine had lost power."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self._close()

    def _close(self) -> None:
        for thread in self._reading:
            thread.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@contextmanager
def candidates(*arguments: str) -> Iterator[list[Candidate]]:
    """Two processes after the same lock: the first leads, the second waits."""
    found: list[Candidate] = []
    try:
        for _ in range(2):
            found.append(Candidate(*arguments))
            found[-1].until("Promoting")
            if len(found) == 1:
                found[0].until("IsLeader")
        yield found
    finally:
        for candidate in found:
            if candidate.process.poll() is None:
                candidate.kill()
            else:
                candidate._close()


def binary(name: str) -> str | None:
    """A program of PostgreSQL's server, which many systems keep out of the path."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name) or next((str(place / name) for place in places if (place / name).exists()), None)


class Postgres:
    """A PostgreSQL on a free port, with data that go with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.conninfo = f"host=127.0.0.1 port={self.port} user=mz_system dbname=postgres"
        # PostgreSQL refuses to run as root.
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user is not None:
            shutil.chown(folder, self.user)
        self._run("initdb", "-D", str(folder / "data"), "-U", "mz_system", "-A", "trust", "-N")
        self.start()

    def _run(self, name: str, *arguments: str) -> None:
        program = binary(name)
        assert program is not None
        done = subprocess.run(
            [program, *arguments],
            user=self.user,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{name} returned {done.returncode}"

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", str(self.folder / "log"), *arguments)

    def start(self) -> None:
        """Start, or start again."""
        self._control("-o", f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync=off", "start")

    def stop(self) -> None:
        """Stop at once: sessions end."""
        self._control("-m", "immediate", "stop")

    def sessions(self) -> list[int]:
        """The server's processes of the candidates' sessions, of whoever holds an advisory lock first."""
        query = """select a.pid from pg_stat_activity a
            left join pg_locks l on l.pid = a.pid and l.locktype = 'advisory'
            where a.application_name = 'fanlight leader' order by l.pid is null"""
        return [row[0] for row in self.query(query)]

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        import psycopg

        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            return list(connection.execute(text.encode()))

    def pause(self, pid: int, *, on: bool) -> None:
        """Stop a session's process as if the machine were gone, or let it go on."""
        os.kill(pid, signal.SIGSTOP if on else signal.SIGCONT)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for as long as it is needed."""
    # Not below pytest's own folder: that is closed to the user who runs PostgreSQL.
    with tempfile.TemporaryDirectory(prefix="fanlight-postgres-") as folder:
        os.chmod(folder, 0o755)
        made = Postgres(Path(folder))
        try:
            yield made
        finally:
            made.stop()


def main(over: str, backend: str, where: str, *options: str) -> None:
    """Serve as a candidate until the standard input ends."""
    import fanlight_asyncio
    from fanlight import App, FileLockLeader, Listener, PostgresAdvisoryLockLeader

    given = {"wait_for_promotion": "wait" in options, "retry_seconds": 0.1, "check_seconds": 0.5}
    leader = (
        FileLockLeader(path=where, **given)  # type: ignore[arg-type]
        if backend == "file"
        else PostgresAdvisoryLockLeader(conninfo=where, key="orders", **given)  # type: ignore[arg-type]
    )
    app = App(listeners=(Listener("main", "127.0.0.1:0"),), leader=leader)
    app.leadership.watch(lambda state: print(state, flush=True))
    if over == "thread":
        running = fanlight_asyncio.start_in_thread(app)
        Thread(target=lambda: (sys.stdin.read(), running.stop()), daemon=True).start()
        running._thread.join()
    elif over == "asyncio":
        _asyncio(app)
    else:
        _trio(app)
    print("served", flush=True)


def _asyncio(app: object) -> None:
    import asyncio

    import fanlight_asyncio

    async def serve() -> None:
        task = asyncio.ensure_future(fanlight_asyncio.serve(app))  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(task.cancel)), daemon=True).start()
        await asyncio.wait([task])

    asyncio.run(serve())


def _trio(app: object) -> None:
    import trio

    import fanlight_trio

    async def serve() -> None:
        token, scope = trio.lowlevel.current_trio_token(), trio.CancelScope()

        def stop() -> None:
            sys.stdin.read()
            token.run_sync_soon(scope.cancel)

        Thread(target=stop, daemon=True).start()
        with scope:
            await fanlight_trio.serve(app)  # type: ignore[arg-type]

    trio.run(serve)


if __name__ == "__main__":
    main(*sys.argv[1:])
