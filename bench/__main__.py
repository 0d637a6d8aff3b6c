"""`python -m bench`: measure, print the tables, and write them to `bench/results/DATE.md`."""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve

from bench import disturbance, footprint, sql_contest, sql_limits
from bench.contest import CONTESTANTS, SIZES, Contestant, Scenario, run, scenarios
from bench.goals import Everything
from bench.load.tools import missing
from bench.processes import LOAD_CORE, compile_sources, pin
from bench.report import report

PARTS = ("small", "post", "h2", "ws", "metrics", "sql", "host", "memory", "import")
RESULTS = Path(__file__).resolve().parent / "results"


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, by comma, of: {', '.join(PARTS)}")
    parser.add_argument("--servers", default="", help="names that begin with one of these, by comma (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each server; the median counts")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one turn (wrk rounds to whole seconds)")
    parser.add_argument("--series", default=",".join(map(str, SIZES)), help="sizes of the registries scraped")
    parser.add_argument("--huge", action="store_true", help="/metrics with 100,000 series too")
    parser.add_argument("--loops", default="asyncio,trio", help="hosts to disturb, of: asyncio, uvloop, trio, thread")
    parser.add_argument("--looks", type=int, default=5, help="times that each host is looked at, one a second")
    parser.add_argument("--scale", type=float, default=1.0, help="shrinks what the hosts hold")
    parser.add_argument("--connections", type=int, default=10_000, help="idle keep-alive connections held")
    parser.add_argument("--rows", type=int, default=sql_contest.ROWS, help="of the table asked for by SQL")
    parser.add_argument("--huge-rows", type=int, default=sql_limits.ROWS, help="of the answers that memory has to bear")
    parser.add_argument("--clients", type=int, default=sql_limits.CLIENTS, help="that SUBSCRIBE")
    parser.add_argument("--settled", type=float, default=sql_limits.SETTLED, help="seconds before they are measured")
    parser.add_argument("--out", type=Path, help="the file to write (default: bench/results/DATE.md)")
    return parser.parse_args(words)


def _servers(options: argparse.Namespace) -> list[Contestant]:
    begins = tuple(name for name in options.servers.split(",") if name) or ("",)
    return [server for server in CONTESTANTS if server.name.startswith(begins)]


def _wanted(options: argparse.Namespace, parts: Sequence[str]) -> list[Scenario]:
    sizes = [*map(int, options.series.split(",")), *([100_000] if options.huge else [])]
    return [scenario for scenario in scenarios(sizes) if scenario.asks in parts]


def measure(options: argparse.Namespace, wanted: Sequence[Scenario], parts: Sequence[str], logs: Path) -> Everything:
    """Run the parts asked for, one after the other."""
    servers = _servers(options)
    found = Everything()
    if wanted:
        found = evolve(found, figures=run(wanted, servers, rounds=options.rounds, seconds=options.seconds, logs=logs))
    if "sql" in parts:
        found = _asked_by_sql(found, options, logs)
    if "host" in parts:
        found = _disturbed(found, options, logs)
    if "import" in parts:
        found = evolve(found, imported=footprint.import_time(max(3, options.rounds * 5)))
    if "memory" in parts:
        found = _weighed(found, servers, options.connections, logs)
    return found


def _asked_by_sql(found: Everything, options: argparse.Namespace, logs: Path) -> Everything:
    begins = tuple(name for name in options.servers.split(",") if name) or ("",)
    figures = sql_contest.run(
        sql_contest.scenarios(options.rows),
        [server for server in sql_contest.contestants(options.rows) if server.name.startswith(begins)],
        rows=options.rows,
        rounds=options.rounds,
        seconds=options.seconds,
        logs=logs,
    )
    limits = {}
    for loop in options.loops.split(","):
        if loop != "thread":
            print(f"… SQL at its limits: {loop}", file=sys.stderr, flush=True)
            limits[loop] = sql_limits.measure(
                loop,
                rows=options.huge_rows,
                clients=options.clients,
                times=options.looks * 2 - 1,
                settled=options.settled,
                logs=logs,
            )
    return evolve(found, figures={**found.figures, **figures}, sql=limits)


def _disturbed(found: Everything, options: argparse.Namespace, logs: Path) -> Everything:
    lateness = {}
    for loop in options.loops.split(","):
        for look in disturbance.looks(options.scale):
            print(f"… host {loop}: {look.title}", file=sys.stderr, flush=True)
            lateness[loop, look.key] = disturbance.measure(loop, look, times=options.looks, logs=logs)
    series = int(disturbance.SERIES * options.scale)
    naive = disturbance.naive(series, times=min(3, options.looks), logs=logs)
    return evolve(found, lateness=lateness, naive=naive)


def _weighed(found: Everything, servers: Sequence[Contestant], connections: int, logs: Path) -> Everything:
    memory, bare = {}, {}
    for server in servers:
        if server.name.startswith(("fanlight", "uvicorn httptools", "aiohttp")) and "small" in server.speaks:
            print(f"… idle connections: {server.name}", file=sys.stderr, flush=True)
            memory[server.name] = footprint.memory(server, connections, logs)
        if server.name.startswith("fanlight"):
            loop = server.name.removeprefix("fanlight ")
            bare[loop] = footprint.bare_memory(loop)
    return evolve(found, memory=memory, bare=bare)


def main(words: Sequence[str] | None = None) -> int:
    options = arguments(words)
    parts = [part for part in options.only.split(",") if part]
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise SystemExit(f"no such part: {', '.join(unknown)}")
    if missing() and {"small", "post", "h2"} & set(parts):
        raise SystemExit(f"not installed: {', '.join(missing())} (Debian packages wrk, nghttp2-client)")
    compile_sources()
    pin(LOAD_CORE)
    wanted = _wanted(options, parts)
    with tempfile.TemporaryDirectory() as logs:
        found = measure(options, wanted, parts, Path(logs))
    words_of_run = f"{options.rounds} rounds of {options.seconds:g} s, servers in turns, medians."
    if "sql" in parts:
        wanted = [*wanted, *sql_contest.scenarios(options.rows)]
    text = report(found, wanted, f"`python -m bench`, {datetime.date.today().isoformat()}: {words_of_run}")
    print(text)
    out = options.out or RESULTS / f"{datetime.date.today().isoformat()}.md"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
    print(f"written to {out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
