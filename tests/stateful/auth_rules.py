"""The rules of the machines of authentication, in parts that each machine takes as it needs them.

`World` is a server and its model: requests under way, work that waits, clients
that leave, the clock, and what must hold.  The other parts add ways to ask:
`Names` (a user's password, the trusted header), `Logins` (sessions and their
sockets, and what changes with the users), `Tokens` of a provider, and
`AppPasswords` of a tenant.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from attrs import define, field
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fanlight import App, Listener, Request, Response, Settings
from fanlight.auth.checks import AT_ONCE
from fanlight.auth.effects import (
    AwaitPassword,
    FetchDocument,
    Fetched,
    FetchFailed,
    HashPassword,
    VerifyPassword,
    VerifySignature,
)
from fanlight.auth.frontegg import FronteggSettings
from fanlight.auth.identity import Kind
from fanlight.auth.oidc import OidcSettings
from fanlight.auth.scram import derive, verify
from fanlight.auth.users import Role, Users
from fanlight.http.response import text
from fanlight.http.websocket import NextMessage, PeerClosed, SendMessage
from fanlight.observe.records import Failure
from fanlight.pages.sql_socket import _admitted
from fanlight_engines.auth.tokens import verify as verify_signature
from tests.clients import websocket as ws
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.core.auth.providing import ISSUER, Provider, pem, token
from tests.sim import LATER, START, Answered, Outcome, Pending, Sim

NAMES = ("ada", "bob", "mz_system")
PASSWORDS = ("secret-one", "secret-two", "secret-three")
KINDS: tuple[Kind, ...] = ("Password", "Oidc", "Frontegg", "None")
VALIDITY = 1000
"""Seconds that an access token lasts."""
UUID = "99999999-8888-4777-8666-555544443333"
APP = "mzp_" + "0f" * 16 + "a0" * 16
WRONG_APP = "mzp_" + "0f" * 16 + "b0" * 16
FIRST = dict(zip(NAMES, PASSWORDS, strict=True))
A_MOMENT = 0.001
USERS, WORDS = st.sampled_from((*NAMES, "nobody")), st.sampled_from(PASSWORDS)
WAYS = st.sampled_from(("put", "drop", "revoke", "nologin"))
STORED = {(password, salt): str(derive(password, bytes([salt]) * 32, 2)) for password in PASSWORDS for salt in range(4)}
LONG = int(START.wall) + 10**6
TOKENS = {
    "carol": token({"iss": ISSUER, "sub": "carol", "exp": LONG}),
    "short": token({"iss": ISSUER, "sub": "carol", "exp": int(START.wall) + 100}),
    "system": token({"iss": ISSUER, "sub": "mz_system", "exp": LONG}),
    "ghost": token({"iss": ISSUER, "sub": "carol", "exp": LONG}, kid="ghost"),
    "forged": token({"iss": ISSUER, "sub": "carol", "exp": LONG}, key="RSA2"),
}
ACCESS = {
    "sub": UUID,
    "iss": "x",
    "type": "userToken",
    "tenantId": UUID,
    "roles": [],
    "permissions": [],
    "email": "ursula@example.com",
}


async def me(request: Request) -> Response:
    """Who asks."""
    return text(200, request.user())


async def socket(request: Request) -> None:
    """Says who it is for, then holds on."""
    if await _admitted(request) is None:
        return
    await SendMessage(request.user())
    while not isinstance(await NextMessage(100), PeerClosed):
        await SendMessage("still here")


@define(eq=False)
class Asked:
    """A request under way: what the model says of its credentials, now and at any time since it was sent."""

    http: HttpConnection
    stream: int
    user: str | None
    holds: Callable[[], bool]
    login: bool = False
    ever: bool = False
    always: bool = True

    def look(self) -> None:
        good = self.holds()
        self.ever |= good
        self.always &= good


@define(eq=False)
class Cookie:
    """A session as the model knows it: good until logged out, changed, or out of time."""

    value: str
    user: str
    mark: str
    used: float
    made: float
    ended: bool = False


@define(eq=False)
class Socket:
    """An open socket, and whether it must still be open."""

    stream: Any
    user: str
    holds: Callable[[], bool]


@define
class Models:
    """Everything that the model knows."""

    passwords: dict[str, str | None] = field(factory=lambda: dict(FIRST))
    cookies: list[Cookie] = field(factory=list)
    asked: list[Asked] = field(factory=list)
    sockets: list[Socket] = field(factory=list)


class World(RuleBasedStateMachine):
    """One server with a listener for each of its `kinds`, and the model."""

    kinds: tuple[Kind, ...] = KINDS

    def __init__(self) -> None:
        super().__init__()
        self.model = Models()
        self.users = Users({name: Role(STORED[password, 0]) for name, password in FIRST.items()})
        self.provider = Provider("RSA")
        self.changes = 0
        self.requests = 0
        app = App(
            listeners=[Listener(kind, authenticator=kind, groups={"base": "Normal"}) for kind in self.kinds],
            pages=False,
            users=self.users,
            oidc=OidcSettings(issuer=ISSUER),
            frontegg=FronteggSettings(token_url="https://a.example/t", tenant_id=UUID, public_key=pem("RSA")),
            settings=Settings(auth_failure_burst=3, auth_failure_refill_seconds=10.0, peer_auth_failure_burst=40),
        )
        from fanlight.pages import login

        app.route("GET", "/me")(me)
        app.route("GET", "/socket", group="ws", websocket=True)(socket)
        app.route("POST", "/api/login", group="login")(login.login)
        app.route("POST", "/api/logout", group="logout")(login.logout)
        self.sim = Sim(app, answering=self.at_once, ports=(6876,) * len(self.kinds))
        self.users.watch(self.sim.server.users_changed)

    # ---- the world -------------------------------------------------------------

    def at_once(self, effect: Any) -> Outcome:
        """Signatures are the loop's; everything else waits for a rule."""
        return Answered(verify_signature(effect)) if isinstance(effect, VerifySignature) else LATER

    def perform(self, pending: Pending, well: bool) -> None:
        effect = pending.effect
        if isinstance(effect, VerifyPassword):
            answer: Any = effect.attempt.begin() and verify(effect.password.reveal(), effect.stored) == "ok"
            effect.attempt.result = answer
        elif isinstance(effect, HashPassword):
            answer = str(derive(effect.password.reveal(), bytes([self.changes % 256]) * 32, 3))
        elif isinstance(effect, AwaitPassword):
            answer = bool(effect.attempt.result)
        elif not well:
            answer = FetchFailed("timeout")
        else:
            assert isinstance(effect, FetchDocument)
            answer = self.exchange(effect.body) if effect.body is not None else self.provider.answer(effect)
        self.sim.reply(pending, answer)

    def exchange(self, body: bytes) -> Fetched:
        if json.loads(body)["secret"].startswith("b0"):
            return Fetched(403, b"")
        access = token({**ACCESS, "exp": int(self.sim.now.wall) + VALIDITY})
        reply = {"expires": "x", "expiresIn": 5, "accessToken": access, "refreshToken": "r"}
        return Fetched(200, json.dumps(reply).encode())

    def begin(self, listener: str, request: Outgoing, user: str | None, holds: Callable[[], bool], **more: Any) -> None:
        http = HttpConnection(self.sim.connect(listener), "1.1")
        asked = Asked(http, 0, user, holds, **more)
        asked.look()
        asked.stream = http.begin(request)
        self.requests += 1
        self.model.asked.append(asked)

    def work(self) -> None:
        """Everything that waits is done, and well."""
        while self.sim.pending:
            self.perform(self.sim.pending[0], True)
        self.nobody_is_let_in_by_mistake_or_kept_out()

    # ---- rules -----------------------------------------------------------------

    @rule(pick=st.integers(0, 3))
    def ask_with_nothing(self, pick: int) -> None:
        kind = self.kinds[pick % len(self.kinds)]
        self.begin(kind, Outgoing(target="/me"), "anonymous_http_user", lambda: kind == "None")

    @rule()
    def do_all_work(self) -> None:
        self.work()

    @rule(seconds=st.sampled_from((0.5, 11.0, 70.0, 4000.0, 30_000.0)))
    def pass_time(self, seconds: float) -> None:
        self.sim.advance(seconds)

    @rule(data=st.data(), well=st.booleans())
    def answer(self, data: st.DataObject, well: bool) -> None:
        pending = self.some(data, self.sim.pending)
        if pending is not None:
            self.perform(pending, well)

    @rule(data=st.data())
    def hang_up(self, data: st.DataObject) -> None:
        asked = self.some(data, self.model.asked)
        if asked is not None:
            self.model.asked.remove(asked)
            asked.http.wire.abort()

    def some(self, data: st.DataObject, things: list[Any]) -> Any:
        return things[data.draw(st.integers(0, len(things) - 1))] if things else None

    def log(self, user: str, value: str) -> None:
        """A login has given `user` a cookie."""
        raise AssertionError("nobody logs in here")

    # ---- what must hold --------------------------------------------------------

    @invariant()
    def nobody_is_let_in_by_mistake_or_kept_out(self) -> None:
        for asked in list(self.model.asked):
            asked.look()
            while asked.http.listen(0):
                pass
            answer = asked.http.answers[asked.stream]
            if answer.done:
                self.model.asked.remove(asked)
                self.judge(asked, answer)

    def judge(self, asked: Asked, answer: Answer) -> None:
        if answer.status == 200 and asked.login:
            assert asked.ever
            value = (answer.get("set-cookie") or "").partition(";")[0].removeprefix("mz_session=")
            assert value not in [cookie.value for cookie in self.model.cookies]
            self.log(asked.user or "", value)
        elif answer.status == 200 and asked.user:
            assert asked.ever
            assert answer.text() == asked.user
        elif answer.status != 429 and asked.always:
            # An outage may keep somebody out, but nobody whose password is right.
            outage = answer.text().startswith(("failed to fetch", "unauthorized", "no matching key"))
            assert answer.status == 200 or (outage and asked.user in ("carol", "ursula@example.com")), answer

    @invariant()
    def sockets_end_with_what_they_rest_on(self) -> None:
        for each in list(self.model.sockets):
            if each.holds():
                each.stream.send("x")
                assert each.stream.receive(A_MOMENT) == ws.Text("still here")
            else:
                self.sim.advance(0.0)
                assert each.stream.receive(A_MOMENT) == ws.Closed(1008, "authentication expired")
                self.model.sockets.remove(each)

    @invariant()
    def no_secret_is_told_and_nothing_fails(self) -> None:
        told = repr(self.sim.notes) + repr(list(self.sim.server.audit.events))
        for secret in (*PASSWORDS, *TOKENS.values(), APP, WRONG_APP, *(cookie.value for cookie in self.model.cookies)):
            assert secret not in told
        assert not [note for note in self.sim.notes if isinstance(note, Failure)]

    @invariant()
    def work_is_bounded(self) -> None:
        hashes = [each for each in self.sim.pending if isinstance(each.effect, VerifyPassword)]
        assert len(hashes) <= AT_ONCE

    def teardown(self) -> None:
        """Everybody leaves; what they had begun ends, and nothing is left behind."""
        for wire in self.sim.wires:
            wire.abort()
        for _ in range(100):
            for _ in range(1000):
                if not self.sim.pending:
                    break
                self.perform(self.sim.pending[0], True)
            if not len(self.sim.server.background):
                break
            self.sim.advance(VALIDITY)
        self.sim.advance(self.sim.server.limits.cleanup)
        server = self.sim.server
        assert server.drained
        assert server.vouched == {}
        assert len(server.background) == 0
        assert len(server.recent) == min(self.requests, 1000)
        if server.provers is None:
            assert self.kinds == ("None",)
            return
        checks, passwords = server.provers.checks, server.provers.frontegg.passwords
        assert (checks._flights, checks._turns._free, checks._turns._waiting) == ({}, AT_ONCE, 0)
        assert checks._hashing == set()
        assert (passwords._flights, dict(passwords._kept)) == ({}, {})
        assert all(not bucket.reserved and not bucket.waiting for bucket in checks.throttle._buckets.values())


class Names(World):
    """Users who say their password, or that they are somebody."""

    def right(self, user: str, password: str) -> Callable[[], bool]:
        return lambda: self.model.passwords.get(user) == password

    def lives(self, cookie: Cookie) -> bool:
        role = self.users.find(cookie.user)
        return not cookie.ended and role is not None and role.mark == cookie.mark

    @rule(
        pick=st.integers(0, 2),
        user=st.sampled_from((*NAMES, "nobody")),
        password=st.sampled_from(PASSWORDS),
    )
    def ask_by_password(self, pick: int, user: str, password: str) -> None:
        places = [kind for kind in self.kinds if kind != "Frontegg"]
        kind = places[pick % len(places)]
        raw = base64.b64encode(f"{user}:{password}".encode()).decode()
        right = self.right(user, password)
        admitted = user != "mz_system"
        request = Outgoing(target="/me", fields=(("authorization", f"Basic {raw}"),))
        self.begin(kind, request, user, lambda: admitted and (kind == "None" or right()))

    @rule(pick=st.integers(0, 2), user=st.sampled_from(("mz_system", "mz_support", "ada")))
    def ask_by_trusted_header(self, pick: int, user: str) -> None:
        """It means nothing but on kind None, and there it leads to no group that is for ordinary users."""
        places = [kind for kind in self.kinds if kind != "Frontegg"]
        request = Outgoing(target="/me", fields=(("x-materialize-user", user),))
        self.begin(places[pick % len(places)], request, None, lambda: False)


class Logins(Names):
    """Sessions, their sockets, and users who change."""

    @property
    def home(self) -> str:
        """The listener whose sessions these are."""
        return "Password" if "Password" in self.kinds else "Oidc"

    @initialize()
    def begin_a_usual_day(self) -> None:
        """Two sessions, one of them with a socket: what most steps need."""
        for user in ("ada", "bob"):
            self.log_in(user, FIRST[user])
        self.work()
        self.attach(self.model.cookies[0])

    @rule(data=st.data())
    def ask_by_cookie(self, data: st.DataObject) -> None:
        cookie = self.some(data, self.model.cookies)
        if cookie is None:
            return
        idle, age = self.sim.now.wall - cookie.used, self.sim.now.wall - cookie.made
        good = self.lives(cookie) and idle <= 28_800 and age <= 604_800
        if good:
            cookie.used = self.sim.now.wall
        else:
            cookie.ended = True
        fields = (("cookie", f"mz_session={cookie.value}"),)
        admitted = good and cookie.user != "mz_system"
        self.begin(self.home, Outgoing(target="/me", fields=fields), cookie.user, lambda: admitted)

    @rule(user=USERS, password=WORDS)
    def log_in(self, user: str, password: str) -> None:
        body = json.dumps({"username": user, "password": password}).encode()
        request = Outgoing(
            method="POST",
            target="/api/login",
            fields=(("content-type", "application/json"), ("content-length", str(len(body)))),
            body=body,
        )
        self.begin(self.home, request, user, self.right(user, password), login=True)

    @rule(data=st.data())
    def log_out(self, data: st.DataObject) -> None:
        cookie = self.some(data, self.model.cookies)
        if cookie is not None:
            cookie.ended = True
            fields = (("cookie", f"mz_session={cookie.value}"), ("content-length", "0"))
            self.begin(self.home, Outgoing(method="POST", target="/api/logout", fields=fields), "", lambda: True)

    @rule(user=st.sampled_from(NAMES))
    def log_in_rightly(self, user: str) -> None:
        password = self.model.passwords.get(user)
        if password is not None:
            self.log_in(user, password)
            self.work()

    @rule(data=st.data())
    def open_socket(self, data: st.DataObject) -> None:
        cookie = self.some(data, self.model.cookies)
        if cookie is not None and cookie.user != "mz_system":
            self.attach(cookie)

    def attach(self, cookie: Cookie) -> None:
        good = self.lives(cookie) and self.sim.now.wall - cookie.used <= 28_800
        good = good and self.sim.now.wall - cookie.made <= 604_800
        http = HttpConnection(self.sim.connect(self.home), "1.1")
        self.requests += 1
        answer, made = http.websocket("/socket", (("cookie", f"mz_session={cookie.value}"),))
        if not good:
            cookie.ended = True
            assert made is None or self.first(made) == ws.Closed(1002, "unauthorized"), answer.status
            return
        cookie.used = self.sim.now.wall
        assert self.first(made) == ws.Text(cookie.user)
        ends = self.sim.now.wall + 28_800
        holds = lambda: self.lives(cookie) and self.sim.now.wall < ends  # noqa: E731
        self.model.sockets.append(Socket(made, cookie.user, holds))

    def first(self, made: Any) -> Any:
        made.send("{}")
        return made.receive(A_MOMENT)

    @rule(
        user=st.sampled_from(NAMES),
        how=st.sampled_from(("put", "drop", "revoke", "nologin")),
        password=st.sampled_from(PASSWORDS),
    )
    def change(self, user: str, how: str, password: str) -> None:
        self.changes += 1
        if how == "drop":
            self.users.drop(user)
            self.model.passwords.pop(user, None)
        elif how == "revoke":
            self.users.revoke(user)
        else:
            self.users.put(user, STORED[password, self.changes % 4], login=how == "put")
            self.model.passwords[user] = password if how == "put" else None
        self.sim.settle()
        self.sim.advance(0.0)

    def log(self, user: str, value: str) -> None:
        """A new session is good if its role is still the one that it was made with."""
        sessions = self.sim.server.listeners[self.home].sessions
        assert sessions is not None
        (made,) = [each for _, each in sessions.table if each.user == user][-1:]
        self.model.cookies.append(Cookie(value, user, made.mark, made.active, made.created))


class Tokens(World):
    """Tokens of an OpenID provider."""

    @initialize()
    def know_the_keys(self) -> None:
        """They are fetched with the first token."""
        self.ask_by_token("carol")
        self.work()

    @rule(which=st.sampled_from(tuple(TOKENS)))
    def ask_by_token(self, which: str) -> None:
        ends = {"carol": LONG, "short": int(START.wall) + 100}.get(which, 0)
        fields = (("authorization", f"Bearer {TOKENS[which]}"),)
        self.begin("Oidc", Outgoing(target="/me", fields=fields), "carol", lambda: self.sim.now.wall <= ends + 60)

    @rule()
    def rotate_keys(self) -> None:
        """The same keys under the same names: a refresh changes nothing for anybody."""
        self.provider.keys.reverse()
        self.sim.advance(3601.0)


class AppPasswords(World):
    """App passwords of a Frontegg tenant, and their sockets."""

    @rule(user=st.sampled_from(("Ursula@Example.com", "other@example.com")), password=st.sampled_from((APP, WRONG_APP)))
    def ask_by_app_password(self, user: str, password: str) -> None:
        raw = base64.b64encode(f"{user}:{password}".encode()).decode()
        good = user.startswith("Ursula") and password == APP
        fields = (("authorization", f"Basic {raw}"),)
        self.begin("Frontegg", Outgoing(target="/me", fields=fields), "ursula@example.com", lambda: good)

    @rule(right=st.booleans())
    def open_socket_by_app_password(self, right: bool) -> None:
        """A socket that lives as long as the session that it rests on."""
        http = HttpConnection(self.sim.connect("Frontegg"), "1.1")
        self.requests += 1
        _, made = http.websocket("/socket", ())
        assert made is not None
        made.send(json.dumps({"user": "ursula@example.com", "password": APP if right else WRONG_APP}))
        first = None
        while first is None:  # an exchange that failed a moment ago is tried again after a while
            self.work()
            first = made.receive(2.0)
        if not right or first != ws.Text("ursula@example.com"):
            assert first == ws.Closed(1002, "unauthorized")
            # Too many wrong ones before, perhaps.
            return
        (grant,) = {
            vouched.exchange.request.identity.proof.grant
            for vouched in self.sim.server.vouched
            if vouched.exchange.request.identity is not None
            and vouched.exchange.request.identity.proof is not None
            and vouched.exchange.request.listener.name == "Frontegg"
        }
        assert grant is not None
        assert self.sim.server.provers is not None
        passwords = self.sim.server.provers.frontegg.passwords
        self.model.sockets.append(Socket(made, "ursula@example.com", lambda: passwords.holds(grant)))

    @rule()
    def pass_to_the_refresh(self) -> None:
        """Most of a token's time: sessions that somebody rests on are due."""
        self.sim.advance(VALIDITY * 0.8)
