"""SQLSTATEs of DuckDB's errors, from real statements."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fanlight_engines.duckdb.errors import missing_table, sql_error
from tests.engines.test_duckdb_values import Sql

SETUP = """
create table t (a integer primary key, b integer not null, check (a < 100));
create table child (a integer references t (a));
insert into t values (1, 1)
"""

CASES = [
    ("selekt 1", "42601", 'syntax error at or near "selekt"'),
    ("select 'oops", "42601", None),
    ("select * from nope", "42P01", "Table with name nope does not exist!"),
    ("select * from nowhere.x", "3F000", None),
    ("select nope from t", "42703", None),
    ("select t.nope from t", "42703", None),
    ("select nope.a from t", "42P01", None),
    ("select no_function(1)", "42883", None),
    ("select abs('x', 'y')", "42883", None),
    ("select 'a' + 'b'", "42883", None),
    ("select 1::nosuch", "42704", None),
    ("select current_setting('nope')", "42704", None),
    ("select a from t, t u", "42702", None),
    ("select a, count(*) from t", "42803", None),
    ("select 1 from t having b > 1", "42803", None),
    ("create table t (a integer)", "42P07", None),
    ("create schema public", "42P06", None),
    ("create macro m() as 1; create macro m() as 2", "42723", None),
    ("insert into t values (1)", "42601", None),
    ("select cast('zz' as integer)", "22P02", "Could not convert string 'zz' to INT32"),
    ("select 300::tinyint", "22003", None),
    ("select 9223372036854775807 + 1", "22003", None),
    ("select sqrt(-1)", "22003", None),
    ("select cast('2020-13-45' as date)", "22008", None),
    ("select 1 / 0", "22012", "division by zero"),
    ("select 1 % 0", "22012", "division by zero"),
    ("select 1.0::double / 0", "22012", "division by zero"),
    ("select (select unnest([1, 2]))", "21000", None),
    ("select error('boo')", "22023", "boo"),
    ("insert into t values (1, 1)", "23505", None),
    ("insert into t values (2, null)", "23502", None),
    ("insert into t values (200, 1)", "23514", None),
    ("insert into child values (7)", "23503", None),
    ("insert into child values (1); delete from t", "23503", None),
    ("drop schema public", "2BP01", None),
    ("select * from read_csv('/etc/passwd')", "42501", None),
    ("select * from glob('*')", "42501", None),
    ("select $1 + 1", "XX000", None),
    ("create table u (a integer, a integer)", "42701", None),
    ("alter table t add column a integer", "42701", None),
    ("insert into t (a, a) values (1, 2)", "42701", None),
    ("drop view t", "42809", None),
    ("drop schema main cascade", "42501", None),
    ("select nextval('nope')", "42P01", None),
    ("select a from t where sum(a) > 1", "42803", None),
    ("select a from t where row_number() over () = 1", "42P20", None),
    ("select a from t order by 2", "42P10", None),
    ("select a from t group by 5", "42P10", None),
    ("select * from t, t", "42712", None),
    ("select * from t join (select 1 as x) using (b)", "42703", None),
    ("update t set nope = 1", "42703", None),
    ("select {'a': 1}.b", "42703", None),
    ("select b from t where b > date '2031-01-01'", "42883", None),
    ("select 10::decimal(1, 0)", "22003", None),
    ("select date '2031-01-01' = 5", "42846", None),
    ("select json_extract('{', '$')", "22P02", None),
    ("select strptime('x', '%Y')", "22007", None),
    ("select " + "1 + " * 1100 + "1", "54001", "Max expression depth limit of 1000 exceeded."),
]


@pytest.fixture(scope="module")
def sql() -> Iterator[Sql]:
    sql = Sql()
    sql.results(SETUP)
    yield sql
    sql.engine.close()


@pytest.mark.parametrize(("text", "code", "message"), CASES, ids=[case[0] for case in CASES])
def test_codes(sql: Sql, text: str, code: str, message: str | None) -> None:
    error = sql.results(text)[-1]["error"]
    assert (error["code"], message is None or error["message"] == message) == (code, True), error
    assert ("position" in error) == (code == "42601" and "insert" not in text)
    assert sql.results("select 1 as a")[0]["tag"] == "SELECT 1"


def test_advice_becomes_a_hint(sql: Sql) -> None:
    (entry,) = sql.results("select * from tt")
    assert entry["error"] == {
        "message": "Table with name tt does not exist!",
        "code": "42P01",
        "hint": 'Did you mean "t"?',
    }


def test_what_cannot_be_set_is_not_advised(sql: Sql) -> None:
    assert "SET" not in str(sql.results("select (select unnest([1, 2])), 1 / 0"))


def test_memory(sql: Sql) -> None:
    (entry,) = sql.results("select max(x) from (select list(i) as x from range(400000000) t(i))")
    assert entry["error"]["code"] == "53200"
    assert "detail" not in entry["error"]


class Plain(Exception):
    """An exception whose message is no JSON, as those of the Python layer."""


class OutOfRangeException(Plain):
    """Named like one of DuckDB's."""


def test_messages_that_are_no_json() -> None:
    error = sql_error(OutOfRangeException("Out of Range Error: too far\n\nLINE 1: select\n ^"))
    assert (error.message, error.code) == ("too far", "22003")
    assert sql_error(Plain("what {is} this")).code == "XX000"
    assert missing_table(Plain("x")) is None


def test_the_name_of_a_missing_table() -> None:
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect(config={"errors_as_json": True})
    with pytest.raises(duckdb.CatalogException) as raised:
        connection.execute('select * from "my table"')
    assert missing_table(raised.value) == "my table"
    connection.close()
