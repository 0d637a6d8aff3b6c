"""WebSocket echo load: many connections in one epoll loop, frames made once.

Every message is one masked binary frame of 32 bytes; a server's answer is 34
bytes, so counting bytes counts answers.  The first answer of each connection is
compared in full.  `--flight` messages are kept under way on every connection.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import time

PAYLOAD = bytes(range(65, 97))
MASK = b"\x11\x22\x33\x44"
FRAME = b"\x82\xa0" + MASK + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(PAYLOAD))
ANSWER = b"\x82\x20" + PAYLOAD
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def opened(port: int, path: str) -> socket.socket:
    """A connection after its handshake and one checked echo."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(HANDSHAKE.format(path=path, port=port).encode())
    head = _until(connection, lambda data: b"\r\n\r\n" in data)
    if b" 101 " not in head.split(b"\r\n", 1)[0]:
        raise SystemExit(f"no upgrade: {head[:80]!r}")
    connection.sendall(FRAME)
    rest = head.partition(b"\r\n\r\n")[2]
    answer = _until(connection, lambda data: len(data) >= len(ANSWER), rest)
    if answer != ANSWER:
        raise SystemExit(f"wrong echo: {answer[:80]!r}")
    return connection


def _until(connection: socket.socket, enough: object, data: bytes = b"") -> bytes:
    while not enough(data):  # type: ignore[operator]
        more = connection.recv(4096)
        if not more:
            raise SystemExit(f"closed after {data[:80]!r}")
        data += more
    return data


def flood(connections: list[socket.socket], flight: int, seconds: float) -> int:
    """Keep `flight` messages under way on each connection; how many were answered."""
    poll = select.epoll()
    found = {connection.fileno(): connection for connection in connections}
    held = dict.fromkeys(found, 0)
    for number, connection in found.items():
        poll.register(number, select.EPOLLIN)
        connection.sendall(FRAME * flight)
    answered = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for number, _ in poll.poll(1.0):
            data = found[number].recv(65536)
            if not data:
                raise SystemExit("the server closed a connection")
            whole, held[number] = divmod(held[number] + len(data), len(ANSWER))
            answered += whole
            if whole:
                found[number].sendall(FRAME * whole)
    return answered


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/echo")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--flight", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    connections = [opened(options.port, options.path) for _ in range(options.connections)]
    answered = flood(connections, options.flight, options.seconds)
    for connection in connections:
        connection.close()
    print(json.dumps({"requests": answered, "failed": 0}))


if __name__ == "__main__":
    main()
