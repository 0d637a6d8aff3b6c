"""Descriptors, and the casts that keep what the client would lose."""

from __future__ import annotations

from typing import Any

import pytest

from fanlight.sql.values import Descriptor
from fanlight_engines.duckdb.types import as_fetched, descriptor, is_lossy, kind_of

duckdb = pytest.importorskip("duckdb")


@pytest.fixture(scope="module")
def connection() -> Any:
    connection = duckdb.connect()
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("name", "oid", "length", "modifier"),
    [
        ("JSON", 3802, -1, -1),
        ("VARCHAR", 25, -1, -1),
        ("JSON[]", 3807, -1, -1),
        ("DECIMAL(10,2)", 1700, -1, 655366),
        ("DECIMAL(10,2)[][]", 1231, -1, -1),
        ("HUGEINT", 1700, -1, 2490372),
        ("STRUCT(a INTEGER)[]", 16384, -1, -1),
        ("MAP(VARCHAR, INTEGER)", 16385, -1, -1),
        ("TIMESTAMP WITH TIME ZONE[3]", 1185, -1, -1),
    ],
)
def test_descriptors(connection: Any, name: str, oid: int, length: int, modifier: int) -> None:
    assert descriptor("c", connection.type(name)) == Descriptor("c", oid, length, modifier)


@pytest.mark.parametrize(
    ("name", "fetched"),
    [
        ("INTEGER", None),
        ("INTERVAL", "VARCHAR"),
        ("TIME_NS", "VARCHAR"),
        ("INTERVAL[]", "VARCHAR[]"),
        ("INTERVAL[2][]", "VARCHAR[2][]"),
        ("MAP(INTERVAL, INTEGER)", "MAP(VARCHAR, INTEGER)"),
        ('STRUCT("a b" INTERVAL, "c""d" DECIMAL(4,1))', 'STRUCT("a b" VARCHAR, "c""d" DECIMAL(4,1))'),
        ("STRUCT(a INTEGER)", None),
    ],
)
def test_what_is_lossy_is_fetched_as_something_else(connection: Any, name: str, fetched: str | None) -> None:
    type_ = connection.type(name)
    assert is_lossy(type_) == (fetched is not None)
    if fetched is not None:
        assert as_fetched(type_) == fetched
        connection.execute(f"select null::{fetched}").fetchall()


def test_json_is_told_from_text(connection: Any) -> None:
    assert [kind_of(connection.type(name)) for name in ("JSON", "VARCHAR", "DATE")] == ["json", "varchar", "date"]
