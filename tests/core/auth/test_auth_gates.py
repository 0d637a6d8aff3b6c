"""`fanlight.auth.gates`: each gate, and above all their order."""

from __future__ import annotations

import base64
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.asks import Routine
from fanlight.auth.authorization import Credentials, Password, Token
from fanlight.auth.chain import MISSING, Carried, Rejected
from fanlight.auth.cookies import SessionCookie
from fanlight.auth.decisions import Refusal
from fanlight.auth.gates import Decision, Gates
from fanlight.auth.groups import GROUPS, RouteGroup
from fanlight.auth.identity import Identity, Kind
from fanlight.auth.origin import Origins, default_origins
from fanlight.auth.sessions import EXPIRED, UNREADABLE, UNWRITABLE
from fanlight.config.listeners import ALL_GROUPS, Listener
from fanlight.config.settings import Dialect
from fanlight.http.request import Head, Request
from fanlight.moment import Now
from tests.routines import driven

from .driving import Crowd

Fields = tuple[tuple[str, str], ...]

ADA = ("authorization", "Basic " + base64.b64encode(b"ada:x").decode())
SYSTEM = ("authorization", "Basic " + base64.b64encode(b"mz_system:").decode())
UNUSABLE = ("authorization", "Basic !")
HEADER = ("x-materialize-user", "mz_support")
EVIL = ("origin", "https://evil.example")
OWN = ("origin", "http://localhost:6876")
COOKIE = ("cookie", "mz_session=abc")
CROSS = ("sec-fetch-site", "cross-site")
TRUSTED_TEXT = "user specified in x-materialize-user must be mz_support or mz_system"


def check(request: Request, credentials: Credentials, now: Now, /) -> Identity | Rejected:
    """A kind that knows one user."""
    if not isinstance(credentials, Password):
        return MISSING
    if credentials.password != "x":
        return Rejected("invalid credentials", user=credentials.user)
    return Identity(credentials.user, "Password", internal=credentials.user == "mz_system")


class Table:
    """Sessions that find what they are told to, at once or late."""

    def __init__(self, carried: Carried, *, late: bool = False) -> None:
        self.carried = carried
        self.late = late
        self.cookie = SessionCookie("mz_session")

    def find(self, request: Request) -> Carried | Routine[Carried]:
        return self._find() if self.late else self.carried

    async def _find(self) -> Carried:
        return self.carried


def gates(kind: Kind = "None", groups: Any = ALL_GROUPS, **more: Any) -> Gates:
    seams = {name: more.pop(name) for name in ("sessions", "advertise_oauth", "http_host_name") if name in more}
    origins = more.pop("origins", default_origins([6876]))
    listener = Listener(authenticator=kind, groups=groups, **more)
    authenticator = None if kind == "None" else check
    return Gates(listener, dialect=Dialect(), origins=Origins(origins), authenticator=authenticator, **seams)


def request(
    *fields: tuple[str, str],
    method: str = "GET",
    path: str = "/x",
    host: str | None = "localhost:6876",
    version: str = "1.1",
    secure: bool = False,
    peer: str = "127.0.0.1",
) -> Request:
    named = (("host", host),) if host is not None and version != "2" else ()
    head = Head(method, path, (*named, *fields), version=version, authority=host)
    nothing = cast(Any, None)
    return Request(head, stream=1, arrived=Now(0.0, 0.0), peer=peer, secure=secure, listener=nothing, server=nothing)


def finish(gate: Gates, sent: Request, group: RouteGroup = "base", **more: Any) -> Decision:
    """All gates, with an authenticator that asks for nothing."""
    decision = gate.decide(sent, group, **more)
    return run(gate.authenticate(sent, decision))


def run(routine: Decision | Routine[Decision]) -> Decision:
    """The answer of a routine that asks for nothing."""
    return routine if isinstance(routine, Decision) else driven(routine)


def outcome(decision: Decision) -> tuple[int | None, str | None]:
    """The status of the answer, and the user."""
    status = decision.answer.status if decision.answer is not None else None
    return status, decision.identity.user if decision.identity is not None else None


ANYBODY = (None, "anonymous_http_user")


@pytest.mark.parametrize(
    ("fields", "host", "version", "status", "body"),
    [
        ((ADA, ADA), "localhost", "1.1", 400, b"bad request"),
        ((OWN, OWN), "localhost", "1.1", 400, b"bad request"),
        ((("host", "localhost"),), "localhost", "1.1", 400, b"bad request"),
        ((ADA, ADA), "evil.example", "1.1", 400, b"bad request"),
        ((), "evil.example", "1.1", 421, b"misdirected request"),
        ((), "evil.example", "2", 421, b"misdirected request"),
        ((), "user@localhost", "1.1", 400, b"no host available"),
        ((), "", "1.1", 400, b"no host available"),
        ((), None, "2", 400, b"no host available"),
        ((), None, "1.1", 400, b"no host available"),
        ((HEADER, HEADER), "evil.example", "1.1", 421, b"misdirected request"),
    ],
)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_first_of_all_one_host_that_is_ours(
    fields: Fields, host: str | None, version: str, status: int, body: bytes, group: RouteGroup, method: str
) -> None:
    decision = gates().decide(request(*fields, host=host, version=version, method=method), group)
    assert decision.answer is not None
    assert (decision.answer.status, decision.answer.body, decision.fields) == (status, body, ())
    assert decision.identity is None
    assert not decision.pending


def test_hosts_are_judged_on_kind_none_only() -> None:
    assert finish(gates("Password"), request(ADA, host="any.example")).identity is not None
    assert outcome(finish(gates("Password"), request(ADA, host="user@x"))) == (400, None)
    assert outcome(finish(gates(), request(host=None, version="1.0"))) == ANYBODY
    assert outcome(finish(gates(allowed_hosts=["*.corp.test"]), request(host="a.corp.test"))) == ANYBODY
    assert outcome(finish(gates(http_host_name="db.example"), request(host="DB.example:1"))) == ANYBODY


def test_judged_hosts_are_forgotten_in_time() -> None:
    gate = gates()
    for number in range(1000):
        assert outcome(gate.decide(request(host=f"h{number}.example"), "base"))[0] == 421
        assert outcome(gate.decide(request(host=f"h{number}.localhost"), "base")) == ANYBODY
    assert len(gate._hosts) <= 256


TRUSTED: list[tuple[Fields, int | None, str | None]] = [
    ((HEADER,), None, "mz_support"),
    ((("x-materialize-user", "mz_system"),), None, "mz_system"),
    ((HEADER, ADA), None, "mz_support"),
    ((HEADER, UNUSABLE), None, "mz_support"),
    ((("x-materialize-user", "mz_analytics"),), 401, None),
    ((("x-materialize-user", "MZ_SYSTEM"),), 401, None),
    ((("x-materialize-user", ""),), 401, None),
    ((("x-materialize-user", "\xff"),), 401, None),
    ((("x-materialize-user", "mz_system, mz_support"),), 401, None),
    ((HEADER, HEADER), 401, None),
    ((HEADER, ("connection", "keep-alive, X-Materialize-User")), 401, None),
    ((HEADER, ("connection", "close"), ("connection", "x-materialize-user")), 401, None),
    ((("connection", "x-materialize-user"),), None, "anonymous_http_user"),
    ((("x_materialize_user", "mz_system"),), None, "anonymous_http_user"),
    ((("x-materialize-users", "root"),), None, "anonymous_http_user"),
]


@pytest.mark.parametrize(("fields", "status", "user"), TRUSTED)
@pytest.mark.parametrize("group", [name for name, group in GROUPS.items() if group.trusted_header and name != "ws"])
def test_trusted_header(fields: Fields, status: int | None, user: str | None, group: RouteGroup) -> None:
    decision = gates().decide(request(*fields), group)
    assert outcome(decision) == (status, user)
    if decision.answer is not None:
        assert (decision.answer.body, decision.refusal, decision.fields) == (b"unauthorized", TRUSTED_TEXT, ())
        assert "www-authenticate" not in dict(decision.answer.fields)


@pytest.mark.parametrize("group", [name for name, group in GROUPS.items() if not group.trusted_header])
def test_groups_that_do_not_take_the_trusted_header(group: RouteGroup) -> None:
    for value in ("mz_system", "root"):
        plain, with_it = (gates().decide(request(*fields), group) for fields in ((), (("x-materialize-user", value),)))
        assert outcome(plain) == outcome(with_it)


def test_the_trusted_header_is_subject_to_roles() -> None:
    assert outcome(gates(groups={"base": "Normal"}).decide(request(HEADER), "base")) == (401, None)
    assert outcome(gates(groups={"base": "Internal"}).decide(request(HEADER), "base")) == (None, "mz_support")


def test_the_trusted_header_can_be_switched_off_and_has_no_meaning_elsewhere() -> None:
    bad = ("x-materialize-user", "root")
    assert outcome(gates(trusted_user_header=False).decide(request(HEADER), "base")) == ANYBODY
    assert outcome(gates(trusted_user_header=False).decide(request(bad), "base")) == ANYBODY
    assert outcome(finish(gates("Password"), request(HEADER, ADA))) == (None, "ada")
    assert outcome(finish(gates("Password"), request(bad))) == (401, None)


def test_behind_a_proxy_only_the_proxy_names_the_user() -> None:
    gate = gates(behind_trusted_proxy=True)
    assert outcome(gate.decide(request(HEADER), "base", proxied=True)) == (None, "mz_support")
    assert outcome(gate.decide(request(HEADER), "base", proxied=False)) == ANYBODY
    assert outcome(gate.decide(request(("x-materialize-user", "root")), "base", proxied=True)) == (401, None)


def test_a_bad_trusted_header_refuses_a_preflight_without_its_fields() -> None:
    decision = gates().decide(request(OWN, ("x-materialize-user", "root"), method="OPTIONS"), "base")
    assert outcome(decision) == (401, None)
    assert decision.fields == ()


@pytest.mark.parametrize("group", [name for name, group in GROUPS.items() if group.cors])
@pytest.mark.parametrize("kind", ["None", "Password", "Oidc", "Frontegg"])
def test_a_preflight_is_answered_before_authentication(group: RouteGroup, kind: Kind) -> None:
    for extra in ((), (UNUSABLE,), (COOKIE,), (EVIL, CROSS)):
        decision = gates(kind, groups={}).decide(request(*extra, method="OPTIONS"), group)
        assert outcome(decision) == (200, None)
        assert decision.answer is not None
        assert decision.answer.body == b""
        assert "access-control-allow-methods" in dict(decision.fields)
        assert not decision.pending
        assert decision.refusal == ""


@pytest.mark.parametrize("group", [name for name, group in GROUPS.items() if group.cors is None])
def test_groups_without_cross_origin_fields(group: RouteGroup) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        assert gates().decide(request(OWN, method=method), group).fields == ()
    # OPTIONS is an ordinary method there: it is for the router to refuse it, after authentication.
    assert gates().decide(request(OWN, method="OPTIONS"), group).answer is None
    assert gates("Password").decide(request(method="OPTIONS"), group).pending == (group in ("leader", "metrics"))


def test_fields_stand_on_refusals_too() -> None:
    for fields in ((OWN, UNUSABLE), (OWN, ("authorization", "Basic Og=="))):
        decision = gates().decide(request(*fields), "base")
        assert outcome(decision) == (401, None)
        assert dict(decision.fields)["access-control-allow-origin"] == OWN[1]
    foreign = gates().decide(request(EVIL, method="POST"), "base")
    assert outcome(foreign) == (403, None)
    assert "access-control-allow-origin" not in dict(foreign.fields)
    assert "access-control-expose-headers" in dict(foreign.fields)


@pytest.mark.parametrize("group", [name for name, group in GROUPS.items() if group.public])
@pytest.mark.parametrize("kind", ["None", "Password"])
def test_public_groups_look_at_no_credentials(group: RouteGroup, kind: Kind) -> None:
    for fields in ((), (UNUSABLE,), (COOKIE,), (ADA,), (HEADER,)):
        decision = gates(kind).decide(request(*fields, method="POST"), group)
        assert outcome(decision) == (None, None)
        assert not decision.pending


WRITES: list[tuple[Kind, RouteGroup, Fields, bool]] = [
    ("None", "base", (EVIL,), True),
    ("None", "base", (EVIL, ADA), True),
    ("None", "base", (EVIL, HEADER), True),
    ("None", "base", (CROSS,), True),
    ("None", "base", (OWN, CROSS), False),
    ("None", "base", (("sec-fetch-site", "same-site"),), False),
    ("None", "base", (("origin", "null"),), True),
    ("None", "leader", (("origin", "http://localhost:8080"),), True),
    ("None", "metrics", (EVIL,), True),
    ("None", "profiling", (EVIL,), True),
    ("None", "internal", (EVIL,), True),
    ("None", "fallback", (EVIL,), True),
    ("None", "console_config", (EVIL,), True),
    ("None", "oauth_metadata", (EVIL,), True),
    ("None", "webhook", (EVIL,), False),
    ("None", "mcp_agent", (EVIL,), False),
    ("None", "ws", (EVIL,), False),
    ("Password", "base", (EVIL,), False),
    ("Password", "base", (EVIL, COOKIE), True),
    ("Password", "base", (EVIL, COOKIE, ADA), False),
    ("Password", "base", (EVIL, COOKIE, UNUSABLE), False),
    ("Password", "base", (EVIL, ("cookie", "other=1")), False),
    ("Password", "base", (CROSS, COOKIE), True),
    ("Password", "base", (OWN, COOKIE), False),
    ("Password", "mcp_agent", (EVIL, COOKIE), True),
    ("Password", "fallback", (EVIL, COOKIE), True),
    ("Password", "metrics", (EVIL, COOKIE), True),
    ("Password", "console_config", (EVIL, COOKIE), False),
    ("Password", "login", (EVIL,), True),
    ("Password", "login", (EVIL, ADA), True),
    ("Password", "login", (CROSS,), True),
    ("Password", "login", (OWN,), False),
    ("Password", "logout", (EVIL,), False),
    ("Password", "logout", (EVIL, COOKIE), True),
    ("Password", "logout", (EVIL, COOKIE, ADA), True),
    ("Oidc", "base", (EVIL, COOKIE), True),
    ("Frontegg", "base", (EVIL, COOKIE), False),
]


@pytest.mark.parametrize(("kind", "group", "fields", "refused"), WRITES)
def test_cross_site_writes(kind: Kind, group: RouteGroup, fields: Fields, refused: bool) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        decision = gates(kind).decide(request(*fields, method=method), group)
        assert (outcome(decision) == (403, None)) is refused
        if decision.answer is not None and refused:
            assert decision.answer.body == b""
            assert decision.refusal == "cross-site write"
            assert not decision.pending
    for method in ("GET", "HEAD"):
        assert outcome(gates(kind).decide(request(*fields, method=method), group))[0] is None


def test_our_own_origin_is_that_of_this_connection() -> None:
    sent = {"host": "db.localhost", "method": "POST"}
    page = ("origin", "https://db.localhost")
    assert outcome(gates(origins=()).decide(request(page, secure=True, **sent), "base")) == ANYBODY
    assert outcome(gates(origins=()).decide(request(page, secure=False, **sent), "base")) == (403, None)


CREDENTIALS: list[tuple[Fields, int | None, str | None, str]] = [
    ((), None, "anonymous_http_user", ""),
    ((ADA,), None, "ada", ""),
    ((SYSTEM,), None, "mz_system", ""),
    ((("authorization", "Bearer x"),), None, "anonymous_http_user", ""),
    ((COOKIE,), None, "anonymous_http_user", ""),
    ((UNUSABLE,), 401, None, "missing authorization header"),
    ((("authorization", "Negotiate x"),), 401, None, "missing authorization header"),
    ((("authorization", "Basic OnB3"),), 401, None, "invalid credentials"),
    ((("authorization", "Basic cGdfeDo="),), 401, None, "role dissallowed"),
]


@pytest.mark.parametrize(("fields", "status", "user", "refusal"), CREDENTIALS)
@pytest.mark.parametrize("group", [name for name, group in GROUPS.items() if group.authentication == "required"])
def test_kind_none(fields: Fields, status: int | None, user: str | None, refusal: str, group: RouteGroup) -> None:
    decision = gates().decide(request(*fields), group)
    assert outcome(decision) == (status, user)
    assert decision.refusal == refusal
    assert not decision.pending
    if decision.answer is not None:
        assert decision.answer.body == b"unauthorized"


def test_websocket_has_no_anonymous_user() -> None:
    assert outcome(gates().decide(request(), "ws")) == (None, None)
    assert outcome(gates().decide(request(UNUSABLE), "ws")) == (None, None)
    assert outcome(gates().decide(request(HEADER), "ws")) == (None, "mz_support")
    assert outcome(gates().decide(request(("x-materialize-user", "root")), "ws")) == (401, None)


@pytest.mark.parametrize(
    ("kind", "carried", "credentials", "user"),
    [
        ("None", None, None, None),
        ("None", None, Password("ada", "anything"), "ada"),
        ("None", None, Password("", "x"), None),
        ("None", None, Password("mz_analytics", "x"), None),
        ("None", None, Token("t"), "anonymous_http_user"),
        ("None", Identity("ada"), None, "ada"),
        ("None", Identity("ada"), Password("bob", "x"), None),
        ("None", Identity("mz_system", internal=True), None, None),
        ("Password", None, None, None),
        ("Password", None, Password("ada", "x"), "ada"),
        ("Password", None, Password("ada", "y"), None),
        ("Password", None, Token("t"), None),
        ("Password", Identity("ada"), None, "ada"),
        ("Password", Identity("ada"), Password("bob", "x"), "bob"),
        ("Password", Identity("ada"), Password("bob", "y"), None),
    ],
)
def test_a_first_message(
    kind: Kind, carried: Identity | None, credentials: Password | Token | None, user: str | None
) -> None:
    sent = request()
    sent.identity = carried
    routine = gates(kind, {"base": "Normal"}).admit(sent, credentials)
    admitted = Crowd().start(routine).result
    assert (admitted.user if isinstance(admitted, Identity) else None) == user


@pytest.mark.parametrize(
    ("roles", "user", "passes"),
    [
        ("Normal", "ada", True),
        ("Normal", "mz_system", False),
        ("Internal", "ada", False),
        ("Internal", "mz_system", True),
        ("NormalAndInternal", "ada", True),
        ("NormalAndInternal", "mz_system", True),
        ("NormalAndInternal", "pg_ada", False),
    ],
)
@pytest.mark.parametrize("kind", ["None", "Password"])
def test_roles(kind: Kind, roles: str, user: str, passes: bool) -> None:
    sent = request(("authorization", "Basic " + base64.b64encode(f"{user}:x".encode()).decode()), path="/")
    decision = finish(gates(kind, groups={"base": roles}), sent)
    assert outcome(decision) == ((None, user) if passes else (401, None))
    if decision.answer is not None:
        assert decision.answer.body == b"unauthorized"
        assert "www-authenticate" not in dict(decision.answer.fields)
        assert (decision.refusal, decision.user) == ("role dissallowed", user)


def test_anonymous_where_only_internal_users_may() -> None:
    assert outcome(gates(groups={"base": "Internal"}).decide(request(), "base")) == (401, None)


@pytest.mark.parametrize(
    ("groups", "user", "status"),
    [
        ({"metrics": "Internal"}, "ada", None),
        ({"metrics": "Internal"}, "pg_ada", None),
        ({"base": "Normal", "internal": "Internal"}, "ada", 401),
        ({"base": "Normal", "internal": "Internal"}, "mz_system", None),
        ({"base": "Normal"}, "mz_system", 401),
    ],
)
def test_roles_of_unknown_paths(groups: Any, user: str, status: int | None) -> None:
    sent = request(("authorization", "Basic " + base64.b64encode(f"{user}:x".encode()).decode()))
    assert outcome(gates(groups=groups).decide(sent, "fallback"))[0] == status


def test_a_group_without_roles_admits_nobody() -> None:
    gate = gates(groups={})
    assert outcome(gate.decide(request(), "base")) == (401, None)
    assert not gate.allows(Identity("mz_system", internal=True), "metrics")
    assert gate.allows(Identity("pg_x"), "fallback")


def test_privileged_routes() -> None:
    gate = gates()
    assert outcome(gate.decide(request(), "internal", privileged=True)) == (401, None)
    assert outcome(gate.decide(request(ADA), "internal", privileged=True)) == (401, None)
    assert outcome(gate.decide(request(SYSTEM), "internal", privileged=True)) == (None, "mz_system")
    assert outcome(gate.decide(request(HEADER), "internal", privileged=True)) == (None, "mz_support")
    assert gate.allows(Identity("ada", superuser=True), "internal", privileged=True)
    assert not gate.allows(Identity("ada"), "internal", privileged=True)


BASIC = ("www-authenticate", "Basic realm=Materialize")
BEARER = (
    "www-authenticate",
    'Bearer scope="mcp.read", resource_metadata="https://localhost:6876/.well-known/oauth-protected-resource"',
)


@pytest.mark.parametrize(
    ("path", "group", "challenged"),
    [
        ("/", "base", True),
        ("/memory", "base", True),
        ("/memoryless", "fallback", True),
        ("/hierarchical-memory", "base", True),
        ("/prof/heap", "profiling", True),
        ("/prof/unknown", "fallback", True),
        ("/debug/pprof/heap", "profiling", True),
        ("/prof", "fallback", False),
        ("/api/sql", "base", False),
        ("/metrics", "metrics", False),
        ("/static/x.js", "base", False),
        ("/api/leader/status", "leader", False),
        ("//", "fallback", False),
        ("/Memory", "fallback", False),
        ("/api/mcp/agent", "mcp_agent", True),
    ],
)
def test_challenges(path: str, group: RouteGroup, challenged: bool) -> None:
    missing = finish(gates("Password"), request(path=path), group)
    assert missing.answer is not None
    assert (BASIC in missing.answer.fields) is challenged
    assert gates().decide(request(UNUSABLE, path=path), group).answer == missing.answer
    # Wrong credentials and roles are never challenged.
    wrong = finish(gates("Password"), request(("authorization", "Basic YWRhOnk="), path=path), group)
    denied = finish(gates("Password", groups={}), request(ADA, path=path), group)
    for decision in (wrong, denied):
        assert decision.answer is None or "www-authenticate" not in dict(decision.answer.fields)


@pytest.mark.parametrize(
    ("host", "configured", "challenges"),
    [
        ("localhost:6876", None, (BEARER, BASIC)),
        ("inner.example", "localhost:6876", (BEARER, BASIC)),
        ("inner.example", "user@public.example", (BASIC,)),
    ],
)
def test_the_bearer_challenge_comes_first_and_names_a_checked_host(
    host: str, configured: str | None, challenges: Fields
) -> None:
    gate = gates("Oidc", advertise_oauth=True, http_host_name=configured)
    decision = finish(gate, request(host=host, path="/api/mcp/agent"), "mcp_agent")
    assert decision.answer is not None
    assert tuple(field for field in decision.answer.fields if field[0] == "www-authenticate") == challenges


def test_other_kinds_wait_for_their_authenticator() -> None:
    gate = gates("Password")
    sent = request(ADA)
    pending = gate.decide(sent, "base")
    assert (pending.pending, pending.identity, pending.answer) == (True, None, None)
    assert outcome(finish(gate, sent)) == (None, "ada")
    # What authentication found is not kept with the head.
    assert sent.head.cache is None
    nobody = request()
    assert outcome(finish(gate, nobody)) == (401, None)
    assert nobody.head.cache.pending
    assert nobody.head.cache.answer is None
    assert outcome(finish(gate, request(("authorization", "Basic YWRhOnk=")))) == (401, None)
    assert outcome(finish(gate, request())) == (401, None)


def test_a_kind_without_an_authenticator_is_refused() -> None:
    with pytest.raises(ValueError, match="needs provers"):
        Gates(Listener(authenticator="Oidc"), dialect=Dialect(), origins=Origins())


def test_sessions_count_only_without_authorization() -> None:
    gate = gates("Password", sessions=Table(Carried(Identity("by session", "Password"), "again")))
    found = finish(gate, request(COOKIE))
    assert (outcome(found), found.cookie) == ((None, "by session"), "again")
    for fields, expected in (((COOKIE, ADA), (None, "ada")), ((COOKIE, UNUSABLE), (401, None))):
        found = finish(gate, request(*fields))
        assert (outcome(found), found.cookie) == (expected, None)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("carried", "expected"),
    [
        (Carried(), (401, None)),
        (Carried(None, "gone"), (401, None)),
        (Carried(EXPIRED, "gone"), (401, None)),
        (Carried(UNREADABLE), (401, None)),
        (Carried(UNWRITABLE), (500, None)),
        (Carried(Identity("mz_system", "Password", internal=True), "again"), (401, None)),
    ],
)
def test_what_a_session_leads_to(carried: Carried, expected: Any, late: bool) -> None:
    found = finish(gates("Password", {"base": "Normal"}, sessions=Table(carried, late=late)), request(COOKIE))
    assert outcome(found) == expected
    assert found.cookie == carried.cookie


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("carried", "status", "user"),
    [(Carried(), None, None), (Carried(EXPIRED, "gone"), 401, None), (Carried(Identity("ada"), "again"), None, "ada")],
)
def test_a_handshake_carries_a_session_whatever_it_says_besides(
    carried: Carried, status: Any, user: Any, late: bool
) -> None:
    gate = gates("Password", sessions=Table(carried, late=late))
    sent = request(COOKIE, UNUSABLE)
    decision = run(gate.carried(sent, gate.decide(sent, "ws")))
    assert outcome(decision) == (status, user)
    assert decision.cookie == carried.cookie
    # What was found is not kept with the head.
    assert sent.head.cache is None


@pytest.mark.parametrize(
    ("kind", "fields", "passes"),
    [
        ("None", (), True),
        ("None", (OWN,), True),
        ("None", (EVIL,), False),
        ("None", (("origin", "null"),), False),
        ("None", (CROSS,), True),
        ("Password", (EVIL,), True),
        ("Password", (EVIL, COOKIE), False),
        ("Password", (OWN, COOKIE), True),
        ("Password", (EVIL, ("cookie", "a=b")), True),
    ],
)
def test_websocket_origin(kind: Kind, fields: Fields, passes: bool) -> None:
    assert gates(kind).websocket_origin(request(*fields)) is passes


@pytest.mark.parametrize(
    ("address", "origin", "passes"),
    [
        ("127.0.0.1:6876", None, True),
        ("127.0.0.1:6876", "http://localhost:6876", True),
        ("127.0.0.1:6876", "http://localhost:3000", True),
        ("127.0.0.1:6876", "https://evil.example", False),
        ("127.0.0.1:6876", "null", False),
        ("10.0.0.1:6876", "http://localhost:3000", False),
    ],
)
def test_mcp_origin(address: str, origin: str | None, passes: bool) -> None:
    fields = (("origin", origin),) if origin is not None else ()
    assert gates(address=address).mcp_origin(request(*fields).head) is passes


def test_records() -> None:
    gate = gates()
    sent = request(("authorization", "Basic " + base64.b64encode(b"evil\nname:secret-1").decode()), peer="10.0.0.9")
    record = gate.record(sent, gate.decide(sent, "base"))
    assert record == Refusal("invalid credentials", 401, "main", "base", "None", "10.0.0.9", '"evil\\nname"')
    assert "secret-1" not in repr(record)
    for fine in (request(), request(method="OPTIONS")):
        assert gate.record(fine, gate.decide(fine, "base")) is None


def test_a_decision_is_recalled_on_connections_like_this_one() -> None:
    gate, other = gates(), gates()
    sent = request()
    assert gate.recall(sent) is None
    kept = gate.decide(sent, "metrics")
    kept.match = "route"
    assert gate.recall(sent) is kept
    assert other.recall(sent) is None
    assert gate.recall(sent, proxied=True) is None
    again = Request(
        sent.head,
        stream=3,
        arrived=Now(1.0, 1.0),
        peer="10.0.0.1",
        secure=True,
        listener=cast(Any, None),
        server=cast(Any, None),
    )
    assert gate.recall(again) is None
    assert not kept.credentialed
    assert gate.decide(request(COOKIE), "metrics").credentialed
    assert gate.decide(request(ADA), "metrics").credentialed


groups = st.sampled_from(sorted(GROUPS))
some_fields = st.lists(
    st.sampled_from([ADA, SYSTEM, UNUSABLE, COOKIE, EVIL, OWN, CROSS, HEADER, ("connection", "x-materialize-user")])
    | st.tuples(st.just("authorization"), st.text(st.characters(codec="latin-1"), max_size=12))
    | st.tuples(st.just("x-materialize-user"), st.sampled_from(["mz_system", "root", ""])),
    max_size=4,
).map(tuple)
methods = st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "DELETE"])


def without(fields: Fields, name: str) -> Fields:
    return tuple(field for field in fields if field[0] != name)


@given(groups, some_fields, methods, st.text(st.characters(codec="latin-1"), max_size=12))
def test_with_a_trusted_header_authorization_changes_nothing(
    group: RouteGroup, fields: Fields, method: str, value: str
) -> None:
    if not GROUPS[group].trusted_header:
        return
    bare = (*without(without(fields, "authorization"), "x-materialize-user"), HEADER)
    plain = gates().decide(request(*bare, method=method), group)
    with_it = gates().decide(request(*bare, ("authorization", value), method=method), group)
    assert outcome(plain) == outcome(with_it)


@given(groups, some_fields, methods, st.sampled_from(["localhost", "10.0.0.1:80", "evil.example", "a@b"]))
def test_nobody_gets_in_by_two_ways_at_once(group: RouteGroup, fields: Fields, method: str, host: str) -> None:
    decision = gates().decide(request(*fields, method=method, host=host), group)
    assert decision.answer is None or decision.identity is None
    if host == "evil.example" or host == "a@b":
        assert decision.answer is not None
        assert decision.identity is None
    if decision.identity is not None:
        assert GROUPS[group].authentication != "none"
        assert decision.identity.user not in ("root", "")


@given(groups, some_fields, methods)
def test_cookies_mean_nothing_on_kind_none(group: RouteGroup, fields: Fields, method: str) -> None:
    with_it, plain = (
        gates().decide(request(*kept, method=method), group) for kept in ((*fields, COOKIE), without(fields, "cookie"))
    )
    assert group == "logout" or outcome(with_it) == outcome(plain)


@given(groups, some_fields, methods)
def test_the_same_over_both_versions(group: RouteGroup, fields: Fields, method: str) -> None:
    one, two = (gates().decide(request(*fields, method=method, version=version), group) for version in ("1.1", "2"))
    assert outcome(one) == outcome(two)
    assert one.fields == two.fields
