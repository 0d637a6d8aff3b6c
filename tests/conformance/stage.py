"""A server that runs for one case, and the clients that talk to it.

What a case needs is a `World`; a `Target` (the core in memory, asyncio, trio)
makes a `Stage` of it.  `Talk` is the client's side, the same for all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from attrs import Factory, define, evolve, field, frozen

from fanlight.app import App
from fanlight.auth.identity import Identity
from fanlight.auth.oidc import OidcSettings
from fanlight.observe.records import Failure
from fanlight.server import Server

from ..clients.blocking import PATIENCE, HttpConnection
from ..clients.messages import Answer, Outgoing
from ..clients.wires import Wire
from .model import Json, Mismatch
from .providers import Providers
from .stubs import ReplicaOf

GROUPS = ("base", "webhook", "internal", "metrics", "profiling", "mcp_agent", "mcp_developer", "console_config")


@frozen(kw_only=True)
class Listening:
    """A listener as a case describes it; groups not named in `routes` are disabled."""

    name: str = "main"
    kind: str = "None"
    routes: Mapping[str, str] = Factory(lambda: dict.fromkeys(GROUPS, "NormalAndInternal"))
    options: Mapping[str, Json] = Factory(dict)


@frozen(kw_only=True)
class World:
    """Everything around the server that a case asks for.

    `engine` is "ready", "pending" or "failed"; `startup_error` is what opening
    a SQL session answers; `now` sets the wall clock; `result_limit` bounds the
    rows of one statement, in bytes; `connections` how many SQL sessions may be open.
    `users` are those of kind Password (`password` in the clear), `settings` more of the app's settings.
    `leadership` is where the program has moved that; None: it has nothing to do with it.
    `providers` are other servers, `oidc` the settings of one that nobody asks; `secure` clients speak TLS.
    `config` are live variables, `promsql` the metrics from SQL by endpoint, `replicas` the workers, which
    listen already.
    """

    listeners: tuple[Listening, ...] = (Listening(),)
    engine: str = "ready"
    now: float | None = None
    gauges: tuple[Mapping[str, Json], ...] = ()
    rules: Mapping[str, list[dict[str, Json]]] = Factory(dict)
    startup_error: Mapping[str, Json] | None = None
    heap: bool = False
    result_limit: int | None = None
    connections: int | None = None
    users: Mapping[str, Mapping[str, Json]] = Factory(dict)
    settings: Mapping[str, Json] = Factory(dict)
    providers: Providers | None = None
    oidc: OidcSettings | None = None
    secure: bool = False
    leadership: str | None = None
    config: Mapping[str, Json] = Factory(dict)
    promsql: Mapping[str, list[Mapping[str, Json]]] = Factory(dict)
    replicas: tuple[ReplicaOf, ...] = ()


class Stage(Protocol):
    """A running server."""

    app: App
    server: Server

    @property
    def identities(self) -> list[Identity]:
        """Those that SQL sessions were opened for."""
        ...

    @property
    def performed(self) -> Counter[str]:
        """The effects that were performed, by the name of their type."""
        ...

    @property
    def notes(self) -> list[Any]:
        """The records that the core wrote."""
        ...

    def connect(self, listener: str, version: str = "1.1") -> Wire:
        """A new client connection to that listener, for a client that will speak `version`."""
        ...

    def authority(self, listener: str) -> str:
        """The `host:port` that a client of that listener writes."""
        ...

    def statements(self) -> int:
        """How many SQL statements are running."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let that much of the server's time pass, whatever happens meanwhile."""
        ...

    def wall(self) -> float:
        """The server's wall clock."""
        ...

    def jump(self, seconds: float) -> None:
        """Move both of the server's clocks ahead at once."""
        ...

    def stop(self) -> None:
        """End the server and free what the case used."""
        ...


class Target(Protocol):
    """Where servers run."""

    name: str

    def start(self, world: World) -> Stage:
        """A server for one case."""
        ...

    def close(self) -> None:
        """End the target itself."""
        ...


@define
class Started:
    """A request in flight on a connection of its own."""

    http: HttpConnection
    stream: int
    expected: Mapping[str, Json] = field(factory=dict)


@define
class Talk:
    """The clients of one case, all speaking `version` unless a request says otherwise.

    One request after another goes over the same connection while the server
    keeps it open; those in flight have connections of their own.
    """

    stage: Stage
    version: str
    kept: dict[tuple[str, str], HttpConnection] = field(factory=dict)
    opened: list[HttpConnection] = field(factory=list)

    def open(self, listener: str = "main", version: str | None = None) -> HttpConnection:
        """A new connection."""
        version = version or self.version
        http = HttpConnection(self.stage.connect(listener, version), version)
        self.opened.append(http)
        return http

    def exchange(
        self, request: Outgoing, listener: str = "main", version: str | None = None, seconds: float = PATIENCE
    ) -> Answer:
        """Send one request on the kept connection and wait for its answer."""
        key = (listener, version or self.version)
        http = self.kept.get(key)
        if http is not None:
            http.listen(0)  # the server may have closed it meanwhile
        if http is None or not http.reusable:
            http = self.kept[key] = self.open(listener, version)
        answer = http.exchange(request, seconds)
        if answer.broken or not answer.ended or (answer.get("connection") or "").lower() == "close":
            http.wire.close()
            del self.kept[key]
        return answer

    def start(self, request: Outgoing, listener: str = "main", version: str | None = None) -> Started:
        """Send one request on a new connection and do not wait."""
        http = self.open(listener, version)
        return Started(http, http.begin(request))

    def authority(self, listener: str = "main") -> str:
        """What the Host field says by default."""
        return self.stage.authority(listener)

    def close(self) -> None:
        """Close every connection."""
        for http in self.opened:
            http.wire.close()


@contextmanager
def staged(target: Target, world: World, version: str) -> Iterator[tuple[Stage, Talk]]:
    """A server for one case and its clients, gone afterwards.

    A `Mismatch` is told what the server itself noted as a bug meanwhile.
    """
    stage = target.start(world)
    talk = Talk(stage, version)
    try:
        yield stage, talk
    except Mismatch as mismatch:
        bugs = {repr(note.error.__cause__ or note.error) for note in stage.notes if isinstance(note, Failure)}
        if bugs:
            raise Mismatch(f"{mismatch.reason}; the server noted {', '.join(sorted(bugs))}", mismatch.step) from None
        raise
    finally:
        talk.close()
        stage.stop()


def retried(attempt: Callable[[], Exception | None], stage: Stage, seconds: float, every: float = 0.02) -> None:
    """Repeat `attempt` until it returns no exception; raise the last one after `seconds`."""
    left = seconds
    while (problem := attempt()) is not None:
        if left <= 0:
            raise problem
        stage.sleep(every)
        left -= every


def with_default(request: Outgoing, name: str, value: str) -> Outgoing:
    """`request` with a field added unless one of that name is given."""
    return request if request.has(name) else evolve(request, fields=(*request.fields, (name, value)))
