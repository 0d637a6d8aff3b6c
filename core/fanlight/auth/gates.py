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

from attrs import frozen

if TYPE_CHECKING:
    from ..asks import Routine
    from ..config import Dialect
    from ..http.request import Head, Request
    from ..http.response import Fields, Response
    from ..listeners import Listener
    from .chain import Authenticate
    from .groups import RouteGroup
    from .identity import Identity
    from .origin import Origins


@frozen
class Refusal:
    """One refused request, for the security log.  Holds no secret and no raw text of the caller.

    `text` is from a closed list; `user` is escaped (`observe.escape`), empty
    when no name was given.
    """

    text: str
    status: int
    listener: str
    group: str
    kind: str
    peer: str
    user: str = ""


class Decision:
    """What the gates make of one request; a value, but for `match`.

    `answer`: the refusal or the preflight, None when the request may go on.
    `identity`: who sent it; None on public routes, on WebSocket before its
    first message, and while `pending`.  `pending`: `Gates.authenticate` must
    run before the handler.  `fields`: cross-origin fields that every answer to
    this request carries, `answer` included.  `credentialed`: the request held
    Authorization or Cookie, for `common_fields`.  `refusal`: the log text of
    `answer`, empty when there is nothing to log.  `match`: free for the router,
    which may keep its match of this head here (see `Gates.recall`).
    """

    answer: Response | None
    identity: Identity | None
    pending: bool
    fields: Fields
    credentialed: bool
    refusal: str
    user: str
    match: Any


class Gates:
    """The gates of one listener.

    `origins` is the server's list of allowed origins, `http_host_name` its
    public name.  `authenticator` proves who a caller is; None takes the one of
    the listener's kind and raises `ConfigurationError` when there is none.
    """

    def __init__(
        self,
        listener: Listener,
        *,
        dialect: Dialect,
        origins: Origins,
        http_host_name: str | None = None,
        authenticator: Authenticate | None = None,
    ) -> None:
        raise NotImplementedError

    def recall(self, request: Request) -> Decision | None:
        """The decision kept in `request.head.cache` by `decide`, if it is of these gates
        and of a connection like this one; with it the `match` stored there.

        A head that was read before needs neither routing nor gates again.
        """
        raise NotImplementedError

    def decide(
        self, request: Request, group: RouteGroup, *, privileged: bool = False, proxied: bool = False
    ) -> Decision:
        """Gates 2 to 7a, and on kind None all of them up to 11.

        `privileged`: the route is for internal users and superusers.
        `proxied`: the connection came through a trusted proxy.  Keeps the
        decision in `request.head.cache`.
        """
        raise NotImplementedError

    def authenticate(self, request: Request, decision: Decision) -> Routine[Decision]:
        """Gates 9 to 11 for a `pending` decision: one with an `identity` or an `answer`."""
        raise NotImplementedError

    def allows(self, identity: Identity, group: RouteGroup, *, privileged: bool = False) -> bool:
        """Gate 11: do the group's roles admit `identity`?"""
        raise NotImplementedError

    def websocket_origin(self, request: Request) -> bool:
        """May this handshake go on, as far as its Origin tells?  False: 403, empty."""
        raise NotImplementedError

    def mcp_origin(self, head: Head) -> bool:
        """May an MCP request go on, as far as its Origin tells?  False: 403, empty."""
        raise NotImplementedError

    def record(self, request: Request, decision: Decision) -> Refusal | None:
        """The log record for a refused request, None when there is nothing to log."""
        raise NotImplementedError
