"""SUBSCRIBE: any text and any changes; what is told adds up to the relation, nothing fails or stays open.

The input is divided by zero bytes: the statement, then states of the relation, a
tick apart, in which each byte is a row.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from fanlight.observe.records import Failure
from fanlight.sql.errors import Unreadable
from fanlight.sql.grammar import read_script
from fanlight.sql.statements import Subscribe
from tests.core.sql.replica import Replica
from tests.core.sql.sockets import Bench, end_all, heard

VALUES = (b'"a"', b"null", b'"[,\\"]"')


def one_input(data: bytes) -> None:
    """One statement on a socket, and what it tells of the states."""
    text, *states = data[:4000].split(b"\0")
    query = text.decode(errors="replace")
    bench = Bench()
    try:
        bench.engine.tables["t"] = _rows(states[0] if states else b"")
        socket = bench.session()
        socket.send(json.dumps({"query": query}))
        told = heard(socket)
        action = _subscription(query)
        replica = _replica(action, told)
        for state in states[:20]:
            bench.engine.tables["t"] = _rows(state)
            told += heard(socket, 1.0)
        if replica is not None and action is not None and action.snapshot and action.up_to is None:
            told += heard(socket, action.poll or 1.0)
            for message in told:
                if isinstance(message, dict) and message["type"] == "Row":
                    replica.apply(message["payload"])
            replica.agree(bench.engine.tables["t"])
        assert not [note for note in bench.sim.notes if isinstance(note, Failure)]
    finally:
        end_all()
    assert not bench.engine.open
    assert len(bench.sim.server.feeds) == 0


def _rows(state: bytes) -> dict[bytes, int]:
    return dict(Counter(b'["%d",%b]' % (byte % 5, VALUES[byte // 5 % 3]) for byte in state))


def _subscription(query: str) -> Subscribe | None:
    """The one SUBSCRIBE to the table that a text is."""
    try:
        script = read_script(query)
    except Unreadable:
        return None
    action = script[0].action if len(script) == 1 else None
    return (
        action if isinstance(action, Subscribe) and action.query.text.split() == ["SELECT", "*", "FROM", "t"] else None
    )


def _replica(action: Subscribe | None, told: list[Any]) -> Replica | None:
    """What the client makes of it, once rows have been promised."""
    if action is None or not any(isinstance(each, dict) and each["type"] == "Rows" for each in told):
        return None
    envelope = action.envelope
    if envelope is not None and not set(envelope.key) <= {"k", "v"}:
        return None  # a name in another case
    return Replica(envelope, ["k", "v"], action.progress)
