"""Variables: values they take, and what transactions do to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fanlight.sql.variables import REPORTED, Variables, lookup, micros_of, rows


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("400", 400_000),
        ("400ms", 400_000),
        ("30s", 30_000_000),
        (" 1.5 s ", 1_500_000),
        ("2min", 120_000_000),
        ("1h", 3_600_000_000),
        ("1d", 86_400_000_000),
        ("0", 0),
        ("250us", 250),
        ("-1", None),
        ("", None),
        ("s", None),
        ("1 week", None),
        ("nan", None),
        ("25d", None),
        ("9" * 30, None),
    ],
)
def test_durations(text: str, micros: int | None) -> None:
    assert micros_of(text) == micros


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("application_name", "Any Thing", "Any Thing"),
        ("STATEMENT_TIMEOUT", "90000", "90s"),
        ("statement_timeout", "0", "0"),
        ("statement_timeout", "60s", "1min"),
        ("client_encoding", "utf-8", "UTF8"),
        ("datestyle", "ISO, DMY", "ISO, DMY"),
        ("DateStyle", "iso", "ISO, MDY"),
        ("welcome_message", "TRUE", "on"),
        ("client_min_messages", "WARNING", "warning"),
        ("schema", "main", "main"),
        ("IntervalStyle", "POSTGRES", "postgres"),
    ],
)
def test_values_that_are_taken(name: str, value: str, shown: str) -> None:
    variables = Variables()
    assert variables.set(name, value) is None
    variable = lookup(name)
    assert variable is not None
    assert variables.get(variable.name) == shown


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("no_such_thing", "1", "42704"),
        ("statement_timeout", "soon", "22023"),
        ("client_encoding", "latin1", "22023"),
        ("DateStyle", "German", "22023"),
        ("application_name", "a\0b", "22023"),
        ("server_version", "16", "55P02"),
        ("max_result_size", "1", "55P02"),
        ("database", "other", "22023"),
        ("welcome_message", "maybe", "22023"),
        ("client_min_messages", "loud", "22023"),
    ],
)
def test_values_that_are_refused_change_nothing(name: str, value: str, code: str) -> None:
    variables = Variables()
    before = variables.reported()
    refused = variables.set(name, value)
    assert refused is not None
    assert refused.code == code
    assert variables.reported() == before


def test_an_unknown_name_is_named() -> None:
    refused = Variables().set("puffin_mode", "on")
    assert refused is not None
    assert refused.message == 'unrecognized configuration parameter "puffin_mode"'


def test_rollback_restores_and_commit_keeps() -> None:
    variables = Variables()
    variables.set("application_name", "one")
    variables.begin()
    variables.set("application_name", "two")
    before = variables.reported()
    variables.rollback()
    assert variables.changes(before) == (("application_name", "one"),)
    variables.begin()
    variables.set("application_name", "three")
    variables.commit()
    assert variables.get("application_name") == "three"


def test_local_values_end_with_the_transaction() -> None:
    variables = Variables()
    variables.begin()
    variables.set("application_name", "inner", local=True)
    assert variables.any_local
    assert variables.get("application_name") == "inner"
    variables.commit()
    assert variables.get("application_name") == ""
    assert not variables.any_local


def test_a_later_set_wins_over_a_local_one() -> None:
    variables = Variables()
    variables.begin()
    variables.set("application_name", "local", local=True)
    variables.set("application_name", "session")
    variables.commit()
    assert variables.get("application_name") == "session"


def test_reset_goes_back_to_the_start() -> None:
    variables = Variables({"fanlight_version": "9"})
    variables.start_with("application_name", "option")
    variables.set("application_name", "later")
    variables.reset("application_name")
    assert variables.get("application_name") == "option"
    variables.set("application_name", "later")
    variables.reset(None)
    assert variables.get("application_name") == "option"
    assert variables.get("fanlight_version") == "9"


def test_an_engine_that_refuses_undoes_the_change() -> None:
    variables = Variables()
    mark = variables.mark()
    variables.set("TimeZone", "Nowhere")
    assert variables.engine_settings() == (("TimeZone", "Nowhere"), ("search_path", "public"))
    variables.restore(mark)
    assert variables.engine_settings() == (("TimeZone", "UTC"), ("search_path", "public"))


@pytest.mark.parametrize(
    ("level", "sent"),
    [
        ("debug5", {"debug", "log", "notice", "warning", "info"}),
        ("log", {"log", "notice", "warning", "info"}),
        ("notice", {"notice", "warning", "info"}),
        ("info", {"notice", "warning", "info"}),
        ("warning", {"warning", "info"}),
        ("error", {"info"}),
    ],
)
def test_which_notices_are_sent(level: str, sent: set[str]) -> None:
    variables = Variables()
    variables.set("client_min_messages", level)
    assert {each for each in ("debug", "log", "notice", "warning", "info") if variables.wants(each)} == sent


def test_the_reported_ones_come_in_their_order() -> None:
    assert list(Variables().reported()) == list(REPORTED)
    assert REPORTED[:3] == ("application_name", "client_encoding", "DateStyle")
    assert REPORTED[7:12] == ("IntervalStyle", "cluster", "cluster_replica", "database", "search_path")


def test_utc_has_one_name() -> None:
    variables = Variables()
    for zone in ("utc", "UTC", "Utc"):
        assert variables.set("timezone", zone) is None
        assert variables.get("TimeZone") == "UTC"


def test_every_variable_is_documented_and_starts_with_a_value_it_takes() -> None:
    for variable in rows():
        assert variable.doc.endswith(".")
        assert variable.read(variable.start) is not None


@given(st.text())
def test_any_value_is_taken_or_refused(value: str) -> None:
    for variable in rows():
        refused = Variables().set(variable.name, value)
        assert refused is None or refused.code in ("22023", "55P02")


class Transactions(RuleBasedStateMachine):
    """Against the obvious model: three dictionaries, copied."""

    def __init__(self) -> None:
        super().__init__()
        self.real = Variables()
        self.session = ""
        self.local: str | None = None
        self.saved: str | None = None

    @rule(value=st.sampled_from(["a", "b", "c"]))
    def assign(self, value: str) -> None:
        self.real.set("application_name", value)
        self.session, self.local = value, None

    @rule(value=st.sampled_from(["x", "y"]))
    def assign_locally(self, value: str) -> None:
        self.real.set("application_name", value, local=True)
        self.local = value

    @rule()
    def reset(self) -> None:
        self.real.reset("application_name")
        self.session, self.local = "", None

    @rule()
    def begin(self) -> None:
        self.real.begin()
        if self.saved is None:
            self.saved = self.session

    @rule()
    def commit(self) -> None:
        self.real.commit()
        self.local = self.saved = None

    @rule()
    def roll_back(self) -> None:
        self.real.rollback()
        if self.saved is not None:
            self.session = self.saved
        self.local = self.saved = None

    @invariant()
    def agree(self) -> None:
        assert self.real.get("application_name") == (self.session if self.local is None else self.local)


TestTransactions = Transactions.TestCase
