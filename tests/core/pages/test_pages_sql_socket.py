"""`/api/experimental/sql` in memory: opening, requests, what stops a statement, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fanlight import Limits
from tests.clients.websocket import PING, TEXT, Closed, Ponged, fragments, frame
from tests.core.sql.sockets import HELLO, PATH, Bench, ask, end_all, heard, kinds

VERSIONS = pytest.mark.parametrize("version", ["1.1", "2"])
SELECTED = ["CommandStarting", "Rows", "Row", "CommandComplete SELECT 1", "ReadyForQuery"]
FAILED = ["CommandStarting", "Error 22P02"]
UNAUTHORIZED = [Closed(1002, "unauthorized")]


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    end_all()


def closed(bench: Bench) -> bool:
    """No session is left."""
    return bench.engine.open == [] and not bench.sim.server.enlisted


# ---- opening -----------------------------------------------------------------


@VERSIONS
def test_a_session_from_its_greeting_to_its_end(version: str) -> None:
    bench = Bench()
    socket = bench.socket(version)
    socket.send(json.dumps({**HELLO, "options": {"application_name": "x", "zz": "1", "aa": "2"}}))
    greeting = heard(socket)
    assert kinds(greeting) == ["ParameterStatus"] * 13 + ["BackendKeyData", "ReadyForQuery", "Notice", "Notice"]
    assert greeting[0]["payload"] == {"name": "application_name", "value": "x"}
    assert [each["payload"]["message"].split()[2] for each in greeting[-2:]] == ["aa", "zz"]
    ask(socket, "select 1")
    assert kinds(heard(socket)) == SELECTED
    socket.close(1000, "bye")
    assert heard(socket) == [Closed(1000, "bye")]
    assert closed(bench)


@VERSIONS
@pytest.mark.parametrize("sent", ["", "{}", "[]", '{"user":"ada"}', '{"user":"","password":""}', b"\xff"])
def test_who_says_nothing_usable_is_refused(sent: str | bytes, version: str) -> None:
    bench = Bench()
    socket = bench.socket(version)
    socket.send(sent)
    assert heard(socket) == UNAUTHORIZED
    assert bench.engine.sessions == []


def test_the_default_user_and_a_named_one() -> None:
    bench = Bench()
    bench.session(hello={"token": "t"})
    bench.session(hello={"user": "mz_system", "password": "", "token": "t"})
    assert [handle.user for handle in bench.engine.sessions] == ["anonymous_http_user", "mz_system"]


def test_roles_are_asked_for() -> None:
    bench = Bench(groups={"base": "Normal"})
    socket = bench.socket()
    socket.send('{"user":"mz_system","password":""}')
    assert heard(socket) == UNAUTHORIZED


def test_a_trusted_header_takes_no_credentials_and_needs_none() -> None:
    bench = Bench()
    named = {"x-materialize-user": "mz_support"}
    bench.socket(**named).send("{}")
    assert [handle.user for handle in bench.engine.sessions] == ["mz_support"]
    socket = bench.socket(**named)
    socket.send(json.dumps(HELLO))
    assert heard(socket) == UNAUTHORIZED


@VERSIONS
def test_silence_ends_after_ten_seconds(version: str) -> None:
    bench = Bench()
    socket = bench.socket(version)
    bench.sim.advance(9)
    socket.raw(frame(PING, b"x"))
    socket.raw(frame(TEXT, b'{"us', fin=False))
    assert heard(socket) == [Ponged(b"x")]
    bench.sim.advance(0.9)
    assert heard(socket) == []
    bench.sim.advance(0.2)
    assert heard(socket) == UNAUTHORIZED
    assert bench.sim.server.listeners["main"].lobby.inside == 0


@pytest.mark.parametrize(
    "sent", [frame(TEXT, b" " * 65537)[:20], b"".join(fragments(TEXT, b" " * 129, 129))], ids=["long", "fragments"]
)
def test_a_first_message_has_bounds(sent: bytes) -> None:
    bench = Bench()
    socket = bench.socket()
    socket.raw(sent)
    assert [each.code for each in heard(socket)] == [1009]


@VERSIONS
@pytest.mark.parametrize(
    "sent", [frame(TEXT, b"\xff"), frame(TEXT, b"{}", masked=False), frame(TEXT, b"{}", rsv=4)], ids=repr
)
def test_a_first_message_that_is_no_text_is_refused_like_any_other(sent: bytes, version: str) -> None:
    bench = Bench()
    socket = bench.socket(version)
    socket.raw(sent)
    assert heard(socket) == UNAUTHORIZED
    socket = bench.session(version)
    socket.raw(frame(TEXT, b"\xff"))
    assert heard(socket) == [Closed(1007, "")]


def test_what_comes_behind_the_first_message_has_the_later_bound() -> None:
    bench = Bench()
    socket = bench.socket()
    long = json.dumps({"query": "select 1", "pad": "x" * 100_000}).encode()
    socket.raw(frame(TEXT, json.dumps(HELLO).encode()) + frame(TEXT, long))
    assert kinds(heard(socket))[-5:] == SELECTED


def test_no_more_than_so_many_wait_for_their_first_message() -> None:
    bench = Bench(Limits(first_messages=20))
    peers = [bench.socket(peer="192.0.2.1") for _ in range(16)]
    answer, socket = bench.connect(peer="192.0.2.1").websocket(PATH)
    assert socket is None
    assert (answer.status, answer.text()) == (429, "too many requests, try again later")
    [bench.socket() for _ in range(4)]
    assert bench.connect().websocket(PATH)[0].status == 429
    peers[0].send(json.dumps(HELLO))
    assert bench.socket(peer="192.0.2.1").client.closed is None


def test_a_foreign_page_is_refused_and_a_bad_handshake_first() -> None:
    bench = Bench()
    origin = (("origin", "https://elsewhere.example"),)
    assert bench.connect().websocket(PATH, origin)[0].status == 403
    answer, _ = bench.connect().websocket(PATH, origin, drop=("upgrade",))
    assert (answer.status, answer.text()) == (400, "`Upgrade` header did not include 'websocket'")
    assert bench.connect().websocket(PATH, (("origin", "http://localhost"),))[1] is not None


@pytest.mark.parametrize("method", ["HEAD", "CONNECT", "POST"])
def test_other_methods_open_none(method: str) -> None:
    bench = Bench()
    answer, socket = bench.connect().websocket(PATH, change={"method": method})
    assert socket is None
    told = "Request method must be `GET`" if method == "CONNECT" else ""
    assert (answer.status, answer.text()) == (405, told)


def test_sessions_are_limited_and_the_reason_is_cut() -> None:
    bench = Bench()
    bench.engine.most = 1
    bench.session()
    socket = bench.socket()
    socket.send(json.dumps(HELLO))
    (end,) = heard(socket)
    assert (end.code, end.reason[:18], len(end.reason.encode())) == (1002, "too many sessions ", 122)


def test_without_an_engine() -> None:
    bench = Bench()
    bench.engine.missing = True
    socket = bench.socket()
    socket.send(json.dumps(HELLO))
    assert heard(socket) == [Closed(1002, "adapter client missing")]


# ---- requests ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("insert x", ["CommandStarting", "CommandComplete INSERT 0 1", "ReadyForQuery"]),
        ("begin", ["CommandStarting", "CommandComplete BEGIN", "ReadyForQuery T"]),
        ("commit", ["Notice", "CommandStarting", "CommandComplete COMMIT", "ReadyForQuery"]),
        ("broken", [*FAILED, "ReadyForQuery"]),
        ("begin; broken", ["CommandStarting", "CommandComplete BEGIN", *FAILED, "ReadyForQuery E"]),
        ("copy x to stdout", ["CommandStarting", "Error XX000", "ReadyForQuery"]),
        ("", ["ReadyForQuery"]),
        ("set application_name = y", ["CommandStarting", "CommandComplete SET", "ParameterStatus", "ReadyForQuery"]),
        ("select 1; select 2; broken; select 3", [*SELECTED[:-1] * 2, *FAILED, "ReadyForQuery"]),
    ],
)  # fmt: skip
def test_what_a_request_is_answered_with(query: str, expected: list[str]) -> None:
    bench = Bench()
    socket = bench.session()
    ask(socket, query)
    assert kinds(heard(socket)) == expected


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("[]", "data did not match any variant of untagged enum SqlRequest"),
        ('{"query":NaN}', "expected value"),
        (b"\xff", "invalid unicode code point"),
        ('{"queries":[{"query":"a;b"}]}', 'each query must contain exactly 1 statement, but "a;b" contains 2'),
    ],
)
def test_what_is_no_request_ends_nothing(sent: str | bytes, said: str) -> None:
    bench = Bench()
    socket = bench.session()
    ask(socket, "begin")
    heard(socket)
    socket.send(sent)
    error, ready = heard(socket)
    assert error["type"] == "Error"
    assert error["payload"]["code"] == "XX000"
    assert error["payload"]["message"].startswith(said)
    assert ready["payload"] == "T"


@VERSIONS
def test_requests_queue_and_are_answered_in_order(version: str) -> None:
    bench = Bench()
    socket = bench.session(version)
    ask(socket, "slow 1", "select 2", "commit")
    assert heard(socket) == []
    bench.sim.reply(bench.running()[0], bench.engine.answer(_plain()).answer)  # type: ignore[union-attr]
    assert kinds(heard(socket)) == [
        *SELECTED * 2,
        "Notice",
        "CommandStarting",
        "CommandComplete COMMIT",
        "ReadyForQuery",
    ]


def _plain() -> Any:
    from fanlight.sql.effects import Execute

    return Execute(None, "select 1", (), "", False, False, (), b"", 1, 1)  # type: ignore[arg-type]


def test_what_waits_is_bounded() -> None:
    bench = Bench()
    socket = bench.session()
    ask(socket, "slow 1")
    for _ in range(40):
        socket.send(json.dumps({"query": "select 1", "pad": "x" * 100_000}))
    (conversation,) = socket.http.wire.connection.conversations()  # type: ignore[attr-defined]
    assert len(conversation.inbox) == 11
    assert not socket.http.wire.connection.wants_read  # type: ignore[attr-defined]


@VERSIONS
def test_many_rows_go_as_fast_as_they_are_read(version: str) -> None:
    bench = Bench(Limits(high_water=2000))
    socket = bench.session(version)
    wire = socket.http.wire
    wire.credit = False  # type: ignore[attr-defined]
    ask(socket, "many 10000")
    held = wire.connection.backlog  # type: ignore[attr-defined]
    assert 2000 < held < 2000 + 100 * 50
    fetched = bench.engine.sessions[0].left
    bench.sim.advance(5)
    assert bench.engine.sessions[0].left == fetched
    wire.credit = True  # type: ignore[attr-defined]
    bench.sim.settle()
    messages = heard(socket, 1)
    assert [m["payload"] for m in messages if m["type"] == "Row"] == [[str(n)] for n in range(10000, 0, -1)]
    assert kinds(messages)[-2:] == ["CommandComplete SELECT 10000", "ReadyForQuery"]


# ---- what stops a statement ----------------------------------------------------


@VERSIONS
def test_pings_go_out_while_a_statement_runs_and_not_else(version: str) -> None:
    bench = Bench()
    socket = bench.session(version)
    assert heard(socket, 5) == []
    ask(socket, "slow 1")
    assert heard(socket, 3.5) == ["ping"] * 3
    bench.sim.reply(bench.running()[0], bench.engine.answer(_plain()).answer)  # type: ignore[union-attr]
    assert kinds(heard(socket, 5)) == SELECTED


@VERSIONS
def test_a_close_stops_the_statement_and_forgets_what_waits(version: str) -> None:
    bench = Bench()
    socket = bench.session(version)
    ask(socket, "begin; insert x", "slow 1", "commit")
    heard(socket)
    socket.close(1000, "enough")
    assert heard(socket) == [Closed(1000, "enough")]
    assert bench.engine.log == ["insert x", "slow 1"]
    assert closed(bench)


@VERSIONS
def test_a_client_that_vanishes_stops_the_statement(version: str) -> None:
    bench = Bench()
    socket = bench.session(version)
    ask(socket, "slow 1")
    socket.http.wire.abort()
    assert bench.running() == []
    assert closed(bench)


def test_a_broken_frame_stops_the_statement() -> None:
    bench = Bench()
    socket = bench.session()
    ask(socket, "slow 1")
    socket.raw(frame(TEXT, b"x", masked=False))
    assert kinds(heard(socket)) == ["CommandStarting", "Error 57014", "ReadyForQuery", Closed(1002, "")]
    assert closed(bench)


@VERSIONS
def test_pg_cancel_backend_stops_it_at_once_and_the_session_goes_on(version: str) -> None:
    bench = Bench()
    socket, other = bench.session(version), bench.session(version)
    ask(socket, "begin")
    heard(socket)
    ask(socket, "slow 1", "rollback")
    ask(other, "select pg_cancel_backend(1) as done")
    rows = [message["payload"] for message in heard(other) if message["type"] in ("Row", "Rows")]
    assert rows == [{"columns": [{"name": "done", "type_oid": 16, "type_len": 1, "type_mod": -1}]}, [True]]
    bench.sim.advance(0)
    answered = kinds(heard(socket))
    assert answered[:3] == ["CommandStarting", "Error 57014", "ReadyForQuery E"]
    assert answered[3:] == ["CommandStarting", "CommandComplete ROLLBACK", "ReadyForQuery"]


def test_cancelling_what_is_idle_or_unknown_does_nothing() -> None:
    bench = Bench()
    socket, other = bench.session(), bench.session()
    ask(other, "select pg_cancel_backend(1)", "select pg_cancel_backend(77)")
    assert [m["payload"] for m in heard(other) if m["type"] == "Row"] == [[True], [False]]
    bench.sim.advance(1)
    ask(socket, "select 1")
    assert kinds(heard(socket)) == SELECTED


def test_a_statement_of_a_stalled_reader_is_stopped_when_it_reads_on() -> None:
    bench = Bench(Limits(high_water=2000))
    socket, other = bench.session(), bench.session()
    socket.http.wire.credit = False  # type: ignore[attr-defined]
    ask(socket, "many 10000")
    ask(other, "select pg_cancel_backend(1)")
    socket.http.wire.credit = True  # type: ignore[attr-defined]
    bench.sim.settle()
    assert kinds(heard(socket))[-2:] == ["Error 57014", "ReadyForQuery"]


def test_the_statement_timeout() -> None:
    bench = Bench()
    socket = bench.session(hello={**HELLO, "options": {"statement_timeout": "400ms"}})
    ask(socket, "slow 1")
    (_, error, ready) = heard(socket, 1)
    assert error["payload"]["message"] == "canceling statement due to statement timeout"
    assert ready["payload"] == "I"


@pytest.mark.parametrize("begun", ["begin", "begin; broken"])
def test_a_transaction_that_idles_is_ended_and_told_at_the_next_message(begun: str) -> None:
    bench = Bench()
    socket = bench.session()
    ask(socket, "set idle_in_transaction_session_timeout = '1s'", begun)
    heard(socket)
    assert heard(socket, 3) == []
    ask(socket, "select 1")
    (error, end) = heard(socket)
    assert (error["payload"]["code"], end) == ("25P03", Closed(1000, ""))
    assert closed(bench)


def test_shutdown_closes_with_1001() -> None:
    bench = Bench()
    socket, busy = bench.session(), bench.session()
    ask(busy, "slow 1")
    bench.sim.shutdown(5)
    assert heard(socket) == heard(busy) == [Closed(1001, "")]
    assert closed(bench)
    assert bench.running() == []


def test_cancelling_an_idle_transaction_wakes_nobody() -> None:
    bench = Bench()
    socket, other = bench.session(), bench.session()
    ask(socket, "begin")
    heard(socket)
    ask(other, "select pg_cancel_backend(1)")
    bench.sim.advance(0)
    assert bench.sim.deadline > bench.sim.now.mono
    assert heard(socket) == []
