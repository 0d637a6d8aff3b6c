"""fanlight's own metrics: its requests, its connections, the lag of its loop.

Plain numbers in plain cells, since every request passes here twice; they are
written behind the host's metrics by the same writers.  One server has one
`HttpMetrics`, changed on the server's thread only and read from any.  Knows no
clock (durations are handed in) and no prometheus_client.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from .runs import Run
from .shapes import Kind, OwnFamily, Shape, names_of

if TYPE_CHECKING:
    from .exposition import Memory

# fmt: off
BUCKETS = (
    0.000128, 0.000256, 0.000512, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512,
    1.0, 2.0, 4.0, 8.0,
)
# fmt: on
"""Upper bounds of all durations, in seconds; +Inf follows."""

Key = tuple[str, ...]


class Tally:
    """One number with its label values; `_value` and `_exemplar` are called as in prometheus_client's cells.

    No lock: one thread changes it, and a float is read in one step from any
    other.
    """

    __slots__ = ("_value", "key")
    _exemplar = None

    def __init__(self, key: Key) -> None:
        self.key = key
        self._value = 0.0


class Spread:
    """One histogram of durations: counts per bucket (not cumulative, the last is +Inf) and their sum.

    A reader on another thread may see a count without its sum; the next scrape
    has both.
    """

    __slots__ = ("counts", "key", "sum")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds


class _Cells:
    """How both kinds of cells are read: see `shapes.Kind`."""

    def shape(self, family: _Family, created: bool) -> Shape:
        return family.shape

    def keys(self, children: list[Any]) -> list[Key]:
        return [cell.key for cell in children]

    def cells(self, child: Any) -> list[Any]:
        return [child]

    def created(self, children: list[Any]) -> list[float]:
        """Never asked: own metrics have no `_created`."""
        return []

    def exemplars(self, children: list[Any]) -> list[Any]:
        """None: a request has no trace to point at."""
        return []


class _Tallies(_Cells):
    """Counters and gauges.  A counter is asked for an exemplar each, so there is one None each."""

    def values(self, children: list[Any]) -> list[Any]:
        return [cell._value for cell in children]

    def exemplars(self, children: list[Any]) -> list[Any]:
        return [None] * len(children)


class _Spreads(_Cells):
    """Histograms: the counts of the buckets as they are, and the sum."""

    def values(self, children: list[Any]) -> list[Any]:
        return [value for cell in children for value in (*cell.counts, cell.sum)]


class _Family:
    """A family that stands for itself.

    `names` is every name that its samples take, for `shapes.walk_own`; `parts`
    is empty, since nothing smaller can be shown in its place.
    """

    parts: tuple[OwnFamily, ...] = ()

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.names = names_of(shape)
        self._cells: dict[Key, Any] = {}

    @property
    def size(self) -> int:
        """How many cells there are."""
        return len(self._cells)

    @property
    def children(self) -> list[Any]:
        """The cells as they are now."""
        return list(self._cells.values())

    @property
    def subject(self) -> Any:
        """What a walk finds, and what writers remember it by (weakly, so it must be an object that stays)."""
        return self


class TallyFamily(_Family):
    """A counter or a gauge with cells by label values."""

    kind: Kind = _Tallies()

    def __init__(self, type_: str, name: str, doc: str, *labels: str) -> None:
        super().__init__(Shape(type_, name, doc, labels))

    def cell(self, *key: str) -> Tally:
        """The cell for these label values, made at 0 when it is new."""
        cell: Tally | None = self._cells.get(key)
        return cell if cell is not None else self._cells.setdefault(key, Tally(key))


class SpreadFamily(_Family):
    """A histogram of durations with cells by label values."""

    kind: Kind = _Spreads()

    def __init__(self, name: str, doc: str, *labels: str) -> None:
        super().__init__(Shape("histogram", name, doc, labels, bounds=(*BUCKETS, float("inf"))))

    def cell(self, *key: str) -> Spread:
        """The cell for these label values, made empty when it is new."""
        cell: Spread | None = self._cells.get(key)
        return cell if cell is not None else self._cells.setdefault(key, Spread(key))


class Together:
    """Families that are written together: for each scrape one instead of many.

    When the host has taken one of the names, a walk leaves the whole and shows
    the `parts` that are free.
    """

    def __init__(self, *parts: TallyFamily | SpreadFamily) -> None:
        self.parts: tuple[TallyFamily | SpreadFamily, ...] = parts
        self.kind: Kind = parts[0].kind
        self.names = frozenset().union(*[part.names for part in parts])
        self._run: Run | None = None
        self._flat: list[Any] = []
        self._size = -1

    @property
    def children(self) -> list[Any]:
        """The cells of all families as they are now."""
        # Cells only ever come, so the same number of them means the same cells.
        if sum([part.size for part in self.parts]) != self._size:
            cells = [part.children for part in self.parts]
            self._flat = [cell for part in cells for cell in part]
            self._size = len(self._flat)
            self._run = Run([part.kind for part in self.parts], self.parts, cells)
        return self._flat

    @property
    def subject(self) -> Any:
        """The run of the children that were asked for last."""
        return self._run


class RouteCells:
    """The cells of one route on one listener; whoever keeps it saves the look-up.

    A request is `started` once, and then either `answered` or `dropped` once:
    `active` is right only then.
    """

    __slots__ = ("_duration", "_durations", "_key", "_requests", "_statuses", "active")

    def __init__(self, requests: TallyFamily, active: Tally, durations: SpreadFamily) -> None:
        self._requests = requests
        self._durations = durations
        self._key = active.key
        self.active = active
        self._duration: Spread | None = None
        self._statuses: dict[int, Tally] = {}

    def started(self) -> None:
        """A request head has been read."""
        self.active._value += 1.0

    def answered(self, status: int, seconds: float) -> None:
        """The response head is ready, `seconds` after the start; 101 for a WebSocket (200 on HTTP/2)."""
        self.active._value -= 1.0
        tally = self._statuses.get(status)
        duration = self._duration
        # The first answer with this status. Cells are made late, so that a route nobody calls has a gauge
        # and no empty histogram.
        if tally is None or duration is None:
            tally = self._statuses[status] = self._requests.cell(*self._key, str(status))
            duration = self._duration = self._durations.cell(*self._key)
        # `Spread.observe` written out: every request passes here.
        tally._value += 1.0
        duration.counts[bisect_left(BUCKETS, seconds)] += 1
        duration.sum += seconds

    def dropped(self) -> None:
        """The request ended before its response head: neither counted nor timed."""
        self.active._value -= 1.0


class HttpMetrics:
    """All of fanlight's own metrics for one server.

    `path` is the template of the matched route (`unknown` without a match),
    never what the client sent, and `source` the listener's name: both are
    bounded by the configuration, so the number of cells is.
    """

    def __init__(self) -> None:
        self._requests = TallyFamily(
            "counter",
            "mz_http_requests",
            "Total number of http requests received since process start.",
            "path",
            "source",
            "status",
        )
        self._active = TallyFamily(
            "gauge", "mz_http_requests_active", "Number of currently active/open http requests.", "path", "source"
        )
        self._durations = SpreadFamily(
            "mz_http_request_duration_seconds",
            "How long it takes for a request to complete in seconds.",
            "path",
            "source",
        )
        self._bytes = TallyFamily(
            "counter", "fanlight_http_response_bytes", "Bytes of response bodies handed to the transport.", "source"
        )
        self._connections = TallyFamily(
            "gauge", "fanlight_connections_open", "Connections open now.", "source", "protocol"
        )
        self._lag = SpreadFamily(
            "fanlight_event_loop_lag_seconds", "How late the event loop ran what was due, in seconds."
        )
        self._errors = TallyFamily(
            "counter", "fanlight_metrics_collector_errors", "Collectors that failed during a scrape.", "collector"
        )
        self._auth = TallyFamily(
            "counter",
            "fanlight_auth_decisions",
            "Decisions about who a caller is.",
            "source",
            "kind",
            "outcome",
        )
        self._late = self._lag.cell()
        """The one cell of the lag, which has no labels."""
        self._routes: dict[tuple[str, str], RouteCells] = {}
        """By path and source; at most one for each route of each listener."""
        self._together = Together(
            self._requests,
            self._active,
            self._bytes,
            self._connections,
            self._errors,
            self._auth,
            self._durations,
            self._lag,
        )
        self.beside: tuple[Together, ...] = ()
        """Families of features that few servers have."""
        self.memory: Memory | None = None
        """What the metrics page remembers between scrapes; made by its first one."""

    @property
    def families(self) -> tuple[TallyFamily | SpreadFamily, ...]:
        """All families, one by one, in the order in which they are shown."""
        return tuple(part for whole in (self._together, *self.beside) for part in whole.parts)

    @property
    def shown(self) -> tuple[OwnFamily, ...]:
        """All families as a scrape takes them: together."""
        return (self._together, *self.beside)

    def decisions(self, source: str, kind: str, outcome: str) -> Tally:
        """The count of those who were let in or refused; the same object each time."""
        return self._auth.cell(source, kind, outcome)

    def route(self, path: str, source: str) -> RouteCells:
        """The cells of a route on a listener; the same object each time."""
        cells = self._routes.get((path, source))
        if cells is None:
            cells = RouteCells(self._requests, self._active.cell(path, source), self._durations)
            self._routes[path, source] = cells
        return cells

    def started(self, path: str, source: str) -> None:
        """A request head has been read and matched."""
        cells = self._routes.get((path, source)) or self.route(path, source)
        cells.active._value += 1.0

    def answered(self, path: str, source: str, status: int, seconds: float) -> None:
        """The response head is ready, `seconds` after the start."""
        (self._routes.get((path, source)) or self.route(path, source)).answered(status, seconds)

    def dropped(self, path: str, source: str) -> None:
        """The request ended before its response head."""
        self.route(path, source).dropped()

    def sent(self, source: str, size: int) -> None:
        """`size` bytes of a response body were handed to the transport."""
        self._bytes.cell(source)._value += size

    def opened(self, source: str, protocol: str) -> None:
        """A connection speaks `protocol` now (`http/1.1`, `h2`, `websocket`)."""
        self._connections.cell(source, protocol)._value += 1.0

    def closed(self, source: str, protocol: str) -> None:
        """A connection that spoke `protocol` is gone, or speaks another one now."""
        self._connections.cell(source, protocol)._value -= 1.0

    def lagged(self, seconds: float) -> None:
        """The event loop was `seconds` late."""
        self._late.observe(seconds)

    def collector_failed(self, collector: str) -> None:
        """`collector` raised during a scrape."""
        self._errors.cell(collector)._value += 1.0
