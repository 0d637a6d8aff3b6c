"""Plays the operations cases: format in `cases/README-operations.md`."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from urllib.parse import urlencode

from attrs import Factory, define, evolve

from fanlight.auth.oidc import OidcSettings

from ..clients.messages import Answer, Outgoing
from . import controls, stubs
from .match_operations import match
from .model import Case, Json, Mismatch, Skipped, agree, require
from .reach import unbuilt_page
from .stage import GROUPS, Listening, Stage, Started, Talk, Target, World, retried, staged

_NOT_BUILT = {
    "webhooks": "webhooks",
    "secrets": "webhooks",
    "tables": "webhooks",
}
"""What a case may ask of its server, and the feature that has to exist first."""

_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}
_SERVER = {
    "listeners",
    "engine",
    "gauges",
    "rules",
    "heap",
    "replicas",
    "promsql",
    "config",
    "leadership",
    "users",
    "oidc",
    "console_upstream",
    *_NOT_BUILT,
}


def world_of(case: Case) -> World:
    """The server that a case asks for, without its replicas; `Skipped` when a part of it is not built yet."""
    server = case.data["server"]
    unknown = server.keys() - _SERVER
    require(not unknown, f"the case asks for unknown server set-up {sorted(unknown)}", "server")
    missing = sorted({_NOT_BUILT[key] for key in server if key in _NOT_BUILT})
    missing += [f"the variable {name}" for name in server.get("config", ()) if name not in controls.VARIABLES]
    if missing:
        raise Skipped(f"not built yet: {', '.join(missing)}")
    listeners = tuple(
        Listening(name=name, kind=each["authenticator"], routes={g: r for g, r in each["routes"].items() if r})
        for name, each in server.get("listeners", {"main": _default()}).items()
    )
    return World(
        listeners=listeners,
        engine=server.get("engine", "ready"),
        gauges=tuple(server.get("gauges", ())),
        rules=server.get("rules", {}),
        heap=server.get("heap", "inactive") == "active",
        leadership=server.get("leadership", "IsLeader"),
        users={name: {"password": password} for name, password in server.get("users", {}).items()},
        config=server.get("config", {}),
        promsql=server.get("promsql", {}),
        oidc=_oidc(server["oidc"]) if "oidc" in server else None,
    )


def _oidc(given: Mapping[str, Json]) -> OidcSettings:
    return OidcSettings(
        issuer=given.get("oidc_issuer"),
        console_client_id=given.get("console_oidc_client_id", ""),
        console_scopes=given.get("console_oidc_scopes", ""),
    )


def _default() -> Mapping[str, Json]:
    return {"authenticator": "None", "routes": dict.fromkeys(GROUPS, "NormalAndInternal")}


def body_of(body: Mapping[str, Json]) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """The bytes of a request body and the fields that it implies."""
    data, fields = b"", []
    for kind in body.keys() & {"text", "json", "b64", "form", "repeat"}:
        data = _ENCODINGS[kind](body[kind])
        fields += [("content-type", _TYPES[kind])] if kind in _TYPES else []
    if "coding" in body:
        data = _compressed(body["coding"], data)
        fields.append(("content-encoding", body["coding"]))
    return data[: len(data) - body.get("truncate", 0)], tuple(fields)


_ENCODINGS: dict[str, Callable[[Json], bytes]] = {
    "text": lambda value: value.encode(),
    "json": lambda value: json.dumps(value).encode(),
    "b64": base64.b64decode,
    "form": lambda value: urlencode(value).encode(),
    "repeat": lambda value: bytes([value["byte"]]) * value["count"],
}


def _compressed(coding: str, data: bytes) -> bytes:
    if coding == "gzip":
        return gzip.compress(data)
    if coding == "deflate":
        return zlib.compress(data)
    raise Skipped(f"needs {coding}, which this runner cannot compress with")


def request_of(step: Mapping[str, Json], authority: str) -> Outgoing:
    """The request that an `http` or `start` step describes."""
    data, implied = body_of(step["body"]) if "body" in step else (b"", ())
    fields = [(name, value) for name, value in step.get("headers", [])]
    given = {name.lower() for name, _ in fields}
    fields += [(name, value) for name, value in implied if name not in given]
    if "basic" in step:
        fields.append(("authorization", "Basic " + base64.b64encode(":".join(step["basic"]).encode()).decode()))
    return Outgoing(
        method=step.get("method", "GET"), target=step["path"], fields=tuple(fields), body=data, authority=authority
    )


@define
class _Play:
    """One case being played."""

    stage: Stage
    talk: Talk
    case: Case
    world: World
    late: ExitStack
    saved: dict[str, Answer] = Factory(dict)
    started: dict[str, Started] = Factory(dict)

    def step(self, step: Mapping[str, Json]) -> None:
        """Play one step."""
        handler = _STEPS.get(step["op"])
        require(handler is not None, f"the case uses an unknown step {step['op']}")
        assert handler is not None
        handler(self, step)

    def send(self, step: Mapping[str, Json]) -> Answer:
        """Send the request of a step and wait."""
        listener = step.get("listener", "main")
        request = request_of(step, self.talk.authority(listener))
        return self.talk.exchange(request, listener, step.get("http"))

    def http(self, step: Mapping[str, Json]) -> None:
        """Send, wait, compare."""
        answer = self.send(step)
        agree(match(step.get("expect", {}), answer, self.saved))
        if "save" in step:
            self.saved[step["save"]] = answer

    def start(self, step: Mapping[str, Json]) -> None:
        """Send and leave it in flight."""
        listener = step.get("listener", "main")
        request = request_of(step, self.talk.authority(listener))
        started = self.talk.start(request, listener, step.get("http"))
        self.started[step["handle"]] = evolve(started, expected=step.get("expect", {}))

    def join(self, step: Mapping[str, Json]) -> None:
        """Wait for a request in flight and compare."""
        started = self.started[step["handle"]]
        seconds = step.get("within_ms", 10_000) / 1000
        if step.get("head_only"):
            answer = started.http.head(started.stream, seconds)
            require(answer.status, f"no head within {seconds} s")
            return
        answer = started.http.answer(started.stream, seconds)
        agree(match(step.get("expect", started.expected), answer, self.saved))

    def abort(self, step: Mapping[str, Json]) -> None:
        """Drop the connection of a request in flight."""
        self.started[step["handle"]].http.wire.abort()

    def still_pending(self, step: Mapping[str, Json]) -> None:
        """There is no head after that time."""
        started = self.started[step["handle"]]
        answer = started.http.head(started.stream, step["for_ms"] / 1000)
        require(not answer.status and not answer.broken, f"already answered {answer.status} {answer.broken}")

    def eventually(self, step: Mapping[str, Json]) -> None:
        """Repeat a step until it passes."""

        def attempt() -> Exception | None:
            try:
                self.step(step["step"])
            except Mismatch as mismatch:
                return mismatch
            return None

        retried(attempt, self.stage, step.get("timeout_ms", 2000) / 1000)

    def parallel(self, step: Mapping[str, Json]) -> None:
        """Many at once, counted by status."""
        request = request_of(step["request"], self.talk.authority())
        flying = [self.talk.start(request) for _ in range(step["count"])]
        statuses = [str(each.http.answer(each.stream).status) for each in flying]
        for status, bounds in step["expect_counts"].items():
            count = statuses.count(status)
            good = bounds.get("min", 0) <= count <= bounds.get("max", count)
            require(good, f"{count} answers with status {status}, expected {bounds}")

    def ws_echo(self, step: Mapping[str, Json]) -> None:
        """Messages that come back as they are."""
        answer, socket = self.talk.open().websocket(step["path"])
        if socket is None:
            raise Mismatch(f"handshake answered {answer.status}")
        for message in step["messages"]:
            socket.send(message)
            echoed = socket.receive()
            require(getattr(echoed, "text", None) == message, f"sent {message!r}, got {echoed!r}")
        socket.close(1000)
        closed = socket.closed()
        require(closed is not None and closed.code == 1000, f"closed with {closed}")

    def control(self, step: Mapping[str, Json]) -> None:
        """Change the server from outside."""
        if step["verb"] == "replica_add":
            controls.add_replica(self.stage.app, self.late.enter_context(stubs.replica_of(step, {})))
        else:
            controls.control(self.stage, step)

    def hook(self, step: Mapping[str, Json]) -> None:
        """Look into webhooks."""
        raise Skipped(f"not built yet: webhooks ({step['op']})")


_STEPS: dict[str, Callable[[_Play, Mapping[str, Json]], None]] = {
    "http": _Play.http,
    "start": _Play.start,
    "join": _Play.join,
    "abort": _Play.abort,
    "still_pending": _Play.still_pending,
    "eventually": _Play.eventually,
    "parallel": _Play.parallel,
    "ws_echo": _Play.ws_echo,
    "control": _Play.control,
    "rows": _Play.hook,
    "stats": _Play.hook,
}


def _requests(step: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """The steps inside `step` (or itself) that send a request."""
    inner = step.get("step") or step.get("request")
    if inner is not None:
        return _requests(inner)
    return [step] if "path" in step else []


def _links(request: Mapping[str, Json]) -> list[str]:
    """Pages that the answer has to link to; the links of `/clusters` are what is registered, wherever they lead."""
    if request["path"] == "/clusters":
        return []
    body = request.get("expect", {}).get("body", {})
    texts = body.get("text", {}).get("contains_all", [])
    return [text for text in texts if text.startswith("/")]


def _refuse_unbuilt(case: Case, world: World, stage: Stage) -> None:
    enabled = {listener.name: set(listener.routes) for listener in world.listeners}
    for step in case.data["steps"]:
        for request in _requests(step):
            groups = enabled[request.get("listener", "main")]
            for path in (request["path"], *_links(request)):
                page = unbuilt_page(stage.app, path, groups)
                if page:
                    raise Skipped(f"not built yet: {page}")
        if step["op"] == "control" and step["verb"] != "replica_add":
            controls.refuse_unbuilt(step)


def play(case: Case, version: str, target: Target) -> None:
    """Play `case` over `version`; raises `Mismatch` with the step, or `Skipped`."""
    for need in case.data.get("needs", []):
        if need in ("br", "zstd"):
            raise Skipped(f"needs {need}, which this runner cannot compress with")
    world = world_of(case)
    server = case.data["server"]
    with stubs.replicas(server) as replicas, stubs.console(server.get("console_upstream")) as upstream:
        settings = {"console_upstream": upstream} if upstream is not None else {}
        _perform(case, evolve(world, replicas=replicas, settings=settings), version, target)


def _perform(case: Case, world: World, version: str, target: Target) -> None:
    with ExitStack() as late, staged(target, world, version) as (stage, talk):
        _refuse_unbuilt(case, world, stage)
        performance = _Play(stage, talk, case, world, late)
        for index, step in enumerate(case.data["steps"]):
            try:
                performance.step(step)
            except Mismatch as mismatch:
                raise Mismatch(mismatch.reason, f"step {index + 1} ({step['op']})") from None
