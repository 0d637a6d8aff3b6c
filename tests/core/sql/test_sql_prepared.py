"""Prepared statements: kept, filled in, forgotten."""

from __future__ import annotations

from fanlight.sql.errors import SqlError
from fanlight.sql.grammar import read_script
from fanlight.sql.prepared import PreparedStatements
from fanlight.sql.statements import Execute, Prepare, Statement, Subscribe


def prepare(text: str) -> Prepare:
    (statement,) = read_script(text)
    assert isinstance(statement.action, Prepare)
    return statement.action


def test_arguments_fill_the_places() -> None:
    prepared = PreparedStatements()
    prepared.keep(prepare("prepare p as select $1 + $2"))
    filled = prepared.filled(Execute("p", ("1", "2")))
    assert isinstance(filled, Statement)
    assert filled.text == "select (1\n) + (2\n)"


def test_the_number_of_arguments_counts() -> None:
    prepared = PreparedStatements()
    prepared.keep(prepare("prepare p (int, int) as select $1"))
    refused = prepared.filled(Execute("p", ("1",)))
    assert isinstance(refused, SqlError)
    assert (refused.code, refused.detail) == ("42601", "Expected 2 parameters but got 1.")


def test_names() -> None:
    prepared = PreparedStatements()
    assert prepared.taken("p") is None
    prepared.keep(prepare("prepare p as select 1"))
    taken = prepared.taken("p")
    assert taken is not None
    assert taken.code == "42P05"
    assert prepared.drop("p") is None
    gone = prepared.drop("p")
    assert gone is not None
    assert gone.code == "26000"
    unknown = prepared.filled(Execute("p", ()))
    assert isinstance(unknown, SqlError)
    assert unknown.code == "26000"


def test_all_are_dropped_at_once() -> None:
    prepared = PreparedStatements()
    prepared.keep(prepare("prepare p as select 1"))
    assert prepared.drop(None) is None
    assert prepared.taken("p") is None


def test_a_subscription_is_read_again_with_its_arguments() -> None:
    prepared = PreparedStatements()
    prepared.keep(prepare("prepare p as subscribe (select * from t where a = $1) up to 7"))
    filled = prepared.filled(Execute("p", ("3",)))
    assert isinstance(filled, Statement)
    assert isinstance(filled.action, Subscribe)
    assert filled.action.query.text == "select * from t where a = (3\n)"
    assert filled.action.up_to == 7
