"""The sandbox: what reaches out of the database, or past the gate, is refused with 42501 or 25006."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fanlight.app import App
from fanlight.auth.identity import Identity
from fanlight.relations import Column, Relation
from fanlight_engines.duckdb.instance import refusal
from tests.engines.test_duckdb_values import Sql

REACHES_OUT = [
    "copy (select 1) to '/tmp/fanlight-out.csv'",
    "copy t from '/etc/passwd'",
    "attach '/tmp/fanlight-out.db'",
    "attach ':memory:' as other",
    "detach materialize",
    "install httpfs",
    "load httpfs",
    "force install httpfs",
    "update extensions",
    "export database '/tmp/fanlight-out'",
    "import database '/tmp/fanlight-out'",
    "copy from database materialize to other",
    "connect 'x'",
    "disconnect",
    "create secret s (type s3)",
    "create or replace persistent secret s (type s3)",
    "drop secret s",
    "pragma version",
    "pragma enable_verification",
    "call pragma_version()",
    "checkpoint",
    "force checkpoint",
    "vacuum",
    "analyze",
    "use main",
    "set variable x = 1",
    "set global threads = 2",
    "explain copy (select 1) to '/tmp/fanlight-out.csv'",
    "explain analyze copy (select 1) to stdout",
    "explain pragma version",
    "explain analyze call pragma_version()",
    "explain set variable x = 1",
    "explain analyze (format json) set variable x = 1",
    "explain checkpoint",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('/etc/passwd')",
    "select * from read_json('/etc/passwd')",
    "select * from read_parquet('/etc/passwd')",
    "select * from glob('/etc/*')",
    "select * from sniff_csv('/etc/passwd')",
    "select * from query('select 1')",
    "select * from \"query\" /* c */ ('select 1')",
    "select * from system.main.QUERY('select 1')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select * from python_map_function((select 1))",
    "select write_log('x')",
    "select * from truncate_duckdb_logs()",
    "select * from enable_logging()",
    "select * from enable_profiling()",
    "select * from create_external_resource('x')",
    "select * from force_checkpoint()",
]

WRITES = [
    "create table x (a integer)",
    "create temp table x (a integer)",
    "create or replace view process.things as select 1",
    "create macro m() as 1",
    "create table x as pivot (select 1 as a) on a",
    "insert into t values (1)",
    "update t set a = 2",
    "delete from t",
    "truncate t",
    "drop table t",
    "drop view process.things",
    "alter table t add column b integer",
    "comment on table t is 'x'",
    "merge into t using (select 1 as a) s on t.a = s.a when matched then delete",
    "with x as (insert into t values (1) returning a) select * from x",
    "with x as (delete from t returning a) select * from x",
    "explain insert into t values (1)",
    "explain analyze insert into t values (1)",
    "explain analyze create table x as select 1 as a",
    "select nextval('numbers')",
    "begin read write; insert into t values (1)",
    "prepare p as insert into t values (1); execute p",
]

READS = [
    "select 1",
    "(select 1)",
    "values (1)",
    "from t",
    "table t",
    "with x as (select 1) select * from x",
    "pivot (select 1 as a) on a",
    "explain select 1",
    "explain (format json) select 1",
    "explain analyze (select 1)",
    "describe t",
    "summarize t",
    "show tables",
    "show all tables",
    "select * from information_schema.columns",
    "select * from duckdb_settings()",
    "select 'query' || 'x'",
    "select a as query from t",
]

ROOT = Identity("mz_system", internal=True)


@pytest.fixture(scope="module")
def sql() -> Iterator[Sql]:
    app = App()
    app.relations["things"] = Relation("things", (Column("a", "bigint"),), lambda: [(1,)])
    sql = Sql(app)
    (table, sequence) = sql.results("create table t (a integer); create sequence numbers", identity=ROOT)
    assert (table["ok"], sequence["ok"]) == ("CREATE TABLE", "CREATE SEQUENCE")
    yield sql
    assert sql.results("select count(*) as n from t")[0]["rows"] == [["0"]]
    assert sql.results("select * from process.things")[0]["rows"] == [["1"]]
    sql.engine.close()
    assert not list(Path("/tmp").glob("fanlight-out*"))


@pytest.mark.parametrize("identity", [Identity("ada"), ROOT], ids=["ordinary", "privileged"])
@pytest.mark.parametrize("text", REACHES_OUT)
def test_nobody_reaches_out(sql: Sql, text: str, identity: Identity, capfd: pytest.CaptureFixture[str]) -> None:
    entry = sql.results(text, identity=identity)[-1]
    assert entry["error"]["code"] == "42501", entry
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("text", WRITES)
def test_ordinary_users_do_not_write(sql: Sql, text: str) -> None:
    entry = sql.results(text)[-1]
    assert entry["error"] == {"message": "cannot write in a read-only transaction", "code": "25006"}


@pytest.mark.parametrize("text", READS)
def test_everybody_reads(sql: Sql, text: str) -> None:
    assert "rows" in sql.results(text)[-1]


def test_python_variables_are_not_tables(sql: Sql) -> None:
    rows_of_the_test = [1, 2, 3]
    (entry,) = sql.results("select * from rows_of_the_test")
    assert entry["error"]["code"] == "42P01"
    assert rows_of_the_test


def test_the_catalog_is_named_after_the_original(sql: Sql) -> None:
    (entry,) = sql.results("select current_database() as d, current_schema() as s")
    assert entry["rows"] == [["materialize", "public"]]


def test_a_statement_that_hides_a_second_one(sql: Sql) -> None:
    """Whatever our lexer takes for one statement, the engine's parser has to take for one too."""
    from fanlight_engines.duckdb.connection import Connection

    connection: Any = sql.engine.lend(sees_all=False)
    assert isinstance(connection, Connection)
    parsed: Any = connection.parse("select 1; drop table t")
    assert parsed.code == "42601"
    assert sql.engine.take_back(connection, sees_all=False)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_library_is_mapped_before_it_is_imported() -> None:
    program = (
        "import sys; from fanlight_engines.duckdb.instance import preload; done = preload(); "
        "print(done, '_duckdb.' in open('/proc/self/maps').read(), '_duckdb' in sys.modules); import duckdb; "
        "print(duckdb.connect().execute('select 42').fetchall())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True True False\n[(42,)]\n"


def test_unknown_kinds_are_refused() -> None:
    for kind in ("UNKNOWN", "RELATION", "LOGICAL_PLAN", "EXTENSION", "MULTI"):
        refused = refusal("mystery", kind, read_only=False)
        assert refused is not None
        assert refused.code == "42501"
