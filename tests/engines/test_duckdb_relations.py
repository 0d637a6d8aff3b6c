"""Live relations: read once a statement, fresh each statement, private where they are private."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from fanlight.app import App
from fanlight.auth.identity import Identity
from fanlight.relations import Column, Relation
from fanlight_engines.duckdb.relations import Catalogue, words_of
from tests.engines.test_duckdb_values import Sql

ROOT = Identity("mz_system", internal=True)
COLUMNS = (
    Column("number", "bigint", "A number."),
    Column("small", "integer"),
    Column("share", "double", "A share.", "percent"),
    Column("fine", "boolean"),
    Column("name", "text"),
    Column("at", "timestamptz"),
    Column("extra", "json"),
)


class Counted:
    """A relation that counts how often it is read."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self) -> list[tuple[Any, ...]]:
        self.reads += 1
        return [
            (self.reads, 7, 0.1, True, "it's é", 1.5, '{"b": 1, "a": [2.50]}'),
            (None,) * 7,
        ]


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def sql(counted: Counted) -> Iterator[Sql]:
    app = App(sql_writers="everybody")
    app.relations["things"] = Relation("things", COLUMNS, counted, doc="Things that are counted.")
    app.relations["secrets"] = Relation("secrets", (Column("a", "bigint"),), lambda: [(1,)], privileged=True)
    sql = Sql(app)
    yield sql
    sql.engine.close()


def rows(sql: Sql, text: str, **request: Any) -> Any:
    return sql.results(text, **request)[-1].get("rows")


def code(sql: Sql, text: str, **request: Any) -> Any:
    return sql.results(text, **request)[-1]["error"]["code"]


def test_every_column_type(sql: Sql) -> None:
    (entry,) = sql.results("select * from process.things")
    assert entry["rows"] == [
        ["1", "7", "0.1", True, "it's é", "1500.000", {"a": [2.50], "b": 1}],
        [None] * 7,
    ]
    assert [column["type_oid"] for column in entry["desc"]["columns"]] == [20, 23, 701, 16, 25, 1184, 3802]


def test_one_snapshot_a_statement(sql: Sql, counted: Counted) -> None:
    text = "select a.number, b.number from process.things a join process.things b using (small)"
    assert rows(sql, text) == [["1", "1"]]
    assert rows(sql, text) == [["2", "2"]]
    assert counted.reads == 2


def test_inside_a_transaction_each_statement_reads_afresh(sql: Sql) -> None:
    text = "select max(number) from process.things"
    results = sql.results(f"begin; {text}; {text}; rollback; {text}; {text}")
    assert [entry["rows"] for entry in results if "rows" in entry] == [[["1"]], [["2"]], [["3"]], [["4"]]]


def test_a_rollback_does_not_lose_a_relation_for_the_next_statement(sql: Sql) -> None:
    text = "select count(*) from process.things"
    results = sql.results(f"begin; select 1; {text}; rollback; {text}")
    assert [entry.get("rows") for entry in results][-1] == [["2"]]


def test_unread_relations_cost_nothing(sql: Sql, counted: Counted) -> None:
    sql.results("select 1; show all tables; select * from information_schema.columns")
    assert counted.reads == 0


def test_they_are_documented_in_the_catalog(sql: Sql) -> None:
    text = "select comment from duckdb_columns() where table_name = 'things' and column_name in ('number', 'share')"
    assert rows(sql, text) == [["A number."], ["A share. [percent]"]]
    assert rows(sql, "select comment from duckdb_views() where view_name = 'things'") == [["Things that are counted."]]


def test_relations_that_come_later(sql: Sql) -> None:
    assert code(sql, "select * from public.later") == "42P01"

    @sql.app.relation(id=int, name=str)
    def later() -> list[tuple[int, str]]:
        return [(1, "a")]

    assert rows(sql, "select * from public.later") == [["1", "a"]]
    assert rows(sql, "select * from later") == [["1", "a"]]

    @sql.app.relation(name="later", replace=True, id=float)
    def replaced() -> list[tuple[float]]:
        return [(0.5,)]

    assert rows(sql, "select * from later") == [["0.5"]]


def test_privileged_relations(sql: Sql) -> None:
    text = "select * from process.secrets"
    assert code(sql, text) == "42501"
    assert rows(sql, text, identity=ROOT) == [["1"]]
    assert rows(sql, text, identity=Identity("boss", superuser=True)) == [["1"]]
    assert rows(sql, text, open_relations=True) == [["1"]]
    assert code(sql, text) == "42501"


@pytest.mark.parametrize(
    "text",
    [
        'select * from process."secrets"',
        "select * from materialize.process.Secrets",
        "select (select count(*) from process.secrets)",
        "explain analyze select * from process.secrets",
        "select * from query_table('process.secrets')",
        "describe process.secrets",
        "select * from __live_process_secrets",
        "create view mine as select * from process.secrets",
        "create macro peek() as (select count(*) from process.secrets); select peek()",
        "select * from through",
        "prepare p as select * from process.secrets; execute p",
    ],
)
def test_no_way_around(sql: Sql, text: str) -> None:
    sql.results("create view through as select * from process.secrets", identity=ROOT)
    rows(sql, "select * from through", identity=ROOT)
    error = sql.results(text)[-1].get("error")
    assert error is not None
    assert error["code"] in ("42501", "42P01"), error


def test_views_over_relations_serve_everybody(sql: Sql) -> None:
    sql.results("create view v as select count(*) as n from process.things")
    assert rows(sql, "select n from v") == [["2"]]
    assert rows(sql, "select n from v", identity=ROOT) == [["2"]]


def test_a_view_that_was_made_elsewhere(sql: Sql) -> None:
    """The engine learns what a view reads when it is created, and else from what is missing."""
    sql.results("create view v as select count(*) as n from process.things")
    sql.engine.catalogue._everywhere = frozenset()
    assert rows(sql, "select n from v", identity=ROOT) == [["2"]]


@pytest.mark.parametrize("problem", [ValueError("/secret/path"), KeyboardInterrupt("/secret/path")])
def test_a_relation_that_fails_says_nothing_about_why(
    sql: Sql, problem: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Iterator[tuple[int]]:
        yield (1,)
        raise problem

    sql.app.relations["broken"] = Relation("broken", (Column("a", "bigint"),), broken)
    with caplog.at_level(logging.WARNING, "fanlight"):
        (entry,) = sql.results("select * from process.broken")
    assert entry["error"] == {"message": 'relation "broken" could not be read', "code": "58000"}
    assert "/secret/path" in caplog.text
    assert rows(sql, "select 1") == [["1"]]


@pytest.mark.parametrize(
    "cells", [("no number",), (1, 2), (), (2**70,)], ids=["type", "too many", "too few", "too large"]
)
def test_rows_that_do_not_fit(sql: Sql, cells: tuple[Any, ...], caplog: pytest.LogCaptureFixture) -> None:
    sql.app.relations["odd"] = Relation("odd", (Column("a", "bigint"),), lambda: [cells])
    assert sql.results("select * from process.odd")[0]["error"]["code"] == "58000"
    assert "odd" in caplog.text


def test_text_that_is_no_utf8(sql: Sql) -> None:
    sql.app.relations["names"] = Relation("names", (Column("a", "text"),), lambda: [("a\udcffb",), (17,)])
    assert rows(sql, "select * from process.names") == [["a?b"], ["17"]]


def test_many_rows_and_none(sql: Sql) -> None:
    sql.app.relations["many"] = Relation("many", (Column("a", "bigint"),), lambda: ((at,) for at in range(12_345)))
    sql.app.relations["none"] = Relation("none", (Column("a", "bigint"), Column("b", "text")), list)
    assert rows(sql, "select count(*), sum(a) from process.many") == [["12345", str(sum(range(12_345)))]]
    assert rows(sql, "select * from process.none") == []


def test_sources_are_nobodys_tables(sql: Sql) -> None:
    results = sql.results("select count(*) from process.things; show tables")
    assert results[-1]["rows"] == []


def test_views_are_made_once_whatever_the_mapping_calls_them() -> None:
    """A mapping may have keys of its own, and two schemas a relation of the same name."""
    relations = {"process.t": Relation("t", (Column("a", "integer"),), list, schema="process")}
    catalogue = Catalogue(relations)
    (first,) = catalogue.missing()
    catalogue.added(first)
    assert catalogue.missing() == []
    relations["t"] = Relation("t", (Column("a", "integer"),), list, schema="public")
    (second,) = catalogue.missing()
    catalogue.added(second)
    assert catalogue.missing() == []
    assert list(catalogue.read_by(words_of("select * from T"))) == [first, second]
    assert list(catalogue.read_by(words_of("select 1"))) == []
