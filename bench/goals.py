"""The goals of the project as rows: what is measured, against what, and the bound.

A goal that was not measured in a run is left out of its table.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from attrs import field, frozen

from bench.contest import Figures
from bench.disturbance import Lateness
from bench.footprint import Import, Memory
from bench.sql_limits import SqlLimits

MB = 1_000_000


@frozen
class Ratio:
    """Fanlight's CPU time per request is at most `most` of the peer's."""

    scenario: str
    fanlight: str
    peer: str
    most: float


@frozen
class Verdict:
    """A row of the table of goals."""

    goal: str
    bound: str
    found: str
    reached: bool


@frozen
class Everything:
    """All that one run measured."""

    figures: Figures = field(factory=dict)
    lateness: dict[tuple[str, str], tuple[Lateness, Lateness]] = field(factory=dict)
    naive: Lateness | None = None
    imported: Import | None = None
    memory: dict[str, Memory] = field(factory=dict)
    bare: dict[str, int] = field(factory=dict)
    sql: dict[str, SqlLimits] = field(factory=dict)


RATIOS = (
    Ratio("small", "fanlight asyncio", "hypercorn asyncio", 1 / 6),
    Ratio("small", "fanlight asyncio", "uvicorn httptools", 0.8),
    Ratio("small", "fanlight trio", "hypercorn trio", 1 / 7),
    Ratio("post", "fanlight asyncio", "hypercorn asyncio", 1 / 4),
    Ratio("post", "fanlight trio", "hypercorn trio", 1 / 4),
    Ratio("h2", "fanlight asyncio", "hypercorn asyncio", 1 / 2.5),
    *(
        Ratio(f"metrics-{series}-{coding}", "fanlight asyncio", "prometheus_client", 1 / 6 if series == 100 else 1 / 10)
        for series in (100, 1_000, 10_000, 100_000)
        for coding in ("identity", "gzip")
    ),
    Ratio("sql-rows", "fanlight asyncio", "FastAPI + DuckDB", 1 / 12),
    Ratio("sql-rows", "fanlight asyncio", "Datasette", 1 / 5),
    Ratio("sql-rows", "fanlight asyncio", "(DuckDB alone)", 1.3),
    *(
        Ratio(scenario, "fanlight asyncio", peer, 0.6)
        for scenario in ("sql-one", "sql-one-8", "sql-row", "sql-row-8")
        for peer in ("FastAPI + DuckDB", "Datasette")
    ),
    Ratio("sql-socket", "fanlight asyncio", "(DuckDB alone)", 2.0),
    Ratio("sql-socket", "fanlight asyncio", "(DuckDB alone, 0.1 ms apart)", 2.0),
)
GZIP_SIZE = 1.35
SLICED, HEAP = 0.005, 0.030
IMPORT = 0.060
IDLE, CONNECTION = 15 * MB, 20_000
MIB = 1024 * 1024
SQL_MEMORY, SQL_STALLED, SQL_FIRST, SQL_QUIET, SQL_STOP = 32 * MIB, 0.01, 0.050, 0.02, 0.010


def verdicts(found: Everything) -> list[Verdict]:
    """Every goal that this run can judge, in the order of the report."""
    return [*_ratios(found), *_sizes(found), *_sql(found), *_lateness(found), *_footprint(found)]


def _ratios(found: Everything) -> Iterator[Verdict]:
    for goal in RATIOS:
        ours = found.figures.get((goal.scenario, goal.fanlight))
        theirs = found.figures.get((goal.scenario, goal.peer))
        if ours is None or theirs is None or not ours.cpu or not theirs.cpu:
            continue
        ratio = ours.median / theirs.median
        name = f"{goal.scenario}: {goal.fanlight} ÷ {goal.peer}"
        words = f"{_portion(ratio)} (least {_portion(min(ours.cpu) / min(theirs.cpu))})"
        yield Verdict(name, f"≤ {_portion(goal.most)}", words, ratio <= goal.most)


def _portion(ratio: float) -> str:
    return f"1/{1 / ratio:.1f}" if ratio < 0.6 else f"{ratio:.2f}"


def _sizes(found: Everything) -> Iterator[Verdict]:
    for scenario in dict.fromkeys(scenario for scenario, _ in found.figures if scenario.endswith("-gzip")):
        ours, theirs = (_squeezed(found, scenario, server) for server in ("fanlight asyncio", "prometheus_client"))
        if ours and theirs:
            ratio = ours / theirs
            name = f"{scenario}: body ÷ that of level 9, of the same text"
            yield Verdict(name, f"≤ {GZIP_SIZE}", f"{ratio:.2f}", ratio <= GZIP_SIZE)


def _squeezed(found: Everything, scenario: str, server: str) -> float:
    """How much of its text is left in a server's compressed body; 0 where it was not measured."""
    zipped = found.figures.get((scenario, server))
    plain = found.figures.get((scenario.removesuffix("gzip") + "identity", server))
    return zipped.size / plain.size if zipped and plain and plain.size else 0.0


def _sql(found: Everything) -> Iterator[Verdict]:
    for loop, limits in found.sql.items():
        if limits.trouble:
            continue
        for huge in limits.huge:
            name = f"sql {loop}: memory added, {huge.way}"
            yield Verdict(name, "≤ 32 MiB", f"{huge.added / MIB:.1f} MiB", huge.added <= SQL_MEMORY)
        used = limits.stalled
        words = f"{used * 1e3:.1f} ms"
        yield Verdict(f"sql {loop}: CPU while a reader stalls", "≤ 10 ms", words, used <= SQL_STALLED)
        first, latest = statistics.median(limits.first), max(limits.first)
        words = f"{first * 1e3:.1f} ms (latest {latest * 1e3:.1f})"
        yield Verdict(f"sql {loop}: first row over WebSocket", "≤ 50 ms", words, latest <= SQL_FIRST)
        words = f"{limits.quiet:.1%} ({limits.held:,} held)"
        yield Verdict(f"sql {loop}: quiet subscriptions", "≤ 2 % of a core", words, limits.quiet <= SQL_QUIET)
        for way, times in limits.stops.items():
            median = statistics.median(times)
            words = f"{median * 1e3:.1f} ms (latest {max(times) * 1e3:.1f})"
            yield Verdict(f"sql {loop}: from {way} to idle", "≤ 10 ms", words, median <= SQL_STOP)


def _lateness(found: Everything) -> Iterator[Verdict]:
    for (loop, look), (_, looked) in found.lateness.items():
        if looked.trouble:
            continue
        bound = HEAP if look == "heap" else SLICED
        name = f"host {loop}, {look}: latest beat"
        yield Verdict(name, f"≤ {bound * 1e3:.0f} ms", f"{looked.worst * 1e3:.1f} ms", looked.worst <= bound)


def _footprint(found: Everything) -> Iterator[Verdict]:
    if found.imported and not found.imported.trouble:
        best, loops = found.imported.best, found.imported.loops
        words = " ".join((f"{best * 1e3:.0f} ms", *loops))
        yield Verdict("import fanlight, no event loop", "≤ 60 ms", words, best <= IMPORT and not loops)
    for name, memory in found.memory.items():
        loop = name.removeprefix("fanlight ")
        if memory.trouble or loop not in found.bare:
            continue
        over = memory.idle - found.bare[loop]
        yield Verdict(f"{name}: idle, over a bare interpreter", "≤ 15 MB", f"{over / MB:.1f} MB", over <= IDLE)
        each = memory.connection
        words = f"{each / 1000:.1f} kB ({memory.held:,} held)"
        yield Verdict(f"{name}: an idle connection", "≤ 20 kB", words, each <= CONNECTION)
