"""The server: all listeners and connections of one app, without a socket.

It decides who may connect, remembers what requests did, and knows the next
deadline of all its connections, so that a host needs one timer.  Inputs are
`accept`, `handle_timeout` and `shutdown`; everything else goes to the
connections.  It opens nothing and reads no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any

from .auth.audit import Audit
from .auth.chain import authenticator_for
from .auth.fields import common_fields
from .auth.gates import Gates
from .auth.origin import Origins, default_origins
from .background import Background
from .connection.connection import Connection
from .connection.ingress import NoWire
from .connection.lobby import Lobby
from .health.leadership import SoloLeader, lead_when_ready
from .http.response import Fields, text
from .http.router import Router
from .observe.records import AccessRecord, RefusalsOmitted, Trouble
from .outputs import Cancel, Note, Perform
from .peer import UNCOUNTED, network_of
from .timers import Deadlines
from .wire.h1 import H1Wire
from .wire.head import HeadReader
from .wire.heads import http_date

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from .app import App
    from .auth.identity import Identity, Proof
    from .auth.provers import Provers
    from .auth.sessions import Sessions
    from .config.listeners import Listener
    from .connection.exchanges import Exchanges
    from .federation.outages import Outages
    from .http.request import Request
    from .moment import Entropy, Now
    from .observe.frontegg_metrics import FronteggMetrics
    from .observe.metrics import HttpMetrics
    from .pages.files import Assets
    from .routine import Conversation
    from .sql.feeds import Feeds
    from .wire.h2 import H2Wire
    from .wire.h2_head import H2HeadReader
    from .wire.secure import SecureChannel

RECENT_REQUESTS = 1000
CONNECTIONS_PER_TURN = 8
MALFORMED = "unknown"


class ListenerState:
    """A listener at work: its routes, gates, parsers' memories and open connections.

    `port` is the bound port once the host has bound it.  `open_relations`:
    everybody may read every relation here (loopback, kind None).
    """

    def __init__(self, server: Server, listener: Listener) -> None:
        self.name = listener.name
        self.listener = listener
        self.tls = listener.tls
        self.proxied = listener.behind_trusted_proxy
        self.open_relations = listener.authenticator == "None" and listener.where.loopback
        self.redirects = listener.plaintext_policy == "redirect"
        self.router = Router(route for route in server.app.routes if listener.serves(route.group))
        self.no_wire: Any = NoWire()
        self.open = 0
        self.peers: dict[str, int] = {}
        self.lobby = Lobby(server.limits)
        self.channel: Callable[[], SecureChannel] | None = None
        self._limits = server.limits
        self._heads = HeadReader(server.limits)
        self._h2_heads: H2HeadReader | None = None
        self.port = listener.where.port
        self.sessions = self._new_sessions(server) if listener.serves("login") else None
        self.bind(server, server.origins)

    def _new_sessions(self, server: Server) -> Sessions:
        """An empty table; not imported where nobody logs in."""
        from .auth.sessions import Sessions

        settings = server.app.settings
        return Sessions(
            self.name,
            dialect=server.app.dialect,
            users=server.app.users,
            entropy=server.entropy,
            absolute=settings.session_absolute_seconds,
            stored=settings.sessions_file is not None or server.app.session_store is not None,
        )

    def bind(self, server: Server, origins: Origins) -> None:
        """Build the gates for `origins` and the cookie, which may depend on the ports that were bound."""
        if self.sessions is not None:
            self.sessions.cookie = self.listener.session_cookie(server.app.dialect, self.port)
        self.gates = Gates(
            self.listener,
            sessions=self.sessions,
            dialect=server.app.dialect,
            origins=origins,
            http_host_name=server.app.settings.http_host_name,
            authenticator=authenticator_for(self.listener.authenticator, server.app.dialect, server.provers),
            advertise_oauth=self._advertises(server),
        )
        self._heads.memo.clear()
        self._h2_heads = None

    def _advertises(self, server: Server) -> bool:
        """Whether OAuth clients are told where tokens come from: on Oidc, and for a tenant that has a good issuer."""
        if self.listener.authenticator == "Oidc":
            return True
        issuer = server.app.issuer(self.listener.authenticator)
        if issuer is None:
            return False
        from .auth.keyring import issuer_problem

        return issuer_problem(issuer) is None

    def left(self, peer: str) -> None:
        """A connection of `peer` is gone, or turned out to be somebody else's."""
        network = network_of(peer)
        left = self.peers.get(network, 1) - 1
        if left:
            self.peers[network] = left
        else:
            self.peers.pop(network, None)

    def new_h1(self) -> H1Wire:
        """A wire machine for a new HTTP/1.1 connection."""
        return H1Wire(self._heads, self._limits)

    def new_h2(self) -> H2Wire:
        """A wire machine for a new HTTP/2 connection; h2 is imported when the first one comes."""
        from .wire.h2 import H2Wire
        from .wire.h2_head import H2HeadReader

        if self._h2_heads is None:
            self._h2_heads = H2HeadReader(self._limits)
        return H2Wire(self._h2_heads, self._limits)


class Server:
    """One app being served.

    `entropy` is the host's source of random bytes.  `connections` are all that
    are not finished; `recent` the last access records, oldest first.  `enlisted`
    are the exchanges whose work others may stop, by number; `vouched` the
    sockets that rest on an identity which may end; `appenders` what writes the
    rows of webhooks, by the ids of their sources in the catalog.
    """

    def __init__(self, app: App, *, now: Now, entropy: Entropy) -> None:
        from .observe.metrics import HttpMetrics

        self.app = app
        self.limits = app.limits
        self.entropy = entropy
        self.started_at = now
        self.stopping = False
        self.busy = 0  # connections that have more to do than one turn allows
        self.notes_access = False
        self.assets: Assets | None = None
        self.metrics: HttpMetrics = HttpMetrics()
        self.audit = Audit(self.metrics)
        self._notes: deque[RefusalsOmitted | Trouble] = deque()
        self.leadership = app.lead()
        if isinstance(app.leader, SoloLeader):
            lead_when_ready(self.leadership, app.readiness)
        self.connections: set[Connection] = set()
        self.enlisted: dict[int, tuple[Connection, Conversation]] = {}
        self.vouched: dict[Conversation, Connection] = {}
        self.appenders: dict[str, object] = {}
        self.recent: deque[AccessRecord] = deque(maxlen=RECENT_REQUESTS)
        self.common_fields: Fields = common_fields(text(400, ""), credentialed=False)
        self.origins = self._origins(())
        self.provers: Provers | None = None
        if any(listener.authenticator != "None" for listener in app.listeners):
            from .auth.provers import Provers  # not where nobody is asked for proof

            self.provers = Provers(app, entropy, self._frontegg_metrics())
            self.provers.frontegg.passwords.holders = self
        self.listeners = {listener.name: ListenerState(self, listener) for listener in app.listeners}
        self.background = Background()
        self._deadlines: Deadlines[Connection] = Deadlines()
        self._count = 0
        self._grace = inf
        self._date_at = -1
        self._dates: tuple[bytes, bytes] = (b"", b"")

    @property
    def registry(self) -> CollectorRegistry:
        """The registry that `/metrics` shows.  Not asked for early: the default one brings prometheus_client."""
        return self.app.registry

    @cached_property
    def pseudonym(self) -> str:
        """What this server calls itself in `via` (RFC 9110 section 7.6.3): no other server has that name."""
        return f"fanlight-{self.entropy.token(8).hex()}"

    @cached_property
    def outages(self) -> Outages:
        """Which worker processes were down at the last scrape."""
        from .federation.outages import Outages

        return Outages()

    @cached_property
    def feeds(self) -> Feeds:
        """What SQL clients subscribe to."""
        from .sql.feeds import Feeds

        return Feeds(self.limits.subscriptions)

    def _frontegg_metrics(self) -> FronteggMetrics | None:
        """Shown where a listener is of that kind."""
        if not any(listener.authenticator == "Frontegg" for listener in self.app.listeners):
            return None
        from .observe.frontegg_metrics import FronteggMetrics

        metrics = FronteggMetrics()
        self.metrics.beside = (metrics.together,)
        return metrics

    # ---- inputs --------------------------------------------------------------

    def bound(self, ports: Mapping[str, int]) -> None:
        """The host has bound its sockets, TCP ones to these `ports`: origins of loopback pages depend on them."""
        self.origins = self._origins(tuple(ports.values()))
        for state in self.listeners.values():
            state.port = ports.get(state.name, state.port)
            state.bind(self, self.origins)

    def accept(self, listener: str, peer: str, now: Now) -> Connection | None:
        """A peer has connected (`peer`: its address, empty for a Unix socket).

        None: close the socket at once, it is one too many.
        """
        state = self.listeners[listener]
        if self.stopping or state.open >= state.listener.max_connections or not self._admits(state, peer):
            return None
        self._count += 1
        channel = state.channel() if state.tls and state.channel is not None else None
        proxied = state.proxied and state.listener.trusts(peer)
        connection = Connection(self, state, peer, now, self._count, proxied=proxied, channel=channel)
        state.open += 1
        network = network_of(peer)
        state.peers[network] = state.peers.get(network, 0) + 1
        self.connections.add(connection)
        connection.opened()
        return connection

    def _admits(self, state: ListenerState, peer: str) -> bool:
        """The bound for one peer network; loopback and trusted proxies have none (threats: T19)."""
        if peer in UNCOUNTED or state.listener.trusts(peer):
            return True
        return state.peers.get(network_of(peer), 0) < self.limits.connections_per_peer

    def handle_timeout(self, now: Now) -> list[Connection]:
        """Tell the time; returns the connections that were due, each to be drained by `poll`."""
        due = self.due(now)
        for connection in due:
            connection.handle_timeout(now)
        return due

    def due(self, now: Now) -> list[Connection]:
        """The connections whose `handle_timeout` must be called, for a host that calls it one by one.

        A few at a time: when more are due, `deadline` has passed already, and
        the host's loop has its turn in between.
        """
        self._notes += self.audit.summaries(now.mono)
        self._notes += self.app.liveness.beat(now.mono)
        if self.background.deadline <= now.mono:
            self.background.handle_timeout(now)
        late = now.mono - self._deadlines.next
        if late >= 0:
            self.metrics.lagged(late)
        return self._deadlines.due(now.mono, CONNECTIONS_PER_TURN)

    def shutdown(self, grace: float, now: Now) -> list[Connection]:
        """Accept nobody any more and end every connection within `grace` seconds.

        Returns the connections to be drained; `drained` tells when all are gone.
        """
        self.stopping = True
        self.background.stop()
        open_ones = list(self.connections)
        for connection in open_ones:
            connection.shutdown(grace, now)
        return open_ones

    def reply(self, number: int, answer: object, error: BaseException | None, now: Now) -> None:
        """The answer to a `Perform` that came out of `poll`, or what performing it raised; drain `poll` again."""
        self.background.reply(number, answer, error, now)

    def poll(self) -> Note | Perform | Cancel | None:
        """The next thing to do that is of no connection; None when all is said.

        To be drained after `handle_timeout` and `reply`, and once more when the
        last connection of a server that ends is gone.
        """
        output = self.background.poll()
        if output is not None:
            return output
        if self.stopping and not self.connections:
            self._notes += self.audit.summaries(self.audit.deadline)
        return Note(self._notes.popleft()) if self._notes else None

    @property
    def deadline(self) -> float:
        """When `handle_timeout` must be called, in monotonic seconds; `inf` for never."""
        return min(self._deadlines.next, self.audit.deadline, self.background.deadline, self.app.liveness.deadline)

    @property
    def ready(self) -> bool:
        """Whether the conditions are met and, where that matters, this process leads; checks are not asked."""
        leads = self.leadership.leads or not self.app.ready_requires_leader
        return self.app.readiness.ready and leads and not self.leadership.lost.happened

    @property
    def hopeless(self) -> bool:
        """Whether it will not be ready any more."""
        return self.stopping or self.app.readiness.failed or self.leadership.lost.happened

    @property
    def ends_with_leadership(self) -> bool:
        """Whether to end when what made this process the leader is lost, because the program does nothing about it."""
        return getattr(self.app.leader, "on_lost", None) is None

    @property
    def drained(self) -> bool:
        """No connection is left."""
        return not self.connections

    # ---- what connections tell ------------------------------------------------

    def arm(self, connection: Connection) -> None:
        """A connection's deadline came nearer."""
        self._deadlines.arm(connection)

    def forget(self, connection: Connection) -> None:
        """A connection is finished."""
        if connection in self.connections:
            self.connections.discard(connection)
            self._deadlines.drop(connection)
            connection.speak("")
            state = connection.listener
            state.open -= 1
            state.left(connection.peer)

    def renamed(self, connection: Connection, peer: str) -> bool:
        """A trusted proxy said who the caller really is; False when it has too many connections."""
        state = connection.listener
        state.left(connection.peer)
        connection.peer = peer
        network = network_of(peer)
        state.peers[network] = state.peers.get(network, 0) + 1
        return state.peers[network] <= self.limits.connections_per_peer or peer in UNCOUNTED

    def malformed(self, state: ListenerState, status: int) -> None:
        """Something that is no request was refused."""
        self.metrics.started(MALFORMED, state.name)
        self.metrics.answered(MALFORMED, state.name, status, 0.0)

    def date(self, connection: Exchanges) -> bytes:
        """The Date of now, made once a second: a whole field for HTTP/1.1, a value for HTTP/2."""
        wall = int(connection.now.wall)
        if wall != self._date_at:
            self._date_at = wall
            value = http_date(wall).encode()
            self._dates = (b"date: " + value + b"\r\n", value)
        return self._dates[connection.wire.protocol == "h2"]

    def users_changed(self, names: frozenset[str]) -> None:
        """The users of those names are not what they were: what was found out before holds no more.

        The host re-arms its timer afterwards: sockets may be due.
        """
        if self.provers is not None:
            self.provers.checks.forget()
        self.end_sockets(lambda identity, proof: identity.user in names and not self._role_holds(identity, proof))

    def holds(self, state: ListenerState, identity: Identity, proof: Proof) -> bool:
        """Is `identity` still who it was, and its session still open?"""
        if proof.session is not None and (state.sessions is None or state.sessions.table.get(proof.session) is None):
            return False
        if proof.grant is not None and (self.provers is None or not self.provers.frontegg.passwords.holds(proof.grant)):
            return False
        return self._role_holds(identity, proof)

    def resting_on(self, grant: bytes) -> list[Request]:
        """The requests and sockets under way that rest on the session of an app password."""
        requests = [
            conversation.exchange.request
            for connection in self.connections
            for conversation in connection.conversations()
        ]
        return [request for request in requests if grant == _grant_of(request.identity)]

    def end_grant(self, grant: bytes) -> None:
        """The session of an app password is over: so are its sockets."""
        self.end_sockets(lambda identity, proof: proof.grant == grant)

    def _role_holds(self, identity: Identity, proof: Proof) -> bool:
        """Is the user's role what it was?  Somebody whom a provider vouched for needs none, until there is one."""
        role = self.app.users.find(identity.user)
        if role is None:
            return not proof.mark
        if not proof.mark:
            return identity.kind != "Oidc" or role.login
        return role.login and role.vouches(proof.mark) and role.superuser >= identity.superuser

    def end_sockets(self, ended: Callable[[Identity, Proof], bool]) -> None:
        """Close every socket whose identity has `ended`."""
        for conversation, connection in list(self.vouched.items()):
            identity = conversation.exchange.request.identity
            if identity is not None and identity.proof is not None and ended(identity, identity.proof):
                connection.revoke(conversation)

    def _origins(self, ports: tuple[int, ...]) -> Origins:
        configured = self.app.settings.allowed_origins
        return Origins(configured if configured is not None else default_origins(ports))


def _grant_of(identity: Identity | None) -> bytes | None:
    return identity.proof.grant if identity is not None and identity.proof is not None else None
