"""Result documents: exact bytes, and answers that do not fit into memory."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from fanlight.sql import reply
from fanlight.sql.effects import Batch, CloseSpool, OpenSpool, ReadSpool, WriteSpool
from fanlight.sql.errors import Notice, SqlError, Unreadable
from fanlight.sql.reply import Collector, columns_json, done_entry, error_entry, text_json
from fanlight.sql.values import Descriptor, text_column
from tests.routines import driven

T = TypeVar("T")


@define(eq=False)
class Memory:
    """A spool that is not a file."""

    data: bytearray = field(factory=bytearray)
    room: int = 10**9
    closed: int = 0

    @property
    def size(self) -> int:
        return len(self.data)


@define
class Disk:
    """Answers the spool's effects; `spool` None: there is no disk."""

    spool: Memory | None = field(factory=Memory)

    def run(self, routine: Coroutine[Any, Any, T]) -> T:
        return driven(routine, self._answer)

    def _answer(self, ask: Any) -> Any:
        spool = self.spool
        if isinstance(ask, OpenSpool):
            return spool
        assert spool is not None
        if isinstance(ask, WriteSpool):
            if spool.size + len(ask.data) > spool.room:
                return False
            spool.data += ask.data
            return True
        assert isinstance(ask, CloseSpool)
        spool.closed += 1
        return None

    def document(self, collector: Collector) -> bytes:
        """The whole answer, read back."""
        whole = collector.whole()
        if whole is not None:
            return whole
        parts = [
            bytes(self.spool.data[part.start : part.start + part.most])
            if isinstance(part, ReadSpool) and self.spool
            else part
            for part in collector.parts()
        ]
        texts = [part for part in parts if isinstance(part, bytes)]
        assert len(texts) == len(parts)
        assert all(len(text) <= reply.PIECE for text in texts)
        return b"".join(texts)


def batch(*rows: bytes) -> Batch:
    return Batch(b",".join(rows), len(rows), sum(map(len, rows)), False)


def test_entries() -> None:
    assert done_entry("BEGIN", [], ()) == b'{"ok":"BEGIN","notices":[]}'
    assert (
        done_entry("SET", [Notice("n")], (("a", "b"), ("c", "é")))
        == (
            '{"ok":"SET","notices":[{"message":"n","code":"00000","severity":"notice"}],'
            '"parameters":[{"name":"a","value":"b"},{"name":"c","value":"é"}]}'
        ).encode()
    )
    assert error_entry(SqlError("m", "42601", position=1), []) == (
        b'{"error":{"message":"m","code":"42601","position":1},"notices":[]}'
    )


def test_columns() -> None:
    assert columns_json([Descriptor('a"b', 1700, -1, 6)]) == (
        b'[{"name":"a\\"b","type_oid":1700,"type_len":-1,"type_mod":6}]'
    )
    assert columns_json([]) == b"[]"


@given(st.text())
def test_texts_read_back(text: str) -> None:
    assert json.loads(text_json(text)) == text.encode(errors="replace").decode()


def test_a_small_answer() -> None:
    disk, collector = Disk(), Collector()

    async def statements() -> None:
        await collector.columns([text_column("a")])
        await collector.rows(batch(b'["1"]', b'["2"]'))
        await collector.rows(batch(b'["3"]'))
        await collector.done("SELECT 3", [], ())
        await collector.done("COMMIT", [], ())
        await collector.failed(SqlError("m", "22012"), [Notice("n")])
        await collector.close()

    disk.run(statements())
    assert collector.whole() == (
        b'{"results":[{"tag":"SELECT 3","rows":[["1"],["2"],["3"]],"desc":{"columns":[{"name":"a","type_oid":25,'
        b'"type_len":-1,"type_mod":-1}]},"notices":[]},{"ok":"COMMIT","notices":[]},{"error":{"message":"m",'
        b'"code":"22012"},"notices":[{"message":"n","code":"00000","severity":"notice"}]}]}'
    )


def test_an_error_voids_the_rows_before_it() -> None:
    disk, collector = Disk(), Collector()

    async def statements() -> None:
        await collector.done("BEGIN", [], ())
        await collector.columns([text_column("a")])
        await collector.rows(batch(b'["1"]'))
        await collector.failed(SqlError("m", "22012"), [])

    disk.run(statements())
    assert collector.whole() == (
        b'{"results":[{"ok":"BEGIN","notices":[]},{"error":{"message":"m","code":"22012"},"notices":[]}]}'
    )


def test_no_results() -> None:
    assert Collector().whole() == b'{"results":[]}'


ROW = st.integers(1, 400).map(lambda size: b'["' + b"x" * size + b'"]')
STATEMENT = st.tuples(st.lists(st.lists(ROW, min_size=1, max_size=3), max_size=5), st.booleans())


@settings(max_examples=60)
@given(st.lists(STATEMENT, max_size=5), st.integers(1, 2000), st.integers(20, 500))
def test_long_answers_are_the_same_bytes(statements: list[Any], memory: int, piece: int) -> None:
    """However much memory there is and however it is cut: the document is what it would be in one piece."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reply, "MEMORY", memory)
        patch.setattr(reply, "PIECE", piece)
        disk, collector = Disk(), Collector()
        expected: list[Any] = []

        async def run() -> None:
            for batches, ends_well in statements:
                await collector.columns([text_column("a")])
                for rows in batches:
                    await collector.rows(batch(*rows))
                if ends_well:
                    await collector.done("SELECT", [], ())
                    expected.append([json.loads(row) for rows in batches for row in rows])
                else:
                    await collector.failed(SqlError("m", "22012"), [])
                    expected.append("m")

        disk.run(run())
        document = json.loads(disk.document(collector))
        assert [
            entry["rows"] if "rows" in entry else entry["error"]["message"] for entry in document["results"]
        ] == expected
        disk.run(collector.close())
        disk.run(collector.close())
        assert disk.spool is not None
        assert disk.spool.closed <= 1


@pytest.mark.parametrize("disk", [Disk(None), Disk(Memory(room=10))])
def test_without_room_the_rows_are_refused(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply, "MEMORY", 100)
    collector = Collector()

    async def rows() -> None:
        await collector.columns([text_column("a")])
        await collector.rows(batch(b"[" + b"x" * 200 + b"]"))

    with pytest.raises(Unreadable) as refused:
        disk.run(rows())
    assert refused.value.error.code == "53100"
    disk.run(collector.failed(refused.value.error, []))
    assert json.loads(disk.document(collector))["results"][0]["error"]["code"] == "53100"
