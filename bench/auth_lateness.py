"""How late a host's loop is while strangers have passwords hashed: a part of `python -m bench.auth`.

A host with a heartbeat of 1 ms serves a listener of kind Password, with users
whose passwords are hashed at the default count.  Wrong passwords for all of
them come as fast as they are answered, so that every thread for hashes is busy
all the time.  Lateness is less run-queue wait (`heartbeat`): what is left is
what hashing does to the loop of its own process.
"""

from __future__ import annotations

import argparse
import http.client
import threading
import time
from base64 import b64encode
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.disturbance import Lateness, window
from bench.heartbeat import Heartbeat
from bench.processes import start
from bench.servers.host import on_loop
from fanlight import App, Listener, Settings
from fanlight_engines.auth.passwords import hash_password

USERS, CLIENTS, SECONDS = 8, 4, 12.0


def application(port: int) -> App:
    """Kind Password without a throttle."""
    settings = Settings(auth_failure_burst=0, peer_auth_failure_burst=0)
    app = App(listeners=[Listener("main", f"127.0.0.1:{port}", "Password")], settings=settings)
    stored = hash_password("secret")
    for number in range(USERS):
        app.users.put(f"user {number}", stored)
    return app


def _guess(port: int, number: int, until: float) -> None:
    count = 0
    while time.monotonic() < until:
        count += 1
        field = b64encode(f"user {(number + count) % USERS}:guess {number} {count}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/api/readyz", headers={"Authorization": f"Basic {field}"})
        assert connection.getresponse().status == 401
        connection.close()


def _guessing(port: int) -> float:
    until = time.monotonic() + SECONDS
    clients = [threading.Thread(target=_guess, args=(port, each, until)) for each in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return SECONDS


def _quiet() -> float:
    time.sleep(SECONDS / 2)
    return 0.0


def _line(loop: str, what: str, late: Lateness) -> str:
    times = f"p50 {late.p50 * 1000:5.2f}  p99 {late.p99 * 1000:5.2f}  max {late.worst * 1000:5.2f}"
    return f"lateness, {loop:8} {what:26} {times}  busiest beat {late.busiest * 1000:5.2f} ms"


def show_lateness() -> None:
    """Print the lateness of each loop, left alone and while passwords are hashed."""
    with TemporaryDirectory() as folder:
        for loop in ("asyncio", "trio"):
            sink = Path(folder) / f"beats-{loop}"
            words = ["bench.auth_lateness", "--loop", loop, "--port", "{port}", "--sink", str(sink)]
            running = start(f"host {loop}", words, Path(folder))
            try:
                time.sleep(0.5)
                print(_line(loop, "left alone", window(running.pid, sink, _quiet)))
                late = window(running.pid, sink, partial(_guessing, running.port))
                print(_line(loop, "while passwords are hashed", late))
            finally:
                running.stop()


def main() -> None:
    """The host."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--loop", choices=("asyncio", "trio"), required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sink", type=Path, required=True)
    options: Any = parser.parse_args()
    on_loop(options, application(options.port), Heartbeat(options.sink))


if __name__ == "__main__":
    main()
