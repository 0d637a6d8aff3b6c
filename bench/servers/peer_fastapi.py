"""FastAPI with DuckDB as its documentation writes it: `fetchall`, and the answer as FastAPI's default JSON.

DuckDB has one thread, which costs it least on one core.
"""

from __future__ import annotations

from typing import Any

import duckdb
import uvicorn
from fastapi import Body, FastAPI

from bench.servers.options import UVICORN, parse
from bench.servers.rows import table


def application(rows: int) -> FastAPI:
    """The app over a database with a table of `rows`."""
    database: Any = duckdb.connect(config={"threads": 1})
    database.execute(table(rows))
    app = FastAPI()

    @app.post("/api/sql")  # type: ignore[untyped-decorator, unused-ignore]  # where it is not installed
    def sql(query: str = Body(embed=True)):  # type: ignore[no-untyped-def]  # an annotation would change how it answers
        cursor = database.cursor()
        ran = cursor.execute(query)
        columns = [{"name": name, "type": str(kind)} for name, kind, *_ in ran.description]
        return {"results": [{"rows": ran.fetchall(), "desc": {"columns": columns}}]}

    return app


def main() -> None:
    options = parse()
    uvicorn.run(application(options.rows), port=options.port, **UVICORN)


if __name__ == "__main__":
    main()
