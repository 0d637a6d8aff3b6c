"""Metrics from SQL as declarations: which queries an endpoint runs, and what their rows become.

A definition is a query and a name; every row becomes one sample of a gauge,
labelled by its other columns.  Declared here and checked as far as that goes
without an engine; what a result's columns are called is known when it is there
(`results`).  Nothing here runs a query.
"""

from __future__ import annotations

import re

from attrs import field, frozen

METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
"""Names that begin with two underscores are Prometheus' own."""
_SET_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

MOST_ROWS = 10_000
"""Rows of one query; one with more is left out of the scrape."""
QUERY_SECONDS = 5.0
SCRAPE_SECONDS = 25.0
"""The longest that one query may take, and all of an endpoint together."""
MOST_BYTES = 8 * 1024 * 1024
"""Bytes of the rows of one query, as JSON."""

REPLICA_LABELS = ("replica_full_name", "instance_id", "replica_id")
"""Added to each sample of a `per_replica` definition: `cluster.replica`, the cluster's id, the replica's."""


@frozen(kw_only=True)
class MetricQuery:
    """One metric from SQL: a gauge called `metric_name`, whatever the name says.

    `query` is one statement.  Its column `value_column_name` is the value of a
    sample, all others are labels under their own names, in order.  With
    `per_replica` it runs once for each replica of the workers, there, and its
    samples get `REPLICA_LABELS` as well.

    Raises `ValueError` for a name that no metric can have, and for an empty query.
    """

    metric_name: str
    help: str
    query: str = field(repr=False)
    value_column_name: str = "value"
    per_replica: bool = False

    def __attrs_post_init__(self) -> None:
        if not METRIC_NAME.fullmatch(self.metric_name):
            raise ValueError(f"no metric can be called {self.metric_name!r}")
        if not self.query.strip():
            raise ValueError(f"{self.metric_name}: the query is empty")


@frozen
class MetricQuerySet:
    """What `/metrics/{name}` shows: definitions in order.  Definitions of one name share a family.

    Raises `ValueError` for a name that is no path of its own: lower-case
    letters, digits and underscores, and not `public`.
    """

    name: str
    queries: tuple[MetricQuery, ...] = field(converter=tuple[MetricQuery, ...])

    def __attrs_post_init__(self) -> None:
        if not _SET_NAME.fullmatch(self.name) or self.name == "public":
            raise ValueError(f"no set of queries can be called {self.name!r}")

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"/metrics/{self.name}"


def routed(query: str, cluster: str, replica: str) -> str:
    """`query` behind the three statements that say which replica it is for: four results, or something is wrong."""
    return (
        "SET auto_route_catalog_queries = false; "
        f"SET cluster = {_quoted(cluster)}; SET cluster_replica = {_quoted(replica)}; {query}"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
