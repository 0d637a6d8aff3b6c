"""The example of SUBSCRIBE: its lines, sent as they stand to a program, show its tasks; every clause shown is read."""

from __future__ import annotations

import json
import re
from typing import Any

from fanlight.sql.grammar import read_script
from fanlight.sql.statements import Subscribe
from tests.clients.blocking import HttpConnection
from tests.clients.websocket import Text
from tests.clients.wires import SocketWire
from tests.docs.markdown import ROOT, samples
from tests.docs.test_docs_examples import running

PAGE = ROOT / "docs" / "reference" / "sql-websocket.md"


def example() -> list[str]:
    """The lines of the one sample that subscribes."""
    (sample,) = [each for each in samples("sh") if each.page == PAGE and "subscribe" in each.text]
    return sample.text.splitlines()


def test_three_lines_watch_the_tasks_of_a_program() -> None:
    command, *typed = example()
    path = re.fullmatch(r"python -m websockets ws://127\.0\.0\.1:6876(/\S+)", command)
    assert path is not None
    assert len(typed) == 2
    with running("embed_asyncio.py") as where:
        host, _, port = where.rpartition(":")
        http = HttpConnection(SocketWire((host, int(port))), "1.1")
        _, socket = http.websocket(path[1], ())
        assert socket is not None
        for line in typed:
            socket.send(line.removeprefix("> "))
        told: list[dict[str, Any]] = []
        while not told or told[-1]["type"] != "Row":
            received = socket.receive(20)
            assert received is not None
            if isinstance(received, Text):
                told.append(json.loads(received.text))
        columns = [each["name"] for each in told[-2]["payload"]["columns"]]
        assert columns == ["mz_timestamp", "mz_diff", "name", "state", "coroutine"]
        assert told[-1]["payload"][1] == "1"
        http.wire.close()


def test_the_grammar_shown_has_the_clauses_that_are_read() -> None:
    (sample,) = [each for each in samples("text") if each.page == PAGE and "SUBSCRIBE" in each.text]
    flat = " ".join(sample.text.split())
    for clause in (
        "ENVELOPE UPSERT (KEY (column))",
        "ENVELOPE DEBEZIUM (KEY (column))",
        "WITHIN TIMESTAMP ORDER BY column DESC NULLS LAST",
        "WITH (SNAPSHOT, PROGRESS = true, POLL = '1s')",
        "AS OF AT LEAST 1 UP TO 2",
    ):
        assert clause.split(" (")[0].split(" column")[0].split(" AT")[0] in flat
        (statement,) = read_script(f"SUBSCRIBE TO relation {clause}")
        assert isinstance(statement.action, Subscribe)
