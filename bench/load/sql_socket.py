"""A client of `/api/experimental/sql` that costs little: whole batches of rows are counted as bytes, not read.

As a program it sends `select 1` over one kept socket, the next when the last is
answered, and says how many were.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import struct
import time
from typing import Any

from bench.load.websocket import HANDSHAKE

PATH = "/api/experimental/sql"
READY = b'{"type":"ReadyForQuery"'
ROW = b'{"type":"Row",'
CLOSE = b"\x88\x82" + bytes(4) + (1000).to_bytes(2)


def text_frame(text: bytes) -> bytes:
    """A masked text frame; the mask is zero, so that masking costs nothing."""
    size = len(text)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack("!H", size)
    return b"\x81" + length + bytes(4) + text


def simple(query: str) -> bytes:
    """The frame of a simple request."""
    return text_frame(json.dumps({"query": query}).encode())


class SqlSocket:
    """A session, greeted.  `number` is its own for `pg_cancel_backend`."""

    def __init__(self, port: int, user: str = "ada") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(HANDSHAKE.format(path=PATH, port=port).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(4096)
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(f"no upgrade: {head[:80]!r}")
        self.socket.sendall(text_frame(json.dumps({"user": user, "password": ""}).encode()))
        greeting = head.partition(b"\r\n\r\n")[2] + self.until(READY)
        self.number = int(greeting.partition(b'"conn_id":')[2].partition(b",")[0])

    def until(self, mark: bytes) -> bytes:
        """What comes, up to the read in which `mark` is found.  Only for what is short."""
        data = b""
        while mark not in data:
            data += self._some()
        return data

    def _some(self) -> bytes:
        data = self.socket.recv(1024 * 1024)
        if not data:
            raise SystemExit("the server closed the socket")
        return data

    def ask(self, query: str) -> None:
        """Send a simple request."""
        self.socket.sendall(simple(query))

    def answer(self, query: str) -> bytes:
        """All of the answer to a request."""
        self.ask(query)
        return self.until(READY)

    def drain(self) -> tuple[int, int, float]:
        """Read an answer to its end: its rows, its bytes, and when the first row was there (`time.monotonic`)."""
        rows = size = 0
        first = 0.0
        tail = b""
        while True:
            data = self._some()
            size += len(data)
            # What was cut by the read before is looked at again, but for what was already counted.
            rows += (tail + data).count(ROW) - tail.count(ROW)
            first = first or (time.monotonic() if rows else 0.0)
            tail = (tail + data)[-len(READY) :]
            if READY in tail or READY in data[-256:]:
                return rows, size, first

    def read(self, least: int) -> int:
        """Read about `least` bytes and no more."""
        size = 0
        while size < least:
            size += len(self.socket.recv(65_536))
        return size

    def close(self) -> None:
        self.socket.close()


def round_trips(port: int, seconds: float) -> int:
    """How often `select 1` was answered."""
    kept = SqlSocket(port)
    asked = simple("select 1")
    count = 0
    if b'{"type":"Row","payload":["1"]}' not in kept.answer("select 1"):
        raise SystemExit("select 1 is not 1")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        kept.socket.sendall(asked)
        kept.until(READY)
        count += 1
    kept.close()
    return count


def subscribe(port: int, count: int, query: str) -> None:
    """Hold `count` subscriptions of `query`; says so when all have begun, and ends when a line comes in.

    Frames are counted, and Pings are answered, in one loop; prints how many rows and Pings came meanwhile.
    """
    import select
    import sys

    sockets = {}
    poll = select.epoll()
    for _ in range(count):
        opened = SqlSocket(port)
        opened.ask(query)
        opened.until(b'"is_streaming":true')
        sockets[opened.socket.fileno()] = opened.socket
        poll.register(opened.socket, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    found: dict[str, Any] = {"held": len(sockets), "rows": 0, "pings": 0, "closed": 0}
    print(json.dumps(found), flush=True)
    while True:
        for number, _ in poll.poll(1.0):
            if number not in sockets:
                os.read(0, 64)
                print(json.dumps(found), flush=True)
                return
            data = sockets[number].recv(65_536)
            if not data:
                found["closed"] += 1
                poll.unregister(number)
            elif data[:2] == b"\x89\x00":
                found["pings"] += 1
                sockets[number].sendall(b"\x8a\x80" + bytes(4))
            else:
                found["rows"] += data.count(ROW)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--subscribe", type=int, default=0)
    parser.add_argument("--query", default="")
    options = parser.parse_args()
    if options.subscribe:
        subscribe(options.port, options.subscribe, options.query)
    else:
        print(json.dumps({"requests": round_trips(options.port, options.seconds), "failed": 0}))


if __name__ == "__main__":
    main()
