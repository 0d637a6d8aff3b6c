"""Requests as wholes: what is checked before anything runs, and what an error stops."""

from __future__ import annotations

from typing import Any

from fanlight.sql import effects
from fanlight.sql.batch import TEXT_LIMIT, request_in, run_request
from fanlight.sql.errors import SqlError
from fanlight.sql.grammar import read_script
from fanlight.sql.request import Extended, Query, Simple, SqlRequest, read_text
from fanlight.sql.session import Session
from fanlight.sql.variables import Variables
from tests.core.sql.scripted import BROKEN, Handle, Scripted, Transcript


def run(request: SqlRequest, engine: Scripted | None = None, *, streams: bool = False) -> tuple[str | None, Transcript]:
    out = Transcript()
    session = Session(Handle(), Variables(), 10**9)
    refused = (engine or Scripted()).run(run_request(session, request, out, streams=streams))
    return refused, out


def extended(*texts: str) -> Extended:
    return Extended(tuple(Query(text) for text in texts))


def test_nothing_to_do() -> None:
    for text in ("", "  \n", ";;", "-- comment"):
        assert run(Simple(text))[1].lines == []
    assert run(Extended(()))[1].lines == []


def test_a_syntax_error_anywhere_stops_a_simple_request_before_it_begins() -> None:
    engine = Scripted()
    _, out = run(Simple("insert 1; bad"), engine)
    assert out.lines == ["error 42601"]
    assert out.errors[0].position == 12
    assert engine.log == ["check: 2"]


def test_so_does_one_in_our_own_grammar() -> None:
    engine = Scripted()
    assert run(Simple("insert 1; set"), engine)[1].lines == ["error 42601"]
    assert engine.log == []


def test_so_does_a_prohibited_statement() -> None:
    engine = Scripted()
    _, out = run(Simple("insert 1; fetch 1 from c"), engine)
    assert out.errors == [SqlError("unsupported via this API: fetch 1 from c", "XX000")]
    assert engine.log == ["check: 1"]
    assert run(Simple("subscribe t"))[1].lines == ["error XX000"]


def test_bad_syntax_is_found_before_a_prohibition() -> None:
    assert run(Simple("fetch 1 from c; bad"))[1].lines == ["error 42601"]


def test_bodies_of_prepared_statements_are_checked_too() -> None:
    engine = Scripted()
    _, out = run(Simple("select 1; prepare p as bad"), engine)
    assert (out.lines, out.errors[0].position) == (["error 42601"], 25)


def test_extended_members_are_groups_of_their_own() -> None:
    engine = Scripted(results={"select x": BROKEN})
    _, out = run(extended("insert 1", "select x", "insert 2"), engine)
    assert out.lines == ["INSERT 0 1", "error 22P02"]
    assert engine.log == ["insert 1 [read write] +commit", "select x [read write] +commit"]


def test_a_member_that_is_not_one_statement_refuses_the_whole_request() -> None:
    engine = Scripted()
    refused, out = run(extended("insert 1", "select 1; select 2;"), engine)
    assert refused == 'each query must contain exactly 1 statement, but "select 1; select 2;" contains 2'
    assert out.lines == []
    assert engine.log == ["check: 2"]
    assert run(extended(""))[0] == 'each query must contain exactly 1 statement, but "" contains 0'


def test_bad_syntax_in_a_member_lets_earlier_members_run() -> None:
    refused, out = run(extended("insert 1", "bad; select 2", "insert 3"))
    assert refused is None
    assert out.lines == ["INSERT 0 1", "error 42601"]


def test_a_prohibited_member_lets_earlier_members_run() -> None:
    assert run(extended("insert 1", "subscribe t"))[1].lines == ["INSERT 0 1", "error XX000"]


def test_parameters_belong_to_statements_that_take_some() -> None:
    _, out = run(Extended((Query("begin", ("1",)),)))
    assert out.errors == [SqlError("request supplied 1 parameters, but begin requires 0", "XX000")]


def test_a_text_over_the_limit() -> None:
    engine = Scripted()
    _, out = run(Simple("x" * (TEXT_LIMIT + 1)), engine)
    assert out.errors == [SqlError("statement batch size cannot exceed 976.6 KiB", "XX000")]
    _, out = run(Simple("é" * (TEXT_LIMIT // 2 + 1)), engine)
    assert [error.code for error in out.errors] == ["XX000"]
    assert engine.log == []


def test_a_long_text_is_read_by_a_worker() -> None:
    class Reading(Scripted):
        def answer(self, ask: object) -> object:
            return read_script(ask.text) if isinstance(ask, effects.ReadScript) else super().answer(ask)

    text = "select 1" + " " * 3000
    assert run(Simple(text), Reading())[1].lines == ["columns a", '["1"]', "SELECT 1"]


def test_long_requests_give_the_loop_its_turns() -> None:
    """The shortest statements run on it, so a request of thousands would keep it for seconds."""
    for request in (Simple("begin;" * 300), extended(*["select 1"] * 300), extended(*["select " + "1 " * 700] * 80)):
        engine = Scripted()
        _, out = run(request, engine)
        assert len(out.lines) >= 240
        assert engine.turns >= len(out.lines) // 30
    engine = Scripted()
    run(Simple("select 1; select 2"), engine)
    assert engine.turns == 0


def test_long_json_is_read_away_from_the_loop() -> None:
    class Reading(Scripted):
        def answer(self, ask: Any) -> Any:
            assert isinstance(ask, effects.ReadRequest)
            self.log.append(f"read {len(ask.data)}")
            return read_text(ask.data)

    for text, read in (('{"query":"a"}', Simple("a")), ("{", "EOF while parsing an object"), ("{}", None)):
        for padding in (0, 20_000):
            engine = Reading()
            found = engine.run(request_in(" " * padding + text))
            assert found == read or (isinstance(found, str) and found.startswith(str(read)))
            assert engine.log == ([f"read {padding + len(text)}"] if padding else [])


def test_many_statements_are_looked_through_in_pieces() -> None:
    class Reading(Scripted):
        def answer(self, ask: Any) -> Any:
            return read_script(ask.text) if isinstance(ask, effects.ReadScript) else super().answer(ask)

    engine = Reading()
    assert run(Simple("select 1;" * 5000 + "fetch 1 from c"), engine)[1].lines == ["error XX000"]
    assert engine.turns == 4
