"""What DuckDB writes is, byte for byte, what Python would have encoded: every type, odd values included."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

pytest.importorskip("duckdb")

from fanlight.sql.effects import Interrupt
from fanlight.sql.errors import SqlError, Unreadable
from fanlight_engines.duckdb import rows as duckdb_rows
from fanlight_engines.duckdb.connection import Connection
from fanlight_engines.duckdb.instance import open_instance
from fanlight_engines.duckdb.relations import Catalogue
from fanlight_engines.duckdb.results import Result, StreamedResult, WrittenResult
from fanlight_engines.duckdb.rows import Habit, may_wrap, tidy


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    instance = open_instance()
    connection = Connection(instance.cursor(), Catalogue({}))
    instance.execute("create type mood as enum ('sad', 'o\"k', '')")
    yield connection
    connection.close()
    instance.close()


def run(
    connection: Connection, text: str, many: bool, *params: str | None, short: bool = False, most: int = 1 << 30
) -> tuple[Any, bytes]:
    """The result and all of its rows, in batches of about `most` bytes.

    Without DuckDB's writing, or with it (`many`), and then row by row, or as they are where texts are `short`.
    """
    parsed = connection.parse(text)
    assert not isinstance(parsed, SqlError), parsed
    parsed.habit.rows = duckdb_rows.VERY_MANY if many else 0
    parsed.habit.short = short
    interrupt = Interrupt()
    result = connection.execute(parsed, text, params, interrupt, b",\n")
    batches = [result.batch(b",\n", most, 1 << 40, interrupt)]
    while not batches[-1].last:
        batches.append(result.batch(b",\n", most, 1 << 40, interrupt))
    data = b",\n".join(batch.data for batch in batches if batch.count)
    connection.complete()
    assert sum(batch.size for batch in batches) == len(data) - 2 * max(0, sum(batch.count for batch in batches) - 1)
    return result, data


def same(connection: Connection, text: str, *params: str | None) -> bytes:
    """The rows, the same all ways, and after the first time really written by DuckDB."""
    expected, encoded = run(connection, text, False, *params)
    found, written = run(connection, text, True, *params)
    assert type(expected) is Result
    streamed, passed = run(connection, text, True, *params, short=True)
    assert type(found) in (WrittenResult, StreamedResult)
    assert type(streamed) is StreamedResult
    assert streamed.columns == found.columns == expected.columns
    assert passed == written == encoded
    json.loads(b"[" + written + b"]")
    return written


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[str]:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.integers(low, high).map(str)


def decimals(width: int, scale: int) -> st.SearchStrategy[str]:
    most = 10**width - 1
    return st.integers(-most, most).map(
        lambda n: f"{'-' if n < 0 else ''}{abs(n) // 10**scale}.{abs(n) % 10**scale:0{scale}d}"
    )


def bits32(number: int) -> str:
    (value,) = struct.unpack("f", struct.pack("I", number))
    return repr(value)


def bits64(number: int) -> str:
    (value,) = struct.unpack("d", struct.pack("Q", number))
    return repr(value)


EDGES = [
    0.0,
    -0.0,
    1e-3,
    1e-4,
    1e-5,
    9.999999e-4,
    1e15,
    1e16,
    999999999999999.9,
    5e-324,
    1.7976931348623157e308,
    0.1,
    16777217.0,
    37002312.0,
]
DAYS = st.dates().map(str) | st.sampled_from(
    ["infinity", "-infinity", "12345-01-01", "0044-03-15 (BC)", "9999-12-31", "9999-12-30", "0001-01-01", "1970-01-01"]
)
STAMPS = st.datetimes().map(str) | st.sampled_from(
    [
        "infinity",
        "-infinity",
        "100000-01-01 00:00:00.5",
        "0001-01-01 (BC) 00:00:00",
        "1969-12-31 23:59:59.999999",
        "1970-01-01 00:00:00",
        "1970-01-01 00:00:00.000999",
        "9999-12-31 00:00:00",
        "2031-04-05 06:07:08.001",
    ]
)
TYPES: dict[str, st.SearchStrategy[str]] = {
    "boolean": st.sampled_from(["true", "false"]),
    "tinyint": integers(8, signed=True),
    "utinyint": integers(8, signed=False),
    "smallint": integers(16, signed=True),
    "usmallint": integers(16, signed=False),
    "integer": integers(32, signed=True),
    "uinteger": integers(32, signed=False),
    "bigint": integers(64, signed=True),
    "ubigint": integers(64, signed=False),
    "hugeint": integers(127, signed=True),
    "uhugeint": integers(128, signed=False),
    "decimal(4,1)": decimals(4, 1),
    "decimal(9,8)": decimals(9, 8),
    "decimal(18,3)": decimals(18, 3),
    "decimal(38,2)": decimals(38, 2),
    "decimal(12,0)": integers(32, signed=True),
    "float": st.floats(width=32).map(repr) | st.integers(0, 2**32 - 1).map(bits32) | st.sampled_from(EDGES).map(repr),
    "double": st.floats().map(repr) | st.integers(0, 2**64 - 1).map(bits64) | st.sampled_from(EDGES).map(repr),
    "varchar": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    | st.text(st.sampled_from('\x01\x0b\x1f\x7f"\\u0aF/\n\t\u2028🦆'))
    | st.sampled_from(["x" * 4096, "é" * 2049, "\\u001F", "\\\\u001F"]),
    "public.mood": st.sampled_from(["sad", 'o"k', ""]),
    "date": DAYS,
    "time": st.times().map(str)
    | st.sampled_from(["24:00:00", "00:00:00", "01:02:03.1", "01:02:03.12", "01:02:03.1234"]),
    "timestamp": STAMPS,
    "timestamptz": STAMPS.map(lambda text: text if "inf" in text else f"{text}+00"),
    "uuid": st.uuids().map(str),
}  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("type_", TYPES)
def test_what_duckdb_writes_is_what_python_encodes(connection: Connection, type_: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | TYPES[type_], min_size=1, max_size=30))
    rows = ", ".join(f"({'null' if value is None else quoted(value)}::{type_})" for value in values)
    same(connection, f"select a from (values {rows}) t(a)")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(data=st.data())
def test_rows_of_all_types(connection: Connection, data: st.DataObject) -> None:
    """An odd value sends its row to Python, with whatever else is in it."""
    row = st.tuples(*(st.none() | strategy for strategy in TYPES.values()))
    rows = data.draw(st.lists(row, min_size=1, max_size=5))
    texts = [
        ", ".join(
            f"{'null' if cell is None else quoted(cell)}::{type_}" for cell, type_ in zip(each, TYPES, strict=True)
        )
        for each in rows
    ]
    same(connection, " union all ".join(f"select {text}" for text in texts))


@settings(max_examples=200)
@given(st.text())
@example("\\u001F\x1f")
def test_tidying_changes_no_text(text: str) -> None:
    written = json.dumps(text, ensure_ascii=False)
    upper = "".join(
        f"\\u{ord(char):04X}"
        if ord(char) < 32 and char not in "\b\t\n\f\r"
        else json.dumps(char, ensure_ascii=False)[1:-1]
        for char in text
    )
    assert tidy(f'"{upper}"'.encode(errors="replace")) == written.encode(errors="replace")


def test_nul_and_every_control_character(connection: Connection) -> None:
    assert same(connection, "select chr(i::integer) || '\\u000F' from range(200) r(i)").count(b"\n") == 199


LARGE = "select i, i / 7.0 as d, 'v' || i as s, case when i % 3 = 0 then null else i end as n from range(20000) r(i)"


def test_many_rows_in_small_batches(connection: Connection) -> None:
    _, encoded = run(connection, LARGE, False)
    _, written = run(connection, LARGE, True, most=3000)
    assert written == encoded


def test_order_is_kept(connection: Connection) -> None:
    connection.cursor.execute("create or replace table shuffled as select i, hash(i) as h from range(30000) r(i)")
    same(connection, "select i, i % 100 as tie from shuffled order by h, i desc")
    same(connection, "select i % 100 as tie, i from shuffled order by tie")


def test_parameters(connection: Connection) -> None:
    assert (
        same(connection, "select $2::integer as a, $1 as b, $1 from range(2)", "x", "7")
        == b'["7","x","x"],\n["7","x","x"]'
    )


def test_names_and_comments_do_not_matter(connection: Connection) -> None:
    same(connection, 'select 1 as "a b", 2 as "a b", null as c0 -- the end')
    same(connection, "with __rows as (select 5 as c1) select c1, c1 as c0 from __rows /* ) */")
    same(connection, "from range(3)")
    same(connection, "values (1, 'x'), (2, null)")
    same(connection, "(select 1) union all (select 2)")


def test_volatile_functions_run_once_a_row(connection: Connection) -> None:
    connection.cursor.execute("create or replace sequence counted")
    _, written = run(connection, "select x, x as y from (select random() as x from range(5000))", True)
    assert all(x == y for x, y in json.loads(b"[" + written + b"]"))
    result, written = run(connection, "select nextval('counted') from range(3)", True)
    assert type(result) is Result  # it writes
    assert written == b'["1"],\n["2"],\n["3"]'


def test_macros_of_a_user_change_nothing(connection: Connection) -> None:
    try:
        connection.cursor.execute("create macro json_array(a) as 'mine'; create macro epoch_us(a) as 0")
        same(connection, "select timestamp '2031-04-05 06:07:08.901234' as a from range(2)")
    finally:
        connection.cursor.execute("drop macro if exists json_array; drop macro if exists epoch_us")


@pytest.mark.parametrize(
    "expression", ["[i]", "interval '1 day'", "'{}'::json", "{'a': i}", "'a'::blob", "map {i: i}", "0.5::decimal(3,3)"]
)
def test_other_types_are_left_to_python(connection: Connection, expression: str) -> None:
    text = f"select {expression} as x, i from range(3) r(i)"
    _, encoded = run(connection, text, False)
    found, written = run(connection, text, True)
    assert type(found) is Result
    assert written == encoded


@pytest.mark.parametrize("text", ["show tables", "describe select 1", "explain select 1", "summarize select 1 as a"])
def test_statements_that_cannot_stand_inside(connection: Connection, text: str) -> None:
    result, _ = run(connection, text, True)
    assert type(result) is Result
    assert not may_wrap(text)


def failure(connection: Connection, text: str, many: bool) -> str:
    with pytest.raises(Exception) as raised:
        run(connection, text, many)
    connection.complete()
    text = str(raised.value)
    return f"{type(raised.value).__name__}: {json.loads(text[text.find('{') :])['exception_message']}"


@pytest.mark.parametrize(
    "text",
    [
        "select * from nothing",
        "select nothing from range(3)",
        "select ('x' || i)::integer from range(3) r(i)",
        "select case when i = 5000 then ('x' || i)::integer end from range(9000) r(i)",
        "select 9223372036854775807 + i from range(3) r(i)",
    ],
)
def test_errors_are_the_same(connection: Connection, text: str) -> None:
    assert failure(connection, text, True) == failure(connection, text, False)


def test_the_limit_counts_the_same_bytes(connection: Connection) -> None:
    _, data = run(connection, LARGE, False)
    size = len(data) - 2 * 19999
    for most, fits in ((size, True), (size - 1, False)):
        parsed: Any = connection.parse(LARGE)
        parsed.habit.rows = duckdb_rows.MANY
        result = connection.execute(parsed, LARGE, (), Interrupt(), b",\n")
        if fits:
            assert result.batch(b",\n", 1 << 30, most, Interrupt()).size == size
        else:
            with pytest.raises(Unreadable):
                result.batch(b",\n", 1 << 30, most, Interrupt())
        connection.complete()


def test_long_texts_are_not_copied_by_duckdb(connection: Connection) -> None:
    """2,048 rows of a megabyte each would be more than the engine may use."""
    text = "select repeat('x', 1000000) as a from range(3000)"
    parsed: Any = connection.parse(text)
    parsed.habit.rows = duckdb_rows.MANY
    result = connection.execute(parsed, text, (), Interrupt())
    assert type(result) is WrittenResult
    assert result.batch(b",", 3_000_000, 1 << 40, Interrupt()).data.count(b"x") >= 3_000_000
    connection.complete()


@pytest.mark.parametrize(
    ("text", "many"),
    [
        ("select * from t", True),
        ("from t", True),
        ("select 1", False),
        ("select count(*) from t", False),
        ("select * from t where id = 5", False),
        ("select * from t limit 5", False),
    ],
)
def test_the_first_guess(text: str, many: bool) -> None:
    assert Habit(text).many is many


def test_habits_are_learned(connection: Connection) -> None:
    for rows, first in (("5000", False), ("5", True)):
        text = f"select i from range({rows}) r(i)" + (" where true" if not first else "")
        parsed: Any = connection.parse(text)
        assert parsed.habit.many is first
        run(connection, text, first)
        assert parsed.habit.rows == int(rows)
        assert parsed.habit.many is not first
