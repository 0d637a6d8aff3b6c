"""Who is measured, with what load, and how one figure comes about.

A figure is the server's CPU time for one request: the clock of its whole
process tree before and after a load, divided by the answers counted.  Servers
take turns (A B C, A B C, A B C) and the median counts.  This module prints
nothing but progress.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from attrs import field, frozen

from bench.load.tools import Counted, LoadFailed, client, h2load, wrk
from bench.processes import NotStarted, Running, cpu, rss, start

HTTP = frozenset({"small", "post", "metrics"})


@frozen
class Contestant:
    """A server: its name in the tables, its module and options, what it can be asked."""

    name: str
    module: str
    options: tuple[str, ...] = ()
    speaks: frozenset[str] = HTTP

    def start(self, series: int, logs: Path) -> Running:
        """Start it with a registry of `series`.  Raises `NotStarted`."""
        arguments = [f"bench.servers.{self.module}", "--port", "{port}", "--series", str(series), *self.options]
        return start(self.name, arguments, logs, {"BENCH_SERIES": str(series)})


def _fanlight(loop: str) -> Contestant:
    return Contestant(f"fanlight {loop}", "fanlight_server", ("--loop", loop), HTTP | {"ws", "h2"})


CONTESTANTS = (
    _fanlight("asyncio"),
    _fanlight("uvloop"),
    _fanlight("trio"),
    Contestant("uvicorn h11", "peer_uvicorn", ("--http", "h11", "--ws", "wsproto"), HTTP | {"ws"}),
    Contestant(
        "uvicorn httptools", "peer_uvicorn", ("--http", "httptools", "--ws", "websockets-sansio"), HTTP | {"ws"}
    ),
    Contestant("uvicorn httptools uvloop", "peer_uvicorn", ("--http", "httptools", "--loop", "uvloop"), HTTP),
    Contestant("hypercorn asyncio", "peer_hypercorn", ("--loop", "asyncio"), HTTP | {"ws", "h2"}),
    Contestant("hypercorn trio", "peer_hypercorn", ("--loop", "trio"), HTTP | {"ws", "h2"}),
    Contestant("aiohttp", "peer_aiohttp", (), HTTP | {"ws"}),
    Contestant("granian", "peer_granian", (), HTTP | {"ws", "h2"}),
    Contestant("prometheus_client", "peer_prometheus", (), frozenset({"metrics"})),
    Contestant("(floor: raw asyncio)", "floor", (), frozenset({"small"})),
    Contestant("websockets", "peer_websockets", (), frozenset({"ws"})),
)


SIZES = (100, 1_000, 10_000)


@frozen(kw_only=True)
class Scenario:
    """A load: `key` names it in goals, `title` in tables; `run(server, seconds)` applies it."""

    key: str
    title: str
    asks: str
    run: Callable[[Running, float], Counted]
    series: int = 100


def _small(server: Running, seconds: float) -> Counted:
    return wrk(server.port, "/api/livez", "probe.lua", 16, seconds)


def _post(server: Running, seconds: float) -> Counted:
    return wrk(server.port, "/echo-json", "post.lua", 16, seconds)


def _http2(server: Running, seconds: float) -> Counted:
    return h2load(server.port, "/api/livez", 4, 16, seconds)


def _pingpong(server: Running, seconds: float) -> Counted:
    return client("websocket", "--port", server.port, "--connections", 16, "--seconds", seconds)


def _flight(server: Running, seconds: float) -> Counted:
    return client("websocket", "--port", server.port, "--connections", 4, "--flight", 32, "--seconds", seconds)


def _scrape(gzip: bool, least: int) -> Callable[[Running, float], Counted]:
    coding = ["--gzip"] if gzip else []

    def run(server: Running, seconds: float) -> Counted:
        return client("scrape", "--port", server.port, "--seconds", seconds, "--least", least, *coding)

    return run


def _metrics(series: int) -> list[Scenario]:
    least = 2 if series >= 100_000 else 5
    return [
        Scenario(
            key=f"metrics-{series}-{name}",
            title=f"GET /metrics, {series:,} series, {name}",
            asks="metrics",
            run=_scrape(name == "gzip", least),
            series=series,
        )
        for name in ("identity", "gzip")
    ]


def scenarios(sizes: Iterable[int] = SIZES) -> list[Scenario]:
    """All of them in the order of the report; `sizes` are those of the registries scraped."""
    return [
        Scenario(key="small", title="GET /api/livez, 16 connections, 4 fields", asks="small", run=_small),
        Scenario(key="post", title="POST 1 KiB JSON, 16 connections", asks="post", run=_post),
        Scenario(key="h2", title="HTTP/2 GET /api/livez, 4 connections of 16 streams", asks="h2", run=_http2),
        Scenario(key="ws", title="WebSocket echo 32 B, ping-pong, 16 connections", asks="ws", run=_pingpong),
        Scenario(key="ws-flight", title="WebSocket echo 32 B, 32 in flight, 4 connections", asks="ws", run=_flight),
        *(scenario for size in sizes for scenario in _metrics(size)),
    ]


@frozen
class Figure:
    """One server in one scenario: CPU seconds a request of each round, and what else was seen."""

    cpu: list[float] = field(factory=list)
    rate: list[float] = field(factory=list)
    size: int = 0
    memory: int = 0
    failed: int = 0
    trouble: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.cpu)


Figures = dict[tuple[str, str], Figure]


def run(
    wanted: Sequence[Scenario], servers: Sequence[Contestant], *, rounds: int, seconds: float, logs: Path
) -> Figures:
    """Measure every scenario on every server that speaks it.

    Servers of one registry size are started once and stay up, idle, while the
    others have their turn.  Those that are scraped are scraped only, so that
    what a server counts of its own requests does not lengthen its page.
    """
    figures: Figures = {}
    for alike in dict.fromkeys(map(_alike, wanted)):
        group = [scenario for scenario in wanted if _alike(scenario) == alike]
        series = group[0].series
        asked = frozenset(scenario.asks for scenario in group)
        up = _started([server for server in servers if server.speaks & asked], series, logs, figures, group)
        try:
            for scenario in group:
                progress(scenario.title)
                _revive(up, series, logs)
                present = [(server, running) for server, running in up.items() if scenario.asks in server.speaks]
                rounds_of(scenario, present, rounds, seconds, figures)
        finally:
            for running in up.values():
                running.stop()
    return figures


def _alike(scenario: Scenario) -> tuple[int, bool]:
    return scenario.series, scenario.asks == "metrics"


def _revive(up: dict[Contestant, Running], series: int, logs: Path) -> None:
    """Start again what ended under the load of the scenario before."""
    for server, running in up.items():
        if not running.alive():
            up[server] = server.start(series, logs)


def _started(
    servers: Iterable[Contestant], series: int, logs: Path, figures: Figures, group: Sequence[Scenario]
) -> dict[Contestant, Running]:
    up = {}
    for server in servers:
        try:
            up[server] = server.start(series, logs)
        except NotStarted as error:
            for scenario in group:
                if scenario.asks in server.speaks:
                    figures[scenario.key, server.name] = Figure(trouble=f"not started: {error}")
    return up


def rounds_of(
    scenario: Scenario,
    present: Sequence[tuple[Contestant, Running]],
    rounds: int,
    seconds: float,
    figures: Figures,
) -> None:
    """Measure one scenario on servers that are up, in turns, into `figures`."""
    for turn in range(-1, rounds):
        for server, running in present:
            key = (scenario.key, server.name)
            so_far = figures.get(key, Figure())
            if so_far.trouble:
                continue
            # The turn before the first warms caches and lazy imports up, and is not counted.
            found = _turn(scenario, running, seconds if turn >= 0 else min(seconds, 0.3))
            figures[key] = found if turn <= 0 or found.trouble else _joined(so_far, found)


def _joined(old: Figure, new: Figure) -> Figure:
    return Figure(
        cpu=[*old.cpu, *new.cpu],
        rate=[*old.rate, *new.rate],
        size=new.size,
        memory=max(old.memory, new.memory),
        failed=old.failed + new.failed,
    )


def _turn(scenario: Scenario, running: Running, seconds: float) -> Figure:
    before = cpu(running.pid)
    try:
        counted = scenario.run(running, seconds)
    except LoadFailed as error:
        words = str(error) if running.alive() else f"the server ended: {running.last_words()}"
        return Figure(trouble=words)
    used = cpu(running.pid) - before
    if not counted.requests:
        return Figure(trouble="no answers")
    return Figure(
        cpu=[used / counted.requests],
        rate=[counted.requests / seconds],
        size=counted.size,
        memory=rss(running.pid),
        failed=counted.failed,
    )


def progress(words: str) -> None:
    """Say what is being measured."""
    print(f"… {words}", file=sys.stderr, flush=True)
