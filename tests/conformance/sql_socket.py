"""Plays the `ws` steps of the SQL cases: format in `cases/README-sql.md`, "`ws` requests"."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import Factory, define

from ..clients import websocket as ws
from ..clients.blocking import HttpConnection, WebSocket
from ..clients.messages import Answer, Outgoing
from . import suite_sql
from .match_sql import match
from .model import Case, Json, Mismatch, agree, require, short
from .stage import Talk

PATH = "/api/experimental/sql"
_OPENING = {"user": "conformance", "password": "", "options": {"welcome_message": "off"}}
_PATIENCE = 10.0
_FIRST = {"auth", "auth_text", "auth_hex"}

Step = Mapping[str, Json]


@define
class _Socket:
    """One WebSocket of a case and what the steps have learned from it."""

    talk: Talk
    credentials: tuple[str, str] | None = None
    http: HttpConnection | None = None
    socket: WebSocket | None = None
    cookie: str | None = None
    conn_id: int | None = None
    pings: int = 0
    timestamps: list[float] = Factory(list)

    # -- the handshake -----------------------------------------------------

    def open(self, step: Step, expected: Step) -> None:
        """The handshake, as written."""
        given = step["open"]
        fields = dict(given.get("headers", {}))
        if "basic" in given:
            fields["authorization"] = "Basic " + base64.b64encode(":".join(given["basic"]).encode()).decode()
        if given.get("cookie"):
            fields["cookie"] = self.cookie or ""
        change = {name: given[name] for name in ("method", "protocol") if name in given}
        if given.get("http") == "2" and change.get("method", "CONNECT") != "CONNECT":
            change |= {"protocol": None, "finished": True}
        answer = self._open(tuple(fields.items()), tuple(given.get("drop", ())), change, given.get("http"))
        seen: dict[str, Json] = {"handshake": 101 if self.socket is not None else answer.status}
        if "headers" in expected:
            seen["headers"] = {name: answer.get(name) for name in expected["headers"] if answer.get(name) is not None}
        if "text" in expected:
            seen["text"] = answer.text()
        agree(match(dict(expected), seen, "handshake"))

    def _open(
        self,
        fields: tuple[tuple[str, str], ...] = (),
        drop: tuple[str, ...] = (),
        change: dict[str, Any] | None = None,
        version: str | None = None,
    ) -> Answer:
        self.http = self.talk.open(version=version)
        change = {"authority": self.talk.authority(), **(change or {})}
        answer, self.socket = self.http.websocket(PATH, fields, drop=drop, change=change)
        return answer

    def begin(self, case: Case) -> None:
        """What happens before the first step when the case does not say it."""
        names = {name for step in case.data["requests"] for name in step}
        if "open" not in names and not names <= {"h2_settings"}:
            answer = self._open()
            require(self.socket is not None, f"handshake answered {answer.status} {answer.body!r}", "handshake")
        looks_at_handshake_only = "open" in names and names <= {"open", "login", "logout", "ping", "close"}
        if names & _FIRST or looks_at_handshake_only or self.socket is None:
            return
        known = dict(zip(("user", "password"), self.credentials, strict=True)) if self.credentials else {}
        self.live.send(json.dumps({**_OPENING, **known}))
        agree(self._startup({}), "authentication")

    @property
    def live(self) -> WebSocket:
        """The open socket."""
        if self.socket is None:
            raise Mismatch("there is no open WebSocket")
        return self.socket

    # -- reading -----------------------------------------------------------

    def message(self, seconds: float = _PATIENCE) -> Json:
        """The next data message, parsed; Pings are answered and counted."""
        until = self.live.http.wire.clock() + seconds
        while True:
            received = self.live.receive(max(0.0, until - self.live.http.wire.clock()))
            if isinstance(received, ws.Text):
                return json.loads(received.text)
            if isinstance(received, ws.Pinged):
                self.pings += 1
            elif received is None:
                raise Mismatch("no message in time")
            elif not isinstance(received, ws.Ponged):
                raise Mismatch(f"got {short(received)} instead of a text message")

    def batch(self) -> list[Json]:
        """All messages up to the next ReadyForQuery."""
        messages = [self.message()]
        while messages[-1].get("type") != "ReadyForQuery":
            messages.append(self.message())
        return messages

    def stream(self, expected: Step) -> None:
        """Read until the whole array is matched."""
        wanted, messages, why = expected["stream"], [], match(expected["stream"], [])
        while why:
            try:
                messages.append(self.message())
            except Mismatch as mismatch:
                raise Mismatch(f"{mismatch.reason}; {why}") from None
            why = match(wanted, messages)
        times = [float(each["payload"][0]) for each in messages if each.get("type") == "Row"]
        self.timestamps += times
        require(not expected.get("same_timestamp") or len(set(times)) <= 1, f"timestamps differ: {times}")
        if expected.get("timestamps_nondecreasing"):
            require(self.timestamps == sorted(self.timestamps), f"timestamps go back: {self.timestamps}")
        if expected.get("then_closed"):
            require(self.live.closed(_PATIENCE) is not None, "the connection stays open")

    def expect(self, expected: Step) -> None:
        """What a request is followed by."""
        if "batch" in expected:
            messages = self.batch()
            why = match(expected["batch"], messages, "batch")
            agree(why and f"{why}; got {short(messages, 800)}")
        elif "batches" in expected:
            for batch in expected["batches"]:
                agree(match(batch, self.batch(), "batch"))
        elif "stream" in expected:
            self.stream(expected)
        elif "close" in expected or "closed" in expected:
            self._closed(expected)
        else:
            require(not expected, f"the case expects something unknown: {expected}")

    def _closed(self, expected: Step) -> None:
        closed = self.live.closed(_PATIENCE)
        if closed is None:
            raise Mismatch("the connection stays open")
        wanted = expected.get("close", expected.get("closed"))
        require("close" not in expected or closed.code is not None, "the connection ended without a Close frame")
        seen = {name: value for name, value in (("code", closed.code), ("reason", closed.reason)) if name in wanted}
        agree(match(wanted, seen, "close"))

    def _startup(self, expected: Step) -> str | None:
        messages = self.batch()
        parameters = {m["payload"]["name"]: m["payload"]["value"] for m in messages if m["type"] == "ParameterStatus"}
        shape = [
            {"$many": {"type": "ParameterStatus", "payload": {"$any": True}}, "min": 1},
            {
                "type": "BackendKeyData",
                "payload": {"conn_id": {"$type": "integer"}, "secret_key": {"$type": "integer"}},
            },
            {"type": "ReadyForQuery", "payload": "I"},
        ]
        why = match(shape, messages, "startup") or match(
            {"$has": expected.get("parameters", {})}, parameters, "startup"
        )
        if why:
            return f"{why}; got {short(messages, 800)}"
        key = messages[-2]["payload"]
        self.conn_id = key["conn_id"]
        if not all(0 <= number < 2**32 for number in key.values()):
            return f"startup: numbers out of range: {key}"
        return match(expected["then"], self._soon(0.5), "then") if "then" in expected else None

    def _soon(self, seconds: float) -> list[Json]:
        messages: list[Json] = []
        until = self.live.http.wire.clock() + seconds
        while (left := until - self.live.http.wire.clock()) > 0:
            try:
                messages.append(self.message(left))
            except Mismatch:
                break
        return messages

    # -- steps -------------------------------------------------------------

    def auth(self, step: Step, expected: Step) -> None:
        """The first message."""
        if "auth_hex" in step:
            self.live.send(bytes.fromhex(step["auth_hex"]))
        else:
            text = step["auth_text"] if "auth_text" in step else json.dumps(step["auth"])
            self.live.send(text.encode() if step.get("frame") == "binary" else text)
        for request in step.get("then_send", ()):
            self.live.send(json.dumps(request))
        if "startup" in expected:
            agree(self._startup(expected["startup"]))
        else:
            self.expect(expected)

    def send(self, step: Step, expected: Step) -> None:
        """A request in whatever frames the step wants."""
        self.live.raw(b"".join(self._frames(step)))
        if not step.get("nowait"):
            self.expect(expected)

    def _frames(self, step: Step) -> Sequence[bytes]:
        if "send_many" in step:
            return [ws.frame(ws.TEXT, self._text(request)) for request in step["send_many"]]
        opcode = ws.BINARY if step.get("frame") == "binary" or "send_hex" in step else ws.TEXT
        if "send_hex" in step:
            payload = bytes.fromhex(step["send_hex"])
        elif "send_fill" in step:
            payload = suite_sql.filled(step["send_fill"]).encode()
        else:
            payload = step["send_text"].encode() if "send_text" in step else self._text(step["send"])
        if "fragments" in step:
            return ws.fragments(opcode, payload, step["fragments"])
        return [ws.frame(opcode, payload, masked=not step.get("unmasked"), rsv=step.get("rsv", 0))]

    def _text(self, request: Json) -> bytes:
        return self._filled(json.dumps(request)).encode()

    def _filled(self, text: str) -> str:
        return text.replace("${conn_id}", str(self.conn_id))

    def control(self, step: Step, expected: Step) -> None:
        """A Ping or a Pong of our own."""
        name = "ping" if "ping" in step else "pong_frame"
        payload = bytes.fromhex(step[name])
        self.live.raw(ws.frame(ws.PING if name == "ping" else ws.PONG, payload))
        if "pong" in expected:
            answer = self.live.receive(_PATIENCE)
            require(answer == ws.Ponged(bytes.fromhex(expected["pong"])), f"got {answer!r} instead of the Pong")

    def close(self, step: Step, expected: Step) -> None:
        """Close, and read the peer's Close."""
        given = step["close"]
        self.live.close(given.get("code"), given.get("reason", ""))
        self._closed(expected)

    def abort(self, step: Step, expected: Step) -> None:
        """Drop the connection."""
        del step, expected
        self.live.http.wire.abort()
        self.socket = None

    def post(self, step: Step, expected: Step) -> None:
        """A request on another connection, or another stream of this one."""
        request = json.loads(self._filled(json.dumps(step["post"])))
        if step.get("same_connection") or request.pop("same_connection", False):
            outgoing = suite_sql.request_of(request, self.talk.authority(), self.credentials)
            suite_sql.check(expected, self.live.http.exchange(outgoing))
        else:
            suite_sql.post(self.talk, request, expected, self.credentials)

    def second_socket(self, step: Step, expected: Step) -> None:
        """Another socket beside this one."""
        other = _Socket(self.talk, self.credentials)
        other._open()
        other.auth(step["second_socket"], expected)

    def log(self, step: Step, expected: Step) -> None:
        """`POST /api/login` or `/api/logout`, keeping the cookie."""
        name = "login" if "login" in step else "logout"
        fields = [("cookie", self.cookie)] if self.cookie else []
        body = json.dumps(step["login"]).encode() if name == "login" else b""
        fields += [("content-type", "application/json")] if body else []
        request = Outgoing(
            method="POST",
            target=f"/api/{name}",
            fields=tuple(fields),
            body=body,
            authority=self.talk.authority(),
        )
        answer = self.talk.exchange(request)
        require(answer.status == expected["status"], f"{name} answered {answer.status}")
        for value in answer.all("set-cookie"):
            self.cookie = value.partition(";")[0]

    def wait(self, step: Step, expected: Step) -> None:
        """`sleep`, `quiet` and `count_pings`: let time pass and see what comes."""
        name = next(name for name in ("sleep", "quiet", "count_pings") if name in step)
        if name == "sleep":
            self.talk.stage.sleep(step["sleep"])
            return
        before = self.pings
        messages = self._soon(step[name])
        require(name != "quiet" or not messages, f"not quiet: {short(messages)}")
        if "pings_min" in expected:
            count = self.pings - before
            require(count >= expected["pings_min"], f"{count} pings, expected at least {expected['pings_min']}")

    def h2_settings(self, step: Step, expected: Step) -> None:
        """The server's SETTINGS."""
        del step
        http = self.talk.open(version="2")
        http.exchange(Outgoing(target="/api/livez", authority=self.talk.authority()))
        settings = getattr(http.client, "settings", {})
        for number, value in expected["settings"].items():
            agree(match(value, settings.get(int(number)), f"setting {number}"))

    def await_idle(self, step: Step, expected: Step) -> None:
        """No statement runs any more."""
        suite_sql.idle(self.talk.stage, step["await_idle"])
        require(expected == {"idle": True}, f"the case expects {expected}")

    def read(self, step: Step, expected: Step) -> None:
        """Read on."""
        del step
        self.expect(expected)


_STEPS: dict[str, Callable[[_Socket, Step, Step], None]] = {
    "open": _Socket.open,
    "login": _Socket.log,
    "logout": _Socket.log,
    "auth": _Socket.auth,
    "auth_text": _Socket.auth,
    "auth_hex": _Socket.auth,
    "send": _Socket.send,
    "send_text": _Socket.send,
    "send_hex": _Socket.send,
    "send_fill": _Socket.send,
    "send_many": _Socket.send,
    "read": _Socket.read,
    "ping": _Socket.control,
    "pong_frame": _Socket.control,
    "close": _Socket.close,
    "abort": _Socket.abort,
    "post": _Socket.post,
    "second_socket": _Socket.second_socket,
    "sleep": _Socket.wait,
    "quiet": _Socket.wait,
    "count_pings": _Socket.wait,
    "h2_settings": _Socket.h2_settings,
    "await_idle": _Socket.await_idle,
}


def play(case: Case, talk: Talk) -> None:
    """Play the steps of a `ws` case; raises `Mismatch` with the step."""
    socket = _Socket(talk, suite_sql.credentials_of(case))
    socket.begin(case)
    for index, (step, expected) in enumerate(zip(case.data["requests"], case.data["expect"], strict=True)):
        name = next((name for name in _STEPS if name in step), None)
        if name is None:
            raise Mismatch(f"the case uses an unknown step {sorted(step)}", f"step {index + 1}")
        try:
            _STEPS[name](socket, step, expected)
        except Mismatch as mismatch:
            where = mismatch.step or f"step {index + 1} ({name})"
            raise Mismatch(mismatch.reason, where) from None
        except (ValueError, KeyError, AssertionError) as error:
            raise Mismatch(f"{type(error).__name__}: {error}", f"step {index + 1} ({name})") from None
