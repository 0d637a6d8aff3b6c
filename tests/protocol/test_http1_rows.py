"""The rows of `http1_rows` over the core, whole and byte by byte."""

from __future__ import annotations

import h11
import pytest

from fanlight import App, Listener, Request, Response
from tests.protocol.http1_rows import ROWS, Row
from tests.sim import Sim, SimWire


def echo_app() -> App:
    """`/` and `/api/livez` answer a text, `/echo` the body; no engine is needed."""
    app = App(listeners=(Listener("main", "127.0.0.1:6876"),), pages=False)

    @app.route("GET", "/", group="metrics")
    @app.route("GET", "/api/livez", group="metrics")
    async def here(request: Request) -> Response:
        return Response(200, (("content-type", "text/plain"),), b"here")

    @app.route("POST", "/echo", group="metrics")
    async def echo(request: Request) -> Response:
        return Response(200, (("content-type", "text/plain"),), await request.body())

    return app


def answers(data: bytes) -> list[tuple[int, str]]:
    """The answers in `data`, as h11's client reads them."""
    found: list[tuple[int, str]] = []
    rest: bytes = data
    while rest:
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
        client.send(h11.EndOfMessage())
        client.receive_data(rest)
        body = b""
        status = 0
        while True:
            event = client.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            elif event is h11.NEED_DATA:
                raise AssertionError(f"an answer is incomplete: {rest[:200]!r}")
        found.append((status, body.decode("latin-1")))
        rest = client.trailing_data[0]
    return found


def play(wire: SimWire, pieces: list[bytes]) -> bytes:
    for piece in pieces:
        if wire.half_closed:
            break
        wire.send(piece)
    wire.sim.advance(0)
    return bytes(wire.received)


def check(row: Row, wire: SimWire, data: bytes) -> None:
    found = answers(data)
    assert tuple(status for status, _ in found) == row.statuses
    assert wire.half_closed is row.closes
    if row.text is not None:
        assert found[-1][1] == row.text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: Row) -> None:
    wire = Sim(echo_app()).connect()
    check(row, wire, play(wire, [row.sends]))


@pytest.mark.parametrize("row", [row for row in ROWS if len(row.sends) < 4096], ids=lambda row: row.name)
def test_row_byte_by_byte(row: Row) -> None:
    wire = Sim(echo_app()).connect()
    check(row, wire, play(wire, [row.sends[i : i + 1] for i in range(len(row.sends))]))
