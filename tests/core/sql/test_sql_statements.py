"""What is common to statements: places, arguments in place, tags, prohibitions."""

from __future__ import annotations

import pytest

from fanlight.sql.grammar import read_script
from fanlight.sql.statements import places, prohibited, substituted, tag_of


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("select 1", 0),
        ("select $1, $3", 3),
        ("select '$9', $$ $8 $$ -- $7\n, $2", 2),
        ('select "$5"', 0),
        ("select ?", 0),
    ],
)
def test_places(text: str, count: int) -> None:
    assert places(text) == count


def test_arguments_are_put_in_place() -> None:
    (body,) = read_script("select $1 + $2, '$1', $1")
    put = substituted(body, (), ("1", "2 -- c"))
    assert put.text == "select (1\n) + (2 -- c\n), '$1', (1\n)"
    assert put.offset is None


def test_declared_types_are_cast_to() -> None:
    (body,) = read_script("select $1")
    assert substituted(body, ("date",), ("'2031-04-05'",)).text == "select cast(('2031-04-05'\n) as date)"


@pytest.mark.parametrize(
    ("text", "command", "count", "tag"),
    [
        ("insert into t values (1)", "INSERT", 1, "INSERT 0 1"),
        ("with x as (select 1) insert into t select * from x", "INSERT", 2, "INSERT 0 2"),
        ("update t set a = 1", "UPDATE", 0, "UPDATE 0"),
        ("delete from t", "DELETE", 3, "DELETE 3"),
        ("truncate t", "DELETE", 3, "TRUNCATE TABLE"),
        ("merge into t using s on true", "MERGE", 3, "MERGE 3"),
        ("create table t (a int)", "CREATE", 0, "CREATE TABLE"),
        ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "CREATE", 0, "CREATE VIEW"),
        ("create unique index i on t (a)", "CREATE", 0, "CREATE INDEX"),
        ("create /* c */ schema s", "CREATE", 0, "CREATE SCHEMA"),
        ("drop table if exists t", "DROP", 0, "DROP TABLE"),
        ("alter table t add column b int", "ALTER", 0, "ALTER TABLE"),
        ("comment on table t is 'x'", "ALTER", 0, "COMMENT"),
    ],
)
def test_tags(text: str, command: str, count: int, tag: str) -> None:
    (statement,) = read_script(text)
    assert tag_of(statement, command, count) == tag


def test_what_a_transport_does_not_carry() -> None:
    subscribe, fetch, select = read_script("subscribe t; fetch 1 from c; select 1")
    assert prohibited(select, streams=False) is None
    assert prohibited(subscribe, streams=True) is None
    refused = prohibited(subscribe, streams=False)
    assert refused is not None
    assert (refused.message, refused.code) == ("unsupported via this API: subscribe t", "XX000")
    assert prohibited(fetch, streams=True) is not None
