"""The performer: effects find their engine, threads and interrupts; records find their log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import pytest
from attrs import frozen

from fanlight import App, Effect, Listener
from fanlight.auth.decisions import Refusal
from fanlight.observe.records import AccessRecord, Exposure, Failure, RefusalsOmitted, Trouble
from fanlight.pages.root import DescribeProcess, ProcessFacts
from fanlight.server import Server
from fanlight_engines.deferred import Deferred
from fanlight_engines.performer import Performer, SystemEntropy, now, performer_for
from tests.sim import START, Seeded

PATIENCE = 10.0


@frozen
class Add(Effect[int]):
    one: int
    other: int


@frozen
class Nap(Effect[str]):
    pass


@frozen
class Unknown(Effect[None]):
    pass


class Adder:
    """An engine that adds."""

    def __init__(self) -> None:
        self.handlers: Mapping[type, Callable[[Any], Any]] = {Add: lambda effect: effect.one + effect.other}
        self.interrupts: Mapping[type, Callable[[Any], None]] = {}
        self.prompt: Mapping[type, Callable[[Any], Any]] = {}
        self.closed: str | None = None

    def close(self) -> None:
        self.closed = threading.current_thread().name


class Sleeper(Adder):
    """An engine whose one effect lasts until it is interrupted, in threads of its own."""

    own_threads = 1
    own_effects = frozenset({Nap})

    def __init__(self) -> None:
        super().__init__()
        self.started, self.awake = threading.Event(), threading.Event()
        self.handlers = {Nap: self.nap}
        self.interrupts = {Nap: lambda effect: self.awake.set()}

    def nap(self, effect: Nap) -> str:
        self.started.set()
        assert self.awake.wait(PATIENCE)
        return threading.current_thread().name


class Stubborn(Adder):
    """An engine that cannot be closed."""

    def close(self) -> None:
        raise RuntimeError("will not")


@pytest.fixture
def engines() -> tuple[Adder, Sleeper]:
    return Adder(), Sleeper()


@pytest.fixture
def performer(engines: tuple[Adder, Sleeper]) -> Iterator[Performer]:
    made = Performer(list(engines))
    yield made
    engines[1].awake.set()
    made.close()


def submitted(performer: Performer, effect: Effect[Any]) -> Future[tuple[object, BaseException | None, str]]:
    """What `done` will be called with, and in which thread."""
    future: Future[tuple[object, BaseException | None, str]] = Future()
    performer.submit(effect, lambda answer, error: future.set_result((answer, error, threading.current_thread().name)))
    return future


def test_an_effect_is_done_by_the_engine_that_knows_it(performer: Performer) -> None:
    assert performer.perform(Add(1, 2)) == 3


def test_only_what_takes_a_moment_is_done_at_once(performer: Performer, engines: tuple[Adder, Sleeper]) -> None:
    assert performer.perform_promptly(Add(1, 2)) is None
    engines[0].prompt = {Add: lambda effect: effect.one + effect.other if effect.one < 10 else None}
    quick = Performer(list(engines))
    assert (quick.perform_promptly(Add(1, 2)), quick.perform_promptly(Add(10, 2))) == (3, None)


def test_an_effect_that_no_engine_knows_is_a_bug(performer: Performer) -> None:
    with pytest.raises(LookupError, match="no engine does Unknown"):
        performer.perform(Unknown())


def test_a_submitted_effect_is_done_in_a_thread(performer: Performer) -> None:
    assert submitted(performer, Add(1, 2)).result(PATIENCE) == (3, None, "fanlight-worker-1")


def test_what_an_engine_raises_is_handed_over(performer: Performer) -> None:
    answer, error, _ = submitted(performer, Add(1, "x")).result(PATIENCE)  # type: ignore[arg-type]
    assert answer is None
    assert isinstance(error, TypeError)
    _, error, _ = submitted(performer, Unknown()).result(PATIENCE)
    assert isinstance(error, LookupError)


def test_effects_that_wait_do_not_keep_others_waiting(performer: Performer, engines: tuple[Adder, Sleeper]) -> None:
    naps = [submitted(performer, Nap()) for _ in range(20)]
    assert engines[1].started.wait(PATIENCE)
    assert submitted(performer, Add(2, 2)).result(PATIENCE)[0] == 4
    performer.interrupt(Nap())
    assert {nap.result(PATIENCE)[0] for nap in naps} == {"fanlight-sleeper-1"}


def test_an_interrupt_for_nothing_does_nothing(performer: Performer) -> None:
    performer.interrupt(Add(1, 2))
    performer.interrupt(Unknown())


def test_a_deferred_engine_is_made_when_its_first_effect_comes() -> None:
    made: list[Adder] = []

    def make() -> list[Adder]:
        made.append(Adder())
        return made

    performer = Performer([], [Deferred((__name__,), (), make)])
    performer.interrupt(Add(1, 2))
    assert made == []
    assert performer.perform_promptly(Add(1, 2)) is None
    assert [performer.perform(Add(1, 2)), submitted(performer, Add(2, 2)).result(PATIENCE)[0]] == [3, 4]
    with pytest.raises(LookupError):
        performer.perform(Nap())  # of the same module, and still nobody's
    performer.close()
    (only,) = made
    assert only.closed is not None


def test_nothing_is_made_for_closing() -> None:
    performer = Performer([], [Deferred((__name__,), (), lambda: [Stubborn()])])
    performer.close()
    with pytest.raises(LookupError):
        performer.perform(Add(1, 2))


def test_closing_closes_every_engine(caplog: pytest.LogCaptureFixture) -> None:
    first, last = Adder(), Adder()
    made = Performer([first, Stubborn(), last])
    made.perform(Add(1, 1))
    made.close()
    assert first.closed is not None
    assert last.closed is not None
    assert "an engine did not close" in caplog.text


def record(**changes: Any) -> AccessRecord:
    given: dict[str, Any] = {
        "wall": 1.0,
        "seconds": 0.0123,
        "listener": "main",
        "peer": "192.0.2.1",
        "method": "GET",
        "path": "/a/{name}",
        "status": 200,
        "user": "ada",
        "version": "1.1",
        "sent": 42,
    }
    return AccessRecord(**{**given, **changes})


def test_access_records_go_to_their_log(performer: Performer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    performer.note(record())
    performer.note(record(peer="", user="", version="2"))
    assert [entry.name for entry in caplog.records] == ["fanlight.access"] * 2
    assert caplog.messages == [
        '192.0.2.1 ada "GET /a/{name}" 200 42 12.300ms main HTTP/1.1',
        'unix - "GET /a/{name}" 200 42 12.300ms main HTTP/2',
    ]


def test_failures_go_to_the_log_with_their_traceback(performer: Performer, caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("the detail")
    except ValueError as error:
        performer.note(Failure("/bug", error))
    assert caplog.records[0].levelno == logging.ERROR
    assert caplog.messages == ["failure in /bug"]
    assert "the detail" in caplog.text


def test_troubles_are_warnings(performer: Performer, caplog: pytest.LogCaptureFixture) -> None:
    performer.note(Trouble("the fork was refused"))
    assert [(entry.levelno, entry.getMessage()) for entry in caplog.records] == [
        (logging.WARNING, "the fork was refused")
    ]


def test_refusals_are_warnings_of_the_security_log(performer: Performer, caplog: pytest.LogCaptureFixture) -> None:
    refusal = Refusal("invalid credentials", 401, "main", "base", "None", "192.0.2.7")
    omitted = RefusalsOmitted("invalid credentials", 401, "main", "base", "None", "", 7)
    for note in (refusal, omitted, Exposure("main", "192.0.2.7")):
        performer.note(note)
    assert {(entry.name, entry.levelno) for entry in caplog.records} == {("fanlight.security", logging.WARNING)}
    assert caplog.messages == [
        "HTTP request failed authentication: invalid credentials",
        "failed authentication: invalid credentials (7 more from unix)",
        "credentials in the clear from 192.0.2.7 to main: redirected to TLS",
    ]


def server(app: App | None = None) -> Server:
    return Server(app or App(), now=START, entropy=Seeded())


def test_the_performer_of_a_server_knows_its_pages() -> None:
    made = performer_for(server())
    try:
        facts = made.perform(DescribeProcess())
        assert isinstance(facts, ProcessFacts)
    finally:
        made.close()


@pytest.mark.parametrize(("level", "noted"), [(logging.INFO, True), (logging.WARNING, False)])
def test_access_records_are_made_only_when_somebody_reads_them(level: int, noted: bool) -> None:
    made, log = server(), logging.getLogger("fanlight.access")
    before = log.level
    log.setLevel(level)
    try:
        performer_for(made).close()
    finally:
        log.setLevel(before)
    assert made.notes_access is noted


def test_remarks_about_listeners_are_told_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    app = App(listeners=(Listener("main", "0.0.0.0:0", allow_open_internal=True),))
    assert app.remarks
    performer_for(server(app)).close()
    for remark in app.remarks:
        if remark.level == "warning":
            assert remark.text in caplog.text


def test_hpack_does_not_log_what_it_decodes() -> None:
    performer_for(server()).close()
    assert not logging.getLogger("hpack.hpack").isEnabledFor(logging.DEBUG)


def test_moments_and_chance_are_the_systems() -> None:
    first, second = now(), now()
    assert second.mono >= first.mono
    assert first.wall > 1_600_000_000
    tokens = {SystemEntropy().token(16) for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {16}
