"""SQL over HTTP, one query over and over: as `POST /api/sql`, or as Datasette takes it.

Every connection asks again when its answer is there.  One answer is read and its
rows are counted before the clock runs; of the others the status and the length
are looked at.  `--form alone` is `bench.servers.duckdb_alone`, which asks itself.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import time
from urllib.parse import urlencode

USER = "x-materialize-user: mz_system\r\n"


def request(form: str, query: str, port: int, user: str = "") -> bytes:
    """The bytes of a request that asks for the rows of `query`."""
    if form == "datasette":
        words = urlencode({"sql": query, "_shape": "arrays"})
        return f"GET /rows.json?{words} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n\r\n".encode()
    body = json.dumps({"query": query})
    return (
        f"POST /api/sql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n{user}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Asking:
    """A connection and the answer that is coming in on it."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._expected: int | None = None
        self._head = b""
        self._tail = b""
        self.status = 0
        self.size = 0
        self.kept: list[bytes] | None = None

    def ask(self) -> None:
        """Send the request."""
        self._head = self._tail = b""
        self.status = self.size = 0
        self._expected = None
        self.socket.sendall(self._request)

    def read(self) -> bool:
        """Take what has come; whether the answer is whole."""
        data = self.socket.recv(1024 * 1024)
        if not data:
            raise SystemExit(f"closed after {self.size} bytes")
        if not self.status:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return False
            self._read_head(head.lower())
        self.size += len(data)
        if self.kept is not None:
            self.kept.append(data)
        if self._expected is not None:
            return self.size >= self._expected
        self._tail = (self._tail + data[-8:])[-8:]
        return self._tail.endswith(b"\r\n0\r\n\r\n")

    def _read_head(self, head: bytes) -> None:
        self.status = int(head[9:12])
        for line in head.split(b"\r\n"):
            if line.startswith(b"content-length:"):
                self._expected = int(line[15:])

    def whole(self) -> bytes:
        """Ask, and the body of the answer."""
        self.kept = []
        self.ask()
        while not self.read():
            pass
        data, self.kept = b"".join(self.kept), None
        if self.status != 200:
            raise SystemExit(f"{self.status}: {data[:200]!r}")
        return data if self._expected is not None else _unchunked(data)


def _unchunked(data: bytes) -> bytes:
    pieces = []
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        pieces.append(data[:length])
        data = data[length + 2 :] if length else b""
    return b"".join(pieces)


def rows_in(body: bytes) -> int:
    """The rows of an answer.  Raises SystemExit for an error."""
    found = json.loads(body)
    result = found["results"][0] if "results" in found else found
    if "rows" not in result:
        raise SystemExit(f"no rows: {body[:200]!r}")
    return len(result["rows"])


def flood(connections: list[Asking], seconds: float, least: int) -> tuple[int, int]:
    """Keep one request under way on each connection: how many were answered, and how many not by 200."""
    poll = select.epoll()
    found = {connection.socket.fileno(): connection for connection in connections}
    for number, connection in found.items():
        poll.register(number, select.EPOLLIN)
        connection.ask()
    answered = failed = 0
    deadline = time.monotonic() + seconds
    under_way = len(found)
    while under_way:
        for number, _ in poll.poll(1.0):
            connection = found[number]
            if connection.read():
                answered += 1
                failed += connection.status != 200
                # All that was asked is waited for: its CPU time is counted, so its answer has to be.
                if answered + under_way - 1 < least or time.monotonic() < deadline:
                    connection.ask()
                else:
                    under_way -= 1
    return answered, failed


def alone(port: int, seconds: float, kind: str) -> int:
    """How often DuckDB ran the statement by itself."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection, connection.makefile("rw") as lines:
        print(json.dumps({"seconds": seconds, "kind": kind}), file=lines, flush=True)
        return int(lines.readline())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--form", choices=("post", "datasette", "alone"), default="post")
    parser.add_argument("--query", required=True)
    parser.add_argument("--rows", type=int, help="how many the answer has to have")
    parser.add_argument("--writer", action="store_true", help="as a user who may write; asked once")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--least", type=int, default=3)
    options = parser.parse_args()
    if options.form == "alone":
        print(json.dumps({"requests": alone(options.port, options.seconds, options.query), "failed": 0}))
        return
    text = request(options.form, options.query, options.port, USER if options.writer else "")
    connections = [Asking(options.port, text) for _ in range(options.connections)]
    body = connections[0].whole()
    if options.writer:
        print(json.dumps({"requests": 1, "failed": int(b'"error"' in body)}))
        return
    if options.rows is not None and rows_in(body) != options.rows:
        raise SystemExit(f"{rows_in(body)} rows instead of {options.rows}")
    more = options.seconds or options.least > 1
    answered, failed = flood(connections, options.seconds, options.least) if more else (0, 0)
    print(json.dumps({"requests": answered + 1, "failed": failed, "bytes": len(body)}))


if __name__ == "__main__":
    main()
