"""`fanlight_engines.duckdb.arrow`: texts of a result as they stand in its buffers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("duckdb")

import duckdb

from fanlight_engines.duckdb.arrow import BATCH, TextStream


@pytest.fixture
def connection() -> Iterator[Any]:
    connection = duckdb.connect(config={"threads": 1, "async_threads": 0})
    connection.execute("set errors_as_json = true")
    yield connection
    connection.close()


def everything(stream: TextStream) -> tuple[bytes, list[int]]:
    texts: list[bytes] = []
    counts: list[int] = []
    while True:
        data, count = stream.next()
        if not count:
            return b"".join(texts), counts
        texts.append(data)
        counts.append(count)


@pytest.mark.parametrize("setting", ["false", "true"])
def test_texts_come_behind_each_other_in_batches(connection: Any, setting: str) -> None:
    connection.execute(f"set arrow_large_buffer_size = {setting}")
    stream = TextStream(connection, "select i || '|é' from range(5000) r(i)", None)
    data, counts = everything(stream)
    assert data.decode() == "".join(f"{i}|é" for i in range(5000))
    assert sum(counts) == 5000
    assert max(counts) <= BATCH
    assert stream.next() == (b"", 0)
    stream.close()
    stream.close()


def test_parameters_empty_texts_and_no_rows(connection: Any) -> None:
    assert everything(TextStream(connection, "select $1 || i from range(2) r(i)", {"1": "x"})) == (b"x0x1", [2])
    assert everything(TextStream(connection, "select '' from range(3)", None)) == (b"", [3])
    assert everything(TextStream(connection, "select 'x' limit 0", None)) == (b"", [])


def test_the_end_of_a_batch_can_be_left_out(connection: Any) -> None:
    stream = TextStream(connection, "select i || ', ' from range(3) r(i)", None)
    assert stream.next(2) == (b"0, 1, 2", 3)
    assert stream.next(2) == (b"", 0)
    stream.close()


def test_a_closed_stream_leaves_the_connection_free(connection: Any) -> None:
    stream = TextStream(connection, "select i::varchar from range(1000000) r(i)", None)
    assert stream.next()[1] == BATCH
    stream.close()
    assert connection.execute("select 1").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("select case when i = 5000 then ('x' || i)::integer::varchar else '' end from range(9000) r(i)", "Conversion"),
        ("select case when i = 5000 then error('no') else '' end from range(9000) r(i)", "InvalidInput"),
        ("select (9223372036854775800 + i)::varchar from range(9000) r(i)", "OutOfRange"),
        ("select nothing::varchar from range(3)", "Binder"),
    ],
)
def test_what_goes_wrong_is_raised_as_duckdb_raises_it(connection: Any, text: str, raised: str) -> None:
    def run() -> None:
        stream = TextStream(connection, text, None)
        try:
            everything(stream)
        finally:
            stream.close()

    with pytest.raises(getattr(duckdb, f"{raised}Exception")):
        run()
    assert connection.execute("select 1").fetchall() == [(1,)]


def test_an_interrupt_ends_it(connection: Any) -> None:
    stream = TextStream(connection, "select i::varchar from range(1000000000) r(i)", None)
    stream.next()
    connection.interrupt()
    with pytest.raises(duckdb.InterruptException):
        everything(stream)
    stream.close()
    assert connection.execute("select 1").fetchall() == [(1,)]
