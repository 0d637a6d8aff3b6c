"""DuckDB without a server: runs a statement over and over for as long as it is told.

A connection sends a line of JSON, `{"seconds":…,"kind":…}`, and gets back how often
the statement ran: `select` (with `fetchall`), or `copy` (the whole table as JSON, to
nowhere).  `--pause` lets it sleep that many seconds before each, as one that waits
for a client does, which leaves it colder caches.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import duckdb

from bench.servers.options import parse
from bench.servers.rows import WHOLE, table

COPY = f"copy ({WHOLE}) to '/dev/null' (format json)"


def runs(database: Any, kind: str, seconds: float, pause: float) -> int:
    """How often the statement ran in `seconds`."""
    deadline = time.monotonic() + seconds
    count = 0
    while not count or time.monotonic() < deadline:
        if pause:
            time.sleep(pause)
        database.execute(COPY if kind == "copy" else "select 1").fetchall()
        count += 1
    return count


def main() -> None:
    options = parse(pause=("0", "0.0001"))
    database: Any = duckdb.connect(config={"threads": 1, "async_threads": 0})
    database.execute(table(options.rows))
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rw") as lines:
                for line in lines:
                    asked = json.loads(line)
                    print(runs(database, asked["kind"], asked["seconds"], float(options.pause)), file=lines, flush=True)


if __name__ == "__main__":
    main()
