"""`fanlight.background`: tasks of the server itself, which no client can end and no host can lose."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import Any

import pytest
from attrs import frozen

from fanlight import App, Effect, Listener, Request, Response
from fanlight.asks import ClientGone, EffectFailed, Moment, Race, Sleep
from fanlight.background import Background, Begin
from fanlight.health.latch import Await, Latch
from fanlight.http.response import text
from fanlight.moment import Now
from fanlight.observe.records import Failure, Report, Trouble
from fanlight.outputs import Cancel, Note, Perform
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.sim import START, Behind, Sim


@frozen
class Fetch(Effect[str]):
    """Something that takes its time."""


class Desk:
    """A background, its clock, and all that came out of it."""

    def __init__(self) -> None:
        self.background = Background()
        self.now = START
        self.came: list[Any] = []

    def begin(self, task: Any) -> None:
        self.background.begin(task, self.now)
        self.turn()

    def turn(self, seconds: float = 0.0) -> None:
        self.now = Now(self.now.mono + seconds, self.now.wall + seconds)
        self.background.handle_timeout(self.now)
        self.drain()

    def drain(self) -> None:
        while (output := self.background.poll()) is not None:
            self.came.append(output)

    def reply(self, number: int, answer: object = None, error: Exception | None = None) -> None:
        self.background.reply(number, answer, error, self.now)
        self.drain()


def test_a_task_asks_sleeps_and_reports() -> None:
    desk = Desk()

    async def task() -> None:
        await Report(Trouble(await Fetch()))
        await Sleep(5.0)
        await Report(Trouble(f"at {(await Moment()).mono - START.mono:g}"))

    desk.background.begin(task, START)
    assert desk.background.deadline == START.mono
    assert desk.background.poll() is None
    desk.turn()
    assert desk.came == [Perform(1, Fetch())]
    assert desk.background.deadline == inf
    desk.reply(1, "fetched")
    assert desk.came[1:] == [Note(Trouble("fetched"))]
    assert desk.background.deadline == START.mono + 5
    desk.turn(4.9)
    assert len(desk.came) == 2
    desk.turn(0.1)
    assert desk.came[2:] == [Note(Trouble("at 5"))]
    assert (len(desk.background), desk.background.deadline) == (0, inf)


def test_a_latch_lets_a_task_go_on() -> None:
    desk, latch, reached = Desk(), Latch(), list[int]()

    async def task(number: int) -> None:
        await Await(latch)
        reached.append(number)

    for number in range(3):
        desk.begin(partial(task, number))
    latch.open()
    assert desk.background.deadline < desk.now.mono
    desk.turn()
    assert reached == [0, 1, 2]
    desk.begin(partial(task, 3))
    assert reached == [0, 1, 2, 3]


def test_a_race_and_its_losers() -> None:
    desk, won = Desk(), list[Any]()

    async def task() -> None:
        won.append(await Race((Fetch(), Sleep(2.0))))

    desk.begin(task)
    desk.turn(2.0)
    assert won == [(1, None)]
    assert desk.came == [Perform(1, Fetch()), Cancel(1, Fetch())]
    desk.reply(1, "late")
    assert won == [(1, None)]


@pytest.mark.parametrize("fails", ["itself", "effect"])
def test_a_bug_ends_one_task_and_is_told(fails: str) -> None:
    desk, other = Desk(), list[str]()

    async def bad() -> None:
        if fails == "itself":
            raise ValueError("a bug")
        await Fetch()

    async def good() -> None:
        other.append(await Fetch())

    desk.begin(bad)
    desk.begin(good)
    numbers = [output.number for output in desk.came if isinstance(output, Perform)]
    if fails == "effect":
        desk.reply(numbers[0], None, ValueError("a bug"))
    desk.reply(numbers[-1], "well")
    assert other == ["well"]
    (failure,) = [output.record for output in desk.came if isinstance(output, Note)]
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, ValueError if fails == "itself" else EffectFailed)
    assert len(desk.background) == 0


def test_the_end_of_the_server_ends_all_tasks() -> None:
    desk, latch, ended = Desk(), Latch(), list[str]()

    async def task(ask: Any, name: str) -> None:
        try:
            await ask
        except ClientGone:
            ended.append(name)
            raise

    async def stubborn() -> None:
        try:
            await Fetch()
        finally:
            await Fetch()

    for ask, name in ((Fetch(), "effect"), (Sleep(1.0), "sleep"), (Await(latch), "latch")):
        desk.begin(partial(task, ask, name))
    desk.begin(stubborn)
    desk.background.begin(partial(task, Fetch(), "fresh"), desk.now)
    desk.background.stop()
    desk.drain()
    assert ended == ["effect", "sleep", "latch"]
    assert [type(output) for output in desk.came] == [Perform, Perform, Cancel, Cancel]
    assert latch.waiting == {}
    assert (len(desk.background), desk.background.deadline) == (0, inf)
    desk.begin(partial(task, Fetch(), "later"))
    assert len(desk.background) == 0


def test_an_early_turn_does_nothing() -> None:
    desk = Desk()

    async def task() -> None:
        await Sleep(3.0)

    desk.begin(task)
    for _ in range(5):
        desk.turn(0.1)
    assert desk.came == []
    assert desk.background.deadline == START.mono + 3


def test_a_request_begins_a_task_that_outlives_it() -> None:
    app, done = App(pages=False, listeners=[Listener()]), list[str]()

    async def task() -> None:
        done.append(await Fetch())

    @app.route("GET", "/begin")
    async def begin(request: Request) -> Response:
        await Begin(task)
        return text(200, "begun")

    sim = Sim(app)
    wire = sim.connect()
    assert HttpConnection(wire, "1.1").exchange(Outgoing(target="/begin")).text() == "begun"
    wire.abort()
    sim.advance(0.0)
    (pending,) = sim.pending
    assert isinstance(pending.wire, Behind)
    sim.reply(pending, "well")
    assert done == ["well"]
    HttpConnection(sim.connect(), "1.1").exchange(Outgoing(target="/begin"))
    sim.advance(0.0)
    sim.shutdown(1.0)
    assert sim.pending == []
    assert len(sim.cancelled) == 1
