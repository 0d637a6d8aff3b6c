"""SUBSCRIBE over sockets in memory: what is told when, to whom, and what ends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fanlight import Limits
from fanlight.asks import Moment
from fanlight.http.websocket import Watch
from fanlight.moment import Now
from fanlight.sql.effects import Evaluate, Evaluated
from fanlight.sql.errors import SqlError
from fanlight.sql.feeds import Feeds
from fanlight.sql.frames import SocketSink
from fanlight.sql.grammar import read_script
from fanlight.sql.session import Session
from fanlight.sql.statements import AsOf, Statement, Subscribe
from fanlight.sql.subscribe import Bounds, Subscriber, bounds_of, instant_of
from fanlight.sql.values import Descriptor, text_column
from fanlight.sql.variables import Variables
from tests.clients.blocking import WebSocket
from tests.clients.websocket import Closed
from tests.core.sql.replica import Replica
from tests.core.sql.scripted import Handle
from tests.core.sql.sockets import PAIR, Bench, ask, end_all, heard, kinds
from tests.sim import Clock

STARTED = ["CommandStarting", "Rows"]
STOPPED = ["Error 57014", "ReadyForQuery"]
A, B, C = b'["1","a"]', b'["2","b"]', b'["3","c"]'


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture(params=["1.1", "2"])
def bench(request: pytest.FixtureRequest) -> Bench:
    made = Bench()
    made.version = request.param
    made.engine.tables["t"] = {A: 1, B: 2}
    return made


def subscribed(bench: Bench, query: str = "subscribe t") -> tuple[WebSocket, list[Any]]:
    """A client that subscribes, and what it heard at once."""
    socket = bench.session(bench.version)
    ask(socket, query)
    return socket, heard(socket)


def rows(messages: list[Any]) -> list[list[Any]]:
    return [each["payload"] for each in messages if isinstance(each, dict) and each["type"] == "Row"]


def data(messages: list[Any]) -> list[Any]:
    """Messages without the Pings."""
    return [each for each in messages if each != "ping"]


def cells(messages: list[Any]) -> list[list[Any]]:
    """Rows without their timestamps."""
    return [row[1:] for row in rows(messages)]


def change(bench: Bench, **tables: dict[bytes, int]) -> None:
    bench.engine.tables.update(tables)


def test_the_snapshot_and_then_changes(bench: Bench) -> None:
    socket, first = subscribed(bench)
    assert kinds(first) == [*STARTED, "Row", "Row"]
    assert first[0]["payload"] == {"has_rows": True, "is_streaming": True}
    assert [each["name"] for each in first[1]["payload"]["columns"]] == ["mz_timestamp", "mz_diff", "k", "v"]
    assert cells(first) == [["1", "1", "a"], ["2", "2", "b"]]
    change(bench, t={A: 1, B: 1, C: 1})
    later = heard(socket, 1.0)
    assert cells(later) == [["-1", "2", "b"], ["1", "3", "c"]]
    assert len({row[0] for row in rows(later)}) == 1
    assert int(rows(later)[0][0]) > int(rows(first)[0][0])
    assert kinds(heard(socket, 0.9)) == []


def test_a_quiet_one_is_pinged_each_second(bench: Bench) -> None:
    socket, _ = subscribed(bench)
    assert kinds(heard(socket, 3.5)) == ["ping"] * 3
    assert 27 <= len(heard(socket, 30)) <= 30


class LateClock(Clock):
    """Wakes four milliseconds late, as a loop with other things to do."""

    def move(self, seconds: float) -> None:
        super().move(seconds + 0.004)


def test_pings_do_not_fall_behind_on_a_loop_that_is_late() -> None:
    bench = Bench(clock=LateClock())
    bench.engine.tables["t"] = {A: 1}
    socket, _ = subscribed(bench)
    bench.sim.advance(20.5)
    assert len(heard(socket)) == 20


def test_of_very_many_a_quiet_one_is_pinged_less_often(bench: Bench) -> None:
    socket, _ = subscribed(bench)
    assert kinds(heard(socket, 2.5)) == ["ping"] * 2
    bench.sim.server.feeds.subscribers += 499
    assert len(heard(socket, 101)) in (20, 21)
    bench.sim.server.feeds.subscribers += 1500
    assert len(heard(socket, 305)) in (20, 21)
    bench.sim.server.feeds.subscribers -= 1999
    heard(socket, 15)
    assert len(heard(socket, 10)) in (10, 11)


def test_no_snapshot(bench: Bench) -> None:
    socket, first = subscribed(bench, "subscribe t with (snapshot = false)")
    assert kinds(first) == STARTED
    change(bench, t={A: 1})
    assert cells(heard(socket, 1)) == [["-2", "2", "b"]]


def test_progress(bench: Bench) -> None:
    socket, first = subscribed(bench, "subscribe t with (progress)")
    start = int(rows(first)[0][0])
    assert rows(first) == [
        [str(start), True, None, None, None],
        [str(start), False, "1", "1", "a"],
        [str(start), False, "2", "2", "b"],
        [str(start + 1), True, None, None, None],
    ]
    (quiet,) = rows(heard(socket, 1))
    assert quiet[1:] == [True, None, None, None]
    change(bench, t={A: 1})
    data, progress = rows(heard(socket, 1))
    assert data[1:] == [False, "-2", "2", "b"]
    assert start + 1 < int(quiet[0]) <= int(data[0]) < int(progress[0])


@pytest.mark.parametrize(
    ("query", "first", "then"),
    [
        ("envelope upsert (key (k))", [["upsert", "1", "a"], ["key_violation", "2", None]], [["upsert", "2", "b"]]),
        (
            "envelope debezium (key (k))",
            [["insert", "1", None, "a"], ["key_violation", "2", None, None]],
            [["upsert", "2", None, "b"]],
        ),
        ("within timestamp order by v desc", [["2", "2", "b"], ["1", "1", "a"]], [["-1", "2", "b"]]),
    ],
)
def test_forms(bench: Bench, query: str, first: list[Any], then: list[Any]) -> None:
    socket, told = subscribed(bench, f"subscribe t {query}")
    assert cells(told) == first
    change(bench, t={A: 1, B: 1})
    assert cells(heard(socket, 1)) == then


def test_a_bound(bench: Bench) -> None:
    now = int(bench.sim.now.wall * 1000)
    socket, first = subscribed(bench, f"subscribe t up to {now + 1500}")
    assert len(rows(first)) == 2
    change(bench, t={A: 1})
    assert len(rows(heard(socket, 1))) == 1
    change(bench, t={})
    assert kinds(data(heard(socket, 1))) == ["CommandComplete SUBSCRIBE", "ReadyForQuery"]


def test_bounds_that_are_equal_give_no_rows(bench: Bench) -> None:
    _, told = subscribed(bench, "subscribe t as of 7 up to 7")
    assert kinds(told) == ["Notice", *STARTED, "CommandComplete SUBSCRIBE", "ReadyForQuery"]


def test_what_can_not_change_completes(bench: Bench) -> None:
    bench.engine.constant.add("t")
    socket, told = subscribed(bench, "subscribe t with (progress)")
    assert kinds(told) == [*STARTED, "Row", "Row", "Row", "CommandComplete SUBSCRIBE", "ReadyForQuery"]
    assert {row[0] for row in rows(told)} == {"18446744073709551615"}
    ask(socket, "subscribe t with (snapshot = false)")
    assert kinds(heard(socket)) == [*STARTED, "CommandComplete SUBSCRIBE", "ReadyForQuery"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscribe nothing", "42P01"),
        ("subscribe t envelope upsert (key (wibble))", "42703"),
        ("subscribe t up to 1", "22000"),
        ("subscribe t as of 1", "0A000"),
        ("subscribe t as of at least 99999999999999", "0A000"),
    ],
)
def test_errors_before_anything_was_told(bench: Bench, query: str, code: str) -> None:
    socket, told = subscribed(bench, query)
    assert kinds(told) == ["CommandStarting", f"Error {code}", "ReadyForQuery"]
    assert told[0]["payload"] == {"has_rows": False, "is_streaming": False}
    ask(socket, "subscribe t")
    assert len(rows(heard(socket))) == 2
    assert len(bench.sim.server.feeds) == 1


def test_one_that_could_not_be_read_leaves_its_transaction_as_it_was(bench: Bench) -> None:
    socket = bench.session(bench.version)
    ask(socket, "begin", "subscribe wrong", "select 1", "subscribe t")
    assert kinds(heard(socket)) == [
        "CommandStarting",
        "CommandComplete BEGIN",
        "ReadyForQuery T",
        "CommandStarting",
        "Error 42601",
        "ReadyForQuery T",
        *("CommandStarting", "Rows", "Row", "CommandComplete SELECT 1"),
        "ReadyForQuery T",
        "CommandStarting",
        "Error 25000",
        "ReadyForQuery E",
    ]


def test_a_table_that_is_dropped_ends_all_its_subscriptions(bench: Bench) -> None:
    sockets = [subscribed(bench)[0] for _ in range(3)]
    del bench.engine.tables["t"]
    for socket in sockets:
        assert kinds(data(heard(socket, 2))) == ["Error 42704", "ReadyForQuery"]
    assert len(bench.sim.server.feeds) == 0


def test_columns_that_change_end_it(bench: Bench) -> None:
    socket, _ = subscribed(bench)
    bench.engine.columns = (*PAIR, text_column("w"))
    assert kinds(data(heard(socket, 1))) == ["Error 0A000", "ReadyForQuery"]


def test_whatever_becomes_of_its_routine_it_leaves() -> None:
    """Even if the routine is ended at every place where it could still wait."""
    session, feeds = Session(Handle(), Variables(), 10**9), Feeds(10)
    subscriber = Subscriber(session, SocketSink(session.take_notices), feeds, Limits(), 1.0)
    routine = subscriber.run(read_script("subscribe t")[0], ())
    asked = routine.send(None)
    while not isinstance(asked, Watch):
        asked = routine.send(Now(1.0, 1.0))
    assert (len(feeds), feeds.subscribers) == (1, 1)
    assert isinstance(routine.throw(KeyError()), Moment)
    with pytest.raises(IndexError):
        routine.throw(IndexError())
    assert (len(feeds), feeds.subscribers) == (0, 0)


# ---- sharing -----------------------------------------------------------------


def test_equal_subscriptions_are_evaluated_once_a_tick(bench: Bench) -> None:
    sockets = [subscribed(bench)[0] for _ in range(20)]
    assert len(bench.sim.server.feeds) == 1
    bench.engine.log.clear()
    bench.sim.advance(1.0)
    assert bench.engine.log == ["evaluate t"]
    change(bench, t={A: 1})
    bench.sim.advance(1.0)
    told = [[row for row in rows(heard(socket)) if row] for socket in sockets]
    assert all(each == told[0] for each in told)
    assert [row[1:] for row in told[0]] == [["-2", "2", "b"]]


def test_others_are_not_shared_with(bench: Bench) -> None:
    subscribed(bench)
    socket = bench.session(bench.version, {"user": "grace", "password": ""})
    ask(socket, "subscribe t")
    subscribed(bench, "subscribe to (select * from t)")
    subscribed(bench, "subscribe t with (poll = '2s')")
    heard(socket)
    assert len(bench.sim.server.feeds) == 4


def test_who_comes_later_sees_what_is_there_then(bench: Bench) -> None:
    subscribed(bench)
    change(bench, t={C: 1})
    _, told = subscribed(bench)
    assert cells(told) == [["1", "3", "c"]]


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_the_rows_of_all_queries_have_a_bound_together(version: str) -> None:
    bench = Bench(Limits(subscription_bytes=100, subscriptions_bytes=2 * 3 * len(A)))
    bench.version = version
    bench.engine.tables |= {"t": {A: 3}, "u": {A: 3}, "v": {A: 1}}
    first, told = subscribed(bench)
    assert cells(told) == [["3", "1", "a"]]
    assert cells(subscribed(bench, "subscribe t with (snapshot, progress)")[1])[1] == [False, "3", "1", "a"]
    second, told = subscribed(bench, "subscribe u")
    assert cells(told) == [["3", "1", "a"]]
    assert kinds(subscribed(bench, "subscribe v")[1]) == ["CommandStarting", "Error 53200", "ReadyForQuery"]
    change(bench, t={A: 2})
    assert cells(heard(first, 1.0)) == [["-1", "1", "a"]]
    assert cells(subscribed(bench, "subscribe v")[1]) == [["1", "1", "a"]]
    change(bench, u={A: 4})
    assert kinds(data(heard(second, 1.0))) == ["Error 53200", "ReadyForQuery"]
    assert bench.sim.server.feeds.load.size == 3 * len(A)


def test_the_one_that_evaluates_may_leave(bench: Bench) -> None:
    sockets = [subscribed(bench)[0] for _ in range(3)]
    for count, socket in enumerate(sockets[:2]):
        socket.http.wire.abort()
        change(bench, t={A: 2 + count})
        bench.sim.advance(1.0)
    assert cells(heard(sockets[2], 0.1)) == [["-2", "2", "b"], ["1", "1", "a"], ["1", "1", "a"]]


def test_too_many(bench: Bench) -> None:
    bench.sim.server.feeds.most = 2
    kept = [subscribed(bench)[0] for _ in range(2)]
    _, told = subscribed(bench)
    assert kinds(told) == ["CommandStarting", "Error 53000", "ReadyForQuery"]
    kept[0].close(1000, "")
    heard(kept[0])
    assert len(rows(subscribed(bench)[1])) == 2


# ---- clients that are behind -------------------------------------------------


def test_a_client_that_does_not_read_gets_the_whole_difference_at_once(bench: Bench) -> None:
    change(bench, t={b'["%d","%s"]' % (n, b"x" * 200): 1 for n in range(400)})
    (slow, start), (quick, _) = subscribed(bench), subscribed(bench)
    replica = Replica(None, ["k", "v"])
    slow.http.wire.credit = False  # type: ignore[attr-defined]
    change(bench, t={b'["%d","%s"]' % (n, b"y" * 200): 1 for n in range(400)})
    bench.sim.advance(1.0)
    for n in range(10):
        change(bench, t={b'["%d","z"]' % n: 1})
        bench.sim.advance(1.0)
    slow.http.wire.credit = True  # type: ignore[attr-defined]
    bench.sim.settle()
    later = heard(slow, 0.1)
    told = cells(later)
    for row in rows(start + later):
        replica.apply(row)
    replica.agree(bench.engine.tables["t"])
    assert not any(["1", str(n), "z"] in told for n in range(9))
    assert cells(heard(quick, 1))[-1] == ["1", "9", "z"]


# ---- ends --------------------------------------------------------------------


def cancel(bench: Bench, number: int) -> None:
    other = bench.session(bench.version)
    ask(other, f"select pg_cancel_backend({number})")
    heard(other)


@pytest.mark.parametrize("table", ["t", "slow"])
def test_a_cancel_ends_it_and_what_waits_runs(bench: Bench, table: str) -> None:
    change(bench, slow={A: 1})
    socket, _ = subscribed(bench, f"subscribe {table}")
    ask(socket, "select 1")
    assert heard(socket) == []
    cancel(bench, 1)
    told = kinds(heard(socket))
    head = ["CommandStarting"] if table == "slow" else []
    assert told[: len(head) + 2] == [*head, *STOPPED]
    assert told[-2:] == ["CommandComplete SELECT 1", "ReadyForQuery"]
    assert len(bench.sim.server.feeds) == 0


def test_a_cancel_of_one_is_nobody_elses_affair(bench: Bench) -> None:
    change(bench, slow={A: 1})
    first, second = bench.session(bench.version), bench.session(bench.version)
    ask(first, "subscribe slow")
    ask(second, "subscribe slow")
    assert [item.effect.session.number for item in bench.running()] == [1]  # type: ignore[attr-defined]
    cancel(bench, 1)
    assert kinds(heard(first)) == ["CommandStarting", *STOPPED]
    heard(second, 0.01)
    (item,) = bench.running()
    assert isinstance(item.effect, Evaluate)
    bench.sim.reply(item, bench.engine.evaluated(item.effect))
    assert cells(heard(second)) == [["1", "1", "a"]]


@pytest.mark.parametrize("how", ["close", "vanish"])
def test_a_close_ends_it_at_once(bench: Bench, how: str) -> None:
    socket, _ = subscribed(bench)
    if how == "close":
        socket.close(1000, "bye")
        assert heard(socket)[-1] == Closed(1000, "bye")
    else:
        socket.http.wire.abort()
        bench.sim.settle()
    assert bench.engine.open == []
    assert len(bench.sim.server.feeds) == 0
    assert bench.sim.server.feeds.subscribers == 0


def test_the_time_of_one_evaluation_is_bounded_and_not_that_of_the_subscription(bench: Bench) -> None:
    change(bench, slow={A: 1})
    socket = bench.session(bench.version)
    ask(socket, "set statement_timeout = '2s'", "subscribe t")
    told = heard(socket, 10)
    assert "Error 57014" not in kinds(told)
    other = bench.session(bench.version)
    ask(other, "set statement_timeout = '2s'", "subscribe slow")
    told = kinds(data(heard(other, 3)))
    assert told[-3:] == ["CommandStarting", "Error 57014", "ReadyForQuery"]


def test_a_shutdown_closes(bench: Bench) -> None:
    socket, _ = subscribed(bench)
    bench.sim.shutdown(5.0)
    assert isinstance(heard(socket, 1)[-1], Closed)
    assert bench.engine.open == []
    assert len(bench.sim.server.feeds) == 0


# ---- transactions ------------------------------------------------------------


def test_it_is_the_only_read_of_its_transaction(bench: Bench) -> None:
    bench.engine.constant.add("t")
    socket = bench.session(bench.version)
    for query, code in (("insert 1; subscribe t", "25000"), ("subscribe t; select 1", "25000")):
        ask(socket, query)
        assert kinds(heard(socket))[-2:] == [f"Error {code}", "ReadyForQuery"]
    ask(socket, "begin; subscribe t", "select 1", "rollback", "select 1")
    told = kinds(heard(socket))
    assert "CommandComplete SUBSCRIBE" in told
    assert "ReadyForQuery T" in told
    assert told[told.index("Error 25000") + 1] == "ReadyForQuery E"
    assert told[-2:] == ["CommandComplete SELECT 1", "ReadyForQuery"]


def test_a_prepared_one(bench: Bench) -> None:
    _, told = subscribed(bench, "prepare p as subscribe t; execute p")
    assert kinds(told) == ["CommandStarting", "CommandComplete PREPARE", *STARTED, "Row", "Row"]


def test_parameters_go_to_the_engine(bench: Bench) -> None:
    socket = bench.session(bench.version)
    socket.send(json.dumps({"queries": [{"query": "subscribe slow", "params": ["7", None]}]}))
    heard(socket)
    (item,) = bench.running()
    assert isinstance(item.effect, Evaluate)
    assert item.effect.params == ("7", None)
    assert item.effect.most_rows == Limits().subscription_rows


# ---- bounds ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ("", None),
        ("up to 101", 101),
        ("up to 100", "notice"),
        ("up to 99", "22000"),
        ("as of now() up to 101", 101),
        ("as of at least 50 up to 101", 101),
        ("as of 50 up to 50", "notice"),
        ("as of 50 up to 49", "22000"),
        ("as of 50", "0A000"),
        ("as of at least 101", "0A000"),
        ("as of 100 up to 200", 200),
    ],
)
def test_bounds(clauses: str, expected: Any) -> None:
    (statement,) = read_script(f"subscribe t {clauses}")
    assert isinstance(statement.action, Subscribe)
    as_of, up_to = statement.action.as_of or AsOf(None), statement.action.up_to
    assert not isinstance(as_of.instant, Statement)
    assert not isinstance(up_to, Statement)
    bounds = bounds_of(as_of.instant, up_to, 100, as_of.at_least)
    if isinstance(bounds, SqlError):
        assert bounds.code == expected
    elif expected == "notice":
        assert bounds.up_to == 0
        assert bounds.notice is not None
    else:
        assert bounds == Bounds(expected)


@pytest.mark.parametrize(
    ("oid", "row", "expected"),
    [
        (1184, b'["1500.999"]', 1500),
        (1114, b'["1500.000"]', 1500),
        (23, b'["7"]', 7),
        (1700, b'["18446744073709551615"]', 2**64 - 1),
        (1700, b'["18446744073709551616"]', None),
        (1700, b'["7.00"]', 7),
        (1700, b'["7.50"]', None),
        (23, b'["-1"]', None),
        (25, b'["1970-01-01 00:00:01"]', 1000),
        (1082, b'["1970-01-02"]', 86_400_000),
        (25, b'["tomorrow"]', None),
        (16, b"[true]", None),
        (25, b"[null]", None),
    ],
)
def test_the_moment_that_the_engine_says(oid: int, row: bytes, expected: int | None) -> None:
    told = instant_of(Evaluated((Descriptor("x", oid, 8),), {row: 1}))
    assert told == expected if expected is not None else isinstance(told, SqlError) and told.code == "22023"


def test_only_one_value_is_a_moment() -> None:
    two = (Descriptor("x", 23, 4),) * 2
    for value in (Evaluated(two, {b'["1","2"]': 1}), Evaluated(two[:1], {})):
        told = instant_of(value)
        assert isinstance(told, SqlError)
        assert told.code == "22023"


def test_an_expression_is_asked_of_the_engine_once(bench: Bench) -> None:
    now = int(bench.sim.now.wall * 1000)
    bench.engine.columns = (Descriptor("k", 1184, 8),)
    bench.engine.tables |= {"t": {b'["1.000"]': 1}, "(soon()\n)": {b'["%d.500"]' % (now + 1500): 1}}
    socket, first = subscribed(bench, "subscribe t up to soon()")
    assert len(rows(first)) == 1
    assert kinds(data(heard(socket, 2))) == ["CommandComplete SUBSCRIBE", "ReadyForQuery"]
    assert bench.engine.log.count("evaluate (soon()\n)") == 1


def test_an_expression_that_fails_ends_it(bench: Bench) -> None:
    _, told = subscribed(bench, "subscribe t up to nothing()")
    assert kinds(told) == ["CommandStarting", "Error 42P01", "ReadyForQuery"]
    assert len(bench.sim.server.feeds) == 0


def test_an_expression_is_stopped_as_a_statement_is(bench: Bench) -> None:
    socket, told = subscribed(bench, "subscribe t up to slow()")
    assert told == []
    ask(bench.session(bench.version), f"select pg_cancel_backend({bench.engine.sessions[0].number})")
    assert kinds(heard(socket, 1)) == ["CommandStarting", *STOPPED]
