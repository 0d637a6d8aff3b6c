"""The deterministic host: what it keeps, what it refuses, and that it repeats itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.echo import BIG, application
from tests.playbook import Question
from tests.playbook import application as playing
from tests.sim import START, Clock, Failed, Seeded, Sim, never, performed, table

ASK = b"GET /ask/moon HTTP/1.1\r\nhost: localhost\r\n\r\n"


def story(sim: Sim) -> list[Any]:
    """A short run with an effect, time and a second client."""
    first, second = sim.connect(), sim.connect()
    first.send(ASK)
    sim.advance(3)
    second.send(ASK[:20])
    sim.reply(sim.pending[0], "cheese")
    sim.advance(12)
    first.finish()
    return sim.transcript


def test_the_same_story_twice_is_the_same_to_the_byte() -> None:
    assert story(Sim(playing())) == story(Sim(playing()))


def test_the_transcript_tells_when_and_what() -> None:
    lines = story(Sim(playing()))
    told = [(line.at, line.wire, line.what) for line in lines]
    assert told.index((0.0, 0, "perform")) < told.index((3.0, 0, "reply")) < told.index((3.0, 0, "send"))
    assert (13.0, 1, "timeout") in told, "a head that does not come within ten seconds"


def test_entropy_follows_from_the_seed() -> None:
    assert Seeded(1).token(8) == Seeded(1).token(8) != Seeded(2).token(8)


def test_the_clock_moves_only_when_told() -> None:
    clock = Clock()
    sim = Sim(playing(), clock=clock)
    sim.connect().send(ASK)
    assert clock.now == START
    sim.advance(1.5)
    assert clock.now.mono - START.mono == clock.now.wall - START.wall == 1.5


@pytest.mark.parametrize(
    ("answering", "status"),
    [
        (table({Question: "cheese"}), 200),
        (table({Question: lambda effect: effect.text.upper()}), 200),
        (table({Question: Failed(RuntimeError("no"))}), 502),
        (table({}), 502),
        (performed(lambda effect: "cheese"), 200),
        (performed(lambda effect: 1 / 0), 502),
    ],
)
def test_effects_are_answered_by_a_table_or_a_performer(answering: Any, status: int) -> None:
    sim = Sim(playing(), answering=answering)
    answer = HttpConnection(sim.connect(), "1.1").exchange(Outgoing(target="/ask/moon"))
    assert answer.status == status


def test_an_effect_waits_for_its_reply_and_is_cancelled_without_a_client() -> None:
    sim = Sim(playing(), answering=never)
    wire = sim.connect()
    wire.send(ASK)
    assert [pending.effect for pending in sim.pending] == [Question("moon")]
    assert wire.receive(1) is None
    wire.abort()
    assert sim.pending == []
    assert [pending.effect for pending in sim.cancelled] == [Question("moon")]
    sim.reply(sim.cancelled[0], "too late")


def test_without_credit_little_is_held_and_no_time_is_lost() -> None:
    sim = Sim(application("127.0.0.1:6876"))
    wire = sim.connect(credit=False)
    wire.send(b"GET /big HTTP/1.1\r\nhost: localhost\r\n\r\n")
    held = len(wire.received)
    assert 0 < held < 512 * 1024
    while (taken := wire.take()) and len(wire.received) < BIG:
        assert taken < 512 * 1024
        sim.advance(0)  # a turn of the loop: a routine gets no more of one than its share
    assert sim.now == START
    assert len(wire.received) > BIG


@pytest.mark.parametrize("segment", [1, 7, 64 * 1024])
def test_segments_change_nothing_for_the_client(segment: int) -> None:
    sim = Sim(application("127.0.0.1:6876"), segment=segment)
    answer = HttpConnection(sim.connect(), "1.1").exchange(Outgoing(method="POST", target="/echo", body=b"x" * 2000))
    assert (answer.status, answer.body) == (200, b"x" * 2000)


def test_one_too_many_is_refused() -> None:
    sim = Sim(application("127.0.0.1:6876"))
    sim.shutdown(1)
    with pytest.raises(ConnectionRefusedError):
        sim.connect()
