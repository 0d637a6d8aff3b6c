"""Frames read without the library: exactly those that it would read the same, in the same order."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fanlight.http.websocket import PeerClosed
from fanlight.wire.ws import Fault, Item, WebSocket
from fanlight.wire.ws_frames import FOLLOWED, Follower, whole_frame
from tests.clients.websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, fragments, frame
from tests.protocol.strategies import ws_frames

LIMIT = 70_000


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 125, 126, 65_535, 65_536, LIMIT])
def test_whole_messages(opcode: int, size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    sent = b"12" + frame(opcode, payload) + b"more"
    assert whole_frame(sent, 2, LIMIT) == (0x80 | opcode, payload, len(sent) - 4)


@pytest.mark.parametrize("opcode", [PING, PONG])
def test_control_frames(opcode: int) -> None:
    assert whole_frame(frame(opcode, b"p" * 125), 0, 10) == (0x80 | opcode, b"p" * 125, 131)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        frame(TEXT, b"x" * 11),
        frame(TEXT, b"x", fin=False),
        frame(CONTINUATION, b"x"),
        frame(CLOSE, b""),
        frame(TEXT, b"x", masked=False),
        frame(TEXT, b"x", rsv=4),
        frame(3, b""),
        frame(PING, b"p" * 126),
        frame(PING, b"", fin=False),
        b"\x81\xfe\x00\x01\0\0\0\0x",
        b"\x81\xff" + bytes(7) + b"\x01\0\0\0\0x",
        b"\x81\xff\x80" + bytes(7) + b"\0\0\0\0",
    ],
)
def test_what_is_the_librarys(sent: bytes) -> None:
    assert whole_frame(sent, 0, 10) is None


@pytest.mark.parametrize("size", [0, 5, 200, 65_536])
def test_a_frame_that_is_not_here_as_a_whole(size: int) -> None:
    sent = frame(BINARY, bytes(size))
    assert all(whole_frame(sent[:cut], 0, LIMIT) is None for cut in (*range(20), len(sent) - 1) if cut < len(sent))


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 4), st.booleans()), max_size=6), st.integers(1, 60))
@example([(70_000, 1, False)], 60)
def test_where_messages_end(messages: list[tuple[int, int, bool]], cut: int) -> None:
    sent, ends = b"", {0}
    for size, count, pings in messages:
        for piece in fragments(TEXT, bytes(size), count):
            sent += piece + (frame(PING, b"p") if pings else b"")
            if piece[0] & 0x80:
                ends |= {len(sent), len(sent) - 7} if pings else {len(sent)}
    follower = Follower()
    for at in range(0, len(sent), cut):
        follower.follow(sent[at : at + cut])
        assert follower.between == (min(at + cut, len(sent)) in ends)


@pytest.mark.parametrize("sent", [frame(TEXT, b"x", masked=False), frame(PING, b"") * (FOLLOWED + 1)])
def test_what_is_not_followed(sent: bytes) -> None:
    follower = Follower()
    follower.follow(sent)
    assert follower.lost
    follower.follow(frame(TEXT, b"x"))
    assert not follower.between


class ByLibrary(WebSocket):
    """A WebSocket all of whose frames wsproto reads."""

    def __init__(self) -> None:
        super().__init__(limit=LIMIT, overhead=1 << 20)
        self._follower = Follower()
        self._follower.lost = True


def conversation(made: WebSocket, pieces: list[bytes], most: int) -> tuple[list[Item], bytes]:
    """What is read of `pieces`, and what is answered by itself."""
    read: list[Item] = []
    for piece in pieces:
        made.receive(piece)
        while made.unread and not made.over:
            item, count = made.next_item(most)
            assert count <= most
            if item is not None:
                read.append(item)
            if isinstance(item, PeerClosed | Fault):
                made.answer_close(item)
    return read, b"".join(made.out)


WHOLE = st.builds(frame, st.sampled_from([TEXT, BINARY, PING, PONG]), st.binary(max_size=140))
ANY = (
    WHOLE
    | ws_frames()
    | st.builds(lambda *given: b"".join(fragments(*given)), st.just(TEXT), st.binary(max_size=9), st.integers(1, 3))
)


@given(st.lists(ANY, max_size=8), st.integers(1, 300), st.integers(1, 5), st.booleans())
@example([frame(TEXT, b"a"), frame(TEXT, b"\xff"), frame(TEXT, b"b")], 300, 5, False)
@example([frame(TEXT, b"ab"), frame(TEXT, b"cd"), frame(CLOSE, b""), frame(TEXT, b"e")], 9, 1, True)
def test_the_library_reads_the_same(sent: list[bytes], cut: int, most: int, ends: bool) -> None:
    whole = b"".join(sent)
    pieces = [whole[at : at + cut] for at in range(0, len(whole), cut)] + [b""] * ends
    quick = conversation(WebSocket(limit=LIMIT, overhead=1 << 20), pieces, most)
    assert quick == conversation(ByLibrary(), pieces, most)
