"""A well-behaved client: a small request every few milliseconds, each tenth on a new connection.

Prints the latencies as JSON, less the time that the client, or the server's
main thread, was runnable and had no core: what is left is the server's doing.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import time

from bench.processes import queue_wait

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: neighbour/1\r\n\r\n"
PATIENCE = 5.0


class Neighbour:
    """Latencies in seconds, and what went wrong instead of an answer."""

    def __init__(self, port: int, server: int) -> None:
        self._port = port
        self._server = server
        self._kept: socket.socket | None = None
        self.latencies: list[float] = []
        self.refusals: list[str] = []

    def ask(self, *, fresh: bool) -> None:
        """One request, on the kept connection or on a new one that is closed after it."""
        began, queued = time.perf_counter(), self._queued()
        try:
            if fresh:
                with self._connect() as connection:
                    _answer(connection)
            else:
                self._kept = self._kept or self._connect()
                _answer(self._kept)
        except (OSError, ValueError) as error:
            self.refusals.append(f"{type(error).__name__}: {error}")
            self._kept = None
            return
        spent = time.perf_counter() - began
        self.latencies.append(max(0.0, spent - (self._queued() - queued)))

    def _queued(self) -> float:
        return queue_wait(os.getpid()) + queue_wait(self._server)

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)


def _answer(connection: socket.socket) -> None:
    connection.sendall(REQUEST)
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            raise ValueError("closed before an answer")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise ValueError(head.split(b"\r\n")[0].decode())
    wanted = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < wanted:
        body += connection.recv(65_536)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--server", type=int, required=True, help="process id, for its run-queue wait")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    neighbour = Neighbour(options.port, options.server)
    deadline = time.monotonic() + options.seconds
    count = 0
    while time.monotonic() < deadline:
        neighbour.ask(fresh=count % 10 == 9)
        count += 1
        time.sleep(0.004)
    print(json.dumps({"latencies": neighbour.latencies, "refusals": neighbour.refusals[:5], "count": count}))


if __name__ == "__main__":
    main()
