"""The request pipeline: from a head to a response, in the one order there is.

Match the path, run the gates, then 404, 405 or the handler.  Every answer of
the server passes here on its way out and gets the fields that all of them
carry.  The pipeline never touches the wire and never waits by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..auth.decisions import Admission, Refusal
from ..auth.fields import common_fields
from ..auth.gates import Decision
from ..auth.host import redirect_to_https
from ..observe.records import Exposure, Report
from .request import Request
from .response import Fields, Response, empty, text
from .router import UNKNOWN, Handler, Place, decode_segments
from .websocket import handshake

if TYPE_CHECKING:
    from ..asks import Routine
    from ..auth.groups import RouteGroup
    from ..observe.metrics import RouteCells

NOT_FOUND = empty(404)
"""Empty: nothing says what might have been there."""
BAD_PATH = text(400, "bad request")
FORBIDDEN = empty(403)
_OPTIONS = empty(200, ("allow", "GET,HEAD,POST,PUT,OPTIONS"))  # the server as a whole (RFC 9110 9.3.7)


class Exchange:
    """What the pipeline keeps of one exchange, for metrics, records and the answer's fields.

    `label` is the path for metrics, `cells` where they are counted; `security`
    what the log is to be told with the answer, `admission` what it is to be
    told at once.
    """

    __slots__ = ("admission", "cells", "decision", "label", "place", "request", "security")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.label = UNKNOWN
        self.place: Place | None = None
        self.decision: Decision | None = None
        self.security: Refusal | Exposure | None = None
        self.admission: Admission | None = None
        self.cells: RouteCells | None = None

    def route(self) -> Routine[Response | None] | Response:
        """The handler's routine, ready to run, or the answer that needs none.

        Decides everything that can be decided from the head alone, so that the
        usual request starts its handler and nothing else.

        Plaintext on a TLS listener is redirected before anything of the request
        is looked at.  The decision may be one that these gates made for the
        same head before: it brings its match with it.
        """
        request = self.request
        if request.listener.tls and not request.secure:
            if "authorization" in request.head.values or "cookie" in request.head.values:
                self.security = Exposure(request.listener.name, request.peer)
            return redirect_to_https(request.head, request.server.app.settings.http_host_name)
        gates = request.listener.gates
        decision = gates.recall(request, proxied=request.proxied)
        if decision is None:
            place, params = request.listener.router.match(request.path)
            group: RouteGroup = place.group if place is not None else "fallback"
            decision = gates.decide(
                request,
                group,
                privileged=place is not None and place.privileged,
                proxied=request.proxied,
            )
            decision.match = (place, params)
        self.decision = decision
        self.place, params = decision.match
        if self.place is not None:
            self.label = self.place.path
        if decision.answer is not None:
            # `OPTIONS *` is about the server and no group: a preflight's answer would be about a path.
            return _OPTIONS if request.path == "*" and decision.answer.status == 200 else self._refused(decision)
        if decision.pending:
            proof = gates.authenticate(request, decision)
            return self._proved(proof) if isinstance(proof, Decision) else self._prove(proof)
        request.identity = decision.identity
        return self._dispatch(params)

    async def _prove(self, proof: Routine[Decision]) -> Response | None:
        """Gates 9 to 11 where somebody has to be asked, then the handler.

        The one part of the pipeline that may have to wait, so a routine of its
        own.
        """
        outcome = self._proved(await proof)
        if self.admission is not None:
            await Report(self.admission)
        return outcome if isinstance(outcome, Response) else await outcome

    def _proved(self, decision: Decision) -> Routine[Response | None] | Response:
        """What follows from the outcome of gates 9 to 11."""
        self.decision = decision
        if decision.answer is not None:
            return self._refused(decision)
        identity = self.request.identity = decision.identity
        assert identity is not None
        request = self.request
        audit = request.server.audit
        self.admission = audit.admitted(request, identity, decision.group, "HTTP request", request.arrived.wall)
        _, params = decision.match
        return self._dispatch(params)

    def _refused(self, decision: Decision) -> Response:
        """The decision's answer; what is to be logged of it is kept in `security`."""
        assert decision.answer is not None
        self.security = self.request.listener.gates.record(self.request, decision)
        return decision.answer

    def _dispatch(self, params: dict[str, str]) -> Routine[Response | None] | Response:
        """404, 405, 400 or the handler's routine (after every gate: strangers cannot map paths)."""
        request, place = self.request, self.place
        if place is None:
            return NOT_FOUND
        route = place.find(request.method)
        if route is None:
            return place.not_allowed()
        if params:
            decoded = decode_segments(params)
            if decoded is None:
                return BAD_PATH
            request.params = decoded
        # An extended CONNECT (RFC 8441) was read as a GET; only a WebSocket route may take it as one,
        # and only such a route says what is wrong with the CONNECT of HTTP/1.1.
        if (request.method == "CONNECT" or request.head.protocol is not None) and not route.websocket:
            return place.not_allowed()
        if route.websocket:
            greeting = handshake(request.head)
            if isinstance(greeting, Response):
                return greeting
            if not request.listener.gates.websocket_origin(request):
                assert self.decision is not None
                return self._refused(self.decision.settled(request.head).refused(FORBIDDEN, "cross-site WebSocket"))
        request.route = route
        if route.websocket and self.decision is not None and "cookie" in request.head.values:
            return self._carry(self.decision, route.handler)
        return route.handler(request)

    async def _carry(self, decision: Decision, handler: Handler) -> Response | None:
        """A handshake with a cookie: whose session it is, before the first message says who is there."""
        self.decision = decision = await self.request.listener.gates.carried(self.request, decision)
        if decision.answer is not None:
            return self._refused(decision)
        self.request.identity = decision.identity
        return await handler(self.request)

    def fields(self, response: Response) -> Fields:
        """The fields of `response`, those of its group, and those that every answer carries."""
        decision = self.decision
        if decision is None:
            return response.fields + common_fields(response, credentialed=False)
        common = common_fields(response, credentialed=decision.credentialed)
        fields = response.fields + decision.fields + common
        if decision.cookie is not None and response.status < 500:
            # Last, so that the wire may know what stands before it from other answers.
            return (*fields, ("set-cookie", decision.cookie))
        return fields
