"""Datasette on the table in SQLite, its limits on rows and time raised so that it may answer whole."""

from __future__ import annotations

import tempfile
from pathlib import Path

import uvicorn
from datasette.app import Datasette

from bench.servers.options import UVICORN, parse
from bench.servers.rows import in_sqlite

SETTINGS = {"max_returned_rows": 10_000_000, "sql_time_limit_ms": 60_000, "num_sql_threads": 1}


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.db"
        in_sqlite(options.rows, path)
        uvicorn.run(Datasette([str(path)], settings=SETTINGS).app(), port=options.port, **UVICORN)


if __name__ == "__main__":
    main()
