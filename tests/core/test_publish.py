"""Publishing a host's relation: what a declaration may say, and what becomes of the rows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, Optional

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from fanlight import publish
from fanlight.relations import Column, Relation


def published(source: Callable[[], Iterable[Any]], /, **declared: Any) -> Relation:
    """The relation that one declaration makes, in a registry of its own."""
    registry: dict[str, Relation] = {}
    assert publish.relation(registry, **declared)(source) is source
    (made,) = registry.values()
    assert registry == {made.name: made}
    return made


def rows(*given: Any) -> Callable[[], Iterable[Any]]:
    """A source called `orders` that returns these rows."""

    def orders() -> list[Any]:
        return list(given)

    return orders


def read(relation: Relation) -> list[Any]:
    return list(relation.rows())


def test_two_lines_are_enough() -> None:
    registry: dict[str, Relation] = {}

    @publish.relation(registry, id=int, state=str)
    def orders() -> list[tuple[int, str]]:
        """Orders not yet paid."""
        return [(1, "open")]

    made = registry["orders"]
    assert (made.name, made.schema, made.doc, made.cost, made.privileged) == (
        "orders",
        "public",
        "Orders not yet paid.",
        "",
        False,
    )
    assert made.columns == (Column("id", "bigint"), Column("state", "text"))
    assert read(made) == [(1, "open")]
    assert orders() == [(1, "open")]


def test_every_type_has_its_column_type_and_none_is_allowed() -> None:
    made = published(
        rows(),
        a=int,
        b=float,
        c=bool,
        d=str,
        e=datetime,
        f=dict,
        g=list[int],
        h=int | None,
        i=Optional[str],  # noqa: UP045 - the older spelling is what is tested
        j=dict[str, int],
        k=Decimal,
    )
    assert [column.type for column in made.columns] == [
        "bigint",
        "double",
        "boolean",
        "text",
        "timestamptz",
        "json",
        "json",
        "bigint",
        "text",
        "json",
        "double",
    ]


def test_options_and_columns_of_the_same_name() -> None:
    made = published(rows(), id=int, name=str, doc=str, cost=float, schema=str, privileged=bool, columns=int)
    assert [column.name for column in made.columns] == ["id", "name", "doc", "cost", "schema", "privileged", "columns"]
    assert made.name == "orders"
    made = published(rows(), id=int, name="unpaid", doc="D", cost="C", schema="shop", privileged=True)
    assert (made.name, made.doc, made.cost, made.schema, made.privileged) == ("unpaid", "D", "C", "shop", True)
    assert made.columns == (Column("id", "bigint"),)


def test_a_change_counter() -> None:
    made = published(rows(), id=int, version=lambda: 7)
    assert made.version is not None
    assert made.version() == 7
    assert published(rows(), id=int).version is None
    assert [column.name for column in published(rows(), version=int).columns] == ["version"]


def test_columns_may_be_values() -> None:
    columns = (Column("size", "integer", "How big.", "bytes"),)
    made = published(rows((3,)), columns=columns)
    assert made.columns == columns
    assert read(made) == [(3,)]


@pytest.mark.parametrize(
    ("declared", "error", "says"),
    [
        ({}, ValueError, "1 to 1000 columns"),
        ({"columns": ()}, ValueError, "1 to 1000 columns"),
        ({f"c{n}": int for n in range(1001)}, ValueError, "1 to 1000 columns"),
        ({"id": 1}, TypeError, "column 'id'"),
        ({"id": "int"}, TypeError, "column 'id'"),
        ({"id": bytes}, TypeError, "not <class 'bytes'>"),
        ({"id": int | str}, TypeError, "column 'id'"),
        ({"id": int, "columns": (Column("a", "text"),)}, TypeError, "not both"),
        ({"columns": ("id",)}, TypeError, "takes Column values"),
        ({"columns": (Column("a", "varchar"),)}, ValueError, "the type is one of"),  # type: ignore[arg-type]
        ({"columns": (Column("a b", "text"),)}, ValueError, "column 'a b'"),
        ({"id": int, "ID": int}, ValueError, "twice"),
        ({"id": int, "name": "Orders"}, ValueError, "lower-case"),
        ({"id": int, "name": "__live"}, ValueError, "relation '__live'"),
        ({"id": int, "name": 'a"; drop'}, ValueError, "lower-case"),
        ({"id": int, "name": "x" * 64}, ValueError, "at most 63"),
        ({"id": int, "name": 5}, TypeError, "name= is a string"),
        ({"id": int, "schema": "process"}, ValueError, "reserved"),
        ({"id": int, "schema": "a-b"}, ValueError, "schema 'a-b'"),
        ({"id": int, "privileged": 1}, TypeError, "privileged= is True or False"),
        ({"id": int, "doc": b""}, TypeError, "doc= is a string"),
        ({"id": int, "version": 7}, TypeError, "version= is a function"),
        ({"id": int, "version": lambda since: since}, TypeError, "version= is called without arguments"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_at_once(
    declared: dict[str, Any], error: type[Exception], says: str
) -> None:
    registry: dict[str, Relation] = {}
    with pytest.raises(error) as caught:
        publish.relation(registry, **declared)(rows())
    assert says in str(caught.value)
    assert registry == {}


async def awaited() -> list[Any]:
    return []


async def asynchronous() -> AsyncIterator[Any]:
    yield ()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (awaited, "not async"),
        (asynchronous, "not async"),
        (lambda: [(1,)], "relation '<lambda>'"),
        (lambda needed: [needed], "without arguments"),
        (list, "a function"),
        ([], "a function"),
    ],
)
def test_a_source_that_cannot_work_is_refused_at_once(source: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        publish.relation({}, id=int)(source)


def test_a_name_is_taken_once_unless_it_is_replaced() -> None:
    registry: dict[str, Relation] = {}
    publish.relation(registry, id=int)(rows((1,)))
    with pytest.raises(ValueError, match="already published"):
        publish.relation(registry, id=int)(rows((2,)))
    assert read(registry["orders"]) == [(1,)]
    publish.relation(registry, id=int, replace=True)(rows((3,)))
    assert read(registry["orders"]) == [(3,)]


@dataclass
class Plain:
    id: int
    state: str | None


@frozen
class Attrs:
    state: str | None
    id: int


class Named(NamedTuple):
    id: int
    state: str | None


def test_rows_of_every_shape_become_cells() -> None:
    made = published(
        rows(
            (1, "a"),
            [2, "b"],
            {"state": "c", "id": 3, "more": 1},
            {"id": 4},
            Plain(5, "e"),
            Attrs("f", 6),
            Named(7, None),
        ),
        id=int,
        state=str,
    )
    assert read(made) == [(1, "a"), (2, "b"), (3, "c"), (4, None), (5, "e"), (6, "f"), (7, None)]


def test_rows_are_taken_one_at_a_time_and_anew_for_each_read() -> None:
    taken: list[int] = []

    def orders() -> Iterable[tuple[int]]:
        for number in range(3):
            taken.append(number)
            yield (number,)

    made = published(orders, id=int)
    assert taken == []
    reading = iter(made.rows())
    assert next(reading) == (0,)
    assert taken == [0]
    assert read(made) == [(0,), (1,), (2,)]


def test_values_become_cells_of_their_type() -> None:
    made = published(
        rows(
            (
                True,
                Decimal("1.5"),
                False,
                Fraction(1, 2),
                datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
                {"a": [1, None]},
            ),
            (2, 3, True, "é", datetime(1970, 1, 2), [datetime(1970, 1, 1, tzinfo=UTC)]),
            (None, None, None, None, 1.5, "x"),
        ),
        a=int,
        b=float,
        c=bool,
        d=str,
        e=datetime,
        f=dict,
    )
    first, second, third = read(made)
    assert first == (1, 1.5, False, "1/2", 0.0, '{"a": [1, null]}')
    assert second == (2, 3.0, True, "é", 86400.0, '["1970-01-01 00:00:00+00:00"]')
    assert third == (None, None, None, None, 1.5, '"x"')
    assert [type(cell) for cell in first] == [int, float, bool, str, float, str]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((1,), "row 1: 1 values for 6 columns"),
        (("5", 1.0, True, "x", 0.0, {}), "column 'a' is bigint, not str"),
        ((2**63, 1.0, True, "x", 0.0, {}), "column 'a' is bigint, not int"),
        ((1.0, 1.0, True, "x", 0.0, {}), "column 'a' is bigint, not float"),
        ((1, "1", True, "x", 0.0, {}), "column 'b' is double, not str"),
        ((1, 1.0, 1, "x", 0.0, {}), "column 'c' is boolean, not int"),
        ((1, 1.0, True, "\ud800", 0.0, {}), "column 'd' is text, not str"),
        ((1, 1.0, True, "x", "now", {}), "column 'e' is timestamptz, not str"),
        ((1, 1.0, True, "x", float("inf"), {}), "column 'e' is timestamptz, not float"),
        ((1, 1.0, True, "x", 0.0, {"a": float("nan")}), "column 'f' is json, not dict"),
        (Plain(1, "x"), "a Plain has no 'a'"),
        (None, "a NoneType has no 'a'"),
    ],
)
def test_a_row_that_does_not_fit_is_named_without_its_values(row: Any, says: str) -> None:
    made = published(rows(row), a=int, b=float, c=bool, d=str, e=datetime, f=dict)
    with pytest.raises(ValueError) as caught:
        read(made)
    assert str(caught.value).startswith("relation 'orders', row 1: ")
    assert says in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_integer_column_is_of_32_bits() -> None:
    columns = (Column("n", "integer"),)
    assert read(published(rows((2**31 - 1,), (-(2**31),)), columns=columns)) == [(2**31 - 1,), (-(2**31),)]
    with pytest.raises(ValueError, match="column 'n' is integer"):
        read(published(rows((2**31,)), columns=columns))


texts = st.text(st.characters(exclude_categories=["Cs"]))
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.floats(),
            st.none() | st.booleans(),
            st.none() | texts,
            st.none() | st.datetimes(timezones=st.just(UTC)),
            documents,
        ),
        max_size=5,
    )
)
def test_any_rows_that_fit_come_through_whole(given: list[tuple[Any, ...]]) -> None:
    made = published(rows(*given), a=int, b=float, c=bool, d=str, e=datetime, f=dict)
    for before, cells in zip(given, read(made), strict=True):
        assert repr(cells[:4]) == repr(before[:4])
        assert cells[4] == (None if before[4] is None else before[4].timestamp())
        assert before[5] is None or json.loads(cells[5]) == before[5]


@given(st.text(max_size=70))
def test_no_name_gets_in_that_sql_would_have_to_quote(name: str) -> None:
    registry: dict[str, Relation] = {}
    try:
        publish.relation(registry, id=int, name=name or "orders")(rows())
    except ValueError:
        assert registry == {}
    else:
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
        assert len(name) <= 63
