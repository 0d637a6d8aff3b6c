"""SQL side by side: the same queries on the same table, asked of fanlight, of FastAPI with DuckDB, and of Datasette.

DuckDB by itself, without a server, stands beside them.  Figures come about as in
`bench.contest`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen

from bench.contest import Contestant, Figure, Figures, Scenario, progress, rounds_of
from bench.load.tools import Counted, LoadFailed, client
from bench.processes import NotStarted, Running
from bench.servers.rows import ROW, WHOLE, table

ROWS = 100_000
HTTP, SOCKET, COPY = "sql http", "sql socket", "sql copy"


@frozen
class SqlContestant(Contestant):
    """A server with the table: `form` is how the load client talks to it."""

    form: str = "post"


def contestants(rows: int = ROWS) -> list[SqlContestant]:
    """All of them, each with `rows` in its table once it is `prepared`."""
    own = frozenset({HTTP, SOCKET})
    size = ("--rows", str(rows))
    return [
        *(SqlContestant(f"fanlight {loop}", "fanlight_server", ("--loop", loop), own) for loop in ("asyncio", "trio")),
        SqlContestant("FastAPI + DuckDB", "peer_fastapi", size, frozenset({HTTP})),
        SqlContestant("Datasette", "peer_datasette", size, frozenset({HTTP}), "datasette"),
        SqlContestant("(DuckDB alone)", "duckdb_alone", size, frozenset({SOCKET, COPY}), "alone"),
        SqlContestant(
            "(DuckDB alone, 0.1 ms apart)",
            "duckdb_alone",
            (*size, "--pause", "0.0001"),
            frozenset({SOCKET}),
            "alone",
        ),
    ]


def prepare(running: Running, rows: int) -> None:
    """Have fanlight make the table.  Raises `LoadFailed`."""
    made = client("sql", "--port", running.port, "--query", table(rows), "--writer")
    if made.failed:
        raise LoadFailed("the table was not made")


def scenarios(rows: int = ROWS) -> list[Scenario]:
    """All of them in the order of the report."""
    forms = {server.name: server.form for server in contestants()}
    return [
        Scenario(key="sql-rows", title=f"SQL: {rows:,} rows of 10 columns", asks=HTTP, run=_whole(forms, rows)),
        Scenario(key="sql-one", title="SQL: select 1, 1 connection", asks=HTTP, run=_one(forms, 1)),
        Scenario(key="sql-one-8", title="SQL: select 1, 8 connections", asks=HTTP, run=_one(forms, 8)),
        Scenario(key="sql-row", title="SQL: a row of the table, 1 connection", asks=HTTP, run=_one(forms, 1, ROW)),
        Scenario(key="sql-row-8", title="SQL: a row of the table, 8 connections", asks=HTTP, run=_one(forms, 8, ROW)),
        Scenario(key="sql-socket", title="SQL: select 1 over a kept WebSocket", asks=SOCKET, run=_round_trip(forms)),
    ]


def _whole(forms: dict[str, str], rows: int) -> Callable[[Running, float], Counted]:
    def run(server: Running, seconds: float) -> Counted:
        query = "copy" if forms[server.name] == "alone" else WHOLE
        words = ["--port", server.port, "--form", forms[server.name], "--query", query, "--rows", rows]
        return client("sql", *words, "--seconds", seconds)

    return run


def _one(forms: dict[str, str], connections: int, query: str = "select 1") -> Callable[[Running, float], Counted]:
    def run(server: Running, seconds: float) -> Counted:
        words = ["--port", server.port, "--form", forms[server.name], "--query", query, "--rows", 1]
        return client("sql", *words, "--seconds", seconds, "--connections", connections)

    return run


def _round_trip(forms: dict[str, str]) -> Callable[[Running, float], Counted]:
    def run(server: Running, seconds: float) -> Counted:
        words = ["--port", server.port, "--seconds", seconds]
        if forms[server.name] == "alone":
            return client("sql", *words, "--form", "alone", "--query", "select")
        return client("sql_socket", *words)

    return run


def run(
    wanted: Sequence[Scenario],
    servers: Sequence[SqlContestant],
    *,
    rows: int,
    rounds: int,
    seconds: float,
    logs: Path,
) -> Figures:
    """Measure every scenario on every server, all of them up at once."""
    figures: Figures = {}
    up: dict[SqlContestant, Running] = {}
    try:
        for server in servers:
            try:
                up[server] = server.start(0, logs)
                if server.module == "fanlight_server":
                    prepare(up[server], rows)
            except (NotStarted, LoadFailed) as error:
                trouble = Figure(trouble=f"not started: {error}")
                figures.update({(each.key, server.name): trouble for each in wanted if each.asks in server.speaks})
        for scenario in wanted:
            progress(scenario.title)
            asked = {scenario.asks, COPY} if scenario.key == "sql-rows" else {scenario.asks}
            present = [(server, running) for server, running in up.items() if server.speaks & asked]
            rounds_of(scenario, present, rounds, seconds, figures)
    finally:
        for running in up.values():
            running.stop()
    return figures
