"""What authentication costs, and that it tells nothing by its time: `python -m bench.auth`.

Four parts, with the real engine of passwords:

    refusals   whether the time of a refusal tells which users there are (`auth_refusals`)
    added      what a remembered password and a session add to a request
    guesses    what a flood of wrong guesses costs once its burst is spent, and whom it keeps out
    lateness   how late a host's loop is while passwords are hashed (`auth_lateness`)

Times but those of refusals and lateness are CPU time of the thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from bench.auth_lateness import show_lateness
from bench.auth_refusals import basic, house, show_refusals
from bench.cycle import drained
from fanlight import App
from fanlight.asks import Effect
from fanlight.connection.connection import Connection
from fanlight.moment import Now
from fanlight.outputs import Perform, Send
from fanlight.server import Server
from fanlight_engines.auth.passwords import Passwords
from fanlight_engines.performer import SystemEntropy, now
from tests.clients.http1 import serialise
from tests.clients.messages import Outgoing

REQUESTS, TIMES = 500, 40
GUESSES, A_SECOND = 3000, 100


# ---- added -------------------------------------------------------------------


class Served:
    """A server without a host, under a clock that can be moved on; checks are done here, and timed."""

    def __init__(self, app: App) -> None:
        self.ahead = 0.0
        self.hashes = 0
        self.hashed = 0.0
        self.server = Server(app, now=self.now(), entropy=SystemEntropy())
        self.connection = self.connect("127.0.0.1")
        self._handlers = Passwords().handlers

    def now(self) -> Now:
        """This moment, as far as the clock was moved on."""
        moment = now()
        return Now(moment.mono + self.ahead, moment.wall + self.ahead)

    def connect(self, peer: str) -> Connection:
        """A new connection."""
        connection = self.server.accept("main", peer, self.now())
        assert connection is not None
        return connection

    def ask(self, raw: bytes, connection: Connection | None = None) -> bytes:
        """The answer to one request."""
        asked, answer = connection or self.connection, b""
        asked.receive_data(raw, self.now())
        while (output := asked.poll()) is not None:
            if isinstance(output, Send):
                answer += output.data
                asked.sent(len(output.data), self.now())
            elif isinstance(output, Perform):
                asked.reply(output.number, self._perform(output.effect), None, self.now())
        return answer

    def ask_once(self, raw: bytes, peer: str) -> int:
        """The status of the answer, on a connection of its own."""
        connection = self.connect(peer)
        answer = self.ask(raw, connection)
        connection.lost(self.now())
        return int(answer[9:12])

    def _perform(self, effect: Effect[Any]) -> Any:
        began = time.thread_time()
        answer = self._handlers[type(effect)](effect)
        self.hashed += time.thread_time() - began
        self.hashes += 1
        return answer

    def cycle(self, raw: bytes) -> float:
        """CPU seconds of one request whose answer needs nobody else."""
        began = time.thread_time()
        for _ in range(REQUESTS):
            self.connection.receive_data(raw, now())
            drained(self.connection)
        return (time.thread_time() - began) / REQUESTS


def probe(*fields: tuple[str, str]) -> bytes:
    return serialise(Outgoing(target="/api/livez", fields=fields))


def of_length(field: tuple[str, str]) -> tuple[str, str]:
    """A cookie that means nothing, in as many bytes: heads with one are parsed anew as well."""
    return "cookie", "x=" + "y" * (sum(map(len, field)) - len("cookie") - 2)


def show_added() -> None:
    """What proof adds to a request of the same length that nobody asks for any."""
    plain, asking = Served(house("None")), Served(house())
    body = json.dumps({"username": "ada", "password": "secret"}).encode()
    fields = (("content-type", "application/json"), ("content-length", str(len(body))))
    answer = asking.ask(serialise(Outgoing(method="POST", target="/api/login", fields=fields, body=body)))
    line = next(line for line in answer.decode().split("\r\n") if line.startswith("set-cookie"))
    session = ("cookie", line.partition(": ")[2].partition(";")[0])
    password = basic("ada", "secret")
    runs: dict[str, Callable[[], float]] = {}
    for name, field in (("session", session), ("password", password)):
        asked, compared = probe(field), probe(of_length(field))
        assert asking.ask(asked).startswith(b"HTTP/1.1 200")
        assert plain.ask(compared).startswith(b"HTTP/1.1 200")
        runs[name] = lambda raw=asked: asking.cycle(raw)  # type: ignore[misc]
        runs[f"{name}, kind None"] = lambda raw=compared: plain.cycle(raw)  # type: ignore[misc]
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(TIMES):
        for name, run in runs.items():
            best[name] = min(best[name], run())
    for name in ("session", "password"):
        whole, without = best[name] * 1e6, best[f"{name}, kind None"] * 1e6
        print(f"a remembered {name:9} {whole:6.1f} us, without {without:6.1f}: adds {whole - without:4.1f} us")


# ---- guesses -----------------------------------------------------------------


def show_guesses() -> None:
    """Wrong guesses of one peer for one user, a hundred in each second of the clock, each on a new connection."""
    served = Served(house(throttled=True))
    stranger, statuses = "192.0.2.7", dict[int, int]()
    for number in range(20):  # the burst
        served.ask_once(probe(basic("ada", f"early {number}")), stranger)
    guesses = [probe(basic("ada", f"guess {number}")) for number in range(GUESSES)]
    served.hashes, served.hashed, began = 0, 0.0, time.thread_time()
    for guess in guesses:
        status = served.ask_once(guess, stranger)
        statuses[status] = statuses.get(status, 0) + 1
        served.ahead += 1 / A_SECOND
    each = (time.thread_time() - began - served.hashed) / GUESSES
    print(f"{GUESSES} wrong guesses in {GUESSES / A_SECOND:.0f} s: answers {statuses}, hashes {served.hashes}")
    print(f"besides the hashes {each * 1e6:.0f} us each: {100 * each * A_SECOND:.1f} % of a core at {A_SECOND}/s")
    for user, peer, where in (("ada", "192.0.2.8", "elsewhere"), ("bob", stranger, "the same peer")):
        print(f"meanwhile {user} from {where}:", served.ask_once(probe(basic(user, "secret")), peer))


PARTS: dict[str, Callable[[], None]] = {
    "refusals": show_refusals,
    "added": show_added,
    "guesses": show_guesses,
    "lateness": show_lateness,
}


def main() -> None:
    """Print what was asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench.auth", description=__doc__)
    parser.add_argument("--only", choices=PARTS)
    options = parser.parse_args()
    for part in [options.only] if options.only else PARTS:
        PARTS[part]()


if __name__ == "__main__":
    main()
