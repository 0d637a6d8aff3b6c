"""One question, two ways to the answer: cuts, the memory of heads, h11 itself, HTTP versions, event loops."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from fanlight import App
from fanlight.config.limits import Limits
from fanlight.http.request import Head
from fanlight.observe.records import AccessRecord
from fanlight.wire.head import HeadReader, Malformed
from fanlight.wire.heads import CONTINUE
from fanlight_engines.performer import performer_for
from fuzz.chunked import decoded, decoded_by_h11
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.clients.wires import SocketWire
from tests.protocol.application import application
from tests.protocol.frames import END_HEADERS, START, Told, data, headers
from tests.protocol.http1_rows import ROWS as HTTP1_ROWS
from tests.protocol.http1_rows import get
from tests.protocol.http2_rows import OPENING, VERSION
from tests.protocol.strategies import Cut, chunked, cuts, heads, http1_streams, http2_frames, spoilt, ws_frames
from tests.protocol.test_rows_over_sockets import served
from tests.protocol.ws_rows import OPEN_HTTP1
from tests.protocol.ws_rows import ROWS as WS_ROWS
from tests.sim import Sim, performed

LIMITS = Limits()
Transcript = tuple[Any, ...]


# ---- cuts ---------------------------------------------------------------------------------------------------------


def transcript(pieces: Iterable[bytes]) -> tuple[bytes, Transcript]:
    """What a connection said and noted, and how it stood, after `pieces`."""
    sim = Sim(application())
    sim.server.notes_access = True
    wire = sim.connect()
    for piece in pieces:
        wire.send(piece)
    sim.advance(0)
    records = tuple((note.method, note.path, note.status) for note in sim.notes if isinstance(note, AccessRecord))
    held = 0 if wire.half_closed else wire.connection.wire.held
    state = (wire.half_closed, records, wire.connection.streams, held)
    return bytes(wire.received).replace(CONTINUE, b""), state


@settings(max_examples=150)
@given(cuts, http1_streams())
def test_any_cut_of_http1_is_the_same_conversation(cut: Cut, whole: bytes) -> None:
    assert transcript(cut.of(whole)) == transcript([whole])


def test_a_head_too_long_in_several_ways_has_one_fault() -> None:
    for row in HTTP1_ROWS:
        if len(row.sends) >= 2000:
            pieces = [row.sends[at : at + 5000] for at in range(0, len(row.sends), 5000)]
            assert transcript(pieces)[0] == transcript([row.sends])[0], row.name


@settings(max_examples=150)
@given(cuts, http2_frames())
def test_any_cut_of_http2_is_the_same_conversation(cut: Cut, frames: bytes) -> None:
    (one, state), (other, other_state) = transcript(cut.of(START + frames)), transcript([START + frames])
    assert told(one) == told(other)
    assert sorted_records(state) == sorted_records(other_state)


def told(received: bytes) -> Transcript:
    """What frames say, apart from the order in which streams are served."""
    said = Told().take(received)
    return said.answers, said.bodies, said.resets, said.pongs, said.goaway, said.ended, said.acknowledged


def sorted_records(state: Transcript) -> Transcript:
    """The same, whichever stream ended first."""
    return state[0], sorted(state[1]), state[2], state[3]


@settings(max_examples=120)
@given(cuts, ws_frames())
def test_any_cut_of_a_websocket_is_the_same_conversation(cut: Cut, frames: bytes) -> None:
    assert transcript([OPEN_HTTP1, *cut.of(frames)]) == transcript([OPEN_HTTP1, frames])


@settings(max_examples=80)
@given(cuts, ws_frames())
def test_a_websocket_is_the_same_inside_http2(cut: Cut, frames: bytes) -> None:
    pieces = [part for piece in cut.of(frames) for part in limited(piece)]
    opening = START + headers(1, *OPENING, VERSION, flags=END_HEADERS)
    inside, _ = transcript([opening, *(data(1, piece, end=False) for piece in pieces)])
    said = Told().take(inside)
    plain, state = transcript([OPEN_HTTP1, frames])
    outside = plain.partition(b"\r\n\r\n")[2]
    held_by_window = len(outside) > 65_535
    assert said.bodies.get(1, b"") == (outside[:65_535] if held_by_window else outside)
    if not held_by_window:
        assert (1 in said.ended) == state[0]


def limited(piece: bytes, most: int = 16_384) -> list[bytes]:
    """`piece` in parts that fit a DATA frame."""
    return [piece[at : at + most] for at in range(0, len(piece), most)]


# ---- heads --------------------------------------------------------------------------------------------------------


def look(head: Head) -> dict[str, Any]:
    """Everything that a head says."""
    return {name: getattr(head, name) for name in Head.__slots__ if name != "cache"}


def reading(reader: HeadReader, raw: bytes) -> dict[str, Any] | int:
    """What `reader` makes of `raw`: a head, or the status of a refusal."""
    try:
        return look(reader.read(raw))
    except Malformed as malformed:
        return malformed.response.status


MEMORY = HeadReader(LIMITS)


@settings(max_examples=400)
@given(spoilt(heads()))
@example(get())
def test_the_memory_of_heads_tells_what_h11_tells(raw: bytes) -> None:
    fresh = reading(HeadReader(LIMITS), raw)
    assert reading(MEMORY, raw) == fresh
    assert reading(MEMORY, raw) == fresh


@settings(max_examples=150)
@given(spoilt(heads(), most=1))
def test_the_lane_answers_as_a_first_reading_does(raw: bytes) -> None:
    sim = Sim(application())
    first, again = sim.connect(), sim.connect()
    first.send(raw)
    again.send(raw)
    fresh = Sim(application()).connect()
    fresh.send(raw)
    assert bytes(first.received) == bytes(again.received) == bytes(fresh.received)
    assert first.half_closed == again.half_closed == fresh.half_closed


def by_h11(raw: bytes) -> h11.Request | None:
    """h11's own opinion."""
    parser = h11.Connection(h11.SERVER)
    try:
        parser.receive_data(raw)
        event = parser.next_event()
    except h11.RemoteProtocolError:
        return None
    return event if isinstance(event, h11.Request) else None


@settings(max_examples=400)
@given(spoilt(heads()))
def test_what_is_accepted_h11_accepts_and_reads_alike(raw: bytes) -> None:
    try:
        head = HeadReader(LIMITS).read(raw)
    except Malformed:
        return
    event = by_h11(raw)
    assert event is not None
    assert head.method == event.method.decode()
    assert head.fields == tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
    target = re.sub(r"^[hH][tT][tT][pP][sS]?://[^/?]*", "", event.target.decode())
    target = target if target.startswith("/") or target == "*" else "/" + target
    assert head.path + ("?" + head.query if "?" in target else "") == target
    assert head.version == event.http_version.decode()


@settings(max_examples=200)
@given(cuts, chunked(), st.binary(max_size=10))
def test_chunked_bodies_are_what_h11_reads(cut: Cut, both: tuple[bytes, bytes], rest: bytes) -> None:
    body, coded = both
    assert decoded(cut.of(coded + rest)) == (body, rest)
    assert decoded_by_h11(coded + rest) == body


@settings(max_examples=300)
@given(spoilt(chunked().map(lambda both: both[1])))
def test_a_chunked_body_that_is_accepted_h11_accepts(coded: bytes) -> None:
    found = decoded([coded])
    if found is not None:
        assert decoded_by_h11(coded) == found[0]


# ---- versions -----------------------------------------------------------------------------------------------------

FRAMING = {"date", "content-length", "transfer-encoding", "connection"}

PAGES = [
    Outgoing(target="/"),
    Outgoing(target="/api/livez"),
    Outgoing(target="/api/readyz"),
    Outgoing(target="/api/readyz?wait=maybe"),
    Outgoing(target="/static/css/page.css"),
    Outgoing(target="/static/nothing.js"),
    Outgoing(target="/static/css/page.css", fields=(("if-none-match", "*"),)),
    Outgoing(target="/api/tracing"),
    Outgoing(target="/prof/mode"),
    Outgoing(target="/prof/heap"),
    Outgoing(target="/metrics"),
    Outgoing(target="/nowhere"),
    Outgoing(target="/%2e%2e/etc/passwd"),
    Outgoing(method="HEAD", target="/"),
    Outgoing(method="HEAD", target="/api/livez"),
    Outgoing(method="DELETE", target="/api/livez"),
    Outgoing(method="OPTIONS", target="*"),
    Outgoing(method="OPTIONS", target="/api/sql", fields=(("origin", "http://localhost:6876"),)),
    Outgoing(method="POST", target="/api/sql", body=b"{}", fields=(("content-type", "text/plain"),)),
    Outgoing(method="POST", target="/api/sql", body=b"nonsense", fields=(("content-type", "application/json"),)),
    Outgoing(method="POST", target="/prof/mode", body=b"[]", fields=(("content-type", "application/json"),)),
    Outgoing(target="/api/livez", fields=(("origin", "http://evil.example"),)),
    Outgoing(target="/", fields=(("origin", "http://localhost:6876"),)),
    Outgoing(target="/", authority="evil.example"),
    Outgoing(target="/", fields=(("authorization", "Basic YTo="), ("authorization", "Basic YTo="))),
    Outgoing(target="/", fields=(("accept-encoding", "gzip"), ("x-forwarded-for", "192.0.2.1"))),
    Outgoing(target="/?a=%ff"),
    Outgoing(method="BREW", target="/"),
]


def page(version: str, request: Outgoing) -> Answer:
    """The answer of the product's own pages, with the real engines."""
    sim = Sim(App(registry=CollectorRegistry()))
    performer = performer_for(sim.server)
    sim.answering = performed(performer.perform)
    try:
        return HttpConnection(sim.connect(), version).exchange(request)
    finally:
        performer.close()


@pytest.mark.parametrize("request_", PAGES, ids=lambda request: f"{request.method} {request.target}")
def test_both_versions_give_the_same_answer(request_: Outgoing) -> None:
    one, two = page("1.1", request_), page("2", request_)
    assert one.ended
    assert two.ended
    assert one.status == two.status
    assert plain(one) == plain(two)
    if request_.target != "/metrics":  # which counts connections by version
        assert one.body == two.body


def plain(answer: Answer) -> list[tuple[str, str]]:
    """The fields that are not framing, sorted: their order may differ."""
    return sorted((name.lower(), value) for name, value in answer.fields if name.lower() not in FRAMING)


# ---- hosts --------------------------------------------------------------------------------------------------------

SCENARIOS = {
    **{f"HTTP/1.1: {row.name}": row.sends for row in HTTP1_ROWS if row.closes and len(row.sends) < 60_000},
    **{
        f"WebSocket: {row.title}": OPEN_HTTP1 + row.sent
        for row in WS_ROWS
        if row.code is not None and len(row.sent) < 60_000
    },
}
_DATE = re.compile(rb"date: [^\r]*")


def over_sockets(over: str) -> dict[str, bytes]:
    """Everything that a server on this loop says to each scenario, up to its end."""
    found: dict[str, bytes] = {}
    with served(over, application(address="127.0.0.1:0")) as address:
        for name, sent in SCENARIOS.items():
            wire = SocketWire(address)
            wire.send(sent)
            received = b""
            while piece := wire.receive(10):
                received += piece
            assert piece == b"", f"{name}: silence"
            wire.close()
            found[name] = _DATE.sub(b"date: now", received)
    return found


def over_core() -> dict[str, bytes]:
    """The same without a socket."""
    return {name: _DATE.sub(b"date: now", transcript([sent])[0]) for name, sent in SCENARIOS.items()}


def test_every_host_says_the_same() -> None:
    core = over_core()
    assert over_sockets("asyncio") == core
    assert over_sockets("trio") == core
