"""The engine as a whole: loading, sessions, limits, interrupts from other threads, ending."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from fanlight.app import App
from fanlight.auth.identity import Identity
from fanlight.relations import Column, Relation
from fanlight.sql import effects
from fanlight.sql.effects import Batch, Execute, Executed, FetchRows, SqlFailed
from fanlight.sql.errors import CANCELLED
from fanlight_engines.duckdb.engine import SPARE, DuckDbEngine

ADA = Identity("ada")
SETTINGS = (("TimeZone", "UTC"), ("search_path", "public"))
SLOW = (
    "select count(*) as n from generate_series(1,200000) a(i), generate_series(1,200000) b(j) where (a.i * b.j) % 7 = 3"
)


@pytest.fixture
def engine() -> Iterator[DuckDbEngine]:
    engine = DuckDbEngine(App(sql_writers="everybody", sql_connections=10))
    assert perform(engine, effects.StartEngine())
    yield engine
    engine.close()


def perform(engine: DuckDbEngine, effect: Any) -> Any:
    return engine.handlers[type(effect)](effect)


def open_session(engine: DuckDbEngine) -> Any:
    return perform(engine, effects.OpenSession(ADA))


def execute(session: Any, text: str, **changes: Any) -> Execute:
    given: dict[str, Any] = {"begin": "read write", "commit": True, "read_only": False, "most": 10**6, "params": ()}
    given |= changes
    return Execute(session, text, settings=SETTINGS, separator=b"\n", limit=10**9, **given)


def run(engine: DuckDbEngine, session: Any, text: str, **changes: Any) -> Any:
    return perform(engine, execute(session, text, **changes))


def rows(answer: Any) -> bytes:
    assert isinstance(answer, Executed), answer
    assert answer.batch is not None
    return answer.batch.data


class Running:
    """An effect that another thread performs."""

    def __init__(self, engine: DuckDbEngine, effect: Any) -> None:
        self.answer: Any = None
        self.effect = effect
        self._thread = threading.Thread(target=self._perform, args=(engine,))
        self._thread.start()

    def _perform(self, engine: DuckDbEngine) -> None:
        self.answer = perform(engine, self.effect)

    def join(self) -> Any:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.answer


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_making_an_engine_loads_nothing() -> None:
    program = (
        "import sys; from fanlight_engines.duckdb.engine import DuckDbEngine; from fanlight import App; "
        "engine = DuckDbEngine(App()); engine.close(); "
        "print([name for name in ('duckdb', 'nanoarrow', 'pytz', 'asyncio', 'trio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_first_session_finds_no_engine() -> None:
    engine = DuckDbEngine(App())
    assert perform(engine, effects.OpenSession(ADA)) is None
    assert perform(engine, effects.StartEngine())
    assert perform(engine, effects.StartEngine())
    assert open_session(engine) is not None
    engine.close()
    assert perform(engine, effects.OpenSession(ADA)) is None
    assert not perform(engine, effects.StartEngine())


def test_without_the_library_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanlight_engines.duckdb.engine.available", lambda: False)
    engine = DuckDbEngine(App())
    assert not perform(engine, effects.StartEngine())
    assert perform(engine, effects.OpenSession(ADA)) is None


def test_an_engine_that_does_not_start_says_so_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Any:
        raise RuntimeError("no memory")

    monkeypatch.setattr("fanlight_engines.duckdb.engine.open_instance", fail)
    assert not perform(DuckDbEngine(App()), effects.StartEngine())
    assert "no memory" in caplog.text


def test_session_numbers_are_never_given_twice(engine: DuckDbEngine) -> None:
    numbers = []
    for _ in range(5):
        session = open_session(engine)
        numbers.append(session.number)
        assert perform(engine, effects.Release(session))
    assert len(set(numbers)) == 5


def test_the_connection_limit(engine: DuckDbEngine) -> None:
    held = [open_session(engine) for _ in range(10)]
    refused = open_session(engine)
    assert isinstance(refused, effects.SessionRefused)
    assert (refused.status, refused.error.code) == (500, "53000")
    assert "(desired: 11, limit: 10, current: 10)" in refused.error.message
    perform(engine, effects.CloseSession(held[0]))
    assert not isinstance(open_session(engine), effects.SessionRefused)


def test_a_clean_connection_serves_the_next_session(engine: DuckDbEngine) -> None:
    first = open_session(engine)
    run(engine, first, "select 1")
    connection = first.connection
    assert perform(engine, effects.Release(first))
    second = open_session(engine)
    run(engine, second, "select 1")
    assert second.connection is connection
    run(engine, second, "create temp table x (a integer)")
    assert not perform(engine, effects.Release(second))
    perform(engine, effects.CloseSession(second))
    third = open_session(engine)
    assert isinstance(run(engine, third, "select * from x"), SqlFailed)
    assert third.connection is not connection


def test_only_a_few_connections_are_kept(engine: DuckDbEngine) -> None:
    sessions = [open_session(engine) for _ in range(SPARE + 2)]
    for session in sessions:
        run(engine, session, "select 1")
    assert [perform(engine, effects.Release(session)) for session in sessions] == [True] * SPARE + [False] * 2
    for session in sessions[SPARE:]:
        perform(engine, effects.CloseSession(session))
    assert engine.open_sessions == 0


def test_a_session_with_an_open_transaction_is_not_released(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    run(engine, session, "create table kept (a integer)", commit=False)
    assert not perform(engine, effects.Release(session))
    perform(engine, effects.CloseSession(session))
    perform(engine, effects.CloseSession(session))
    assert isinstance(run(engine, open_session(engine), "select * from kept"), SqlFailed)


# --- Interrupts. ---


def test_an_interrupt_ends_a_running_statement(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    work = Running(engine, execute(session, SLOW))
    wait_for(lambda: engine.active_statements == 1)
    time.sleep(0.05)
    asked = time.monotonic()
    engine.interrupts[Execute](work.effect)
    answer = work.join()
    assert time.monotonic() - asked < 1
    assert isinstance(answer, SqlFailed)
    assert (answer.error, answer.aborted) == (CANCELLED, True)
    assert engine.active_statements == 0
    assert rows(run(engine, session, "select 1")) == b'["1"]'


@pytest.mark.parametrize("delay", [0.0, 0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.003])
def test_an_interrupt_at_any_moment_is_heeded(engine: DuckDbEngine, delay: float) -> None:
    """Between two calls into DuckDB an interrupt is lost there: it has to be repeated.

    And one that hits BEGIN leaves a transaction behind that must not meet the next session.
    """
    for _ in range(30):
        session = open_session(engine)
        work = Running(engine, execute(session, SLOW))
        time.sleep(delay)
        engine.interrupts[Execute](work.effect)
        assert isinstance(work.join(), SqlFailed)
        assert rows(run(engine, session, "select 1")) == b'["1"]'
        assert perform(engine, effects.Release(session))


def test_an_interrupt_that_comes_first_keeps_the_work_from_starting(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    work = execute(session, "create table x (a integer)")
    engine.interrupts[Execute](work)
    assert isinstance(perform(engine, work), SqlFailed)
    assert isinstance(run(engine, session, "select * from x"), SqlFailed)


def test_work_that_comes_after_its_interrupt_leaves_the_session_alone(engine: DuckDbEngine) -> None:
    """A performer may have queued it, and the session gone on meanwhile."""
    session = open_session(engine)
    late = execute(session, "select 1")
    engine.interrupts[Execute](late)
    assert perform(engine, effects.Settle(session, late)) is None
    run(engine, session, "create table x (a integer)", commit=False)
    assert perform(engine, late) == SqlFailed(CANCELLED, aborted=False)
    assert perform(engine, effects.EndTransaction(session, True)) is None
    assert rows(run(engine, session, "select count(*) from x")) == b'["0"]'


def test_a_late_interrupt_hits_nothing(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    work = execute(session, "select 1")
    assert rows(perform(engine, work)) == b'["1"]'
    engine.interrupts[Execute](work)
    assert rows(run(engine, session, "select 2")) == b'["2"]'


def test_whoever_waits_at_the_gate_can_be_interrupted(engine: DuckDbEngine) -> None:
    busy = [Running(engine, execute(open_session(engine), SLOW)) for _ in range(2)]
    wait_for(lambda: engine.active_statements == 2)
    waiting = Running(engine, execute(open_session(engine), "select 1"))
    time.sleep(0.05)
    assert waiting.answer is None
    engine.interrupts[Execute](waiting.effect)
    assert isinstance(waiting.join(), SqlFailed)
    assert engine.active_statements == 2
    for work in busy:
        engine.interrupts[Execute](work.effect)
        work.join()
    assert engine.active_statements == 0


def test_ending_a_transaction_does_not_wait_at_the_gate(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    run(engine, session, "create table x (a integer)", commit=False)
    busy = [Running(engine, execute(open_session(engine), SLOW)) for _ in range(2)]
    wait_for(lambda: engine.active_statements == 2)
    assert perform(engine, effects.EndTransaction(session, True)) is None
    for work in busy:
        engine.interrupts[Execute](work.effect)
        work.join()
    assert rows(run(engine, open_session(engine), "select count(*) from x")) == b'["0"]'


def test_a_relation_that_takes_long_can_be_interrupted(engine: DuckDbEngine) -> None:
    def endless() -> Iterator[tuple[int]]:
        while True:
            yield (1,)

    engine._app.relations["endless"] = Relation("endless", (Column("a", "bigint"),), endless)  # type: ignore[index]
    session = open_session(engine)
    work = Running(engine, execute(session, "select count(*) from process.endless"))
    wait_for(lambda: engine.active_statements == 1)
    time.sleep(0.02)
    engine.interrupts[Execute](work.effect)
    answer = work.join()
    assert answer.error == CANCELLED


def test_closing_a_session_stops_what_it_runs(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    work = Running(engine, execute(session, SLOW))
    wait_for(lambda: engine.active_statements == 1)
    perform(engine, effects.CloseSession(session))
    assert isinstance(work.join(), SqlFailed)
    assert engine.open_sessions == 0
    assert isinstance(run(engine, session, "select 1"), SqlFailed)


def test_how_interrupted_work_ended_can_be_asked(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    work = execute(session, "select 1")
    done = perform(engine, work)
    assert perform(engine, effects.Settle(session, work)) == done
    assert perform(engine, effects.Settle(session, work)) is None
    never = execute(session, "select 2")
    assert perform(engine, effects.Settle(session, never)) is None


# --- Rows in batches. ---


def test_batches(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    first = run(engine, session, "select i from range(5000) t(i)", most=1000)
    assert isinstance(first, Executed)
    assert first.batch is not None
    batches = [first.batch]
    while not batches[-1].last:
        batches.append(perform(engine, FetchRows(session, b"\n", 1000)))
    assert all(isinstance(batch, Batch) for batch in batches)
    lines = b"\n".join(batch.data for batch in batches if batch.count).split(b"\n")
    assert lines == [b'["%d"]' % at for at in range(5000)]
    assert sum(batch.count for batch in batches) == 5000
    assert sum(batch.size for batch in batches) == sum(map(len, lines))
    assert not session.connection.in_transaction


def test_an_open_result_is_dropped_by_the_end_of_its_transaction(engine: DuckDbEngine) -> None:
    for commit in (True, False):
        session = open_session(engine)
        first = run(engine, session, "select i from range(100000) t(i)", most=1000)
        assert first.batch is not None
        assert not first.batch.last
        assert perform(engine, effects.EndTransaction(session, commit)) is None
        assert isinstance(perform(engine, FetchRows(session, b"\n", 1000)), SqlFailed)
        assert rows(run(engine, session, "select 1")) == b'["1"]'


def test_rows_over_the_limit_end_the_statement(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    work = Execute(
        session,
        "select repeat('a', 1000) from range(3000)",
        (),
        "read only",
        True,
        True,
        SETTINGS,
        b",",
        256 * 1024,
        1024 * 1024,
    )
    answer = perform(engine, work)
    while isinstance(answer, Executed | Batch):
        answer = perform(engine, FetchRows(session, b",", 256 * 1024))
    assert answer.error.message == "result exceeds max size of 1.0 MiB"
    assert not session.connection.in_transaction


def test_a_commit_that_conflicts(engine: DuckDbEngine) -> None:
    setup = open_session(engine)
    run(engine, setup, "create table t (a integer primary key)")
    one, two = open_session(engine), open_session(engine)
    assert isinstance(run(engine, one, "insert into t values (1)", commit=False), Executed)
    second = run(engine, two, "insert into t values (1)", commit=False)
    assert perform(engine, effects.EndTransaction(one, True)) is None
    if isinstance(second, Executed):
        error = perform(engine, effects.EndTransaction(two, True))
        assert error.code in ("23505", "40001")
    assert rows(run(engine, two, "select count(*) from t")) == b'["1"]'


def test_sessions_in_many_threads(engine: DuckDbEngine) -> None:
    """Strictly serial inside, any number outside: every answer is the right one."""
    failures: list[Any] = []

    def client(number: int) -> None:
        for at in range(20):
            session = open_session(engine)
            answer = run(engine, session, f"select {number * 1000 + at} as a", begin="read only", read_only=True)
            if rows(answer) != b'["%d"]' % (number * 1000 + at):
                failures.append(answer)
            if not perform(engine, effects.Release(session)):
                perform(engine, effects.CloseSession(session))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert engine.open_sessions == 0


# --- Ending. ---


def test_closing_the_engine_stops_everything() -> None:
    engine = DuckDbEngine(App())
    perform(engine, effects.StartEngine())
    busy = [Running(engine, execute(open_session(engine), SLOW, begin="read only")) for _ in range(4)]
    wait_for(lambda: engine.active_statements == 2)
    engine.close()
    assert all(isinstance(work.join(), SqlFailed) for work in busy)
    engine.close()


def test_a_broken_instance_is_replaced(engine: DuckDbEngine) -> None:
    session = open_session(engine)
    run(engine, session, "select 1")
    engine.broken()
    assert perform(engine, effects.OpenSession(ADA)) is None
    assert perform(engine, effects.StartEngine())
    assert rows(run(engine, open_session(engine), "select 1")) == b'["1"]'


@pytest.mark.parametrize("daemon", [True, False])
def test_the_interpreter_may_end_while_a_statement_runs(daemon: bool) -> None:
    program = f"""
import threading, time
from fanlight import App, Identity
from fanlight.sql import effects
from fanlight_engines.duckdb.engine import DuckDbEngine
engine = DuckDbEngine(App())
engine.handlers[effects.StartEngine](effects.StartEngine())
session = engine.handlers[effects.OpenSession](effects.OpenSession(Identity("ada")))
work = effects.Execute(session, {SLOW!r}, (), "read only", True, True, {SETTINGS!r}, b",", 1000, 10**9)
threading.Thread(target=engine.handlers[effects.Execute], args=(work,), daemon={daemon}).start()
while not engine.active_statements:
    time.sleep(0.01)
time.sleep(0.2)
print("bye")
"""
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "bye\n"), done.stderr
    assert "terminate" not in done.stderr
    assert time.monotonic() - started < 30


def test_the_lexer_is_ready_with_the_engine() -> None:
    """Its pattern takes milliseconds to compile, which the first statement would take of the host's loop."""
    program = (
        "from fanlight_engines.duckdb.engine import DuckDbEngine; from fanlight import App; "
        "from fanlight.sql import effects, lexer; engine = DuckDbEngine(App()); "
        "before = lexer._pattern.cache_info().currsize; "
        "engine.handlers[effects.StartEngine](effects.StartEngine()); "
        "print(before, lexer._pattern.cache_info().currsize); engine.close()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "0 1\n"
