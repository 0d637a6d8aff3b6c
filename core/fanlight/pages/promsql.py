"""`GET /metrics/mz_usage` and its like: metrics that SQL queries give, run anew by each scrape.

The queries run one after another in a session of the caller, with its rights;
those for other replicas are sent there, all at once.  One that fails, is slow
or has too many rows is left out of this scrape and logged: the others, and the
200, stand.  How the result is written, and in which format, is `metrics`'s.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ..asks import Moment, Race, Sleep
from ..federation.effects import AskWorkers, Call, Replied, Reply, Steps, WorkOut
from ..http.options import parse_options
from ..http.request import Request
from ..http.response import Response
from ..observe import default_queries  # noqa: F401  # pyright: ignore[reportUnusedImport]  `App.metric_sets` will
from ..observe.queries import MOST_BYTES, MOST_ROWS, QUERY_SECONDS, SCRAPE_SECONDS, MetricQuery, routed
from ..observe.records import MetricSkipped, Report
from ..observe.results import Cells, Families, Table, Unfit, read_reply, read_rows
from ..sql.batch import run_request
from ..sql.errors import Notice, SqlError, Unreadable
from ..sql.request import Simple
from ..sql.session import Session
from ..sql.variables import Parameter, Variables
from ..workers import SELF, Replica
from . import metrics
from .sql import end_session, open_session, variables_of

if TYPE_CHECKING:
    from ..sql.effects import Batch, SqlSession
    from ..sql.values import Descriptor

_AT_ONCE = 500
"""Rows that are turned into samples before the host's loop has its turn."""
_BATCH = 64 * 1024
"""Bytes of rows that are read at once."""
_REPLY_MEMORY = 64 * 1024 * 1024
"""Bytes of all replies of other processes together."""


async def query_set(request: Request) -> Response:
    """200 with the metrics of the queries; refusals are those of `/metrics` and of `/api/sql`.

    400 for malformed `options`, 403 and 500 where no session can be opened.
    """
    options = parse_options(request.query)
    definitions = request.server.app.metric_sets[request.path.rpartition("/")[2]].queries
    handle = await open_session(request)
    try:
        scrape = _Scrape(request, handle, tuple(options.items()), (await Moment()).mono + SCRAPE_SECONDS)
        families = await scrape.run(definitions)
    finally:
        await end_session(handle)
    return await metrics.exposed(request, families.found)


class _Rows:
    """A sink that keeps the rows of the last of four statements, and what went wrong."""

    separator = b","
    first = most = _BATCH

    def __init__(self) -> None:
        self.results = 0
        self.columns_seen: tuple[str, ...] | None = None
        self.rows_seen: list[Cells] = []
        self.refused = ""

    async def columns(self, columns: Sequence[Descriptor]) -> None:
        """A statement returns rows: those of an earlier one are of no use."""
        self.columns_seen = tuple([column.name for column in columns])
        self.rows_seen = []

    async def rows(self, batch: Batch) -> None:
        """Keep rows.  Raises `Unreadable` when they are too many."""
        if len(self.rows_seen) + batch.count > MOST_ROWS:
            raise Unreadable(SqlError(f"more than {MOST_ROWS} rows", "53200"))
        self.rows_seen += read_rows(batch.data)

    async def done(self, tag: str, notices: Sequence[Notice], parameters: Sequence[Parameter]) -> None:
        """A statement ended well."""
        self.results += 1

    async def failed(self, error: SqlError, notices: Sequence[Notice]) -> None:
        """It did not, and none will follow."""
        self.results += 1
        self.refused = error.message

    def table(self) -> Table:
        """The result of the query; raises `Unfit` where it has none."""
        if self.refused:
            raise Unfit(self.refused[:200])
        if self.results != 4:
            raise Unfit(f"{self.results} results where there should be 4")
        if self.columns_seen is None:
            raise Unfit("no rows")
        return Table(self.columns_seen, self.rows_seen)


@frozen
class _Sent:
    """A definition that was sent to a process of a replica, and what came back."""

    definition: MetricQuery
    replica: Replica
    reply: Reply = field(repr=False)


@frozen
class _Scrape:
    """One scrape of one endpoint.  `until` is when it is over, by the monotonic clock."""

    request: Request
    handle: SqlSession
    options: tuple[tuple[str, str], ...]
    until: float

    async def run(self, definitions: Sequence[MetricQuery]) -> Families:
        """All definitions, in order.  Other replicas are asked first: their answers wait for nobody."""
        sent = await self._ask_replicas([each for each in definitions if each.per_replica])
        families = Families()
        for definition in definitions:
            await self._local(definition, families)
            for each in sent:
                if each.definition is definition:
                    await self._remote(each, families)
        return families

    async def _left(self) -> float:
        return self.until - (await Moment()).mono

    async def _skip(self, definition: MetricQuery, why: str) -> None:
        await Report(MetricSkipped(self.request.path, definition.metric_name, why))

    async def _local(self, definition: MetricQuery, families: Families) -> None:
        """Run a definition here and take in its rows."""
        seconds = min(QUERY_SECONDS, await self._left())
        if seconds <= 0:
            return await self._skip(definition, "no time left for it")
        more = _labels_of(SELF) if definition.per_replica else ()
        try:
            table = await self._query(definition.query, seconds)
            await _take_in(families, definition, table, more)
        except Unfit as refusal:
            await self._skip(definition, str(refusal))
        return None

    async def _query(self, query: str, seconds: float) -> Table:
        """Run a query in a session layer of its own; raises `Unfit`."""
        session = Session(self.handle, Variables(variables_of(self.request)), MOST_BYTES)
        await session.start(self.options)
        session.take_notices()
        session.variables.set("statement_timeout", f"{max(1, round(seconds * 1000))}ms")
        rows = _Rows()
        text = routed(query, SELF.cluster.name, SELF.name)
        try:
            await run_request(session, Simple(text), rows)
        finally:
            # A query that opened a transaction must not be in the way of the next one.
            if session.state != "idle":
                await session.roll_back()
        return rows.table()

    async def _ask_replicas(self, definitions: Sequence[MetricQuery]) -> list[_Sent]:
        """Send each definition to each process of each other replica; one without an address is left out."""
        workers = self.request.server.app.workers
        places = [(replica, address) for replica, _, address in workers.remote if address is not None]
        targets = [(each, replica, address) for each in definitions for replica, address in places]
        if not targets:
            return []
        fields = (*worker_fields(self.request), ("content-type", "application/json"))
        calls = tuple(
            [Call(address, "POST", "/api/sql", fields, _body(each, replica)) for each, replica, address in targets]
        )
        patience = QUERY_SECONDS * 2
        asked = AskWorkers(calls, QUERY_SECONDS, patience, MOST_BYTES, _REPLY_MEMORY)
        first, replies = await Race((asked, Sleep(patience + 1)))
        if first == 1:
            return []
        found: tuple[Reply, ...] = replies
        return [_Sent(each, replica, reply) for (each, replica, _), reply in zip(targets, found, strict=True)]

    async def _remote(self, sent: _Sent, families: Families) -> None:
        """Take in what a process of another replica answered."""
        reply = sent.reply
        try:
            if not isinstance(reply, Replied):
                raise Unfit(f"{sent.replica.full_name}: {reply.reason}")
            if reply.status != 200:
                raise Unfit(f"{sent.replica.full_name}: status {reply.status}")
            answer = await WorkOut(_tabulated, (reply.body,))
            if isinstance(answer, str):
                raise Unfit(f"{sent.replica.full_name}: {answer}")
            table: Table = answer
            await _take_in(families, sent.definition, table, _labels_of(sent.replica))
        except Unfit as refusal:
            await self._skip(sent.definition, str(refusal))


def worker_fields(request: Request) -> tuple[tuple[str, str], ...]:
    """Who asks, for a worker process: an internal user by name, everybody else as nobody in particular.

    The caller's own credentials never leave this process.
    """
    dialect = request.server.app.dialect
    user = request.user()
    return ((dialect.user_header, user),) if user in dialect.user_header_values else ()


def _labels_of(replica: Replica) -> tuple[str, str, str]:
    return replica.full_name, replica.cluster.id, replica.id


def _body(definition: MetricQuery, replica: Replica) -> bytes:
    return json.dumps({"query": routed(definition.query, replica.cluster.name, replica.name)}).encode()


def _tabulated(body: bytes) -> Steps[Table | str]:
    """`read_reply`, with its refusal as a value: what an effect raises is a bug."""
    try:
        return (yield from read_reply(body))
    except Unfit as refusal:
        return str(refusal)


async def _take_in(families: Families, definition: MetricQuery, table: Table, more: Sequence[str]) -> None:
    """All rows of a table, some at a time."""
    rows: Sequence[Any] = table.rows
    families.add(definition, table.columns, rows[:_AT_ONCE], more)
    for start in range(_AT_ONCE, len(rows), _AT_ONCE):
        await Sleep(0)
        families.add(definition, table.columns, rows[start : start + _AT_ONCE], more)
