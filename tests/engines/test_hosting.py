"""Hosting: one rule for every client, one timer for all, and bugs that reach no host."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from math import inf

import pytest

from fanlight import App, FileLockLeader, Limits, Listener, Request, Response, SendBody
from fanlight.connection.connection import Connection
from fanlight.moment import Now
from fanlight.observe.records import Checked, RefusalsOmitted
from tests.clients.http1 import serialise
from tests.clients.messages import Outgoing
from tests.engines.desk import Count, Desk, Dig, Ground, Notes

SPADE = threading.Event()


def application() -> App:
    app = App(listeners=(Listener("main", "127.0.0.1:1"),), pages=False, limits=Limits(high_water=1000))

    @app.route("GET", "/count")
    async def count(request: Request) -> Response:
        number = int(request.query or "0")
        for _ in range(2_000):
            number = await Count(number)
        return Response(200, (), b"%d" % number)

    @app.route("GET", "/dig")
    async def dig(request: Request) -> Response:
        return Response(200, (), (await Dig(SPADE)).encode())

    @app.route("GET", "/long")
    async def long(request: Request) -> Response:
        async def produce() -> None:
            for _ in range(10):
                await SendBody(b"x" * 600)

        return Response(200, (), produce)

    return app


COUNT, DIG, LONG = (serialise(Outgoing(target=target)) for target in ("/count", "/dig", "/long"))


@pytest.fixture
def ground() -> Ground:
    SPADE.clear()
    return Ground()


@pytest.fixture
def desk(ground: Ground) -> Iterator[Desk]:
    desk = Desk(application(), ground)
    yield desk
    SPADE.set()
    desk.drop()
    desk.performer.close()


def test_an_input_is_answered_and_the_reader_told(desk: Desk) -> None:
    guest = desk.guest()
    before = guest.attended
    guest.feed(guest.connection.receive_data, COUNT)
    assert guest.written.endswith(b"\r\n\r\n2000")
    assert guest.attended == before + 1
    assert guest.connection.backlog == guest.credit == 0


def test_what_is_answered_inline_takes_no_thread_and_no_stack(desk: Desk, ground: Ground) -> None:
    desk.guest(COUNT)
    assert set(ground.threads) == {threading.current_thread().name}
    assert len(ground.threads) == 2_000


def test_what_may_block_is_done_in_a_thread_and_comes_back_by_the_loop(desk: Desk, ground: Ground) -> None:
    guest = desk.guest(DIG)
    assert guest.written == b""
    SPADE.set()
    desk.turn()
    assert guest.written.endswith(b"gold")
    assert ground.threads != [threading.current_thread().name]


def test_what_might_block_and_does_not_now_is_done_inline(desk: Desk, ground: Ground) -> None:
    SPADE.set()
    guest = desk.guest(DIG)
    assert guest.written.endswith(b"gold")
    assert ground.threads == [threading.current_thread().name]


def test_what_the_engine_raises_is_told_to_the_log_and_a_500_to_the_client(desk: Desk) -> None:
    guest = desk.guest(serialise(Outgoing(target="/count?-1")))
    assert guest.written.startswith(b"HTTP/1.1 500 ")
    assert b"below" not in guest.written
    assert [type(failure.error.__cause__) for failure in desk.failures] == [ValueError]
    assert guest.aborted == 0


def test_a_client_that_leaves_interrupts_the_work_and_its_answer_comes_too_late(desk: Desk, ground: Ground) -> None:
    guest = desk.guest(DIG)
    guest.feed(guest.connection.lost)
    assert ground.stopped == [Dig(SPADE)]
    assert desk.clients == {}
    desk.turn()
    assert guest.written == b""
    assert desk.failures == []


# ---- credit ------------------------------------------------------------------


def test_a_slow_socket_holds_the_routine_back(desk: Desk) -> None:
    guest = desk.guest()
    guest.slow = True
    guest.feed(guest.connection.receive_data, LONG)
    held = len(guest.written)
    assert 0 < held < 3_000
    assert not guest.connection.wants_read
    for _ in range(10):
        guest.give_back(desk.now(), guest.connection.backlog)
        while desk.server.deadline <= desk.clock.now.mono:
            desk.tick()
    assert guest.written.endswith(b"0\r\n\r\n")
    assert guest.written.count(b"x" * 600) == 10


def test_a_slow_socket_has_its_time_from_when_it_took_something(desk: Desk) -> None:
    guest = desk.guest()
    guest.slow = True
    guest.feed(guest.connection.receive_data, LONG)
    patience = desk.server.limits.write_progress
    for _ in range(3):
        desk.clock.move(patience * 0.7)
        desk.tick()
        guest.give_back(desk.now(), guest.connection.backlog)
        assert guest.connection.backlog > 0
    assert guest.shuts == []
    desk.clock.move(patience)
    desk.tick()
    assert guest.shuts == [False]


def test_credit_that_is_held_is_not_given_back(desk: Desk) -> None:
    guest = desk.guest()
    guest.held = True
    guest.feed(guest.connection.receive_data, COUNT)
    assert guest.connection.backlog == guest.credit == len(guest.written)
    guest.held = False
    guest.drain()
    assert guest.connection.backlog == guest.credit == 0


# ---- the one timer -----------------------------------------------------------


def test_the_timer_is_armed_when_a_deadline_comes_nearer_and_only_then(desk: Desk) -> None:
    limits = desk.server.limits
    guest = desk.guest()
    assert desk.arms == [limits.keep_alive]
    desk.guest()
    assert len(desk.arms) == 1
    desk.clock.move(1)
    guest.feed(guest.connection.receive_data, COUNT[:9])
    assert desk.arms == [limits.keep_alive, limits.request_head]
    assert desk.armed == desk.server.deadline


def test_a_tick_tells_those_that_are_due_and_arms_anew(desk: Desk) -> None:
    limits = desk.server.limits
    slow, fresh = desk.guest(COUNT[:9]), desk.guest()
    desk.clock.move(limits.request_head)
    desk.tick()
    assert slow.written.startswith(b"HTTP/1.1 408 ")
    assert slow.shuts == [True]
    assert fresh.shuts == []
    assert desk.armed == desk.server.deadline < inf


@pytest.mark.parametrize("ending", [False, True])
def test_refusals_that_were_left_out_are_logged_by_a_tick_and_at_the_end(desk: Desk, ending: bool) -> None:
    evil = COUNT.replace(b"\r\n\r\n", b"\r\nauthorization: a\r\nauthorization: b\r\n\r\n")
    guest = desk.guest(evil * 15)
    assert guest.written.count(b"HTTP/1.1 400 ") == 15
    if ending:
        desk.stop()
        desk.drop()
    else:
        desk.clock.move(1)
        desk.tick()
    assert isinstance(desk.performer, Notes)
    assert [note.count for note in desk.performer.notes if isinstance(note, RefusalsOmitted)] == [5]


def test_a_tick_that_comes_early_does_nothing_but_arm(desk: Desk) -> None:
    guest = desk.guest()
    desk.tick()
    assert desk.arms == [desk.server.limits.keep_alive] * 2
    assert guest.shuts == []


# ---- bugs --------------------------------------------------------------------


def bug(now: Now) -> None:
    raise ZeroDivisionError


def test_a_bug_in_the_core_drops_one_client_and_tells_the_log(desk: Desk) -> None:
    guest, other = desk.guest(DIG), desk.guest()
    guest.feed(bug)
    assert guest.aborted
    assert [type(failure.error) for failure in desk.failures] == [ZeroDivisionError]
    assert list(desk.clients) == [other.connection]
    assert desk.server.connections == {other.connection}
    other.feed(other.connection.receive_data, COUNT)
    assert other.written.endswith(b"2000")


def test_a_routine_hears_of_the_bug_that_dropped_its_client(desk: Desk, ground: Ground) -> None:
    desk.guest(DIG).feed(bug)
    assert ground.stopped == [Dig(SPADE)]


def test_a_bug_in_the_transport_drops_the_client_too(desk: Desk) -> None:
    guest = desk.guest()
    guest.broken = True
    guest.feed(guest.connection.receive_data, COUNT)
    assert guest.aborted
    assert [type(failure.error) for failure in desk.failures] == [OSError]
    assert desk.clients == {}


def test_a_connection_that_cannot_even_be_told_is_forgotten(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = desk.guest()
    monkeypatch.setattr(Connection, "lost", lambda connection, now: bug(now))
    guest.feed(bug)
    assert desk.clients == {}
    assert desk.server.drained
    assert len(desk.failures) == 2


def test_a_bug_while_accepting_closes_that_socket_alone(desk: Desk) -> None:
    assert desk.welcome("nobody", "127.0.0.1") is None
    assert [failure.where for failure in desk.failures] == ["accepting a connection"]


# ---- the end -----------------------------------------------------------------


def test_stopping_with_nobody_there_is_done_at_once(desk: Desk) -> None:
    assert desk.stop()
    assert desk.welcome("main", "127.0.0.1") is None
    assert desk.failures == []


def test_stopping_ends_the_idle_at_once_and_waits_for_the_busy(desk: Desk) -> None:
    idle, busy = desk.guest(), desk.guest(DIG)
    assert not desk.stop()
    assert idle.shuts == [False]
    assert desk.empty == 0
    SPADE.set()
    desk.turn()
    assert busy.written.endswith(b"gold")
    busy.feed(busy.connection.receive_data, b"")
    assert busy.shuts == [True, False]
    assert desk.empty == 1


def test_stopping_ends_the_busy_when_the_grace_is_over(desk: Desk, ground: Ground) -> None:
    busy = desk.guest(DIG)
    desk.stop()
    desk.clock.move(desk.server.limits.grace)
    desk.tick()
    assert busy.shuts == [False]
    assert ground.stopped == [Dig(SPADE)]
    assert desk.empty == 1


def test_dropping_ends_all_at_once(desk: Desk, ground: Ground) -> None:
    guests = [desk.guest(DIG), desk.guest()]
    desk.drop()
    assert [guest.aborted for guest in guests] == [1, 1]
    assert ground.stopped == [Dig(SPADE)]
    assert desk.server.drained


def test_the_engines_are_closed_in_a_thread_and_the_loop_is_told(desk: Desk, ground: Ground) -> None:
    released: list[str] = []
    desk.release(lambda: released.append(threading.current_thread().name))
    desk.turn()
    assert ground.closed == 1
    assert released == [threading.current_thread().name]


def test_the_engines_are_closed_inline_when_no_thread_can_start(
    desk: Desk, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    desk.release(lambda: None)
    assert ground.closed == 1
    desk.turn()


# ---- tasks of the program's, and the end of a leadership -----------------------


async def ping() -> bool:
    return True


async def refused() -> bool:
    raise OSError("disk")


def ready(desk: Desk) -> bytes:
    """What `/api/readyz` answers after one turn."""
    guest = desk.guest(serialise(Outgoing(target="/api/readyz")))
    desk.turn()
    return bytes(guest.written[9:12])


def test_an_async_check_is_awaited_in_a_task_of_the_loop(ground: Ground) -> None:
    app = App(listeners=(Listener("main", "127.0.0.1:1"),))
    app.readiness.check("good")(ping)
    desk = Desk(app, ground)
    assert ready(desk) == b"200"
    app.readiness.check("bad")(refused)
    desk.clock.move(1.5)
    guest = desk.guest(serialise(Outgoing(target="/api/readyz")))
    desk.turn()
    desk.turn()
    assert guest.written[9:12] == b"503"
    assert b"disk" not in guest.written
    assert [type(note.error) for note in desk.performer.notes if isinstance(note, Checked)] == [OSError]  # type: ignore[attr-defined]
    assert not any(check.busy for check in app.readiness.checks)


def test_a_client_that_leaves_cancels_the_task(ground: Ground) -> None:
    called: list[str] = []

    async def check() -> None:
        called.append("begun")

    app = App(listeners=(Listener("main", "127.0.0.1:1"),))
    app.readiness.check("slow")(check)
    desk = Desk(app, ground)
    guest = desk.guest(serialise(Outgoing(target="/api/readyz")))
    guest.feed(guest.connection.lost)
    assert app.readiness.checks[0].busy
    desk.turn()
    assert called == []
    assert not app.readiness.checks[0].busy


def test_a_lost_leadership_ends_the_server_unless_the_program_does_something_about_it(ground: Ground) -> None:
    app = App(listeners=(Listener("main", "127.0.0.1:1"),))
    desk = Desk(app, ground)
    desk.server.leadership.lose("the lock is gone")
    desk.turn()
    assert desk.ends == 1
    caring = App(leader=FileLockLeader(path="x", on_lost=print))
    desk = Desk(caring, ground)
    desk.server.leadership.lose("the lock is gone")
    desk.turn()
    assert desk.ends == 0


def test_a_loop_that_is_watched_later_is_sent_beats(ground: Ground) -> None:
    app = App(listeners=(Listener("main", "127.0.0.1:1"),))
    desk = Desk(app, ground)
    calls: list[object] = []
    app.liveness.watch(calls.append)
    desk.turn()
    assert desk.arms == [0.0]
    desk.tick()
    assert len(calls) == 1
    assert desk.arms == [0.0, 2.5]
