"""The session machine: what each statement makes of the transaction, and what the engine is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.sql.batch import run_request
from fanlight.sql.effects import Batch, Executed, SqlFailed
from fanlight.sql.errors import CANCELLED, SqlError
from fanlight.sql.request import Extended, Query, Simple
from fanlight.sql.session import Session
from fanlight.sql.values import text_column
from fanlight.sql.variables import Variables
from tests.core.sql.scripted import BROKEN, ONE, Handle, Scripted, Transcript


class Bench:
    """A session, its engine and what came out of it."""

    def __init__(self, **engine: Any) -> None:
        self.engine = Scripted(**engine)
        self.session = Session(Handle(), Variables(), 10**9)
        self.out = Transcript()

    def __call__(self, text: str) -> list[str]:
        """Run a simple request: the lines of its results."""
        self.out = Transcript()
        self.engine.run(run_request(self.session, Simple(text), self.out))
        return self.out.lines

    @property
    def log(self) -> list[str]:
        """What the engine was asked since the last look, syntax checks aside."""
        log, self.engine.log = self.engine.log, []
        return [line for line in log if not line.startswith("check")]


def test_one_statement_is_a_transaction_in_one_effect() -> None:
    bench = Bench()
    assert bench("select 1") == ["columns a", '["1"]', "SELECT 1"]
    assert bench.log == ["select 1 [read write] +commit"]
    assert bench.session.state == "idle"


def test_a_group_is_one_transaction() -> None:
    bench = Bench()
    bench("insert 1; insert 2; insert 3")
    assert bench.log == ["insert 1 [read write]", "insert 2", "insert 3 +commit"]


def test_who_may_not_write_reads_only() -> None:
    bench = Bench()
    bench.session.handle = Handle(may_write=False)
    bench("begin read write; select 1; commit")
    assert bench.log == ["select 1 [read only]", "commit"]


def test_an_error_undoes_the_implicit_block() -> None:
    bench = Bench(results={"select x": BROKEN})
    assert bench("insert 1; select x; insert 2") == ["INSERT 0 1", "error 22P02"]
    assert bench.log == ["insert 1 [read write]", "select x"]
    assert bench.session.state == "idle"


def test_an_error_that_did_not_reach_the_engine_rolls_back_all_the_same() -> None:
    bench = Bench()
    assert bench("insert 1; execute nope") == ["INSERT 0 1", "error 26000"]
    assert bench.log == ["insert 1 [read write]", "rollback"]


def test_begin_adopts_what_came_before() -> None:
    bench = Bench()
    assert bench("insert 1; begin; insert 2") == ["INSERT 0 1", "BEGIN", "INSERT 0 1"]
    assert bench.log == ["insert 1 [read write]", "insert 2"]
    assert bench.session.state == "explicit"
    assert bench("rollback") == ["ROLLBACK"]
    assert bench.log == ["rollback"]


def test_a_new_implicit_block_begins_behind_commit() -> None:
    bench = Bench(results={"select x": BROKEN})
    assert bench("begin; insert 1; commit; insert 2; select x")[-1] == "error 22P02"
    assert bench.log == ["insert 1 [read write]", "commit", "insert 2 [read write]", "select x +commit"]


def test_an_explicit_transaction_outlives_the_request_and_fails_as_a_whole() -> None:
    bench = Bench(results={"select x": BROKEN})
    bench("begin; insert 1")
    bench("select x")
    assert bench.session.state == "failed"
    assert bench("select 1") == ["error 25P02"]
    assert bench("begin") == ["error 25P02"]
    assert bench("commit; select 1") == ["ROLLBACK", "columns a", '["1"]', "SELECT 1"]
    assert bench.log == ["insert 1 [read write]", "select x", "select 1 [read write] +commit"]


def test_a_syntax_error_leaves_an_explicit_transaction_open() -> None:
    bench = Bench()
    bench("begin; select 1")
    assert bench("bad") == ["error 42601"]
    assert bench.session.state == "explicit"
    assert bench.out.errors[0].position == 2


def test_a_failed_setting_fails_the_transaction() -> None:
    bench = Bench()
    bench("begin; select 1")
    assert bench("set nope = 1") == ["error 42704"]
    assert bench.session.state == "failed"
    assert bench.log == ["select 1 [read write]", "rollback"]


def test_a_commit_that_fails_replaces_the_result() -> None:
    conflict = SqlError("conflict", "40001")
    bench = Bench(commit_fails=conflict)
    assert bench("begin; insert 1; commit") == ["BEGIN", "INSERT 0 1", "error 40001"]
    assert bench.session.state == "idle"
    assert bench("insert 1; set application_name = 'x'") == ["INSERT 0 1", "error 40001"]
    assert bench.session.variables.get("application_name") == ""


def test_warnings_about_transactions_that_are_not_there() -> None:
    bench = Bench()
    for text in ("commit", "rollback"):
        bench(text)
        assert [(each.code, each.severity) for each in bench.out.notices[0]] == [("25P01", "warning")]
    bench("begin; begin")
    assert [[each.code for each in notices] for notices in bench.out.notices] == [[], ["25001"]]


def test_notices_below_the_clients_level_are_dropped() -> None:
    bench = Bench()
    bench("set client_min_messages = error")
    bench("commit")
    assert bench.out.notices == [[]]


def test_commit_without_begin_ends_the_block_so_far() -> None:
    bench = Bench()
    assert bench("insert 1; commit; insert 2") == ["INSERT 0 1", "COMMIT", "INSERT 0 1"]
    assert bench.log == ["insert 1 [read write]", "commit", "insert 2 [read write] +commit"]


def test_variables_follow_the_transaction() -> None:
    bench = Bench()
    assert bench("set application_name = 'one'") == ["SET application_name=one"]
    assert bench("begin; set application_name = 'two'; rollback") == [
        "BEGIN",
        "SET application_name=two",
        "ROLLBACK application_name=one",
    ]
    assert bench("set local application_name = 'x'") == ["SET application_name=x application_name=one"]
    assert bench("set application_name = 'two'; execute nope")[-1] == "error 26000"
    assert bench("show application_name") == ["columns application_name", '["one"]', "SELECT 1"]
    assert bench("set statement_timeout = '30s'") == ["SET"]
    assert bench("reset application_name") == ["RESET application_name="]


def test_settings_of_the_engine_are_tried_at_once() -> None:
    bench = Bench()
    assert bench("set time zone 'Europe/Paris'") == ["SET TimeZone=Europe/Paris"]
    assert bench.log == ["configure: {'TimeZone': 'Europe/Paris', 'search_path': 'public'}"]
    bench.engine.refuses = SqlError("no such zone", "22023")
    assert bench("set time zone 'Nowhere'") == ["error 22023"]
    assert bench.session.variables.get("TimeZone") == "Europe/Paris"


def test_a_reported_variable_is_told_of_even_if_it_stays_as_it_was() -> None:
    bench = Bench()
    assert bench("set timezone = 'UTC'; set names 'utf8'") == ["SET TimeZone=UTC", "SET client_encoding=UTF8"]
    assert bench("set local application_name = ''; reset schema") == [
        "SET application_name=",
        "RESET search_path=public",
    ]
    assert bench("set statement_timeout = '1min'; reset all; discard all") == ["SET", "RESET", "DISCARD ALL"]


def test_startup_options_that_are_refused_become_notices() -> None:
    bench = Bench()
    bench.engine.run(bench.session.start((("application_name", "x"), ("puffin_mode", "on"))))
    bench("select 1; select 1")
    assert [[each.message for each in notices] for notices in bench.out.notices] == [
        ['startup setting puffin_mode not set: unrecognized configuration parameter "puffin_mode"'],
        [],
    ]
    assert bench("reset application_name") == ["RESET application_name=x"]
    assert bench.session.variables.get("application_name") == "x"


def test_prepared_statements() -> None:
    bench = Bench()
    assert bench("prepare p as select $1; execute p(1)") == ["PREPARE", "columns a", '["1"]', "SELECT 1"]
    assert bench.log == ["select (1\n) [read write] +commit"]
    assert bench("deallocate p; execute p(1)") == ["DEALLOCATE", "error 26000"]
    assert bench("prepare p as bad") == ["error 42601"]
    assert bench("prepare s as subscribe t; execute s") == ["PREPARE", "error XX000"]


def test_discard() -> None:
    bench = Bench()
    bench("set application_name = 'x'; prepare p as select 1")
    assert bench("discard all") == ["DISCARD ALL application_name="]
    assert bench("execute p") == ["error 26000"]
    assert bench("discard temp") == ["DISCARD TEMP"]
    assert bench("discard plans") == ["DISCARD PLANS"]
    assert bench.log == ["forget", "forget"]
    assert bench("begin; discard all")[-1] == "error 25001"


def test_access_modes() -> None:
    bench = Bench()
    bench("begin read only; select 1; commit; select 1")
    assert bench.log == ["select 1 [read only]", "commit", "select 1 [read write] +commit"]
    assert bench("begin read only; select 1; set transaction read write")[-1] == "error 25001"


def test_rows_come_in_batches() -> None:
    first = Executed((text_column("a"),), Batch(b'["1"]', 1, 5, False), "SELECT", 0, 0.0)
    bench = Bench(results={"select x": first}, fetches=[Batch(b'["2"]', 1, 5, False), Batch(b"", 0, 0, True)])
    assert bench("select x") == ["columns a", '["1"]', '["2"]', "SELECT 2"]
    assert bench.log == ["select x [read write] +commit", "fetch", "fetch"]
    assert bench.session.state == "idle"


def test_an_error_between_batches() -> None:
    first = Executed((text_column("a"),), Batch(b'["1"]', 1, 5, False), "SELECT", 0, 0.0)
    bench = Bench(results={"select x": first}, fetches=[BROKEN])
    assert bench("select x") == ["columns a", '["1"]', "error 22P02"]
    assert bench.log == ["select x [read write] +commit", "fetch"]


def test_a_statement_whose_time_is_up() -> None:
    bench = Bench(timeouts={"select x": SqlFailed(CANCELLED, aborted=True), "select y": None, "select z": ONE})
    assert bench("select x") == ["error 57014"]
    assert bench.out.errors[0].message == "canceling statement due to statement timeout"
    assert bench("insert 1; select y") == ["INSERT 0 1", "error 57014"]
    assert bench.log[-1] == "rollback"
    assert bench("select z")[-1] == "SELECT 1"


def test_without_a_timeout_there_is_no_race() -> None:
    bench = Bench(timeouts={"select x": None})
    bench("set statement_timeout = 0")
    assert bench("select x")[-1] == "SELECT 1"


def test_positions_belong_to_syntax_errors() -> None:
    bench = Bench(results={"select x": BROKEN})
    bench("select x")
    assert bench.out.errors[0].position is None
    bench("select 'é'; bad")
    assert bench.out.errors[0].position == 15


def test_a_long_text_is_a_workers_to_read() -> None:
    bench = Bench()
    with pytest.raises(AssertionError, match="ReadScript"):
        bench("select 1 --" + "x" * 5000)


# --- Whatever comes: the state and the engine agree. ---

PIECES = st.sampled_from(
    [
        *("begin", "begin read only", "commit", "rollback", "discard all"),
        *("select 1", "select x", "insert 1", "bad", "execute p", "prepare p as select 1"),
        *("set application_name = 'a'", "set local application_name = 'b'", "set nope = 1"),
    ]
)


@given(st.lists(st.lists(PIECES, min_size=1, max_size=5), max_size=6))
def test_the_engine_is_left_as_the_state_says(requests: list[list[str]]) -> None:
    bench = Bench(results={"select x": BROKEN})
    for request in requests:
        results = bench("; ".join(request))
        assert sum(line.startswith("error") for line in results) <= 1
        assert bench.session.state in ("idle", "explicit", "failed")
        is_open = False
        for line in bench.engine.log:
            if line.startswith(("commit", "rollback", "select x")):
                is_open = False
            elif not line.startswith(("check", "configure", "forget", "bad")):
                assert is_open == ("[" not in line)
                is_open = "+commit" not in line
        assert bench.session.state == "explicit" or not is_open


@pytest.mark.parametrize(
    ("number", "lines"),
    [
        (1, ["columns pg_cancel_backend", "[true]", "SELECT 1"]),
        (2, ["error 42501"]),
        (3, ["columns pg_cancel_backend", "[false]", "SELECT 1"]),
    ],
)
def test_cancelling_another_session_asks_no_engine(number: int, lines: list[str]) -> None:
    bench = Bench()
    assert bench(f"select pg_cancel_backend({number})") == lines
    assert bench.log == [f"stop {number}"]


@pytest.mark.parametrize(
    ("text", "params", "lines"),
    [
        ("select pg_cancel_backend($1)", ["1"], ["columns pg_cancel_backend", "[true]", "SELECT 1"]),
        ("select pg_cancel_backend($1)", ["1x"], ["error 22P02"]),
        ("select pg_cancel_backend($1)", [None], ["error 22P02"]),
        ("select pg_cancel_backend($1)", ["9" * 19], ["error 22P02"]),
        ("select pg_cancel_backend($1)", [], ["error XX000"]),
        ("select pg_cancel_backend(1)", ["1"], ["error XX000"]),
    ],
)
def test_the_number_may_be_a_parameter(text: str, params: list[str | None], lines: list[str]) -> None:
    bench = Bench()
    request = Extended((Query(text, tuple(params)),))
    bench.engine.run(run_request(bench.session, request, bench.out))
    assert bench.out.lines == lines


def test_the_status_is_that_between_requests() -> None:
    bench = Bench()
    seen = []
    for text in ("select 1", "begin", "bad", "insert 1; rollback", "commit", "begin; insert 1"):
        bench(text)
        seen.append(bench.session.status)
    assert seen == ["I", "T", "T", "I", "I", "T"]


def test_a_block_can_be_ended_from_outside() -> None:
    bench = Bench()
    bench("begin; insert 1; set application_name = x")
    assert bench.session.variables.get("application_name") == "x"
    bench.engine.run(bench.session.roll_back())
    assert bench.log == ["insert 1 [read write]", "rollback"]
    assert (bench.session.status, bench.session.variables.get("application_name")) == ("I", "")
