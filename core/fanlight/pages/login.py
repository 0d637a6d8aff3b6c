"""`/api/login` and `/api/logout`: a session for a password, and its end.

Public routes: they look at no identity and no Authorization field.  The gates
have refused writes of other sites before; the content type is what keeps a
plain form of another page out.  Bodies are never logged and never quoted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..asks import Moment
from ..auth.audit import report_admission
from ..auth.chain import Rejected, found
from ..auth.checks import prove_password
from ..auth.decisions import refusal_of
from ..auth.origin import sends_cookie
from ..http.body import read_json, repeated, wrong_shape
from ..http.response import Refused, empty
from ..observe.records import Report

if TYPE_CHECKING:
    from ..auth.sessions import Sessions
    from ..http.request import Request
    from ..http.response import Response

BODY_BYTES = 64 * 1024
_DENIED = empty(401)
_FAILED = empty(500)


async def login(request: Request) -> Response:
    """POST /api/login with `{"username": string, "password": string}`: 200 and a new cookie, or 401; both empty.

    415, 413, 400 or 422 for a body that is none; 429 while too many failed.
    Whether any route admits the user is asked at every use, and here only if
    `login_requires_reachable_role` says so.
    """
    user, password = await _credentials(request)
    provers = request.server.provers
    assert provers is not None
    outcome = await found(prove_password(provers.checks, request.peer, user, password, await Moment()))
    if isinstance(outcome, Rejected):
        await Report(refusal_of(request, outcome, "HTTP login"))
        return _DENIED if outcome.status == 401 else outcome.response()
    if request.server.app.settings.login_requires_reachable_role and not request.listener.gates.reaches(outcome):
        await Report(refusal_of(request, Rejected("role dissallowed", user=user), "HTTP login"))
        return _DENIED
    cookie = await _sessions(request).begin(request, outcome)
    if cookie is None:
        return _FAILED
    await report_admission(request, outcome, "HTTP login")
    return empty(200, ("set-cookie", cookie))


async def logout(request: Request) -> Response:
    """POST /api/logout: 200, empty, whatever the cookie was worth; the session and its sockets are over."""
    if not await _sessions(request).end(request):
        return _FAILED
    cookie = _sessions(request).cookie
    if not sends_cookie(request.head, cookie.name):
        return empty(200)
    return empty(200, ("set-cookie", cookie.removal))


async def _credentials(request: Request) -> tuple[str, str]:
    body = await read_json(request, BODY_BYTES)
    if not isinstance(body, dict) or repeated(body):
        raise Refused(wrong_shape("expected an object, each member once"))
    for member in ("username", "password"):
        if not isinstance(body.get(member), str):
            raise Refused(wrong_shape(f"expected a string as `{member}`"))
    return body["username"], body["password"]


def _sessions(request: Request) -> Sessions:
    """Of this listener: the routes exist only where it has some."""
    sessions = request.listener.sessions
    assert sessions is not None
    return sessions
