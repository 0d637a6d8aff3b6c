"""Every type of DuckDB: its descriptor and the JSON of its values, through a real session."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanlight.app import App
from tests.engines.duckdb_driving import post

engine_module = pytest.importorskip("fanlight_engines.duckdb.engine")


class Sql:
    """Runs statements and returns what came back."""

    def __init__(self, app: App | None = None) -> None:
        self.app = app or App(sql_writers="everybody")
        self.engine: Any = engine_module.DuckDbEngine(self.app)

    def results(self, text: str, *params: str | None, **request: Any) -> list[Any]:
        query = {"queries": [{"query": text, "params": list(params)}]} if params else {"query": text}
        _, body = post(self.engine, self.app, json.dumps(query).encode(), **request)
        results: list[Any] = json.loads(body)["results"]
        return results

    def value(self, expression: str) -> tuple[Any, tuple[int, int, int]]:
        """A value and its type: OID, length, modifier."""
        (entry,) = self.results(f"select {expression} as v")
        ((value,),) = entry["rows"]
        (column,) = entry["desc"]["columns"]
        return value, (column["type_oid"], column["type_len"], column["type_mod"])


@pytest.fixture(scope="module")
def sql() -> Iterator[Sql]:
    sql = Sql()
    sql.results("create type mood as enum ('sad', 'ok')")
    yield sql
    sql.engine.close()


NUMERIC_38 = (1700, -1, 2490372)
TEXT = (25, -1, -1)
STAMP = (1114, 8, -1)

CASES: list[tuple[str, Any, tuple[int, int, int]]] = [
    ("true", True, (16, 1, -1)),
    ("(-7)::tinyint", "-7", (21, 2, -1)),
    ("7::utinyint", "7", (21, 2, -1)),
    ("7::smallint", "7", (21, 2, -1)),
    ("7::usmallint", "7", (23, 4, -1)),
    ("7::integer", "7", (23, 4, -1)),
    ("7::uinteger", "7", (20, 8, -1)),
    ("9223372036854775807", "9223372036854775807", (20, 8, -1)),
    ("18446744073709551615::ubigint", "18446744073709551615", NUMERIC_38),
    ("(-170141183460469231731687303715884105728)::hugeint", "-170141183460469231731687303715884105728", NUMERIC_38),
    ("340282366920938463463374607431768211455::uhugeint", "340282366920938463463374607431768211455", NUMERIC_38),
    ("bignum '1234567890123456789012345678901234567890'", "1234567890123456789012345678901234567890", (1700, -1, -1)),
    ("1.50::decimal(10,2)", "1.50", (1700, -1, 655366)),
    ("0.00000001::decimal(18,8)", "0.00000001", (1700, -1, (18 << 16 | 8) + 4)),
    ("12345678901234567890.12::decimal(38,2)", "12345678901234567890.12", (1700, -1, (38 << 16 | 2) + 4)),
    ("1.1::float", "1.1", (700, 4, -1)),
    ("16777216::float", "16777216.0", (700, 4, -1)),
    ("1e21::double", "1e21", (701, 8, -1)),
    ("'nan'::double", None, (701, 8, -1)),
    ("'-infinity'::float", None, (700, 4, -1)),
    ("'zażółć \"q\" \\ 🦆'", 'zażółć "q" \\ 🦆', TEXT),
    ("'a' || chr(10) || chr(0) || 'b'", "a\n\0b", TEXT),
    ("'ok'::mood", "ok", TEXT),
    ("null", None, TEXT),
    ("null::date", None, (1082, 4, -1)),
    ("union_value(a := 1)", "1", TEXT),
    ("union_value(a := 'x')", "x", TEXT),
    ("'\\x00\\xFF'::blob", [0, 255], (17, -1, -1)),
    ("'101'::bit", "101", (1562, -1, -1)),
    ("date '2031-04-05'", "2031-04-05", (1082, 4, -1)),
    ("date '12345-01-01'", "12345-01-01", (1082, 4, -1)),
    ("'0044-03-15 (BC)'::date", "0044-03-15 BC", (1082, 4, -1)),
    ("time '23:59:58'", "23:59:58", (1083, 8, -1)),
    ("time '01:02:03.25'", "01:02:03.250", (1083, 8, -1)),
    ("time '01:02:03.000001'", "01:02:03.000001", (1083, 8, -1)),
    ("'24:00:00'::time", "24:00:00", (1083, 8, -1)),
    ("'01:02:03.123456789'::time_ns", "01:02:03.123456789", (1083, 8, -1)),
    ("'01:02:03.5+02'::timetz", "01:02:03.500+02", (1266, 12, -1)),
    ("'01:02:03-03:30'::timetz", "01:02:03-03:30", (1266, 12, -1)),
    ("'24:00:00+00'::timetz", "24:00:00+00", (1266, 12, -1)),
    ("timestamp '2031-04-05 06:07:08.901234'", "1933135628901.234", STAMP),
    ("timestamp '1969-12-31 23:59:59.999999'", "-1.999", STAMP),
    ("'2031-04-05'::timestamp_s", "1933113600000.000", STAMP),
    ("'2031-04-05 00:00:00.123'::timestamp_ms", "1933113600123.000", STAMP),
    ("'2031-04-05 00:00:00.123456'::timestamp_ns", "1933113600123.456", STAMP),
    ("timestamp '100000-01-01 00:00:00.5'", "3093527980800500.000", STAMP),
    ("'0001-01-01 (BC) 00:00:00'::timestamp", "-62167219200000.000", STAMP),
    ("timestamptz '2031-04-05 06:07:08.5+02:00'", "1933128428500.000", (1184, 8, -1)),
    ("timestamptz '100000-01-01 00:00:00+00'", "3093527980800000.000", (1184, 8, -1)),
    ("'infinity'::timestamptz", "infinity", (1184, 8, -1)),
    ("'-infinity'::timestamptz", "-infinity", (1184, 8, -1)),
    ("interval '3 days 04:05:06'", "3 days 04:05:06", (1186, 16, -1)),
    ("interval '14 months -3 days 0.5 seconds'", "1 year 2 mons -3 days +00:00:00.5", (1186, 16, -1)),
    ("interval '0 seconds'", "00:00:00", (1186, 16, -1)),
    ("uuid '6F9619FF-8B86-D011-B42D-00C04FC964FF'", "6f9619ff-8b86-d011-b42d-00c04fc964ff", (2950, 16, -1)),
    ('\'{"b": [1, 2.50, 1e400], "a": {"d": null, "c": true}}\'::json', ..., (3802, -1, -1)),
    ("'7.50'::json", "7.50", (3802, -1, -1)),
    ("'\"7\"'::json", "7", (3802, -1, -1)),
    ("'null'::json", None, (3802, -1, -1)),
    ("'[]'::jsonb", [], (3802, -1, -1)),
    ("{'a': 1}::variant", {"a": 1}, (3802, -1, -1)),
    ("[(interval '14 months')::variant, null]", ["1 year 2 months", None], (3807, -1, -1)),
    ("7.50::decimal(4, 2)::variant", "7.50", (3802, -1, -1)),
    ("[1, null, 3]", ["1", None, "3"], (1007, -1, -1)),
    ("[[1.1::float], []]", [["1.1"], []], (1021, -1, -1)),
    ("[1, 2]::bigint[2]", ["1", "2"], (1016, -1, -1)),
    ("['a']", ["a"], (1009, -1, -1)),
    ("[1.5]", ["1.5"], (1231, -1, -1)),
    ("['{\"x\": 1}'::json]", [{"x": 1}], (3807, -1, -1)),
    ("[timestamp '1970-01-01']", ["0.000"], (1115, -1, -1)),
    ("[interval '1 month']", ["1 mon"], (1187, -1, -1)),
    ("[{'a': 1}]", [{"a": "1"}], (16384, -1, -1)),
    ("[]", [], (1009, -1, -1)),
    ("{'wing': 2, 'na me': 'auk', 'none': null}", {"wing": "2", "na me": "auk", "none": None}, (2249, -1, -1)),
    ("{'i': interval '1 month', 'f': 1.1::float}", {"i": "1 mon", "f": "1.1"}, (2249, -1, -1)),
    ("row(1, 'x')", {"f1": "1", "f2": "x"}, (2249, -1, -1)),
    ("map {'k': 1.50}", {"k": "1.50"}, (16385, -1, -1)),
    ("map {2: true, 3: null}", {"2": True, "3": None}, (16385, -1, -1)),
    ("map {[1]: 2}", {'["1"]': "2"}, (16385, -1, -1)),
    ("map {interval '1 month': interval '1 day'}", {"1 mon": "1 day"}, (16385, -1, -1)),
    ("map {date '2031-04-05': [1]}", {"2031-04-05": ["1"]}, (16385, -1, -1)),
]


@pytest.mark.parametrize(("expression", "value", "type_"), CASES, ids=[case[0] for case in CASES])
def test_values(sql: Sql, expression: str, value: Any, type_: tuple[int, int, int]) -> None:
    found, described = sql.value(expression)
    assert described == type_
    assert value is ... or (found, type(found)) == (value, type(value))


def test_json_keeps_its_numbers_and_sorts_its_keys(sql: Sql) -> None:
    query = {"query": """select '{"b": [1, 2.50, 1e400], "a": {"d": null, "c": "x\\n"}}'::json as v"""}
    _, body = post(sql.engine, sql.app, json.dumps(query).encode())
    assert b'[[{"a":{"c":"x\\n","d":null},"b":[1,2.50,1e400]}]]' in body


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('[NaN, nan, -Infinity, inf, "nan, inf", 1]', b'[null,null,null,null,"nan, inf",1]'),
        ('{"a": -inf, "b": [1, 2, ], }', b'{"a":null,"b":[1,2]}'),
        ("NaN", b"null"),
        ("inf", b"null"),
        # Deeper than some Pythons read: with its blanks there, and without them where it is read.
        ("[" * 900 + 'NaN,"\\"nan,]",' + "]" * 900, b'[null,"\\"nan,]"]'),
    ],
)
def test_what_duckdb_takes_for_json_is_written_as_json(sql: Sql, text: str, written: bytes) -> None:
    query = {"queries": [{"query": "select $1::json as v", "params": [text]}]}
    _, body = post(sql.engine, sql.app, json.dumps(query).encode())
    assert written in body
    assert b"NaN" not in body


def test_deeply_nested_json_passes_through(sql: Sql) -> None:
    """As deep as the engine's own parser takes it, which is deeper than Python's."""
    deep = "[" * 900 + "]" * 900
    _, body = post(sql.engine, sql.app, json.dumps({"query": f"select '{deep}'::json as v"}).encode())
    assert deep.encode() in body


def test_columns_of_one_result_may_have_one_name(sql: Sql) -> None:
    (entry,) = sql.results("select 1 as a, interval '1 month' as a, 3 as a")
    assert entry["rows"] == [["1", "1 mon", "3"]]
    assert [column["name"] for column in entry["desc"]["columns"]] == ["a", "a", "a"]


def test_returning_loses_nothing_either(sql: Sql) -> None:
    sql.results("create table spans (i interval)")
    (entry,) = sql.results("insert into spans values (interval '13 months') returning i, 'x' as i")
    assert entry["tag"] == "SELECT 1"
    assert entry["rows"] == [["1 year 1 mon", "x"]]
    (entry,) = sql.results("begin; insert into spans values (interval '1 month') returning i; commit")[1:2]
    assert entry["rows"] == [["1 mon"]]
    assert sql.results("select count(*) from spans")[0]["rows"] == [["2"]]


def test_nulls_in_every_column(sql: Sql) -> None:
    names = ["boolean", "integer", "hugeint", "float", "double", "decimal(5,2)", "varchar", "blob", "date", "time"]
    names += ["timestamp", "timestamptz", "interval", "uuid", "json", "integer[]", "struct(a integer)", "bit", "timetz"]
    columns = ", ".join(f"null::{name} as c{at}" for at, name in enumerate(names))
    (entry,) = sql.results(f"select {columns}")
    assert entry["rows"] == [[None] * len(names)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.none() | st.text(st.characters(blacklist_categories=["Cs"])), min_size=1, max_size=5))
def test_texts_come_back(sql: Sql, texts: list[str | None]) -> None:
    columns = ", ".join(f"${at}::text as c{at}" for at in range(1, len(texts) + 1))
    (entry,) = sql.results(f"select {columns}", *texts)
    assert entry["rows"] == [texts]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.datetimes())
def test_timestamps_come_back(sql: Sql, moment: Any) -> None:
    (entry,) = sql.results("select $1::timestamp as t, epoch_us($1::timestamp) as us", moment.isoformat(" "))
    ((text, micros),) = entry["rows"]
    millis, _, rest = text.partition(".")
    assert int(millis) * 1000 + int(rest) == int(micros)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_come_back(sql: Sql, number: float) -> None:
    (entry,) = sql.results("select $1::double as d", repr(number))
    assert float(entry["rows"][0][0]) == number
