"""What the dumps tell of a real process, and the level of its real root logger."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

import pytest

from fanlight.app import App
from fanlight.http.request import Request
from fanlight.http.response import Response, text
from fanlight.http.router import Route
from fanlight.jsontext import encode
from fanlight.pages import catalog as pages
from fanlight.pages.effects import (
    COORDINATOR_KEYS,
    LogLevel,
    ProcessSnapshot,
    ReadLogLevel,
    SnapshotCoordinator,
    SnapshotProcess,
)
from fanlight.sql.effects import Execute, StartEngine
from fanlight_engines.process.introspection import Introspection, coordinator, log_level, process_facts, process_start
from fanlight_engines.process.recent_logs import RecentLogs
from fanlight_engines.process.relations import DECLARED
from fanlight_engines.profiling.heap import HeapProfiler
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.engines.test_process_tasks import asyncio_program, in_thread, trio_program
from tests.sim import LATER, Answered, Sim, performed

INTERNAL = (("x-materialize-user", "mz_system"),)
STATEMENT = "select 'lovelace-1843'"


class Numbered:
    """A session as far as anybody here looks."""

    number = 7
    may_write = False
    sight = "ada"


async def query(request: Request) -> Response:
    await Execute(Numbered(), STATEMENT, (), "read only", True, True, (), b",", 1000, 1000)
    return text(200, "done")


async def start(request: Request) -> Response:
    await StartEngine()
    return text(200, "done")


ROUTES = (
    Route("GET", "/query", "base", query),
    Route("GET", "/start", "base", start),
    Route("GET", "/api/catalog/dump", "internal", pages.catalog_dump, privileged=True),
    Route("GET", "/api/coordinator/dump", "internal", pages.coordinator_dump, privileged=True),
)


@pytest.fixture
def sim() -> Sim:
    return Sim(App(pages=False, routes=ROUTES))


@pytest.fixture
def engine(sim: Sim) -> Iterator[Introspection]:
    logs = RecentLogs()
    introspection = Introspection(sim.server, HeapProfiler(sim.server.app), logs)

    def answering(effect: Any) -> Any:
        return (
            Answered(introspection.handlers[type(effect)](effect)) if type(effect) in introspection.handlers else LATER
        )

    sim.answering = answering
    yield introspection
    introspection.close()
    logs.close()


LEVELS: list[tuple[int, int, LogLevel]] = [
    (logging.CRITICAL, 0, "error"),
    (logging.ERROR, 0, "error"),
    (logging.WARNING, 0, "warn"),
    (logging.INFO, 0, "info"),
    (logging.DEBUG, 0, "debug"),
    (5, 0, "trace"),
    (logging.NOTSET, 0, "trace"),
    (25, 0, "warn"),
    (logging.CRITICAL + 10, 0, "off"),
    (logging.DEBUG, logging.CRITICAL, "off"),
    (logging.DEBUG, logging.CRITICAL + 1, "off"),
    (logging.DEBUG, logging.INFO, "warn"),
    (logging.ERROR, logging.DEBUG, "error"),
]


@pytest.mark.parametrize(("level", "disabled", "told"), LEVELS)
def test_the_level_of_the_root_logger(engine: Introspection, level: int, disabled: int, told: LogLevel) -> None:
    before, before_disabled = logging.root.level, logging.root.manager.disable
    logging.root.setLevel(level)
    logging.disable(disabled)
    try:
        assert log_level() == told
        assert engine.handlers[ReadLogLevel](ReadLogLevel()) == told
    finally:
        logging.root.setLevel(before)
        logging.disable(before_disabled)


def test_the_process_tells_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["demo.py", "--password=sesame"])
    facts = process_facts()
    assert (facts["pid"], facts["argv0"]) == (os.getpid(), "demo.py")
    assert facts["python"] == sys.version.split()[0]
    assert "sesame" not in repr(facts)
    started = datetime.fromisoformat(facts["start_time"]).timestamp()
    assert time.time() - 3600 < started <= time.time() + 1
    assert abs(process_start() - started) < 1


def test_where_the_kernel_tells_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise FileNotFoundError

    monkeypatch.setattr("fanlight_engines.process.introspection.open", refuse, raising=False)
    assert process_start() <= time.time()


def test_the_catalog_of_this_process(engine: Introspection, sim: Sim) -> None:
    answer = HttpConnection(sim.connect(), "1.1").exchange(Outgoing(target="/api/catalog/dump", fields=INTERNAL))
    dump = json.loads(answer.body)
    assert dump["process"]["pid"] == os.getpid()
    assert dump["modules"]["pytest"]["version"] == pytest.__version__
    system = [entry["name"]["item"] for entry in dump["entry_by_id"].values()]
    assert system[:3] == ["tasks", "threads", "frames"]
    assert dump["entry_by_id"]["s1"]["item"]["View"]["columns"][0]["name"] == "id"
    assert dump["clusters_by_id"]["s1"]["replicas"]["s1"]["pid"] == os.getpid()
    environment = [value for value in os.environ.values() if len(value) > 30 and value not in sys.path]
    assert not [value for value in environment if json.dumps(value)[1:-1] in answer.body.decode()]


def test_the_coordinator_of_this_process(engine: Introspection, sim: Sim) -> None:
    waiting = HttpConnection(sim.connect(peer="192.0.2.7"), "2")
    waiting.begin(Outgoing(target="/query", fields=INTERNAL))
    starting = HttpConnection(sim.connect(), "1.1")
    starting.begin(Outgoing(target="/start"))
    with in_thread(asyncio_program) as thread, in_thread(trio_program) as other:
        asking = HttpConnection(sim.connect(), "1.1")
        answer = asking.exchange(Outgoing(target="/api/coordinator/dump", fields=INTERNAL))
    dump = json.loads(answer.body)
    assert list(dump) == list(COORDINATOR_KEYS)
    query_hash = sha256(STATEMENT.encode()).hexdigest()[:16]
    assert dump["active_conns"]["1"] == {
        "user": "mz_system",
        "client_ip": "192.0.2.7",
        "listener": "main",
        "protocol": "h2",
        "since": "2023-11-14T22:13:20.000Z",
        "state": "open",
        "requests": 1,
        "paths": ["/query"],
        "current_query_hash": query_hash,
    }
    assert dump["active_conns"]["3"]["current_query_hash"] is None
    assert dump["pending_peeks"] == {"7": {"connection": 1, "query_hash": query_hash}}
    assert dump["client_pending_peeks"] == {"1": ["7"]}
    assert dump["pending_linearize_read_txns"] == [2]
    assert dump["txn_read_holds"] == {}
    assert "lovelace" not in answer.body.decode()
    assert abs(dump["global_timelines"]["EpochMilliseconds"] / 1000 - time.time()) < 60
    controller = dump["controller"]
    assert controller["event_loop"] == {"kind": None, "thread": threading.get_ident(), "tasks": [], "lag_ms": None}
    loops = {loop["thread"]: loop for loop in controller["other_event_loops"]}
    assert loops[thread.ident]["kind"] == "asyncio"
    consumer = next(task for task in loops[thread.ident]["tasks"] if task["name"] == "consumer")
    assert (consumer["coro"], consumer["state"]) == ("consume", "waiting")
    assert consumer["stack"][-1].startswith(f"consume ({asyncio_program.__code__.co_filename}:")
    assert loops[other.ident]["kind"] == "trio"
    assert "on event" in [task["name"] for task in loops[other.ident]["tasks"]]
    assert "MainThread" in [row["name"] for row in controller["threads"]]
    assert controller["gc"][0]["generation"] == 0
    assert controller["server"]["listeners"] == {"main": {"connections": 3}}


def test_the_loop_that_serves_is_told_apart(sim: Sim) -> None:
    with in_thread(asyncio_program) as thread, in_thread(trio_program):
        assert thread.ident is not None
        state = coordinator(sim.server, thread.ident)
    assert state["controller"]["event_loop"]["kind"] == "asyncio"
    assert [loop["kind"] for loop in state["controller"]["other_event_loops"]] == ["trio"]


def test_the_lag_is_the_mean_of_what_was_measured(sim: Sim) -> None:
    sim.server.metrics.lagged(0.001)
    sim.server.metrics.lagged(0.003)
    assert coordinator(sim.server, 0)["controller"]["event_loop"]["lag_ms"] == pytest.approx(2.0)


def test_the_coordinator_survives_hostile_names(sim: Sim) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

    def run() -> None:
        ready.set()
        done.wait(10)

    ready, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    thread._name = Hostile()  # type: ignore[attr-defined]
    try:
        assert "<unprintable>" in encode(coordinator(sim.server, 0))
    finally:
        thread.name = "ordinary"
        done.set()
        thread.join()


@pytest.mark.parametrize("effect", [SnapshotProcess(), SnapshotCoordinator()], ids=lambda effect: type(effect).__name__)
def test_an_interrupt_ends_the_walk_even_when_it_comes_first(
    engine: Introspection, effect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a budget the walk looks for an interrupt again and again.
    monkeypatch.setattr("fanlight_engines.process.pace.BUDGET", -1.0)
    other = type(effect)()
    engine.interrupts[type(effect)](effect)
    short, long = engine.handlers[type(effect)](effect), engine.handlers[type(effect)](other)
    if isinstance(short, ProcessSnapshot):
        assert len(short.modules) < len(long.modules)
    assert set(short) == set(COORDINATOR_KEYS) if isinstance(short, dict) else True


def test_its_relations_have_the_log_records_that_were_kept(engine: Introspection) -> None:
    assert engine.relations == DECLARED
    logging.getLogger("tests.introspection").warning("hello")
    logs = next(relation for relation in engine.relations if relation.name == "log_records")
    assert [row[3] for row in logs.rows()][-1] == "hello"


def test_failures_of_the_walk_are_failures_of_the_page(sim: Sim) -> None:
    def fail(effect: Any) -> Any:
        raise RuntimeError("lovelace-1843")

    sim.answering = performed(fail)
    answer = HttpConnection(sim.connect(), "1.1").exchange(Outgoing(target="/api/coordinator/dump", fields=INTERNAL))
    assert answer.status == 500
    assert b"lovelace" not in answer.body
