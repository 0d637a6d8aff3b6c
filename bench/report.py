"""The report of a run as Markdown: goals first, then one table for each scenario."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from bench.contest import CONTESTANTS, Figure, Scenario
from bench.disturbance import Lateness
from bench.goals import MB, MIB, Everything, verdicts
from bench.sql_contest import contestants
from bench.sql_limits import SqlLimits

OURS = "fanlight asyncio"
LIBRARIES = (
    "h11",
    "h2",
    "wsproto",
    "trio",
    "uvloop",
    "uvicorn",
    "httptools",
    "hypercorn",
    "aiohttp",
    "granian",
    "websockets",
    "prometheus-client",
    "duckdb",
    "fastapi",
    "datasette",
)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with its columns lined up, readable as it is in a terminal."""
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        words = (
            cell.rjust(width) if _number(cell) else cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
        )
        return "| " + " | ".join(words) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(head), rule, *(line(row) for row in rows)])


def _number(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] == "≤"


def report(found: Everything, wanted: Sequence[Scenario], words: str) -> str:
    """The whole text; `words` says how the run was made."""
    parts = ["# Bench", *_setting(words)]
    goals = verdicts(found)
    if goals:
        rows = [[goal.goal, goal.bound, goal.found, "reached" if goal.reached else "MISSED"] for goal in goals]
        parts.append("## Goals\n\n" + table(["goal", "bound", "found", ""], rows))
    parts.extend(_scenarios(found, wanted))
    parts.extend(_sql(found))
    parts.extend(_disturbance(found))
    parts.extend(_footprint(found))
    return "\n\n".join(parts) + "\n"


def _setting(words: str) -> Iterator[str]:
    versions = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    yield words
    yield f"Python {platform.python_version()} ({sys.implementation.name}), {os.cpu_count()} cores. {versions}."
    load = " ".join(Path("/proc/loadavg").read_text().split()[:3])
    yield f"Load average when written: {load}."


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _scenarios(found: Everything, wanted: Sequence[Scenario]) -> Iterator[str]:
    names = dict.fromkeys(server.name for server in (*CONTESTANTS, *contestants()))
    for scenario in wanted:
        figures = {name: found.figures[scenario.key, name] for name in names if (scenario.key, name) in found.figures}
        if figures:
            yield f"## {scenario.title}\n\n" + _scenario(figures, scenario.key.startswith(("metrics", "sql-rows")))


def _scenario(figures: dict[str, Figure], sizes: bool) -> str:
    ours = figures.get(OURS)
    head = ["server", "CPU µs/request", "min–max", f"÷ {OURS}", "requests/s", "MiB", *(["body bytes"] if sizes else [])]
    rows = []
    for name, figure in figures.items():
        if not figure.cpu:
            rows.append([name, f"({figure.trouble[:60]})", *[""] * (len(head) - 2)])
            continue
        ratio = f"{figure.median / ours.median:.2f}" if ours and ours.cpu else ""
        spread = f"{_micro(min(figure.cpu))}–{_micro(max(figure.cpu))}"
        rate = f"{sorted(figure.rate)[len(figure.rate) // 2]:,.0f}"
        row = [_named(name, figure), _micro(figure.median), spread, ratio, rate, f"{figure.memory / 2**20:.0f}"]
        rows.append([*row, *([f"{figure.size:,}"] if sizes else [])])
    return table(head, rows)


def _named(name: str, figure: Figure) -> str:
    return f"{name} ({figure.failed} failed)" if figure.failed else name


def _micro(seconds: float) -> str:
    micro = seconds * 1e6
    return f"{micro:,.0f}" if micro >= 1000 else f"{micro:.1f}"


def _sql(found: Everything) -> Iterator[str]:
    for loop, limits in found.sql.items():
        heading = f"## SQL at its limits, {loop}\n\n"
        yield heading + (f"({limits.trouble})" if limits.trouble else _limits(limits))


def _limits(limits: SqlLimits) -> str:
    answers = [
        [huge.way, f"{huge.size / MB:,.0f}", f"{huge.seconds:.1f}", f"{huge.added / MIB:.1f}"] for huge in limits.huge
    ]
    times = {"first row over WebSocket": limits.first, **{f"{way} to idle": ran for way, ran in limits.stops.items()}}
    rows = [[name, *map(_milli, (sorted(each)[len(each) // 2], min(each), max(each)))] for name, each in times.items()]
    quiet = f"{limits.held:,} quiet subscriptions: {limits.quiet:.2%} of a core; they were told {limits.told}."
    return "\n\n".join(
        (
            table(["answer", "MB", "seconds", "MiB added at most"], answers),
            f"CPU while the reader stalled: {_milli(limits.stalled)} ms.  {quiet}",
            table(["ms", "median", "least", "most"], rows),
        )
    )


def _disturbance(found: Everything) -> Iterator[str]:
    rows = [_disturbed(f"{loop}: {look}", *pair) for (loop, look), pair in found.lateness.items()]
    if found.naive:
        rows.append(_disturbed("asyncio: generate_latest on the loop", None, found.naive))
    if rows:
        head = [
            "host: what is looked at",
            "alone p50",
            "p99",
            "max",
            "looked at p50",
            "p99",
            "max",
            "CPU",
            "a look takes",
        ]
        yield "## Host disturbance: lateness of a 1 ms heartbeat, less run-queue wait, ms\n\n" + table(head, rows)


def _disturbed(name: str, alone: Lateness | None, looked: Lateness) -> list[str]:
    if looked.trouble:
        return [name, f"({looked.trouble[:60]})", *[""] * 7]
    before = [_milli(value) for value in (alone.p50, alone.p99, alone.worst)] if alone else [""] * 3
    return [name, *before, *map(_milli, (looked.p50, looked.p99, looked.worst, looked.busiest, looked.took))]


def _milli(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


def _footprint(found: Everything) -> Iterator[str]:
    if found.imported:
        imported = found.imported
        words = imported.trouble or (
            f"{imported.best * 1e3:.1f} ms by the clock, {imported.cpu * 1e3:.1f} ms of CPU; "
            f"event loops imported: {', '.join(imported.loops) or 'none'}"
        )
        yield f"## Footprint\n\n`import fanlight`, best of many fresh interpreters: {words}."
    rows = []
    for name, memory in found.memory.items():
        if memory.trouble:
            rows.append([name, f"({memory.trouble[:60]})", "", "", "", ""])
            continue
        bare = found.bare.get(name.removeprefix("fanlight "))
        over = f"{(memory.idle - bare) / MB:.1f}" if bare else ""
        each = f"{memory.connection / 1000:.2f}"
        rows.append([name, f"{memory.idle / MB:.1f}", over, f"{memory.used / MB:.1f}", each, f"{memory.held:,}"])
    if rows:
        head = ["server", "idle MB", "over bare loop", "after 50 requests", "kB/idle connection", "held"]
        yield table(head, rows)
