"""Large results: CPU time of rows as JSON text, against `fetchall` + `json.dumps` and DuckDB's own JSON writer.

Run as `python bench/sql_rows.py [COUNT …]`.  Ten columns of mixed types, through
the engine's session as a request has them: batches of the contract's value forms.
`streamed` is the way that large results take once their texts are known to be
short, `written` the one before that is known, `encoded` the one of small results;
for few rows they show where the one begins to pay.  COPY writes to /dev/null,
from an instance of its own, as the engine's may not.  Milliseconds of this
process, the best of several rounds; all in one run, in turns.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "core"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "engines"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb

from bench.servers.rows import table
from fanlight.sql.effects import Interrupt
from fanlight_engines.duckdb.connection import Connection
from fanlight_engines.duckdb.instance import open_instance
from fanlight_engines.duckdb.relations import Catalogue
from fanlight_engines.duckdb.rows import VERY_MANY

BATCH = 256 * 1024
QUERY = "select * from public.m"


def through_engine(connection: Connection, *, many: bool, short: bool = False) -> int:
    """All rows in batches; returns their bytes."""
    parsed: Any = connection.parse(QUERY)
    parsed.habit.rows = VERY_MANY if many else 0
    parsed.habit.short = short
    interrupt = Interrupt()
    result = connection.execute(parsed, QUERY, (), interrupt)
    size = 0
    while not result.last:
        size += result.batch(b",", BATCH, 1 << 40, interrupt).size
    connection.complete()
    return size


def measure(count: int) -> dict[str, float]:
    """Milliseconds by way."""
    instance = open_instance()
    instance.execute(table(count))
    connection = Connection(instance.cursor(), Catalogue({}))
    plain = duckdb.connect(config={"threads": 1, "async_threads": 0})
    plain.execute(table(count))
    ways: dict[str, Callable[[], object]] = {
        "streamed": lambda: through_engine(connection, many=True, short=True),
        "written": lambda: through_engine(connection, many=True),
        "encoded": lambda: through_engine(connection, many=False),
        "copy": lambda: plain.execute("copy (select * from m) to '/dev/null' (format json)"),
        "naive": lambda: json.dumps(plain.execute("select * from m").fetchall(), default=str),
    }
    if not ways["streamed"]() == ways["written"]() == ways["encoded"]():
        raise SystemExit("the ways differ")
    repeats = max(1, min(100, 20_000 // count))
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(5):
        for name, way in ways.items():
            started = time.process_time()
            for _ in range(repeats):
                way()
            best[name] = min(best[name], (time.process_time() - started) / repeats * 1e3)
    connection.close()
    return best


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("counts", nargs="*", type=int, default=[1, 100, 300, 1000, 3000, 100_000], metavar="COUNT")
    print(
        "  ".join(
            f"{name:>10}" for name in ("rows", "streamed", "written", "encoded", "copy", "naive", "x copy", "1/naive")
        )
    )
    for count in parser.parse_args().counts:
        best = measure(count)
        ratios = (best["streamed"] / best["copy"], best["naive"] / best["streamed"])
        print("  ".join([f"{count:>10}", *(f"{each:>10.2f}" for each in (*best.values(), *ratios))]), flush=True)


if __name__ == "__main__":
    main()
