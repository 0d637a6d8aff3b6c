"""The live relations over this very process: their shapes, their contents, and what they never show."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import json
import logging
import os
import socket
import sys
import tempfile
import threading
import time
import tracemalloc
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client.core import GaugeMetricFamily

import fanlight.auth.identity
from fanlight.app import App
from fanlight.auth.session_table import Session
from fanlight.auth.sessions import Sessions
from fanlight.catalog.audit_log import Draft
from fanlight.config.limits import Limits
from fanlight.config.listeners import Listener
from fanlight.config.settings import Dialect
from fanlight.http.request import Request
from fanlight.http.response import Response, text
from fanlight.http.router import Route
from fanlight.relations import Relation
from fanlight_engines.process import files as process_files
from fanlight_engines.process import heap as process_heap
from fanlight_engines.process import pace as process_pace
from fanlight_engines.process import threads as process_threads
from fanlight_engines.process.heap import size_types, type_name
from fanlight_engines.process.pace import hidden, line, polite
from fanlight_engines.process.recent_logs import RecentLogs
from fanlight_engines.process.relations import DECLARED, ProcessRelations
from fanlight_engines.process.stacks import thread_stack
from fanlight_engines.profiling.heap import HeapProfiler
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.sim import Sim

Row = dict[str, Any]
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "bigint": (int,),
    "integer": (int,),
    "double": (float,),
    "boolean": (bool,),
    "text": (str,),
    "timestamptz": (float,),
    "json": (str,),
}
PRIVILEGED = {
    "frames",
    "files",
    "settings",
    "connections",
    "log_records",
    "requests",
    "sessions",
    "auth_events",
    "mz_audit_events",
}


async def hello(request: Request) -> Response:
    return text(200, "hello")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def sim(registry: CollectorRegistry) -> Sim:
    routes = (Route("GET", "/", "base", hello), Route("POST", "/api/webhook/{id}", "webhook", hello))
    return Sim(App(listeners=(Listener(),), routes=routes, pages=False, registry=registry, limits=Limits(streams=7)))


@pytest.fixture
def relations(sim: Sim) -> Iterator[ProcessRelations]:
    logs = RecentLogs()
    yield ProcessRelations(sim.server, HeapProfiler(sim.server.app), logs)
    logs.close()


def read(relations: ProcessRelations, name: str) -> list[Row]:
    relation = next(relation for relation in relations.relations if relation.name == name)
    names = [column.name for column in relation.columns]
    return [dict(zip(names, row, strict=True)) for row in relation.rows()]


def test_what_is_declared_is_what_is_bound(relations: ProcessRelations) -> None:
    assert relations.relations == DECLARED  # Equal but for their rows.
    assert {relation.name for relation in DECLARED if relation.privileged} == PRIVILEGED
    assert {relation.schema for relation in DECLARED if relation.name != "mz_audit_events"} == {"process"}


@pytest.mark.parametrize("relation", DECLARED, ids=lambda relation: relation.name)
def test_names_need_no_quotes_in_sql(relation: Relation) -> None:
    columns = ", ".join(f"{column.name} text" for column in relation.columns)
    names = ", ".join(column.name for column in relation.columns)
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"create table {relation.name}({columns})")
        cells = ["x"] * len(relation.columns)
        connection.execute(f"insert into {relation.name} values ({', '.join('?' * len(cells))})", cells)
        # `select user` would be a function's answer, not the column's.
        assert connection.execute(f"select {names} from {relation.name} order by {names}").fetchall() == [tuple(cells)]


def with_a_session(sim: Sim) -> Sessions:
    users = sim.server.app.users
    made = Sessions("main", dialect=Dialect(), users=users, entropy=sim.server.entropy, absolute=100.0)
    made.table.add(b"key", Session("ada", sim.now.wall, sim.now.wall, "mark"))
    return made


def test_sessions_and_decisions(relations: ProcessRelations, sim: Sim) -> None:
    assert read(relations, "sessions") == []
    sim.server.listeners["main"].sessions = with_a_session(sim)
    assert read(relations, "sessions") == [
        {"listener": "main", "user_name": "ada", "created_at": sim.now.wall, "active_at": sim.now.wall}
    ]
    HttpConnection(sim.connect(), "1.1").exchange(Outgoing(target="/", fields=(("x-materialize-user", "root"),)))
    (event,) = read(relations, "auth_events")
    assert (event["outcome"], event["kind"], event["user_name"]) == ("refused", "None", None)
    assert event["reason"] == "user specified in x-materialize-user must be mz_support or mz_system"


def test_every_cell_is_of_its_columns_type(relations: ProcessRelations, sim: Sim, registry: CollectorRegistry) -> None:
    Gauge("temperature", "How warm.", ["room"], registry=registry).labels("hall").set(21)
    HttpConnection(sim.connect(), "1.1").exchange(Outgoing(target="/"))
    HttpConnection(sim.connect(), "1.1").exchange(Outgoing(target="/", fields=(("x-materialize-user", "root"),)))
    sim.server.listeners["main"].sessions = with_a_session(sim)
    sim.server.app.audit_log.add([Draft("create", "table", "{}", "ada")], sim.now.wall)
    logging.getLogger("tests.process").warning("hello")
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(asyncio.sleep(0))
    tracemalloc.start(1)
    held = bytes(1000)
    every = {relation: list(relation.rows()) for relation in relations.relations}
    loop.run_until_complete(waiting)
    loop.close()
    tracemalloc.stop()
    assert held
    for relation, rows in every.items():
        assert rows, relation.name
        for row in rows:
            assert len(row) == len(relation.columns), relation.name
            for cell, column in zip(row, relation.columns, strict=True):
                expected = PYTHON_TYPES[column.type]
                assert cell is None or type(cell) in expected, (relation.name, column.name, cell)
                if column.type == "json":
                    json.loads(cell)


def test_log_records(relations: ProcessRelations) -> None:
    logging.getLogger("tests.process").warning("hello %s", "there")
    assert read(relations, "log_records")[-1]["message"] == "hello there"


def test_threads(relations: ProcessRelations) -> None:
    done = threading.Event()
    parked = threading.Thread(target=done.wait, name="parked\n", daemon=True)
    parked.start()
    try:
        rows = {row["name"]: row for row in read(relations, "threads")}
        row = rows["parked\\x0a"]
        assert (row["ident"], row["native_id"], row["daemon"], row["alive"]) == (
            parked.ident,
            parked.native_id,
            True,
            True,
        )
        assert row["function"] == "Condition.wait"
        main = rows["MainThread"]
        assert main["ident"] == threading.main_thread().ident
        if os.path.exists("/proc/self/task"):
            assert main["state"] == "running"
            assert main["cpu_seconds"] > 0.05
            assert row["cpu_seconds"] < main["cpu_seconds"]
    finally:
        done.set()
        parked.join()
    assert "parked\\x0a" not in {row["name"] for row in read(relations, "threads")}


def test_a_thread_that_python_did_not_start(relations: ProcessRelations) -> None:
    import _thread

    done = threading.Event()
    entered = threading.Event()

    def visit() -> None:
        entered.set()
        done.wait(10)

    ident = _thread.start_new_thread(visit, ())
    assert entered.wait(10)
    try:
        # `threading` may have met it by `Event`, but has started nothing.
        row = next(row for row in read(relations, "threads") if row["ident"] == ident)
        assert row["alive"]
        assert row["file"] == threading.__file__
    finally:
        done.set()


def test_where_the_kernel_tells_nothing(relations: ProcessRelations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_threads, "open", _no_file, raising=False)
    monkeypatch.setattr(process_files, "_FOLDERS", ("/nowhere/at/all",))
    rows = read(relations, "threads")
    assert rows
    assert {(row["state"], row["cpu_seconds"]) for row in rows} == {(None, None)}
    assert read(relations, "files") == []


def _no_file(*args: Any, **kwargs: Any) -> Any:
    raise FileNotFoundError


def test_frames_of_threads_are_in_order_and_without_locals(relations: ProcessRelations) -> None:
    password = "lovelace-1843"
    rows = [row for row in read(relations, "frames") if row["owner_id"] == threading.get_ident()]
    assert [row["depth"] for row in rows] == list(range(len(rows)))
    own = next(row for row in rows if row["function"] == "test_frames_of_threads_are_in_order_and_without_locals")
    assert own["file"] == __file__
    assert password not in repr(rows)


def credentials_module(tmp: Path) -> types.ModuleType:
    """A module that stands where the authentication modules are, as far as its code says."""
    folder = Path(fanlight.auth.identity.__file__).parent
    module = types.ModuleType("checking")
    source = "def check(password, then):\n    return then()\n\nasync def wait(password, then):\n    await then()\n"
    exec(compile(source, str(folder / "checking.py"), "exec"), module.__dict__)  # the only way to have such a frame
    return module


def test_frames_of_the_authentication_are_never_shown(relations: ProcessRelations, tmp_path: Path) -> None:
    module = credentials_module(tmp_path)
    assert hidden(str(Path(fanlight.auth.identity.__file__)))
    assert not hidden(__file__)
    shown = module.check("sesame", lambda: read(relations, "frames"))
    assert "checking.py" not in repr(shown)
    stack = module.check("sesame", lambda: thread_stack(sys._getframe()))
    assert [place.function for place in stack][:2] == [
        "test_frames_of_the_authentication_are_never_shown.<locals>.<lambda>",
        "test_frames_of_the_authentication_are_never_shown",
    ]
    assert "checking" not in repr(module.check("sesame", lambda: read(relations, "threads")))


def test_modules_are_not_asked(relations: ProcessRelations, monkeypatch: pytest.MonkeyPatch) -> None:
    class Touchy(types.ModuleType):
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError("touched")

    class NoModule:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("touched")

    touchy = Touchy("touchy")
    object.__getattribute__(touchy, "__dict__").update(__version__="1.2", __file__="touchy.py")
    spec = importlib.util.find_spec("this")  # It prints a poem when it is loaded.
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    lazy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lazy)
    for name, module in {"touchy": touchy, "no_module": NoModule(), "lazy": lazy, "gone": None}.items():
        monkeypatch.setitem(sys.modules, name, module)
    rows = {row["name"]: row for row in read(relations, "modules")}
    assert (rows["touchy"]["version"], rows["touchy"]["file"]) == ("1.2", "touchy.py")
    assert rows["no_module"]["file"] is None
    assert rows["gone"]["attributes"] == 0
    assert type(lazy) is not types.ModuleType  # Still lazy: nobody has touched it.
    assert rows["json"]["package"] == "json"
    assert rows["pytest"]["version"] == pytest.__version__
    assert list(rows) == sorted(rows)


def test_generations(relations: ProcessRelations) -> None:
    rows = read(relations, "gc_generations")
    assert [row["generation"] for row in rows] == list(range(len(rows)))
    assert rows[0]["threshold"] == gc.get_threshold()[0]
    assert rows[0]["collections"] > 0
    assert {row["enabled"] for row in rows} == {gc.isenabled()}


class Marked:
    """Something to be counted."""

    def __init__(self) -> None:
        self.me = self


class Metaclass(type):
    """Answers nothing that it is asked, and cannot be hashed."""

    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError("asked")

    __hash__ = None  # type: ignore[assignment]

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("compared")


def hostile_type() -> type:
    def method(self: object, *args: object) -> Any:
        raise RuntimeError("asked")

    members = {"__module__": property(method), "__sizeof__": method, "__repr__": method, "__eq__": method}
    return Metaclass("Hostile\n", (list,), members)


def test_objects_are_counted_by_type(relations: ProcessRelations) -> None:
    kept = [Marked() for _ in range(37)]
    kind: Any = hostile_type()
    hostile: list[Any] = [list.__new__(kind) for _ in range(3)]
    for name in ("gc_objects", "gc_sizes"):
        counts = {(row["module"], row["type"]): row["count"] for row in read(relations, name)}
        assert counts[__name__, "Marked"] == len(kept)
        assert sum(count for (_, kind), count in counts.items() if kind == "Hostile\\x0a") == 3
        assert ("builtins", "dict") in counts
    sizes = {row["type"]: row for row in read(relations, "gc_sizes")}
    assert sizes["Marked"]["bytes"] == sum(sys.getsizeof(item) for item in kept)
    assert sizes["Hostile\\x0a"]["bytes"] > 0
    assert len(hostile) == 3


def test_counting_holds_nothing_alive(relations: ProcessRelations) -> None:
    counted = read(relations, "gc_objects")
    assert counted
    before = len(gc.get_objects())
    for _ in range(5):
        read(relations, "gc_objects")
        size_types()
    assert len(gc.get_objects()) < before + 1000
    assert type_name(dict) == ("builtins", "dict")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux")
def test_files(relations: ProcessRelations, tmp_path: Path) -> None:
    here, there = socket.socketpair()
    reading, writing = os.pipe()
    with tempfile.TemporaryFile(dir=tmp_path) as file, here, there:
        rows = {row["fd"]: row for row in read(relations, "files")}
        assert rows[file.fileno()]["kind"] == "file"
        assert str(tmp_path) in rows[file.fileno()]["target"]
        assert (rows[here.fileno()]["kind"], rows[here.fileno()]["target"][:8]) == ("socket", "socket:[")
        assert rows[reading]["kind"] == rows[writing]["kind"] == "pipe"
        assert set(rows) <= {int(name) for name in os.listdir("/proc/self/fd")}
    os.close(reading)
    os.close(writing)
    assert reading not in {row["fd"] for row in read(relations, "files")}


class Broken:
    """A collector that has something to say and then fails."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily("half", "Half.", labels=["x"])
        family.add_metric(["a\nb"], 1)
        yield family
        raise RuntimeError("sesame")


def test_metrics_are_those_of_a_scrape(relations: ProcessRelations, sim: Sim, registry: CollectorRegistry) -> None:
    Counter("orders", "Orders.", ["state"], registry=registry).labels("open").inc(3)
    Gauge("temperature", "How warm.", registry=registry).set_function(lambda: 21.5)
    latency = Histogram("latency", "How long.", ["route"], buckets=(0.1, 1), registry=registry)
    latency.labels("/").observe(0.5)
    Summary("size", "How big.", registry=registry).observe(10)
    Info("build", "Which.", registry=registry).info({"version": "1"})
    Enum("mood", "How.", states=["good", "bad"], registry=registry).state("bad")
    registry.register(Broken())
    HttpConnection(sim.connect(), "1.1").exchange(Outgoing(target="/"))
    rows = {(row["name"], row["labels"]): row for row in read(relations, "metrics")}
    expected = {
        (sample.name, json.dumps(sample.labels)): sample.value
        for collector in list(registry._collector_to_names)
        if not isinstance(collector, Broken)
        for family in collector.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    assert {key: rows[key]["value"] for key in expected} == expected
    assert rows["orders_total", '{"state": "open"}']["type"] == "counter"
    assert rows["orders_total", '{"state": "open"}']["help"] == "Orders."
    assert rows["half", '{"x": "a\\\\x0ab"}']["value"] == 1
    own = {key: row["value"] for key, row in rows.items() if key[0].startswith(("mz_", "fanlight_"))}
    assert own["mz_http_requests_total", '{"path": "/", "source": "main", "status": "200"}'] == 1
    buckets = [value for (name, _), value in own.items() if name == "mz_http_request_duration_seconds_bucket"]
    assert buckets == sorted(buckets)
    assert buckets[-1] == own["mz_http_request_duration_seconds_count", '{"path": "/", "source": "main"}'] == 1
    assert not any(name.endswith("_created") for name, _ in rows)


def test_what_the_server_shows_of_itself(relations: ProcessRelations, sim: Sim) -> None:
    client = HttpConnection(sim.connect(peer="192.0.2.7"), "2")
    client.exchange(Outgoing(target="/?token=sesame", fields=(("x-materialize-user", "mz_system"),)))
    client.exchange(Outgoing(target="/secret-name/sesame"))
    (connection,) = read(relations, "connections")
    assert (connection["protocol"], connection["peer"], connection["requests"]) == ("h2", "192.0.2.7", 2)
    assert (connection["listener"], connection["state"], connection["user_name"]) == ("main", "open", None)
    requests = read(relations, "requests")
    assert [(row["method"], row["path"], row["status"]) for row in requests] == [
        ("GET", "/", 200),
        ("GET", "unknown", 404),
    ]
    assert requests[0]["user_name"] == "mz_system"
    assert requests[0]["sent"] == 5
    assert "sesame" not in repr(requests) + repr(connection)
    settings = {row["name"]: row for row in read(relations, "settings")}
    assert (settings["limits.streams"]["value"], settings["limits.streams"]["default_value"]) == ("7", "100")
    assert settings["limits.streams"]["source"] == "program"
    routes = read(relations, "routes")
    assert [(row["listener"], row["route_group"], row["path"]) for row in routes] == [("main", "base", "/")]
    assert routes[0]["roles"] == "NormalAndInternal"


def test_walks_are_bounded_and_can_be_stopped() -> None:
    assert len(list(polite(iter(int, 1), most=1000))) == 1000
    assert process_pace.MOST_ROWS == 100_000
    stopped = polite(iter(int, 1), stopped=lambda: True)
    begun = time.monotonic()
    assert len(list(stopped)) < process_pace.MOST_ROWS
    assert time.monotonic() - begun < 5


def test_a_line_is_one_line() -> None:
    assert line("a\u2028b\u202ec\x85") == "a\\u2028b\\u202ec\\x85"
    assert line("\U000e0001") == "\\U000e0001"
    assert line("x" * 300) == "x" * 256
    assert process_heap.GC_OBJECTS.name == "gc_objects"
