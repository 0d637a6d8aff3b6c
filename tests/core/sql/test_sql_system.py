"""ALTER SYSTEM and SHOW: who may, what is refused, and what the audit log says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fanlight.asks import Moment
from fanlight.catalog.audit_log import AuditLog
from fanlight.config.system import SystemVariables
from fanlight.moment import Now
from fanlight.sql.batch import run_request
from fanlight.sql.errors import Unreadable
from fanlight.sql.grammar import read_script
from fanlight.sql.request import Simple
from fanlight.sql.session import Session
from fanlight.sql.statements import AlterSystem, Run
from fanlight.sql.system import SystemAccess
from fanlight.sql.variables import Variables
from tests.core.sql.scripted import Handle, Scripted, Transcript


class Clocked(Scripted):
    """The scripted engine, at a moment."""

    def answer(self, ask: Any) -> Any:
        return Now(5.0, 1000.0) if isinstance(ask, Moment) else super().answer(ask)


class Bench:
    """A session of somebody who may or may not."""

    def __init__(self, *, may: bool = True, sees: bool | None = None, without: bool = False) -> None:
        self.system, self.log, self.engine = SystemVariables(), AuditLog(), Clocked()
        self.session = Session(Handle(), Variables(), 10**9)
        if not without:
            self.session.system = SystemAccess(self.system, self.log, "ada", may, may if sees is None else sees)

    def __call__(self, text: str) -> list[str]:
        out = Transcript()
        self.engine.run(run_request(self.session, Simple(text), out))
        return out.lines

    @property
    def events(self) -> list[tuple[str, str, Any, str | None]]:
        return [
            (each.event.event_type, each.event.object_type, json.loads(each.event.details), each.event.user)
            for each in self.log.events()
        ]


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("alter system set log_filter = 'fanlight=debug,info'", AlterSystem("log_filter", "fanlight=debug,info")),
        ("ALTER SYSTEM SET log_filter TO debug", AlterSystem("log_filter", "debug")),
        ("alter system set log_filter = default", AlterSystem("log_filter", None)),
        ("alter system reset log_filter", AlterSystem("log_filter", None)),
        ("alter system reset all", AlterSystem(None, None)),
        ("alter table system add column a int", Run("ALTER")),
        ("alter", Run("ALTER")),
    ],
)
def test_what_is_read(text: str, action: object) -> None:
    (statement,) = read_script(text)
    assert statement.action == action


@pytest.mark.parametrize(
    "text",
    [
        "alter system",
        "alter system log_filter",
        "alter system set",
        "alter system set log_filter",
        "alter system set log_filter = ",
        "alter system set log_filter = info now",
        "alter system reset log_filter now",
    ],
)
def test_what_is_no_statement(text: str) -> None:
    with pytest.raises(Unreadable):
        read_script(text)


def test_a_variable_is_set_shown_and_reset() -> None:
    bench = Bench()
    assert bench("alter system set LOG_FILTER = ' shop=debug, info'") == ["ALTER SYSTEM"]
    assert bench.system.get("log_filter") == "shop=debug,info"
    assert bench("show Log_Filter") == ["columns log_filter", '["shop=debug,info"]', "SELECT 1"]
    assert bench("alter system reset log_filter") == ["ALTER SYSTEM"]
    assert bench("show log_filter") == ["columns log_filter", '[""]', "SELECT 1"]
    assert bench.engine.log == []


def test_every_change_is_in_the_audit_log() -> None:
    bench = Bench()
    bench("alter system set log_filter = info")
    bench("alter system set log_filter = nonsense")
    bench("alter system reset all")
    changes = [("log_filter", "info")] + [(variable.name, None) for variable in bench.system.declared()]
    assert bench.events == [
        ("alter", "system", {"SetV1": {"name": name, "value": value}}, "ada") for name, value in changes
    ]
    assert {each.occurred_at for each in bench.log.events()} == {1000.0}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("alter system set log_filter = loud", "22023"),
        ("alter system set no_such = 1", "42704"),
        ("alter system reset no_such", "42704"),
        ("set log_filter = info", "55P02"),
        ("reset log_filter", "55P02"),
        ("begin; alter system set log_filter = info", "25001"),
        ("select 1; alter system set log_filter = info", "25001"),
        ("alter system set log_filter = info; select 1", "25001"),
    ],
)
def test_what_is_refused(text: str, code: str) -> None:
    bench = Bench()
    assert code in bench(text)[-1]
    assert bench.system.get("log_filter") == ""
    assert bench.events == []


@pytest.mark.parametrize("bench", [Bench(may=False), Bench(may=False, sees=True), Bench(without=True)])
def test_who_may_not_set_is_told_so_whatever_the_name(bench: Bench) -> None:
    for name in ("log_filter", "no_such"):
        assert "42501" in bench(f"alter system set {name} = info")[-1]
    assert bench.system.get("log_filter") == ""


def test_who_may_not_see_is_shown_nothing() -> None:
    bench = Bench(may=False)
    bench.system.set("log_filter", "info")
    assert "42501" in bench("show log_filter")[-1]
    assert "42704" in bench("show no_such")[-1]
    assert not any("log_filter" in line for line in bench("show all"))
    seeing = Bench(may=False, sees=True)
    assert seeing("show log_filter") == ["columns log_filter", '[""]', "SELECT 1"]
    assert any("log_filter" in line for line in seeing("show all"))
    assert "42704" in Bench(without=True)("show log_filter")[-1]
