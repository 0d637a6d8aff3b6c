"""`python -m bench.cycle`: what a request costs in the core alone, without a socket or a loop.

A connection is fed bytes and drained as a transport does it.  Times are thread
CPU time; `--profile` tells the functions behind them (the profiler makes calls
dearer than they are, so compare it with itself only).
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import struct
import time

from hpack import Encoder

from bench.attacks.http2 import END_HEADERS, END_STREAM, HEADERS, WIDEST, WINDOW_UPDATE, frame, opening, setting
from bench.servers.families import registry
from bench.servers.fanlight_server import application
from fanlight.connection.connection import Connection
from fanlight.outputs import Send
from fanlight.server import Server
from fanlight_engines.performer import SystemEntropy, now

PROBE = (
    b"GET /api/livez HTTP/1.1\r\nHost: 127.0.0.1:6876\r\nUser-Agent: kube-probe/1.30\r\n"
    b"Accept: */*\r\nAccept-Encoding: gzip\r\n\r\n"
)
BODY = json.dumps({"id": 4711, "name": "payments", "ports": [8080, 8443], "pad": "x" * 950}).encode()
POST = (
    b"POST /echo-json HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nUser-Agent: bench/1\r\n"
    b"Accept: */*\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/plain;version=0.0.4\r\n\r\n"
ONE = {"small": PROBE, "post": POST, "metrics": SCRAPE}
SCENARIOS = (*ONE, "h2")
SERIES = 100


def drained(connection: Connection) -> int:
    """Drain a connection as a transport does; how many bytes came out."""
    sent = 0
    while True:
        output = connection.poll()
        if output is None:
            return sent
        if type(output) is Send:
            sent += len(output.data)
            connection.sent(len(output.data), now())


class Http2:
    """A client whose header blocks are those of a real one: indexed in full from the second on."""

    def __init__(self) -> None:
        encoder = Encoder()
        fields = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/api/livez"),
            (":authority", "127.0.0.1:6876"),
            ("user-agent", "h2load nghttp2/1.52.0"),
        ]
        first, self._block = encoder.encode(fields), encoder.encode(fields)
        wide = frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WIDEST - 65_535))
        self.opening = opening(setting(4, 2**20)) + wide + self._get(1, first)

    def _get(self, stream: int, block: bytes) -> bytes:
        return frame(HEADERS, END_STREAM | END_HEADERS, stream, block)

    def batch(self, number: int) -> bytes:
        """Sixteen requests in one read, as a client with sixteen streams under way sends them."""
        first = 32 * number + 3
        return b"".join(self._get(stream, self._block) for stream in range(first, first + 32, 2))


def run(scenario: str, count: int) -> float:
    """CPU seconds of `count` rounds (of one request; of sixteen for `h2`).

    `metrics` scrapes a small registry, so that the page's fixed cost shows.
    """
    server = Server(application(0, registry(SERIES)), now=now(), entropy=SystemEntropy())
    connection = server.accept("main", "127.0.0.1", now())
    assert connection is not None
    drained(connection)
    pieces = [ONE.get(scenario, b"")] * count
    if scenario == "h2":
        client = Http2()
        connection.receive_data(client.opening, now())
        drained(connection)
        pieces = [client.batch(number) for number in range(count)]
    began = time.thread_time()
    for piece in pieces:
        connection.receive_data(piece, now())
        if not answered(connection):
            raise SystemExit(f"{scenario}: no answer")
    return time.thread_time() - began


def answered(connection: Connection) -> int:
    """Drain, and give the turns that a sliced answer asks for; how many bytes came out."""
    sent = drained(connection)
    while connection.streams:
        connection.handle_timeout(now())
        sent += drained(connection)
    return sent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cycle", description=__doc__)
    parser.add_argument("--only", choices=SCENARIOS)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    for scenario in [options.only] if options.only else SCENARIOS:
        each = 16 if scenario == "h2" else 1
        count = options.count // each
        best = min(run(scenario, count) for _ in range(5))
        print(f"{scenario}: {best / count / each * 1e6:.1f} µs a request in the core")
        if options.profile:
            profile = cProfile.Profile()
            profile.runcall(run, scenario, count)
            pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
