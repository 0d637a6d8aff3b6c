"""Messages of a SQL socket: their texts to the byte, and in which order a sink sends them."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from fanlight.http.websocket import SendTexts
from fanlight.sql import frames
from fanlight.sql.effects import Batch
from fanlight.sql.errors import Notice, SqlError
from fanlight.sql.frames import FEW, SLICE, SocketSink
from fanlight.sql.values import text_column

WARNING = Notice("w", "01000", "warning")
TOLD = b'{"type":"Notice","payload":{"message":"w","code":"01000","severity":"warning"}}'
COLUMNS = b'{"type":"Rows","payload":{"columns":[{"name":"a","type_oid":25,"type_len":-1,"type_mod":-1}]}}'
ROWS, NO_ROWS = (
    b'{"type":"CommandStarting","payload":{"has_rows":%b,"is_streaming":false}}' % flag for flag in (b"true", b"false")
)
ERROR = b'{"type":"Error","payload":{"message":"m","code":"42601","position":3}}'
MISTAKE = SqlError("m", "42601", position=3)


def batch(*rows: bytes) -> Batch:
    return Batch(b"\n".join(rows), len(rows), sum(map(len, rows)), True)


def sent(*routines: Coroutine[Any, Any, None]) -> list[list[bytes]]:
    """What each ask of the routines sends."""
    found: list[list[bytes]] = []
    for routine in routines:
        try:
            while True:
                ask = routine.send(None)
                assert isinstance(ask, SendTexts)
                found.append(list(ask.texts))
        except StopIteration:
            pass
    return found


def flat(found: list[list[bytes]]) -> list[bytes]:
    return [text for texts in found for text in texts]


def test_texts() -> None:
    assert (
        frames.parameter_status('a"', "é")
        == '{"type":"ParameterStatus","payload":{"name":"a\\"","value":"é"}}'.encode()
    )
    assert (
        frames.backend_key(7, 2**32 - 1) == b'{"type":"BackendKeyData","payload":{"conn_id":7,"secret_key":4294967295}}'
    )
    assert frames.ready("E") == b'{"type":"ReadyForQuery","payload":"E"}'
    assert frames.starting(rows=True, streaming=True).endswith(b'{"has_rows":true,"is_streaming":true}}')
    assert frames.complete("INSERT 0 1") == b'{"type":"CommandComplete","payload":"INSERT 0 1"}'
    assert frames.row(b'["1",null]') == b'{"type":"Row","payload":["1",null]}'
    assert frames.failure(MISTAKE) == ERROR
    assert frames.notice(WARNING) == TOLD


def test_a_statement_without_rows_tells_its_notices_first() -> None:
    sink = SocketSink(list)
    assert flat(sent(sink.done("SET", [WARNING], [("a", "b")]))) == [
        TOLD,
        NO_ROWS,
        frames.complete("SET"),
        frames.parameter_status("a", "b"),
    ]


def test_rows_come_behind_their_columns_and_notices_around_them() -> None:
    early = [WARNING]
    sink = SocketSink(lambda: [early.pop()] if early else [])
    found = sent(
        sink.columns([text_column("a")]),
        sink.rows(batch(b'["1"]', b'["2"]')),
        sink.rows(batch(b'["3"]')),
        sink.done("SELECT 3", [WARNING], []),
    )
    rows = [frames.row(b'["%d"]' % n) for n in (1, 2, 3)]
    assert flat(found) == [TOLD, ROWS, COLUMNS, *rows, frames.complete("SELECT 3"), TOLD]


def test_no_rows_have_columns_too() -> None:
    sink = SocketSink(list)
    found = sent(sink.columns([text_column("a")]), sink.done("SELECT 0", [], []))
    assert flat(found) == [ROWS, COLUMNS, frames.complete("SELECT 0")]


def test_an_error_before_rows_were_promised() -> None:
    sink = SocketSink(list)
    assert flat(sent(sink.failed(MISTAKE, [WARNING]))) == [TOLD, NO_ROWS, ERROR]


def test_an_error_before_the_first_row_has_no_columns() -> None:
    sink = SocketSink(list)
    assert flat(sent(sink.columns([text_column("a")]), sink.failed(MISTAKE, [WARNING]))) == [ROWS, ERROR, TOLD]


def test_an_error_in_the_middle_of_rows_leaves_nothing_for_the_next_statement() -> None:
    sink = SocketSink(list)
    found = sent(
        sink.columns([text_column("a")]), sink.rows(batch(b'["1"]')), sink.failed(MISTAKE, []), sink.done("SET", [], [])
    )
    assert flat(found) == [ROWS, COLUMNS, frames.row(b'["1"]'), ERROR, NO_ROWS, frames.complete("SET")]


@given(st.integers(1, 3 * SLICE))
def test_many_rows_are_cut_into_slices(count: int) -> None:
    sink = SocketSink(list)
    rows = batch(*(b'["%d"]' % n for n in range(count)))
    found = sent(sink.columns([text_column("a")]), sink.rows(rows), sink.done("SELECT", [], []))
    assert all(len(texts) <= SLICE + 2 for texts in found)
    head, columns, *told, end = flat(found)
    assert (head, columns, end) == (ROWS, COLUMNS, frames.complete("SELECT"))
    assert [json.loads(text)["payload"] for text in told] == [[str(n)] for n in range(count)]
    assert len(found) == (1 if count <= FEW else (count + SLICE - 1) // SLICE + 1)


def test_rows_that_are_followed_by_others_do_not_wait() -> None:
    sink = SocketSink(list)
    first = evolve(batch(b'["1"]'), last=False)
    assert sent(sink.columns([text_column("a")]), sink.rows(first)) == [[ROWS, COLUMNS, frames.row(b'["1"]')]]
    assert sent(sink.rows(batch(b'["2"]'))) == []
    assert sent(sink.failed(MISTAKE, [])) == [[frames.row(b'["2"]'), ERROR]]
