"""The pipeline: one order of decisions, and the fields that every answer carries.

The gates have their own tests; here is what comes before and after them.
"""

from __future__ import annotations

import pytest

from fanlight import App, Listener, Request, Response, Route
from fanlight.auth.decisions import Refusal
from fanlight.http.response import Refused, text
from fanlight.http.websocket import AcceptWebSocket
from fanlight.observe.records import AccessRecord, Failure, RefusalsOmitted
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.sim import Sim

COMMON = {"x-content-type-options": "nosniff"}


async def here(request: Request) -> Response:
    return text(200, f"{request.user()} {request.route.path if request.route else ''} {dict(request.params)}")


async def refuse(request: Request) -> Response:
    raise Refused(text(409, "not now"))


async def bug(request: Request) -> Response:
    raise ValueError("a detail that nobody outside may read")


async def nothing(request: Request) -> None:
    return None


async def chat(request: Request) -> None:
    await AcceptWebSocket(100)


ROUTES = (
    Route("GET", "/here", "base", here),
    Route("POST", "/here", "base", here),
    Route("GET", "/items/{name}", "base", here),
    Route("GET", "/refuse", "base", refuse),
    Route("GET", "/bug", "base", bug),
    Route("GET", "/nothing", "base", nothing),
    Route("GET", "/chat", "base", chat, websocket=True),
    Route("GET", "/metrics", "metrics", here),
    Route("GET", "/inside", "internal", here, privileged=True),
)


def sim(**listener: object) -> Sim:
    listeners = (Listener("main", "127.0.0.1:6876", **listener),)  # type: ignore[arg-type]
    made = Sim(App(listeners=listeners, routes=ROUTES, pages=False))
    made.server.notes_access = True
    return made


def ask(made: Sim, request: Outgoing, version: str = "1.1") -> Answer:
    return HttpConnection(made.connect(), version).exchange(request)


def records(made: Sim) -> list[AccessRecord]:
    return [note for note in made.notes if isinstance(note, AccessRecord)]


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize(
    ("request_", "status", "body", "label"),
    [
        (Outgoing(target="/here"), 200, b"anonymous_http_user /here {}", "/here"),
        (Outgoing(target="/here?x"), 200, b"anonymous_http_user /here {}", "/here"),
        (Outgoing(method="HEAD", target="/here"), 200, b"", "/here"),
        (Outgoing(target="/items/a%20b"), 200, b"anonymous_http_user /items/{name} {'name': 'a b'}", "/items/{name}"),
        (Outgoing(target="/items/%ff"), 400, b"bad request", "/items/{name}"),
        (Outgoing(target="/nowhere"), 404, b"", "unknown"),
        (Outgoing(method="DELETE", target="/here"), 405, b"", "/here"),
        (Outgoing(method="BREW", target="/here"), 405, b"", "/here"),
        (Outgoing(target="/refuse"), 409, b"not now", "/refuse"),
        (Outgoing(target="/bug"), 500, b"internal server error", "/bug"),
        (Outgoing(target="/nothing"), 500, b"internal server error", "/nothing"),
        (Outgoing(method="OPTIONS", target="*"), 200, b"", "unknown"),
    ],
)
def test_answers(version: str, request_: Outgoing, status: int, body: bytes, label: str) -> None:
    made = sim()
    answer = ask(made, request_, version)
    assert (answer.status, answer.body) == (status, body)
    assert COMMON.items() <= dict(answer.fields).items()
    (record,) = records(made)
    assert (record.path, record.status, record.version) == (label, status, version)
    assert record.method == request_.method


def test_405_names_the_methods() -> None:
    assert ask(sim(), Outgoing(method="PUT", target="/here")).get("allow") == "GET,HEAD,POST"


def test_a_bug_is_told_to_the_log_alone() -> None:
    made = sim()
    answer = ask(made, Outgoing(target="/bug"))
    assert b"detail" not in answer.body
    (failure,) = [note for note in made.notes if isinstance(note, Failure)]
    assert failure.where == "/bug"
    assert isinstance(failure.error, ValueError)


def test_strangers_cannot_map_paths() -> None:
    made = sim(groups={"base": "Internal"})
    # The gates come before 404 and 405: all of these are the same to a caller who is not let in.
    answers = [
        ask(made, Outgoing(method=method, target=path))
        for method, path in (("GET", "/here"), ("DELETE", "/here"), ("GET", "/nowhere"), ("GET", "/items/%ff"))
    ]
    assert {(answer.status, answer.body) for answer in answers} == {(answers[0].status, answers[0].body)}
    assert answers[0].status in (401, 403)
    assert all(isinstance(note, Refusal | AccessRecord) for note in made.notes)
    assert sum(isinstance(note, Refusal) for note in made.notes) == 4


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_refusals_without_end_are_a_few_records_and_a_summary(version: str) -> None:
    made = sim(groups={"base": "Internal"})
    made.server.notes_access = False
    client = HttpConnection(made.connect(), version)
    assert {client.exchange(Outgoing(target="/here")).status for _ in range(30)} == {401}
    assert [type(note) for note in made.notes] == [Refusal] * 10
    made.advance(1)
    assert [note.count for note in made.notes[10:]] == [20]
    assert client.exchange(Outgoing(target="/here")).status == 401
    assert isinstance(made.notes[-1], Refusal)


def test_what_was_left_out_is_told_before_the_server_is_gone() -> None:
    made = sim(groups={"base": "Internal"})
    made.server.notes_access = False
    client = HttpConnection(made.connect(), "1.1")
    for _ in range(12):
        client.exchange(Outgoing(target="/here"))
    made.shutdown(5)
    made.advance(0.5)
    made.tell()
    assert made.server.drained
    assert [note.count for note in made.notes if isinstance(note, RefusalsOmitted)] == [2]


def test_a_foreign_page_s_websocket_is_a_refusal_in_the_log() -> None:
    made = sim()
    fields = (
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    )
    foreign = (("origin", "https://evil.example"), *fields)
    for _ in range(2):  # the second time from memory
        assert ask(made, Outgoing(target="/chat", fields=foreign)).status == 403
    assert [note.text for note in made.notes if isinstance(note, Refusal)] == ["cross-site WebSocket"] * 2


def test_a_group_that_is_not_served_is_not_there() -> None:
    made = sim(groups={"base": "Normal"})
    assert ask(made, Outgoing(target="/metrics")).status == 404
    assert ask(made, Outgoing(target="/here")).status == 200


def test_the_same_head_is_decided_once_for_each_listener() -> None:
    listeners = (
        Listener("inner", "127.0.0.1:6877", groups={"internal": "Internal", "base": "Internal"}),
        Listener("main", "127.0.0.1:6876", groups={"base": "Normal"}),
    )
    made = Sim(App(listeners=listeners, routes=ROUTES, pages=False))
    clients = [HttpConnection(made.connect(name), "1.1") for name in ("main", "inner") * 3]
    assert [client.exchange(Outgoing(target="/here")).status for client in clients] == [200, 401] * 3


@pytest.mark.parametrize(("protocol", "status"), [("websocket", 405), ("connect-udp", 405)])
def test_an_extended_connect_needs_a_websocket_route(protocol: str, status: int) -> None:
    request = Outgoing(
        method="CONNECT", target="/here", protocol=protocol, fields=(("sec-websocket-version", "13"),), finished=False
    )
    assert ask(sim(), request, "2").status == status


def test_a_plain_get_of_a_websocket_route() -> None:
    answer = ask(sim(), Outgoing(target="/chat"))
    assert (answer.status, answer.body) == (400, b"Connection header did not include 'upgrade'")


@pytest.mark.parametrize(
    ("origin", "status"),
    [(None, 101), ("http://localhost:6876", 101), ("http://evil.example", 403), ("null", 403)],
)
def test_a_websocket_from_a_foreign_page_is_refused(origin: str | None, status: int) -> None:
    fields = (("origin", origin),) if origin is not None else ()
    answer, _ = HttpConnection(sim().connect(), "1.1").websocket("/chat", fields)
    assert answer.status == status


def test_who_asked_is_in_the_record() -> None:
    made = sim()
    ask(made, Outgoing(target="/here", fields=(("authorization", "Bearer secret-of-ada"),)))
    assert "secret-of-ada" not in repr(made.notes)
    assert records(made)[0].user in ("anonymous_http_user", "")
