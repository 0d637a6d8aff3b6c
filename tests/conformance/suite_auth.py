"""Plays the authentication cases: format in `cases/README-auth.md`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..clients import websocket as ws
from ..clients.messages import Answer, Outgoing
from . import units
from .model import Case, Json, Mismatch, Skipped, require, short
from .reach import built, unbuilt_page
from .stage import Listening, Stage, Talk, Target, World, staged

_LISTENER = {
    "tls",
    "conn",
    "plaintext_policy",
    "port",
    "http_host_name",
    "allowed_origins",
    "allowed_hosts",
    "frontegg_oauth_issuer_url",
    "session_absolute_seconds",
    "auth_failure_burst",
    "auth_failure_refill_seconds",
}
_KINDS = ("None", "Password")
"""The kinds of listener that exist."""
_THROTTLE = ("auth_failure_burst", "auth_failure_refill_seconds")
_UNHEARD = 1_000_000
"""A burst that no case comes near."""

EFFECTS: Mapping[str, tuple[str, ...]] = {
    "verify_password": ("VerifyPassword",),
    "fetch": ("FetchDocument",),
    "exchange": ("ExchangeToken",),
    "session_lookup": ("LookUpSession",),
}
"""The words of the cases, and the effects of the core that they count."""

WEBSOCKET_PATH = "/api/experimental/sql"


def world_of(case: Case) -> World:
    """The listener and its surroundings; `Skipped` for kinds that are not built yet."""
    given, world = case.data["listener"], case.data["world"]
    if given["kind"] not in _KINDS:
        raise Skipped(f"not built yet: kind {given['kind']}")
    if given.get("tls") or given.get("conn") == "https":
        raise Skipped("not built yet: TLS listeners in the runner")
    options = {name: given[name] for name in _LISTENER if name in given}
    if "allowed_origins" not in options:
        port = options.get("port", 6876)
        hosts = ("localhost", "127.0.0.1", "[::1]")
        options["allowed_origins"] = [f"{scheme}://{host}:{port}" for host in hosts for scheme in ("http", "https")]
    engine = world.get("engine", {})
    bounds = {"auth_failure_burst": _UNHEARD, "peer_auth_failure_burst": _UNHEARD}
    return World(
        users=world.get("users", {}) if given["kind"] != "None" else {},
        settings={**bounds, **{name: given[name] for name in _THROTTLE if name in given}},
        listeners=(Listening(kind=given["kind"], routes=given["routes"], options=options),),
        engine="ready" if engine.get("ready", True) else "pending",
        now=world["now"],
        startup_error=engine.get("startup_error"),
    )


def request_of(request: Mapping[str, Json], case: Case) -> Outgoing:
    """The HTTP request of a stimulus."""
    fields = [(name, _resolved(value)) for name, value in request.get("headers", [])]
    cookies = request.get("cookies")
    if cookies:
        pairs = cookies.items() if isinstance(cookies, dict) else cookies
        fields.append(("cookie", "; ".join(f"{name}={_resolved(value)}" for name, value in pairs)))
    port = case.data["listener"].get("port", 6876)
    return Outgoing(
        method=request["method"],
        target=request["path"],
        fields=tuple(fields),
        body=request.get("body", "").encode(),
        authority=f"localhost:{port}",
    )


def _resolved(text: str) -> str:
    """Stored sessions need a kind that has them; on kind None any text does, since nobody looks."""
    return re.sub(r"\$\{session:(\w+)\}", "AAECAwQFBgcICQoLDA0ODw", text)


def check(expected: Mapping[str, Json], answer: Answer, case: Case, stage: Stage, target: str) -> None:
    """Compare an answer; raises `Mismatch`."""
    require(answer.ended, f"no whole answer: {answer.broken or 'nothing in time'}")
    if "status" in expected:
        got = f"status {answer.status}, body {short(answer.body)}"
        require(answer.status == expected["status"], f"{got}, expected {expected['status']}")
    if "allow" in expected:
        _allowed(expected["allow"], answer, stage, target)
    if expected.get("public"):
        require(answer.body != b"unauthorized", f"refused with {answer.status}, expected the route to be public")
    if "body" in expected:
        _body(expected["body"], answer)
    for name, wanted in expected.get("headers", {}).items():
        seen = answer.all(name)
        values = [] if wanted is None else wanted if isinstance(wanted, list) else [wanted]
        require(seen == values, f"{name}: {seen}, expected {values}")
    if expected.get("set_cookie", "none") == "none":
        require(not any("mz_session" in value for value in answer.all("set-cookie")), "a session cookie was set")
    else:
        raise Skipped("not built yet: login sessions")
    _watched(expected, stage)


def _allowed(allow: Mapping[str, Json], answer: Answer, stage: Stage, target: str) -> None:
    """The handler answered, and for this user."""
    require(answer.status not in (401, 403, 404, 421), f"refused with {answer.status} {short(answer.body)}")
    if target.startswith("/api/sql"):
        shown = _current_user(answer)
        require(shown == allow["user"], f"current_user is {shown!r}, expected {allow['user']!r}")
    users = {note.user for note in stage.notes if hasattr(note, "user") and hasattr(note, "status")}
    require(not users or allow["user"] in users, f"the record names {sorted(users)}, expected {allow['user']}")


def _current_user(answer: Answer) -> Json:
    try:
        return json.loads(answer.body)["results"][0]["rows"][0][0]
    except (ValueError, KeyError, IndexError, TypeError):
        raise Mismatch(f"no row: {short(answer.body)}") from None


def _body(wanted: Json, answer: Answer) -> None:
    if isinstance(wanted, str):
        require(answer.text() == wanted, f"body {short(answer.body)}, expected {wanted!r}")
    elif "json" in wanted:
        seen: Any = None
        try:
            seen = json.loads(answer.body)
        except ValueError:
            require(False, f"body {short(answer.body)} is no JSON")
        require(seen == wanted["json"], f"body {short(seen)}, expected {short(wanted['json'])}")
    elif "prefix" in wanted:
        require(answer.text().startswith(wanted["prefix"]), f"body {short(answer.body)}, expected {wanted}")
    else:
        raise Mismatch(f"the case uses an unknown form of body: {wanted}")


def _watched(expected: Mapping[str, Json], stage: Stage) -> None:
    """What only the machine shows: effects and logs."""
    for word, count in expected.get("effects", {}).items():
        seen = sum(stage.performed[name] for name in EFFECTS[word])
        require(seen == count, f"{seen} effects of kind {word}, expected {count}")
    for text in expected.get("log_excludes", ()):
        require(all(text not in repr(note) for note in stage.notes), f"a record contains {text!r}")
    if "state" in expected:
        raise Skipped("not built yet: login sessions")


_EXPECTED = {"allow", "public", "status", "body", "headers", "set_cookie", "effects", "log_excludes", "state"}
_COOKIE = {"cookie_attrs", "cookie_value_not"}


_SESSIONS = re.compile(r"mz_session|/api/log(in|out)|use_cookie")


def _http(case: Case, stage: Stage, talk: Talk) -> None:
    _exchange(case, case.data["request"], case.data["expect"], stage, talk)


def _flow(case: Case, stage: Stage, talk: Talk) -> None:
    """One step after another against the same server; effects are counted for each step."""
    for number, step in enumerate(case.data["steps"]):
        if "advance" in step:
            stage.jump(step["advance"])
            continue
        stage.performed.clear()
        try:
            _exchange(case, step["request"], step["expect"], stage, talk)
        except Mismatch as mismatch:
            raise Mismatch(mismatch.reason, f"step {number}") from None


def _exchange(case: Case, request: Mapping[str, Json], expected: Mapping[str, Json], stage: Stage, talk: Talk) -> None:
    unknown = expected.keys() - _EXPECTED - _COOKIE
    require(not unknown, f"the case expects something unknown: {sorted(unknown)}")
    routes = {*case.data["listener"]["routes"], "oauth_metadata"}
    page = unbuilt_page(stage.app, request["path"], routes)
    if page and ("allow" in expected or expected.get("public")):
        raise Skipped(f"not built yet: {page}")
    outgoing = request_of(request, case)
    answer = talk.exchange(outgoing, version=request.get("version"))
    try:
        check(expected, answer, case, stage, request["path"])
    except Mismatch:
        if page:  # its group's rules are not those of an unknown path
            raise Skipped(f"not built yet: {page}") from None
        raise


def _socket(case: Case, stage: Stage, talk: Talk) -> None:
    given, expected = case.data["ws"], case.data["expect"]
    if not built(stage.app, WEBSOCKET_PATH):
        raise Skipped("not built yet: SQL over WebSocket")
    request = request_of({"method": "GET", "path": WEBSOCKET_PATH, **given}, case)
    http = talk.open(version=given.get("version"))
    answer, socket = http.websocket(WEBSOCKET_PATH, request.fields, change={"authority": request.authority})
    status = 101 if socket is not None else answer.status
    require(status == expected["handshake_status"], f"handshake answered {status}", "handshake")
    if socket is None:
        _body(expected.get("body", answer.text()), answer)
        return
    for message in given["messages"]:
        _say(socket, message, stage)
    _heard(socket, expected, stage)


def _say(socket: Any, message: Mapping[str, Json], stage: Stage) -> None:
    if "close" in message:
        socket.close(*message["close"])
    elif "wait" in message:
        stage.sleep(message["wait"])
    elif "ping" in message or "pong" in message:
        name = "ping" if "ping" in message else "pong"
        socket.raw(ws.frame(ws.PING if name == "ping" else ws.PONG, message[name].encode()))
    elif "binary" in message:
        socket.send(message["binary"].encode())
    elif "size" in message:
        socket.send(" " * message["size"])
    else:
        socket.send(message["text"] if "text" in message else json.dumps(message["json"]))


def _heard(socket: Any, expected: Mapping[str, Json], stage: Stage) -> None:
    if "close" in expected or expected.get("closed_by_client"):
        closed = socket.closed()
        require(closed is not None, "the connection stays open")
        wanted = expected.get("close", {"code": closed.code, "reason": None})
        good = closed.code == wanted["code"] and wanted["reason"] in (None, closed.reason)
        require(good, f"closed with {closed}, expected {wanted}")
    elif "allow" in expected:
        while True:
            message = socket.receive()
            require(isinstance(message, ws.Text | ws.Pinged | ws.Ponged), f"got {message} instead of a greeting")
            if isinstance(message, ws.Text) and json.loads(message.text).get("type") == "ReadyForQuery":
                break
        users = {note.user for note in stage.notes if hasattr(note, "user") and hasattr(note, "status")}
        require(not users or expected["allow"]["user"] in users, f"the record names {sorted(users)}")
    _watched(expected, stage)


def play(case: Case, version: str, target: Target) -> None:
    """Play `case`; raises `Mismatch` with the step, or `Skipped`."""
    if case.data["case"] == "unit":
        units.play(case)
        return
    world = world_of(case)
    if case.data["case"] == "concurrent":
        raise Skipped("not built yet: concurrent cases")
    if case.data["listener"]["kind"] != "None" and _SESSIONS.search(json.dumps(case.data)):
        raise Skipped("not built yet: login sessions")
    play_one = {"http": _http, "ws": _socket, "flow": _flow}[case.data["case"]]
    with staged(target, world, version) as (stage, talk):
        play_one(case, stage, talk)
