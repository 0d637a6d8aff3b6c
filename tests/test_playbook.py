"""Every play, over the core, asyncio and trio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hosts
from tests.playbook import CoreCast, Player, SocketCast, pattern, plays, raw, read

PLAYS = list(plays())


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def host(request: pytest.FixtureRequest) -> Iterator[hosts.Host]:
    """A transport in a thread, for all plays of this file."""
    made = hosts.host(request.param)
    yield made
    made.close()


@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
def test_play_over_the_core(path: Path) -> None:
    Player(CoreCast()).play(read(path))


@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
def test_play_over_sockets(path: Path, host: hosts.Host) -> None:
    cast = SocketCast(host)
    try:
        Player(cast).play(read(path))
    finally:
        cast.stop()


def test_there_are_plays() -> None:
    assert len(PLAYS) >= 5


@pytest.mark.parametrize(
    ("acts", "why"),
    [
        ("> GET /ask/a HTTP/1.1\\r\\n\n? Question(text='a')", "no effect"),
        ("> GET /ask/a HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n\n? Question(text='b')", "asked Question"),
        ("> GET /none HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n\n< HTTP/1.1 200", "got b'HTTP/1.1 404"),
        ("> GET /none HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n\n< HTTP/1.1 404", "after the last line came"),
        ("= 1", "nothing was asked"),
        (". closed", "got None"),
    ],
)
def test_a_play_that_does_not_hold_fails(acts: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.play"
    path.write_text(acts)
    with pytest.raises(AssertionError, match=why):
        Player(CoreCast()).play(read(path))


def test_a_line_of_no_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.play"
    path.write_text("% what")
    with pytest.raises(ValueError, match=r"wrong.play:1"):
        read(path)


def test_bytes_and_patterns() -> None:
    assert raw(r'a\r\n\x00"\\') == b'a\r\n\x00"\\'
    assert pattern(r"date: {date}\r\n.").fullmatch(b"date: Tue, 14 Nov 2023 22:13:20 GMT\r\n.")
    assert not pattern("a.b").fullmatch(b"axb")
