"""The WebSocket machine by itself: items in order, bounds, control frames, closing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.http.websocket import PeerClosed
from fanlight.wire.ws import Fault, Item, WebSocket
from tests.clients.websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, fragments, frame
from tests.protocol.ws_rows import close, heard, text

PLENTY = 1000


def socket(*received: bytes, limit: int = 1000, overhead: int = 1 << 20) -> WebSocket:
    made = WebSocket(limit=limit, overhead=overhead)
    for piece in received:
        made.receive(piece)
    return made


def items(made: WebSocket, most: int = PLENTY) -> list[Item]:
    """Every item that is whole."""
    found: list[Item] = []
    while (item := made.next_item(most)[0]) is not None:
        found.append(item)
    return found


def written(made: WebSocket) -> list[tuple[int, bytes]]:
    """The frames that were made."""
    out = heard(b"".join(made.out))
    made.out.clear()
    return out


def test_messages_come_in_order() -> None:
    made = socket(text("one") + frame(BINARY, b"two") + text("") + frame(BINARY, b""))
    assert items(made) == ["one", b"two", "", b""]
    assert not made.unread


def test_a_message_in_pieces_is_one_item() -> None:
    sent = b"".join(fragments(TEXT, "ä€😀".encode(), 9))
    made = WebSocket(limit=100, overhead=1 << 20)
    for at in range(len(sent)):
        assert made.next_item(PLENTY)[0] is None
        made.receive(sent[at : at + 1])
    assert items(made) == ["ä€😀"]


def test_a_turn_reads_no_more_than_it_may() -> None:
    made = socket(frame(PING, b"") * 10)
    assert [(*made.next_item(4), made.unread) for _ in range(3)] == [(None, 4, True), (None, 4, True), (None, 2, False)]
    assert len(written(made)) == 10


def test_a_whole_item_ends_the_reading() -> None:
    made = socket(text("a") + text("b"))
    read = [(*made.next_item(PLENTY), made.unread) for _ in range(3)]
    assert read == [("a", 1, True), ("b", 1, True), (None, 0, False)]


def test_pings_are_answered_and_pongs_are_not() -> None:
    made = socket(frame(PING, b"x") + frame(PONG, b"y") + frame(PING, b""))
    assert items(made) == []
    assert written(made) == [(PONG, b"x"), (PONG, b"")]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(3, b""), 1002),
        (frame(TEXT, b"", rsv=1), 1002),
        (frame(CONTINUATION, b""), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xff", fin=False), 1007),
        (frame(BINARY, b"", length=1001), 1009),
        (frame(TEXT, b"x", masked=False), 1002),
    ],
)
def test_a_fault_follows_the_messages_before_it(sent: bytes, code: int) -> None:
    made = socket(text("before") + sent + text("after"))
    assert items(made) == ["before", Fault(code)]
    assert made.over
    assert written(made) == []
    assert made.answer_close(Fault(code)) == PeerClosed(code)
    assert written(made) == [(CLOSE, code.to_bytes(2, "big"))]
    made.receive(text("more"))
    assert made.next_item(PLENTY) == (None, 0)


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "bye"), (4999, "ä")])
def test_a_close_is_answered_with_its_own_code(code: int, reason: str) -> None:
    made = socket(close(code, reason.encode()))
    (item,) = items(made)
    assert item == PeerClosed(code, reason)
    assert isinstance(item, PeerClosed)
    assert made.closing
    assert made.answer_close(item) == item
    assert written(made) == [(CLOSE, code.to_bytes(2, "big") + reason.encode())]


def test_a_close_without_a_code_is_answered_with_one() -> None:
    made = socket(close(None))
    (item,) = items(made)
    assert item == PeerClosed(1005)
    assert isinstance(item, PeerClosed)
    made.answer_close(item)
    assert written(made) == [(CLOSE, b"")]


def test_the_end_without_a_close() -> None:
    made = socket(text("x"), b"")
    assert items(made)[-1] == PeerClosed(1006)
    assert made.over


def test_nothing_is_sent_after_a_close() -> None:
    made = socket()
    made.send("before")
    made.close(1000, "enough")
    assert made.closing
    made.send("after")
    made.ping(b"after")
    made.close(1011, "again")
    assert written(made) == [(TEXT, b"before"), (CLOSE, b"\x03\xe8enough")]


def test_the_peers_answer_to_our_close_needs_none() -> None:
    made = socket()
    made.close(1000, "")
    written(made)
    made.receive(close())
    (item,) = items(made)
    assert isinstance(item, PeerClosed)
    made.answer_close(item)
    assert written(made) == []


def test_a_reason_is_cut_between_characters() -> None:
    made = socket()
    made.close(1000, "ä" * 100)
    ((_, payload),) = written(made)
    assert payload[2:] == ("ä" * 61).encode()


def test_messages_out() -> None:
    made = socket()
    made.send("ä")
    made.send(b"\xff" * 70_000)
    made.ping(b"p")
    assert written(made) == [(TEXT, "ä".encode()), (BINARY, b"\xff" * 70_000), (PING, b"p")]


# ---- bounds ------------------------------------------------------------------


def test_the_limit_is_inclusive_and_of_one_message() -> None:
    made = socket(*[frame(BINARY, bytes(1000))] * 3)
    assert items(made) == [bytes(1000)] * 3


@pytest.mark.parametrize("count", [2, 3, 100])
def test_fragments_count_together(count: int) -> None:
    made = socket(*fragments(BINARY, bytes(1000), count))
    assert items(made) == [bytes(1000)]
    made = socket(*fragments(BINARY, bytes(1001), count))
    assert items(made) == [Fault(1009)]


def test_a_header_in_pieces_is_counted_once() -> None:
    sent = frame(BINARY, bytes(1000)) + frame(TEXT, b"x" * 600, fin=False) + frame(CONTINUATION, b"x" * 400)
    made = WebSocket(limit=1000, overhead=1 << 20)
    found: list[Item] = []
    for at in range(len(sent)):
        made.receive(sent[at : at + 1])
        found += items(made)
    assert found == [bytes(1000), "x" * 1000]


def test_control_frames_do_not_count() -> None:
    first, second = fragments(BINARY, bytes(1000), 2)
    made = socket(first + frame(PING, bytes(125)) * 20 + second)
    assert items(made) == [bytes(1000)]


def test_fragments_cost_something_each() -> None:
    parts = [frame(TEXT, b"", fin=False), *[frame(CONTINUATION, b"", fin=False)] * 9, frame(CONTINUATION, b"")]
    assert items(socket(*parts, overhead=32 * 11)) == [""]
    assert items(socket(*parts, overhead=32 * 10)) == [Fault(1009)]


def test_the_limit_may_change_between_messages() -> None:
    made = socket(text("x" * 10))
    assert items(made) == ["x" * 10]
    made.bound(5, None)
    made.receive(text("x" * 6))
    assert items(made) == [Fault(1009)]


def test_the_number_of_fragments_may_be_bounded() -> None:
    parts = [frame(TEXT, b"", fin=False), *[frame(CONTINUATION, b"", fin=False)] * 2, frame(CONTINUATION, b"")]
    made = socket()
    made.bound(100, 4)
    made.receive(b"".join(parts))
    assert items(made) == [""]
    made.bound(100, 3)
    made.receive(b"".join(parts))
    assert items(made) == [Fault(1009)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 70_000])
def test_texts_are_framed_as_the_library_frames_them(size: int) -> None:
    made, other = socket(), socket()
    data = b"x" * size
    made.send_texts([data, b"{}"])
    other.send(data.decode())
    other.send("{}")
    assert b"".join(made.out) == b"".join(other.out)


def test_after_a_close_no_text_is_sent() -> None:
    made = socket()
    made.close(1000, "")
    before = list(made.out)
    made.send_texts([b"late"])
    assert made.out == before


def test_many_small_fragments_are_not_kept_apart() -> None:
    made = socket(frame(TEXT, b"", fin=False), limit=100_000)
    for _ in range(50):
        made.receive(frame(CONTINUATION, "é".encode(), fin=False) * 100)
        assert items(made) == []
    assert len(made._parts) + len(made._joined) < 1100
    made.receive(frame(CONTINUATION, b"!"))
    assert items(made) == ["é" * 5000 + "!"]


@given(st.lists(st.text(max_size=20) | st.binary(max_size=20), max_size=6), st.integers(1, 50))
def test_messages_however_they_arrive(messages: list[str | bytes], size: int) -> None:
    sent = b"".join(text(m) if isinstance(m, str) else frame(BINARY, m) for m in messages)
    made = WebSocket(limit=1000, overhead=1 << 20)
    found: list[Item] = []
    for at in range(0, len(sent), size):
        made.receive(sent[at : at + size])
        found += items(made, most=1 + size)
    assert found == messages


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=10))
def test_any_bytes(pieces: list[bytes]) -> None:
    made = socket(*pieces)
    for item in items(made):
        if isinstance(item, PeerClosed | Fault):
            made.answer_close(item)
    written(made)
