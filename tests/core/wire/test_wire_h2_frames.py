"""The gate in front of h2: whole frames one at a time, headers that are refused at once, floods."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.config.limits import Limits
from fanlight.wire.h2_frames import BadFrame, Flood, FrameGate
from tests.protocol.frames import (
    ACK,
    CONTINUATION,
    DATA,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    LARGEST_FRAME,
    PING,
    PREFACE,
    PRIORITY,
    PROTOCOL_ERROR,
    RST_STREAM,
    SETTINGS,
    START,
    frame,
    setting,
    window,
)

LIMITS = Limits(resets=3, control_frames=5, empty_frames=4, head_bytes=1000, flood_window=10.0)


def gate(received: bytes = START) -> FrameGate:
    made = FrameGate(LIMITS)
    made.at(100.0)
    made.buffer += received
    return made


def opened() -> FrameGate:
    """A gate that has let the preface and the first SETTINGS pass."""
    made = gate()
    assert made.frame() == PREFACE
    assert made.frame() == setting()
    return made


def test_frames_come_out_one_at_a_time() -> None:
    ping = frame(PING, 0, 0, b"12345678")
    made = gate(START + ping + ping[:5])
    assert [made.frame() for _ in range(4)] == [PREFACE, setting(), ping, None]
    made.buffer += ping[5:]
    assert made.frame() == ping
    assert made.frame() is None
    assert not made.buffer


@given(st.integers(1, 40))
def test_frames_however_they_arrive(size: int) -> None:
    sent = START + frame(HEADERS, 5, 1, b"x" * 20) + frame(DATA, 1, 1, b"abc")
    made, found = gate(b""), b""
    for at in range(0, len(sent), size):
        made.buffer += sent[at : at + size]
        while (whole := made.frame()) is not None:
            found += whole
    assert found == sent


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/1.1", b"X", PREFACE[:20] + b"XX\r\n"])
def test_a_wrong_preface_is_refused_as_soon_as_it_shows(start: bytes) -> None:
    with pytest.raises(BadFrame) as caught:
        gate(start).frame()
    assert caught.value.code == PROTOCOL_ERROR


@pytest.mark.parametrize("first", [frame(PING, 0, 0, b"12345678"), frame(SETTINGS, ACK, 0), frame(0x50, 0, 0)])
def test_settings_come_first(first: bytes) -> None:
    made = gate(PREFACE + first)
    made.frame()
    with pytest.raises(BadFrame) as caught:
        made.frame()
    assert caught.value.code == PROTOCOL_ERROR


@pytest.mark.parametrize("kind", [DATA, HEADERS, SETTINGS, GOAWAY, 0x50])
def test_a_frame_too_long_is_refused_by_its_header(kind: int) -> None:
    made = opened()
    made.buffer += frame(kind, 0, 1, b"", length=LARGEST_FRAME + 1)
    with pytest.raises(BadFrame) as caught:
        made.frame()
    assert caught.value.code == FRAME_SIZE_ERROR


def test_the_longest_frame_passes() -> None:
    made = opened()
    made.buffer += frame(DATA, 0, 1, bytes(LARGEST_FRAME))
    assert made.frame() == frame(DATA, 0, 1, bytes(LARGEST_FRAME))


def test_an_acknowledgement_is_empty() -> None:
    made = opened()
    made.buffer += frame(SETTINGS, ACK, 0, bytes(6))
    with pytest.raises(BadFrame) as caught:
        made.frame()
    assert caught.value.code == FRAME_SIZE_ERROR


def test_frames_that_a_server_does_not_know_have_one_type() -> None:
    made = opened()
    made.buffer += frame(0x0A, 3, 1, b"origin") + frame(0x42, 0, 0)
    assert made.frame() == frame(0xFF, 3, 1, b"origin")
    assert made.frame() == frame(0xFF, 0, 0)


# A frame, and how many pass; the first SETTINGS were a control frame too.
FLOODS: dict[str, tuple[bytes, int]] = {
    "PING": (frame(PING, 0, 0, b"12345678"), 4),
    "PING answers": (frame(PING, ACK, 0, b"12345678"), 4),
    "SETTINGS": (setting(), 4),
    "PRIORITY": (frame(PRIORITY, 0, 1, b"\0\0\0\0\0"), 4),
    "GOAWAY": (frame(GOAWAY, 0, 0, bytes(8)), 4),
    "unknown": (frame(0x50, 0, 0), 4),
    "CONTINUATION": (frame(CONTINUATION, 0, 1), 4),
    "RST_STREAM": (frame(RST_STREAM, 0, 1, bytes(4)), 3),
    "empty DATA": (frame(DATA, 0, 1), 4),
    "DATA of padding": (frame(DATA, 8, 1, b"\x02\0\0"), 4),
    "WINDOW_UPDATE": (window(0, 1), 500),
}


def passed(made: FrameGate, unit: bytes, most: int = 600) -> int:
    """How many of `unit` the gate lets pass."""
    for count in range(most):
        made.buffer += unit
        try:
            made.frame()
        except Flood:
            return count
    return most


@pytest.mark.parametrize("name", FLOODS)
def test_floods(name: str) -> None:
    unit, allowed = FLOODS[name]
    assert passed(opened(), unit) == allowed


@pytest.mark.parametrize("name", FLOODS)
def test_a_new_window_forgets(name: str) -> None:
    unit, _ = FLOODS[name]
    made = opened()
    first = passed(made, unit)
    made.at(109.9)
    assert passed(made, unit, 1) == 0
    made.at(110.1)
    assert passed(made, unit) >= first


@pytest.mark.parametrize(
    "unit", [frame(DATA, 0, 1, b"x"), frame(DATA, 1, 1), frame(DATA, 8, 1, b"\x01x\0"), frame(HEADERS, 5, 1, b"x")]
)
def test_frames_that_carry_something_are_no_flood(unit: bytes) -> None:
    assert passed(opened(), unit, 300) == 300


def test_a_header_block_is_bounded_over_its_frames() -> None:
    made = opened()
    made.buffer += frame(HEADERS, 0, 1, bytes(600)) + frame(CONTINUATION, 0, 1, bytes(400))
    assert made.frame() is not None
    assert made.frame() is not None
    made.buffer += frame(CONTINUATION, 0, 1, b"x")
    with pytest.raises(Flood):
        made.frame()


def test_padding_does_not_hide_a_header_block() -> None:
    made = opened()
    made.buffer += frame(HEADERS, 8, 1, b"\xff" + bytes(600)) + frame(CONTINUATION, 8, 1, b"\xff" + bytes(600))
    made.frame()
    with pytest.raises(Flood):
        made.frame()


def test_an_answer_pays_for_a_reset() -> None:
    made = opened()
    for _ in range(20):
        made.answered()
        made.buffer += frame(RST_STREAM, 0, 1, bytes(4))
        made.frame()
        made.answered()


def test_resets_of_ours_count_like_the_peers() -> None:
    made = opened()
    for _ in range(3):
        made.provoked()
    with pytest.raises(Flood):
        made.provoked()


@given(st.binary(max_size=300))
def test_any_bytes_are_cut_or_refused(tail: bytes) -> None:
    made = gate(START + tail)
    total = 0
    act: Callable[[], bytes | None] = made.frame
    try:
        while (whole := act()) is not None:
            total += len(whole)
    except (BadFrame, Flood):
        return
    assert total + len(made.buffer) == len(START + tail)
