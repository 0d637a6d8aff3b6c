"""Hostile HTTP/1.1 clients."""

from __future__ import annotations

import itertools
import socket
import time

from bench.attacks.flood import HEAD, connect, endless, flood, many, summary


def header_flood(port: int, until: float) -> str:
    """One head of endless short fields."""
    return str(flood(port, itertools.chain([b"GET / HTTP/1.1\r\nHost: a\r\n"], endless(b"a: b\r\n")), until))


def endless_field(port: int, until: float) -> str:
    """One field whose value never ends."""
    return str(flood(port, itertools.chain([b"GET / HTTP/1.1\r\nHost: a\r\nb: "], endless(b"c")), until))


def endless_target(port: int, until: float) -> str:
    """A request line that never ends."""
    return str(flood(port, itertools.chain([b"GET /"], endless(b"d")), until))


def trailer_flood(port: int, until: float) -> str:
    """A chunked body that ends, then endless trailer fields."""
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    return str(flood(port, itertools.chain([head], endless(b"t: u\r\n")), until))


def endless_blank_lines(port: int, until: float) -> str:
    """Empty lines where a request should begin."""
    return str(flood(port, endless(b"\r\n"), until))


def tiny_chunks(port: int, until: float) -> str:
    """A chunked body in chunks of one byte."""
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return str(flood(port, itertools.chain([head], endless(b"1\r\nx\r\n")), until))


def chunk_extensions(port: int, until: float) -> str:
    """One chunk whose extension never ends."""
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;"
    return str(flood(port, itertools.chain([head], endless(b"a=b;")), until))


def pipelining(port: int, until: float) -> str:
    """Small requests without end, answers never read."""
    return str(flood(port, endless(HEAD.format(path="/", more="").encode()), until, reads=False))


def pipelining_read(port: int, until: float) -> str:
    """Small requests without end, answers read: the most work that one connection can make."""
    return str(flood(port, endless(HEAD.format(path="/", more="").encode()), until))


def pipelined_downloads(port: int, until: float) -> str:
    """Sixteen connections ask for 64 MiB a hundred times each and never read."""
    asking = HEAD.format(path="/big", more="").encode() * 100
    return summary(many(16, lambda: flood(port, [asking], until, reads=False)))


def slow_readers(port: int, until: float) -> str:
    """A hundred downloads of 64 MiB, read a hundred bytes at a time, ten times a second."""
    readers = []
    for _ in range(100):
        reader = connect(port)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.sendall(HEAD.format(path="/big", more="").encode())
        reader.settimeout(0.01)
        readers.append(reader)
    read = 0
    while time.monotonic() < until:
        for reader in readers:
            try:
                read += len(reader.recv(100))
            except TimeoutError:
                pass
        time.sleep(0.05)
    for reader in readers:
        reader.close()
    return f"{len(readers)} readers, {read / 1e6:.2f} MB read"


def hanging_up(port: int, until: float) -> str:
    """Downloads of 64 MiB that are hung up at once, one after the other."""
    count = 0
    while time.monotonic() < until and count < 5000:
        connection = connect(port)
        connection.sendall(HEAD.format(path="/big", more="").encode())
        connection.close()
        count += 1
    return f"{count} connections"


def slow_heads(port: int, until: float) -> str:
    """Five hundred connections that send a head one byte at a time."""
    head = HEAD.format(path="/", more="User-Agent: slow\r\n" * 20).encode()
    clients = [connect(port) for _ in range(500)]
    for index in range(len(head) - 2):
        if time.monotonic() > until:
            break
        for client in clients:
            try:
                client.send(head[index : index + 1])
            except OSError:
                pass
        time.sleep(0.05)
    for client in clients:
        client.close()
    return f"{len(clients)} connections"


def idle_connections(port: int, until: float, count: int = 10_000) -> str:
    """Ten thousand keep-alive connections that asked once and then stay silent."""
    held, refused = [], 0
    for _ in range(count):
        try:
            connection = connect(port)
            connection.sendall(HEAD.format(path="/", more="").encode())
            answered = connection.recv(4096).startswith(b"HTTP/1.1 200")
        except OSError:
            answered = False
        if not answered:
            refused += 1
            if refused > 100:
                break
            continue
        held.append(connection)
    time.sleep(max(0.5, until - time.monotonic()))
    for connection in held:
        connection.close()
    return f"{len(held)} held, {refused} refused"


ATTACKS = {
    "h1 header flood": header_flood,
    "h1 endless field": endless_field,
    "h1 endless target": endless_target,
    "h1 trailer flood": trailer_flood,
    "h1 endless blank lines": endless_blank_lines,
    "h1 one-byte chunks": tiny_chunks,
    "h1 endless chunk extension": chunk_extensions,
    "h1 pipelining, nothing read": pipelining,
    "h1 pipelining, all read": pipelining_read,
    "h1 pipelined downloads, nothing read": pipelined_downloads,
    "h1 slow readers": slow_readers,
    "h1 downloads hung up": hanging_up,
    "h1 slow heads": slow_heads,
    "h1 10,000 idle connections": idle_connections,
}
