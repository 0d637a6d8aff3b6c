"""Whether the time of a refusal tells which users there are: a part of `python -m bench.auth`.

With the real engine of passwords: refused checks of five sorts of names, in
rounds, by HTTP Basic authentication and by a login in memory, then over a
socket.  For each sort the median, and how often it took longer than the wrong
password of a user who exists, in the same round: half of the time, if the time
tells nothing.  `z` is how far from half that is in standard deviations (a sign
test); beyond 3 it does tell.
"""

from __future__ import annotations

import base64
import http.client
import json
import logging
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fanlight import App, Listener, Settings
from fanlight.asks import Effect
from fanlight.auth.identity import Kind
from fanlight_engines.auth.passwords import Passwords, hash_password
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.hosts import AsyncioHost
from tests.sim import Sim, performed

ITERATIONS = 50_000
ROUNDS = 200
NAMES = ("ada", "nobody", "out", "none", "late")
JSON = ("content-type", "application/json")


def house(kind: Kind = "Password", *, throttled: bool = False) -> App:
    """A server with one user of each sort, and one more."""
    bound = {} if throttled else {"auth_failure_burst": 0, "peer_auth_failure_burst": 0}
    settings = Settings(scram_iterations=ITERATIONS, **bound)  # type: ignore[arg-type]
    app = App(listeners=[Listener(address="127.0.0.1:0", authenticator=kind)], settings=settings)
    stored = hash_password("secret", iterations=ITERATIONS)
    app.users.put("ada", stored)
    app.users.put("bob", stored)
    app.users.put("out", stored, login=False)
    app.users.put("none", None)
    app.users.put("late", hash_password("secret", iterations=ITERATIONS // 5))
    return app


def simulated() -> Sim:
    """The house in memory; its checks are done at once, on this thread."""
    handlers = Passwords().handlers

    def perform(effect: Effect[Any]) -> Any:
        return handlers[type(effect)](effect)

    return Sim(house(), answering=performed(perform))


def basic(user: str, password: str) -> tuple[str, str]:
    """An Authorization field."""
    return "authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(sim: Sim, request: Outgoing) -> Answer:
    """One request on a connection of its own."""
    sim.transcript.clear()
    return HttpConnection(sim.connect(), "1.1").exchange(request)


Guess = Callable[[str, str], int]
Clock = Callable[[], float]


def by_basic(sim: Sim) -> Guess:
    """The status of a request with Basic credentials."""
    return lambda name, password: ask(sim, Outgoing(fields=(basic(name, password),))).status


def by_login(sim: Sim) -> Guess:
    """The status of a login."""

    def guess(name: str, password: str) -> int:
        body = json.dumps({"username": name, "password": password}).encode()
        return ask(sim, Outgoing(method="POST", target="/api/login", fields=(JSON,), body=body)).status

    return guess


@contextmanager
def over_a_socket() -> Iterator[Guess]:
    """The status of a request with Basic credentials on a kept connection, asyncio at the other end."""
    host = AsyncioHost()
    served = host.serve(house())
    address = served.address()
    connection = http.client.HTTPConnection(str(address[0]), int(address[1]), timeout=30)

    def guess(name: str, password: str) -> int:
        connection.request("GET", "/", headers=dict((basic(name, password),)))
        response = connection.getresponse()
        response.read()
        return response.status

    yield guess
    connection.close()
    served.stop()
    host.close()


def refusals(guess: Guess, clock: Clock) -> dict[str, list[float]]:
    """Seconds of each refusal, by the sort of name, round by round; the order within a round is drawn."""
    took: dict[str, list[float]] = {name: [] for name in NAMES}
    for number in range(ROUNDS):
        for name in random.sample(NAMES, len(NAMES)):
            began = clock()
            status = guess(name, f"guess {number}")
            took[name].append(clock() - began)
            assert status == 401
    return took


def print_refusals(how: str, guess: Guess, clock: Clock) -> None:
    """One line for each sort of name."""
    took = refusals(guess, clock)
    usual = statistics.median(took["ada"])
    for name, times in took.items():
        median = statistics.median(times)
        longer = sum(mine > others for mine, others in zip(times, took["ada"], strict=True))
        score = (longer - ROUNDS / 2) / (ROUNDS**0.5 / 2) if name != "ada" else 0.0
        share = "" if name == "ada" else f"  longer {longer / ROUNDS:4.0%}  z {score:+.1f}"
        print(f"refused {how}, {name:7}{median * 1000:8.2f} ms  {100 * (median / usual - 1):+.1f} %{share}")


def show_refusals() -> None:
    """Print the table."""
    told = logging.getLogger("fanlight")
    before = told.level
    told.setLevel(logging.CRITICAL)
    try:
        # In memory all is done in this thread, so its own time says it all, whatever else the machine does.
        print_refusals("by Basic", by_basic(simulated()), time.thread_time)
        print_refusals("by login", by_login(simulated()), time.thread_time)
        with over_a_socket() as guess:
            print_refusals("over a socket", guess, time.perf_counter)
    finally:
        told.setLevel(before)
