"""`fanlight.observe.queries`: what may be declared, and the text that is run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fanlight import MetricQuery, MetricQuerySet
from fanlight.observe.queries import LABEL_NAME, routed
from fanlight.sql.grammar import read_script
from fanlight.sql.statements import Run, Set


def test_a_definition() -> None:
    made = MetricQuery(metric_name="shop_open", help="h", query="SELECT 1 AS value")
    assert (made.value_column_name, made.per_replica) == ("value", False)
    assert MetricQuerySet("shop", [made]).queries == (made,)
    assert MetricQuerySet("shop", ()).path == "/metrics/shop"


@pytest.mark.parametrize(
    "bad",
    [
        lambda: MetricQuery(metric_name="", help="", query="SELECT 1"),
        lambda: MetricQuery(metric_name="a b", help="", query="SELECT 1"),
        lambda: MetricQuery(metric_name="1a", help="", query="SELECT 1"),
        lambda: MetricQuery(metric_name="a\n", help="", query="SELECT 1"),
        lambda: MetricQuery(metric_name="a", help="", query=" \n"),
        lambda: MetricQuerySet("public", ()),
        lambda: MetricQuerySet("", ()),
        lambda: MetricQuerySet("A", ()),
        lambda: MetricQuerySet("a/b", ()),
        lambda: MetricQuerySet("{a}", ()),
        lambda: MetricQuerySet("a" * 65, ()),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_declared(bad: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"called|empty"):
        bad()


@pytest.mark.parametrize("name", ["a", "_a", "A1_"])
def test_labels(name: str) -> None:
    assert LABEL_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", "__a", "1a", "a-b", "a\n", "é"])
def test_no_labels(name: str) -> None:
    assert not LABEL_NAME.fullmatch(name)


def test_three_statements_say_which_replica_a_query_is_for() -> None:
    script = read_script(routed("SELECT 1", "it's", "r';--"))
    actions = [statement.action for statement in script]
    assert actions[:3] == [
        Set("auto_route_catalog_queries", "false", False),
        Set("cluster", "it's", False),
        Set("cluster_replica", "r';--", False),
    ]
    assert isinstance(actions[3], Run)
    assert len(actions) == 4
