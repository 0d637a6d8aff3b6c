"""SQL sockets: whatever messages come, each request has one end, and nothing fails or stays open."""

from __future__ import annotations

import json

from fanlight.observe.records import Failure
from tests.clients.websocket import TEXT, Closed, frame
from tests.core.sql.sockets import Bench, end_all, heard


def one_input(data: bytes) -> None:
    """Messages are divided by zero bytes; behind a `!` the first is the opening, else a good one is sent."""
    bench = Bench()
    try:
        if data[:1] == b"!":
            first, _, rest = data[1:4000].partition(b"\0")
            socket = bench.socket()
            socket.raw(frame(TEXT, first))
        else:
            rest, socket = data[:4000], bench.session()
        requests = rest.split(b"\0") if rest else []
        for request in requests:
            socket.raw(frame(TEXT, request))
        messages = heard(socket, 0.1)
        _check(messages, len(requests))
        assert not [note for note in bench.sim.notes if isinstance(note, Failure)]
    finally:
        end_all()
    assert not bench.engine.open
    assert not bench.running()


def _check(messages: list[object], requests: int) -> None:
    ends = sum(isinstance(each, dict) and each.get("type") == "ReadyForQuery" for each in messages)
    assert ends <= requests + 1
    if not messages or not isinstance(messages[-1], Closed):
        return
    assert messages[-1].code in (1000, 1002, 1007, 1009)
    json.dumps([each for each in messages if isinstance(each, dict)])
