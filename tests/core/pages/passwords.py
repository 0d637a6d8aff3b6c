"""A server of kind Password in memory, and clients that prove who they are to it."""

from __future__ import annotations

import base64
import json
from typing import Any

from fanlight import ALL_GROUPS, App, Effect, Limits, Listener, Request, Settings
from fanlight.auth.effects import HashPassword, KeepSessions, KeptSession, LoadSessions, VerifyPassword
from fanlight.auth.scram import derive, verify
from fanlight.auth.users import Role, Users
from fanlight.http.websocket import NextMessage, PeerClosed, SendMessage
from fanlight.pages.sql_socket import _admitted
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.sim import LATER, Answered, Outcome, Sim

PASSWORDS = {"ada": "wonderland", "bob": "builder", "mz_system": "sys"}


def stored(password: str) -> str:
    return str(derive(password, bytes(32), 2))


async def whoami(request: Request) -> None:
    """A socket that says who it is for, and is held until it ends."""
    if await _admitted(request) is None:
        return
    assert request.identity is not None
    await SendMessage(request.identity.user)
    while not isinstance(await NextMessage(100), PeerClosed):
        await SendMessage("still here")


class House:
    """One server, its users, and connections to it."""

    def __init__(
        self,
        version: str = "1.1",
        *,
        limits: Limits | None = None,
        groups: Any = None,
        listener: Any = None,
        **settings: Any,
    ) -> None:
        self.users = Users({name: Role(stored(password)) for name, password in PASSWORDS.items()})
        self.version = version
        self.checked = 0
        self.known: tuple[KeptSession, ...] | None = ()
        self.keeps = True
        made = Listener(authenticator="Password", groups=groups or {**ALL_GROUPS, "base": "Normal"}, **(listener or {}))
        if made.tls:
            settings |= {"tls_certificate": "/c", "tls_key": "/k"}
        self.app = App(listeners=[made], users=self.users, settings=Settings(**settings), limits=limits)
        self.app.route("GET", "/whoami", group="ws", websocket=True)(whoami)
        self.sim = Sim(self.app, answering=self.answer)
        self.users.watch(self.sim.server.users_changed)

    def answer(self, effect: Effect[Any]) -> Outcome:
        """Checks are done at once, for real; a store has `known` sessions (None: it fails) and `keeps` more."""
        if isinstance(effect, VerifyPassword):
            self.checked += 1
            effect.attempt.begin()
            return Answered(verify(effect.password.reveal(), effect.stored) == "ok")
        if isinstance(effect, HashPassword):
            return LATER  # these passwords are hashed so rarely that each is to be hashed anew
        if isinstance(effect, LoadSessions):
            return Answered(self.known)
        if isinstance(effect, KeepSessions):
            return Answered(self.keeps)
        raise AssertionError(effect)

    def ask(self, target: str, *fields: tuple[str, str], method: str = "GET", body: bytes = b"") -> Answer:
        """One request on a connection of its own."""
        http = HttpConnection(self.sim.connect(), self.version)
        return http.exchange(Outgoing(method=method, target=target, fields=fields, body=body))

    def log_in(self, user: str = "ada", password: str | None = None, *fields: tuple[str, str]) -> Answer:
        body = json.dumps({"username": user, "password": PASSWORDS[user] if password is None else password})
        kind = ("content-type", "application/json")
        return self.ask("/api/login", kind, *fields, method="POST", body=body.encode())

    def socket(self, *fields: tuple[str, str], first: Any = None) -> tuple[Answer, Any]:
        """A handshake, and the first message if there is one."""
        answer, socket = HttpConnection(self.sim.connect(), self.version).websocket("/whoami", fields)
        if socket is not None and first is not None:
            socket.send(json.dumps(first))
        return answer, socket


def basic(user: str, password: str | None = None) -> tuple[str, str]:
    """An Authorization field."""
    text = f"{user}:{PASSWORDS[user] if password is None else password}"
    return "authorization", "Basic " + base64.b64encode(text.encode()).decode()


def cookie(answer: Answer) -> tuple[str, str]:
    """The Cookie field that goes with what an answer set."""
    return "cookie", (answer.get("set-cookie") or "").partition(";")[0]
