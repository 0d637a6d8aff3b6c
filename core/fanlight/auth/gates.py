"""The gates: every decision between a request head and its handler, in order.

A `Gates` belongs to one listener.  The caller has matched the route already;
the gates never look at the path again, but for the one rule that says where a
Basic challenge is offered, which grants nothing.  The order is fixed:

    2   repeated Authorization, Host or Origin           400
    3   Host is no host; foreign Host on kind None       400, 421
    5   trusted user header (kind None)                  401, or fixes the user
    6   OPTIONS on a group with cross-origin fields      200
    7   public group                                     on to the handler
    7a  cross-site write                                 403
    9   session; 10 the kind's authenticator             401
    11  roles; routes for privileged users               401

(1, plaintext on a TLS listener, is the wire's; 4, 405 and 404 are the
router's.)  Nothing here waits, except `authenticate`, and nothing here knows
how credentials are checked: that is `chain.Authenticate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..asks import Moment
from ..http.cors import answer_fields, preflight_fields
from ..http.response import empty, text
from ..observe.escape import escape
from .authorization import Unusable, decode
from .chain import MISSING, Carried, Rejected, authenticator_for, believe, found
from .decisions import Refusal
from .groups import GROUPS, Cors, Group, RouteGroup
from .host import NO_HOST, HostGuard, resolve_host, split_host
from .identity import Identity
from .origin import is_foreign_write, is_loopback, is_own, sends_cookie, write_rule
from .roles import Policy, named, role_allowed

if TYPE_CHECKING:
    from ..asks import Routine
    from ..config.listeners import Listener
    from ..config.settings import Dialect
    from ..http.request import Head, Request
    from ..http.response import Fields, Response
    from .authorization import Password, Token
    from .chain import Authenticate
    from .origin import Origins
    from .sessions import Sessions

BAD_REQUEST = text(400, "bad request")
MISDIRECTED = text(421, "misdirected request")
UNAUTHORIZED = text(401, "unauthorized")
FORBIDDEN = empty(403)
_PREFLIGHT = empty(200)

_SINGLE = ("authorization", "host", "origin")
# A browser asks for a password only where a person meets the page, not behind every call of a program.
_BASIC_PAGES = ("/memory", "/hierarchical-memory", "/prof/", "/debug/pprof/")
_METADATA_PATH = "/.well-known/oauth-protected-resource"
_HOSTS_KEPT = 256
_NAMES_KEPT = 1024


class Decision:
    """What the gates make of one request; a value, but for `match`.

    `answer`: the refusal or the preflight, None when the request may go on.
    `identity`: who sent it; None on public routes, on WebSocket before its
    first message, and while `pending`.  `pending`: `Gates.authenticate` must
    run before the handler.  `fields`: cross-origin fields that every answer to
    this request carries, `answer` included.  `credentialed`: the request held
    Authorization or Cookie, for `common_fields`.  `refusal`: the log text of
    `answer`, empty when there is nothing to log, with the `user` it is about.
    `cookie`: the Set-Cookie value that answers below 500 carry.
    `match`: free for the router, which may keep its match of this head here
    (see `Gates.recall`).
    """

    __slots__ = (
        "answer",
        "cookie",
        "credentialed",
        "fields",
        "gates",
        "group",
        "identity",
        "match",
        "pending",
        "privileged",
        "proxied",
        "refusal",
        "secure",
        "user",
    )

    def __init__(
        self, gates: Gates, group: RouteGroup, *, privileged: bool, secure: bool, proxied: bool, credentialed: bool
    ) -> None:
        self.gates = gates
        self.group: RouteGroup = group
        self.privileged = privileged
        self.secure = secure
        self.proxied = proxied
        self.credentialed = credentialed
        self.answer: Response | None = None
        self.identity: Identity | None = None
        self.pending = False
        self.fields: Fields = ()
        self.cookie: str | None = None
        self.refusal = ""
        self.user = ""
        self.match: Any = None

    def refused(self, answer: Response, refusal: str, user: str = "") -> Decision:
        """This decision, now a refusal; an identity that was fixed before it is gone."""
        self.answer = answer
        self.identity = None
        self.pending = False
        self.refusal = refusal
        self.user = user
        return self

    def settled(self, head: Head) -> Decision:
        """A decision for the outcome of authentication, which must never be kept with `head`.

        A head that carries credentials is one request's alone: it loses this
        very decision.  Others may be read again, and keep it; theirs is a copy.
        """
        if self.credentialed:
            head.cache = None
            self.pending = False
            return self
        copy = Decision(
            self.gates,
            self.group,
            privileged=self.privileged,
            secure=self.secure,
            proxied=self.proxied,
            credentialed=self.credentialed,
        )
        copy.fields, copy.match = self.fields, self.match
        return copy


class _Plan:
    """What is the same for all requests to one group of one listener, worked out once."""

    __slots__ = ("admits_anonymous", "cors", "group", "plain_fields", "policy", "takes_header", "write_rule")

    def __init__(self, group: Group, listener: Listener, dialect: Dialect, origins: Origins) -> None:
        self.group = group
        self.policy: Policy = listener.policy(group.name)
        self.cors: Cors | None = group.cors
        self.plain_fields: Fields = answer_fields(group.cors, None, origins) if group.cors else ()
        self.takes_header = listener.authenticator == "None" and listener.trusted_user_header and group.trusted_header
        self.write_rule = write_rule(group, listener.authenticator)
        self.admits_anonymous = role_allowed(dialect.anonymous_user, self.policy, dialect)


class Gates:
    """The gates of one listener.

    `origins` is the server's list of allowed origins, `http_host_name` its
    public name.  `authenticator` proves who a caller is; None takes the one of
    the listener's kind and raises `ConfigurationError` when there is none.
    `sessions` are those of the kinds that have them.  `advertise_oauth`
    offers the Bearer challenge on MCP routes.
    """

    def __init__(
        self,
        listener: Listener,
        *,
        dialect: Dialect,
        origins: Origins,
        http_host_name: str | None = None,
        authenticator: Authenticate | None = None,
        sessions: Sessions | None = None,
        advertise_oauth: bool = False,
    ) -> None:
        self.listener = listener
        self.dialect = dialect
        self.origins = origins
        self.http_host_name = http_host_name
        self._believes = listener.authenticator == "None"
        self._authenticator = authenticator or authenticator_for(listener.authenticator, dialect)
        self._sessions = sessions
        self._cookie = sessions.cookie.name if sessions is not None else dialect.session_cookie
        self.advertises_oauth = advertise_oauth
        self._guard = HostGuard(listener.allowed_hosts, http_host_name) if self._believes else None
        self._hosts: dict[str, Response | None] = {}
        self._allowed: dict[tuple[RouteGroup, str], bool] = {}
        self._anonymous = named(dialect.anonymous_user, "None", dialect)
        self._by_header = {user: named(user, "None", dialect) for user in dialect.user_header_values}
        self._plans = {name: _Plan(group, listener, dialect, origins) for name, group in GROUPS.items()}

    def recall(self, request: Request, *, proxied: bool = False) -> Decision | None:
        """The decision that `decide` kept in `request.head.cache`, if it is of these gates
        and of a connection like this one; with it the `match` stored there.

        A head that was read before needs neither routing nor gates again.
        """
        kept: Decision | None = request.head.cache
        if kept is None or kept.gates is not self or kept.secure is not request.secure or kept.proxied is not proxied:
            return None
        return kept

    def decide(
        self, request: Request, group: RouteGroup, *, privileged: bool = False, proxied: bool = False
    ) -> Decision:
        """Gates 2 to 7a, and on kind None all of them up to 11.

        `privileged`: the route is for internal users and superusers.
        `proxied`: the connection came through a trusted proxy, without which a
        listener behind one ignores the trusted header.  Keeps the decision in
        `request.head.cache`.
        """
        head = request.head
        values = head.values
        decision = head.cache = Decision(
            self,
            group,
            privileged=privileged,
            secure=request.secure,
            proxied=proxied,
            credentialed="authorization" in values or "cookie" in values,
        )
        answer = self._screen(head)
        if answer is not None:
            return decision.refused(answer, "misdirected request" if answer is MISDIRECTED else "bad request")
        plan = self._plans[group]
        if plan.takes_header and self.dialect.user_header in values and not self._take_header(head, decision):
            problem = f"user specified in {self.dialect.user_header} must be"
            return decision.refused(UNAUTHORIZED, f"{problem} {' or '.join(self.dialect.user_header_values)}")
        return self._decide_inside(head, plan, decision)

    def _decide_inside(self, head: Head, plan: _Plan, decision: Decision) -> Decision:
        """Gates 6 to 11, inside the cross-origin layer: every answer from here on carries its fields."""
        if plan.cors is not None:
            if head.method == "OPTIONS":
                decision.fields = preflight_fields(plan.cors, head, self.origins, self.dialect)
                decision.answer, decision.identity = _PREFLIGHT, None
                return decision
            origin = head.values.get("origin")
            decision.fields = plan.plain_fields if origin is None else answer_fields(plan.cors, origin, self.origins)
        if plan.write_rule != "never" and self._is_refused_write(head, plan, decision.secure):
            return decision.refused(FORBIDDEN, "cross-site write")
        if plan.group.authentication == "none":
            decision.identity = None
        elif plan.group.authentication == "required":
            return self._identify(head, plan, decision)
        return decision

    def _identify(self, head: Head, plan: _Plan, decision: Decision) -> Decision:
        if decision.identity is not None:
            return self._settle(head, decision, decision.identity)
        if not self._believes:
            decision.pending = True
            return decision
        value = head.values.get("authorization")
        if value is not None:
            return self._settle(head, decision, believe(decode(value), self.dialect))
        if not plan.admits_anonymous or decision.privileged:
            return self._settle(head, decision, self._anonymous)
        # The common case, with nothing left to find out.
        decision.identity = self._anonymous
        return decision

    def authenticate(self, request: Request, decision: Decision) -> Decision | Routine[Decision]:
        """Gates 9 to 11 for a `pending` decision: one with an `identity` or an `answer`.

        At once where it is known who sent the request, else a routine that asks.
        An Authorization field is judged alone; a session counts only without one.
        """
        if not decision.pending:
            return decision
        head = request.head
        settled = decision.settled(head)
        value = head.values.get("authorization")
        if value is None and self._sessions is not None:
            carried = self._sessions.find(request)
            if not isinstance(carried, Carried):
                return self._settle_late(request, settled, carried)
            settled.cookie = carried.cookie
            return self._settle(head, settled, carried.outcome or MISSING)
        credentials = decode(value)
        if credentials is Unusable.MALFORMED:
            return self._settle(head, settled, MISSING)
        known = self._authenticator(request, credentials, request.arrived)
        if isinstance(known, (Identity, Rejected)):
            return self._settle(head, settled, known)
        return self._settle_late(request, settled, known)

    async def _settle_late(
        self, request: Request, decision: Decision, asking: Routine[Identity | Rejected] | Routine[Carried]
    ) -> Decision:
        outcome = await asking
        if isinstance(outcome, Carried):
            decision.cookie = outcome.cookie
            outcome = outcome.outcome or MISSING
        return self._settle(request.head, decision, outcome)

    async def carried(self, request: Request, decision: Decision) -> Decision:
        """The session that a WebSocket's handshake carries, whatever its Authorization field says.

        A refusal if it has expired; else its `identity`, or None.
        """
        if self._sessions is None or "cookie" not in request.head.values:
            return decision
        settled = decision.settled(request.head)
        finding = self._sessions.find(request)
        carried = finding if isinstance(finding, Carried) else await finding
        settled.cookie = carried.cookie
        if isinstance(carried.outcome, Rejected):
            return settled.refused(carried.outcome.response(), carried.outcome.reason)
        settled.identity = carried.outcome
        return settled

    async def admit(self, request: Request, credentials: Password | Token | None) -> Identity | Rejected:
        """Who sent a WebSocket's first message, as far as the route's roles admit them.

        `request.identity` is who the handshake was from, if it said so.
        Credentials in the message are judged alone; without any it takes an
        identity of the handshake, and there is no anonymous user.  A user named
        by the trusted header cannot become another one.
        """
        carried = request.identity
        if credentials is None:
            outcome: Identity | Rejected = carried or MISSING
        elif carried is not None and self._believes:
            outcome = Rejected("credentials beside the trusted header")
        else:
            outcome = await found(self._authenticator(request, credentials, await Moment()))
        if isinstance(outcome, Identity) and not self.allows(outcome, "ws"):
            return Rejected("role dissallowed", user=outcome.user)
        return outcome

    def allows(self, identity: Identity, group: RouteGroup, *, privileged: bool = False) -> bool:
        """Gate 11: do the group's roles admit `identity`?  A group without roles admits nobody."""
        if privileged and not identity.privileged:
            return False
        allowed = self._allowed.get((group, identity.user))
        if allowed is None:
            if len(self._allowed) >= _NAMES_KEPT:
                self._allowed.clear()
            allowed = role_allowed(identity.user, self._plans[group].policy, self.dialect)
            self._allowed[group, identity.user] = allowed
        return allowed

    def reaches(self, identity: Identity) -> bool:
        """Does any group that is served and asks for roles admit `identity`?"""
        return any(
            group.roles is not None and self.listener.serves(group.name) and self.allows(identity, group.name)
            for group in GROUPS.values()
        )

    def is_foreign_write(self, request: Request, group: RouteGroup) -> bool:
        """Gate 7a alone: would it refuse this request to `group`?"""
        plan = self._plans[group]
        return plan.write_rule != "never" and self._is_refused_write(request.head, plan, request.secure)

    def websocket_origin(self, request: Request) -> bool:
        """May this handshake go on, as far as its Origin tells?  False: 403, empty.

        A foreign page may connect only where it must bring credentials of its
        own: not on kind None, and not with a session cookie.
        """
        origin = request.head.values.get("origin")
        if origin is None or self._is_good(origin, request.head, request.secure):
            return True
        return not self._believes and not sends_cookie(request.head, self._cookie)

    def mcp_origin(self, head: Head) -> bool:
        """May an MCP request go on, as far as its Origin tells?  False: 403, empty.

        On a loopback listener, pages of loopback names pass at any port.
        """
        origin = head.values.get("origin")
        if origin is None or self.origins.allows(origin):
            return True
        return self.listener.where.loopback and is_loopback(origin)

    def record(self, request: Request, decision: Decision) -> Refusal | None:
        """The log record for a refused request, None when there is nothing to log."""
        if decision.answer is None or not decision.refusal:
            return None
        return Refusal(
            decision.refusal,
            decision.answer.status,
            self.listener.name,
            decision.group,
            self.listener.authenticator,
            request.peer,
            escape(decision.user) if decision.user else "",
        )

    def _screen(self, head: Head) -> Response | None:
        """Gates 2 and 3."""
        # Equal lengths mean that no field at all is repeated.
        if len(head.values) != len(head.fields) and any(head.count(name) > 1 for name in _SINGLE):
            return BAD_REQUEST
        host = head.authority
        if host is None:
            return None if head.version == "1.0" else NO_HOST
        if host in self._hosts:
            return self._hosts[host]
        if len(self._hosts) >= _HOSTS_KEPT:
            self._hosts.clear()
        answer = self._hosts[host] = self._judge_host(host)
        return answer

    def _judge_host(self, host: str) -> Response | None:
        parts = split_host(host)
        if parts is None:
            return NO_HOST
        return None if self._guard is None or self._guard.admits(parts[0]) else MISDIRECTED

    def _take_header(self, head: Head, decision: Decision) -> bool:
        """Gate 5 for a request with the trusted header; False: it is refused."""
        if self.listener.behind_trusted_proxy and not decision.proxied:
            # A direct caller next to the proxy: to this connection it is a field like any other.
            return True
        header = self.dialect.user_header
        identity = self._by_header.get(head.values[header])
        if identity is None or head.count(header) != 1:
            return False
        # A proxy that follows the rules would have removed what the client calls hop-by-hop.
        listed = ",".join(head.all("connection")).lower().split(",")
        if any(name.strip(" \t") == header for name in listed):
            return False
        decision.identity = identity
        return True

    def _is_refused_write(self, head: Head, plan: _Plan, secure: bool) -> bool:
        """Gate 7a."""
        origin = head.values.get("origin")
        if origin is None and "sec-fetch-site" not in head.values:
            return False
        if not is_foreign_write(head, origin is not None and self._is_good(origin, head, secure)):
            return False
        if plan.write_rule == "always":
            return True
        if plan.write_rule == "session" and "authorization" in head.values:
            return False
        return sends_cookie(head, self._cookie)

    def _is_good(self, origin: str, head: Head, secure: bool) -> bool:
        """On the list, or our own."""
        return self.origins.allows(origin) or is_own(origin, head.authority, secure)

    def _settle(self, head: Head, decision: Decision, outcome: Identity | Rejected) -> Decision:
        """Gate 11, and the answer to a rejection."""
        if isinstance(outcome, Rejected):
            fields = self._challenges(head, decision.group) if outcome.missing else ()
            return decision.refused(outcome.response(*fields), outcome.reason, outcome.user)
        if not self.allows(outcome, decision.group, privileged=decision.privileged):
            return decision.refused(UNAUTHORIZED, "role dissallowed", outcome.user)
        decision.identity = outcome
        return decision

    def _challenges(self, head: Head, group: RouteGroup) -> Fields:
        """Only for missing credentials, and only where a client can do something with them."""
        basic = ("www-authenticate", f"Basic realm={self.dialect.realm}")
        if GROUPS[group].cors != "mcp":
            return (basic,) if head.path == "/" or head.path.startswith(_BASIC_PAGES) else ()
        host = resolve_host(self.http_host_name, head.authority) if self.advertises_oauth else None
        if host is None:
            return (basic,)
        metadata = f'resource_metadata="https://{host}{_METADATA_PATH}"'
        return (("www-authenticate", f'Bearer scope="mcp.read", {metadata}'), basic)
