"""Plays the authentication cases: format in `cases/README-auth.md`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from attrs import evolve

from fanlight.auth.authorization import Password, decode
from fanlight.auth.cookies import ID_BYTES, id_text
from fanlight.auth.frontegg import parse_app_password
from fanlight.auth.oidc import LEEWAY
from fanlight.auth.session_table import IDLE_SECONDS, Session
from fanlight.auth.sessions import key_of
from fanlight.observe.records import AccessRecord

from ..clients import websocket as ws
from ..clients.messages import Answer, Outgoing
from . import units, worlds
from .model import Case, Json, Mismatch, Skipped, require, short
from .providers import Providers, oidc_settings
from .reach import unbuilt_page
from .stage import Listening, Stage, Talk, Target, World, retried, staged

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
_SETTINGS = ("auth_failure_burst", "auth_failure_refill_seconds", "session_absolute_seconds")
_UNHEARD = 1_000_000
"""A burst that no case comes near."""

EFFECTS: Mapping[str, tuple[str, ...]] = {
    "verify_password": ("VerifyPassword",),
    "fetch": ("FetchDocument",),
    "exchange": (),
    "session_lookup": (),
}
"""The words of the cases, and the effects of the core that they count."""

_SLACK = 10.0
"""How long a case may take over a socket, in seconds."""
_PATIENCE = 45.0
WEBSOCKET_PATH = "/api/experimental/sql"


def world_of(case: Case) -> World:
    """The listener and its surroundings; `Skipped` for what cannot happen."""
    given, world = case.data["listener"], case.data["world"]
    if world.get("role_check_error"):
        raise Skipped("cannot happen: users in memory are always found, or not")
    options = {name: given[name] for name in _LISTENER if name in given}
    if "allowed_origins" not in options:
        port = options.get("port", 6876)
        hosts = ("localhost", "127.0.0.1", "[::1]")
        options["allowed_origins"] = [f"{scheme}://{host}:{port}" for host in hosts for scheme in ("http", "https")]
    engine = world.get("engine", {})
    bounds = {"auth_failure_burst": _UNHEARD, "peer_auth_failure_burst": _UNHEARD}
    return World(
        users=world.get("users", {}) if given["kind"] != "None" else {},
        settings={**bounds, **{name: given[name] for name in _SETTINGS if name in given}},
        providers=Providers(world) if given["kind"] in ("Oidc", "Frontegg") else None,
        secure=given.get("tls", False) and given.get("conn") != "http",
        listeners=(Listening(kind=given["kind"], routes=given["routes"], options=options),),
        engine="ready" if engine.get("ready", True) else "pending",
        now=world["now"],
        startup_error=engine.get("startup_error"),
    )


def request_of(request: Mapping[str, Json], case: Case) -> Outgoing:
    """The HTTP request of a stimulus."""
    tokens = Providers(case.data["world"])
    fields = [(name, _resolved(tokens.resolved(value))) for name, value in request.get("headers", [])]
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


def session_id(label: str) -> bytes:
    """The id of a stored session."""
    return sha256(label.encode()).digest()[:ID_BYTES]


def _resolved(text: str) -> str:
    """With the cookie values of stored sessions in it."""
    return re.sub(r"\$\{session:(\w+)\}", lambda found: id_text(session_id(found[1])), text)


def _refuse_in_real_time(case: Case) -> None:
    """Raise `Skipped` for what only a virtual clock can show."""
    world = case.data["world"]
    ends = [token["claims"].get("exp") for token in world.get("tokens", {}).values()]
    idle = [session["idle"] for session in world.get("sessions", {}).values()]
    if IDLE_SECONDS in idle or world["now"] - LEEWAY in ends:
        raise Skipped("needs a clock that stands still")
    if case.data["listener"]["kind"] == "Frontegg" and _tries_for_long(case):
        raise Skipped("takes half a minute of real time")


def _tries_for_long(case: Case) -> bool:
    """Is an app password sent while the token URL never answers?"""
    posts = [entry["reply"] for entry in case.data["world"].get("http", ()) if entry.get("method") == "POST"]
    fields = case.data.get("request", {}).get("headers", [])
    given = decode(next((value for name, value in fields if name == "authorization"), None))
    exchanged = isinstance(given, Password) and parse_app_password(given.password) is not None
    return exchanged and all("error" in reply for reply in posts)


def plant(stage: Stage, world: Mapping[str, Json]) -> None:
    """Put the stored sessions of a case into the table, longest idle first."""
    sessions = stage.server.listeners["main"].sessions
    given = sorted(world.get("sessions", {}).items(), key=lambda item: -item[1]["idle"])
    for label, each in given if sessions is not None else ():
        role = worlds.role_of(world["users"].get(each["user"], {}))
        mark = evolve(role, epoch=each.get("epoch", 0)).mark
        created = world["now"] - each.get("created_ago", each["idle"])
        session = Session(each["user"], created, world["now"] - each["idle"], mark)
        assert sessions is not None
        sessions.table.restore(key_of(id_text(session_id(label))), session)


def check(expected: Mapping[str, Json], answer: Answer, case: Case, stage: Stage, target: str, sent: str = "") -> None:
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
    _cookie(expected, answer, sent)
    _watched(expected, stage)


_SET = re.compile(r"mz_session=([A-Za-z0-9_-]{22}); HttpOnly; SameSite=Strict; (Secure; )?Path=/")
_REMOVED = re.compile(r"mz_session=; HttpOnly; SameSite=Strict; (Secure; )?Path=/; Max-Age=0")


def cookie_of(answer: Answer) -> str | None:
    """The value of the session cookie that an answer sets."""
    found = [match for value in answer.all("set-cookie") if (match := _SET.fullmatch(value))]
    return found[0][1] if found else None


def _cookie(expected: Mapping[str, Json], answer: Answer, sent: str) -> None:
    """What the answer does to the session cookie; `sent` is the request's Cookie field."""
    lines = answer.all("set-cookie")
    wanted = expected.get("set_cookie")
    if wanted == "none":
        require(not lines, f"a cookie was set: {lines}")
    elif wanted == "remove":
        require(len(lines) == 1 and _REMOVED.fullmatch(lines[0]), f"not removed: {lines}")
    elif wanted in ("new", "refresh"):
        value = cookie_of(answer)
        require(len(lines) == 1 and value, f"not set: {lines}")
        known = f"mz_session={value}" in sent
        require(known is (wanted == "refresh"), f"the id is {'the one that was sent' if known else 'another one'}")
        require(value != expected.get("cookie_value_not"), "the id that it must not be")
        for attribute in expected.get("cookie_attrs", ()):
            require(attribute in lines[0].split("; "), f"no {attribute} in {lines[0]}")


def _allowed(allow: Mapping[str, Json], answer: Answer, stage: Stage, target: str) -> None:
    """The handler answered, and for this user."""
    require(answer.status not in (401, 403, 404, 421), f"refused with {answer.status} {short(answer.body)}")
    if target.startswith("/api/sql"):
        shown = _current_user(answer)
        require(shown == allow["user"], f"current_user is {shown!r}, expected {allow['user']!r}")
    _recorded(allow["user"], stage)
    _identity(allow, stage)


def _recorded(user: str, stage: Stage) -> None:
    """The access record names the user; over a socket it is written a little later than the answer."""

    def attempt() -> Mismatch | None:
        users = {note.user for note in list(stage.notes) if isinstance(note, AccessRecord)}
        good = not users or user in users
        return None if good else Mismatch(f"the record names {sorted(users)}, expected {user}")

    retried(attempt, stage, 2.0)


def _identity(allow: Mapping[str, Json], stage: Stage) -> None:
    """What the engine was told of the last one it opened a session for."""
    if not stage.identities:
        return
    seen = stage.identities[-1]
    groups = list(seen.groups) if seen.groups is not None else None
    known = {"user": seen.user, "kind": seen.kind, "groups": groups, "admin": seen.admin}
    for name, wanted in allow.items():
        require(known[name] == wanted, f"{name} is {known[name]!r}, expected {wanted!r}")


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
    sessions = stage.server.listeners["main"].sessions
    for word, count in expected.get("effects", {}).items():
        seen = sum(stage.performed[name] for name in EFFECTS[word])
        if word == "session_lookup":  # no effect: the table is in memory
            seen = sessions.table.looked_up if sessions is not None else 0
        elif word == "exchange":  # one each, however often it is tried
            seen = stage.server.provers.frontegg.passwords.exchanges if stage.server.provers is not None else 0
        require(seen == count, f"{seen} effects of kind {word}, expected {count}")
    for text in expected.get("log_excludes", ()):
        require(all(text not in repr(note) for note in stage.notes), f"a record contains {text!r}")
    for label, wanted in expected.get("state", {}).get("sessions", {}).items():
        assert sessions is not None
        session = sessions.table.get(key_of(id_text(session_id(label))))
        require((session is None) is (wanted == "deleted"), f"session {label} is {'kept' if session else 'gone'}")
        if session is not None and isinstance(wanted, dict):
            idle = stage.wall() - session.active
            require(abs(idle - wanted["idle"]) < _SLACK, f"session {label} is idle for {idle}")


_EXPECTED = {"allow", "public", "status", "body", "headers", "set_cookie", "effects", "log_excludes", "state"}
_COOKIE = {"cookie_attrs", "cookie_value_not"}


def _http(case: Case, stage: Stage, talk: Talk) -> None:
    _exchange(case, case.data["request"], case.data["expect"], stage, talk)


def _flow(case: Case, stage: Stage, talk: Talk) -> None:
    """One step after another against the same server; effects are counted for each step."""
    saved: dict[str, str] = {}
    for number, step in enumerate(case.data["steps"]):
        if "advance" in step:
            stage.jump(step["advance"])
            continue
        if "set_world" in step:
            _set_world(case, stage, step["set_world"])
            continue
        stage.performed.clear()
        if stage.server.provers is not None:
            stage.server.provers.frontegg.passwords.exchanges = 0
        stage.notes.clear()
        request = dict(step["request"])
        if "use_cookie" in request:
            request["cookies"] = {"mz_session": saved[request["use_cookie"]]}
        try:
            answer = _exchange(case, request, step["expect"], stage, talk)
        except Mismatch as mismatch:
            raise Mismatch(mismatch.reason, f"step {number}") from None
        if "save_cookie" in step:
            saved[step["save_cookie"]] = cookie_of(answer) or ""


def _concurrent(case: Case, stage: Stage, talk: Talk) -> None:
    """All at once, each on a connection of its own; answers of providers come while everybody waits."""
    expected = case.data["expect"]
    started = [talk.start(request_of(request, case)) for request in case.data["requests"]]
    for each, one, request in zip(started, expected["each"], case.data["requests"], strict=True):
        answer = each.http.answer(each.stream)
        check(one, answer, case, stage, request["path"])
    _watched({"effects": expected.get("effects_total", {})}, stage)


_CHANGEABLE = {"users", "oidc", "keys", "tokens", "http", "engine"}


def _set_world(case: Case, stage: Stage, changed: Mapping[str, Json]) -> None:
    """Replace keys of the world; tokens, keys and scripted answers are looked up in it each time."""
    require(changed.keys() <= _CHANGEABLE, f"the case changes something unknown: {sorted(changed)}")
    case.data["world"].update(changed)
    if "engine" in changed:
        stage.app.readiness.set("engine", changed["engine"].get("ready", True))
    if "oidc" in changed:
        stage.app.oidc = oidc_settings(changed["oidc"])
    if "users" in changed:
        stage.app.users.replace({name: worlds.role_of(given) for name, given in changed["users"].items()})


def _exchange(
    case: Case, request: Mapping[str, Json], expected: Mapping[str, Json], stage: Stage, talk: Talk
) -> Answer:
    unknown = expected.keys() - _EXPECTED - _COOKIE
    require(not unknown, f"the case expects something unknown: {sorted(unknown)}")
    routes = {*case.data["listener"]["routes"], "oauth_metadata"}
    page = unbuilt_page(stage.app, request["path"], routes)
    if page and ("allow" in expected or expected.get("public")):
        raise Skipped(f"not built yet: {page}")
    outgoing = request_of(request, case)
    answer = talk.exchange(outgoing, version=request.get("version"), seconds=_PATIENCE)
    sent = next((value for name, value in outgoing.fields if name == "cookie"), "")
    try:
        check(expected, answer, case, stage, request["path"], sent)
    except Mismatch:
        if page:  # its group's rules are not those of an unknown path
            raise Skipped(f"not built yet: {page}") from None
        raise
    return answer


def _socket(case: Case, stage: Stage, talk: Talk) -> None:
    given, expected = case.data["ws"], case.data["expect"]
    request = request_of({"method": "GET", "path": WEBSOCKET_PATH, **given}, case)
    http = talk.open(version=given.get("version"))
    answer, socket = http.websocket(WEBSOCKET_PATH, request.fields, change={"authority": request.authority})
    status = 101 if socket is not None else answer.status
    require(status == expected["handshake_status"], f"handshake answered {status}", "handshake")
    if socket is None:
        _body(expected.get("body", answer.text()), answer)
        return
    for message in given["messages"]:
        _say(socket, json.loads(Providers(case.data["world"]).resolved(json.dumps(message))), stage)
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
        _recorded(expected["allow"]["user"], stage)
        _identity(expected["allow"], stage)
    _watched(expected, stage)


def play(case: Case, version: str, target: Target) -> None:
    """Play `case`; raises `Mismatch` with the step, or `Skipped`."""
    if case.data["case"] == "unit":
        units.play(case)
        return
    case = evolve(case, data={**case.data, "world": dict(case.data["world"])})  # a flow changes it
    world = world_of(case)
    play_one = {"http": _http, "ws": _socket, "flow": _flow, "concurrent": _concurrent}[case.data["case"]]
    if target.name != "core":
        _refuse_in_real_time(case)
    with staged(target, world, version) as (stage, talk):
        plant(stage, case.data["world"])
        play_one(case, stage, talk)
