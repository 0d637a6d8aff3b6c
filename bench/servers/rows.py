"""The table of the SQL measurements: ten columns of mixed types, the same in DuckDB and in SQLite."""

from __future__ import annotations

import datetime
import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path

COLUMNS = """i::integer as id, i * 7919000003 as big, i * 1.5::double as half, sqrt(i) as root, 'name ' || i as name,
 case when i % 5 > 0 then 'with "quotes" and ' || chr(10) || ' line ' || i end as note, i % 2 = 0 as even,
 date '2020-01-01' + (i % 3000)::integer as day, timestamp '2020-01-01' + to_microseconds(i * 1234567) as moment,
 (i * 1.25)::decimal(12, 2) as price"""
"""The columns as DuckDB makes them of the numbers of `range`."""

WHOLE = "select * from m"
ROW = "select id, name from m where id = 7"


def computed(count: int) -> str:
    """A query for `count` rows that no table holds."""
    return f"select {COLUMNS} from range({count}) r(i)"


def table(count: int) -> str:
    """The statement that makes the table `m`."""
    return f"create table m as {computed(count)}"


def in_sqlite(count: int, path: Path) -> None:
    """Write the same table into a new SQLite database."""
    database = sqlite3.connect(path)
    with database:
        database.execute(
            "create table m (id integer, big integer, half real, root real, name text, note text, even integer,"
            " day text, moment text, price real)"
        )
        database.executemany(f"insert into m values ({', '.join('?' * 10)})", _rows(count))
    database.close()


def _rows(count: int) -> Iterator[tuple[object, ...]]:
    day, moment = datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1)
    for i in range(count):
        yield (
            i,
            i * 7919000003,
            i * 1.5,
            math.sqrt(i),
            f"name {i}",
            f'with "quotes" and \n line {i}' if i % 5 else None,
            i % 2 == 0,
            str(day + datetime.timedelta(days=i % 3000)),
            str(moment + datetime.timedelta(microseconds=i * 1234567)),
            i * 1.25,
        )
