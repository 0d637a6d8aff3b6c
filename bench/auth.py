"""What authentication costs, and that it tells nothing by its time: `python -m bench.auth`.

In memory, with the real engine of passwords: medians of refused checks, names
that exist and names that do not, interleaved; then the microseconds that a
remembered password and a session add to a request.
"""

from __future__ import annotations

import base64
import json
import random
import statistics
import time
from typing import Any

from fanlight import App, Listener, Settings
from fanlight.asks import Effect
from fanlight_engines.passwords import Passwords, hash_password
from tests.clients.blocking import HttpConnection
from tests.clients.http1 import serialise
from tests.clients.messages import Answer, Outgoing
from tests.sim import Sim, SimWire, performed

ITERATIONS = 50_000
ROUNDS = 200
REQUESTS = 3000
NAMES = ("ada", "nobody", "out", "none")


def server(kind: Any = "Password") -> Sim:
    """A server with one user of each sort and no throttle."""
    app = App(
        listeners=[Listener(authenticator=kind)], settings=Settings(auth_failure_burst=0, peer_auth_failure_burst=0)
    )
    stored = hash_password("secret", iterations=ITERATIONS)
    app.users.put("ada", stored)
    app.users.put("out", stored, login=False)
    app.users.put("none", None)
    handlers = Passwords().handlers

    def perform(effect: Effect[Any]) -> Any:
        return handlers[type(effect)](effect)

    return Sim(app, answering=performed(perform))


def basic(user: str, password: str) -> tuple[str, str]:
    """An Authorization field."""
    return "authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(sim: Sim, request: Outgoing) -> Answer:
    """One request on a connection of its own."""
    return HttpConnection(sim.connect(), "1.1").exchange(request)


def refusals() -> dict[str, float]:
    """Median seconds of a refusal, by the sort of name."""
    sim, took = server(), {name: list[float]() for name in NAMES}
    for number in range(ROUNDS):
        for name in random.sample(NAMES, len(NAMES)):
            sim.transcript.clear()
            began = time.perf_counter()
            answer = ask(sim, Outgoing(fields=(basic(name, f"guess {number}"),)))
            took[name].append(time.perf_counter() - began)
            assert answer.status == 401
    return {name: statistics.median(times) for name, times in took.items()}


def cycle(sim: Sim, wire: SimWire, *fields: tuple[str, str]) -> float:
    """Microseconds of one request on a kept connection."""
    raw = serialise(Outgoing(target="/api/livez", fields=fields))
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(REQUESTS):
            wire.send(raw)
            wire.received.clear()
            sim.transcript.clear()
        best = min(best, time.perf_counter() - began)
    return best / REQUESTS * 1e6


def main() -> None:
    """Print both tables."""
    medians = refusals()
    for name, seconds in medians.items():
        print(f"refused, {name:7} {seconds * 1000:8.2f} ms  {100 * (seconds / medians['ada'] - 1):+.1f} %")
    plain = server("None")
    print(f"a head that is parsed anew, kind None   {cycle(plain, plain.connect(), ('cookie', 'a=b')):6.1f} us")
    sim = server()
    body = json.dumps({"username": "ada", "password": "secret"}).encode()
    kind = ("content-type", "application/json")
    answer = ask(sim, Outgoing(method="POST", target="/api/login", fields=(kind,), body=body))
    cookie = ("cookie", (answer.get("set-cookie") or "").partition(";")[0])
    print(f"the same with a session                 {cycle(sim, sim.connect(), cookie):6.1f} us")
    print(f"the same with a remembered password     {cycle(sim, sim.connect(), basic('ada', 'secret')):6.1f} us")


if __name__ == "__main__":
    main()
