"""System variables: known by name, checked, told to whoever watches."""

from __future__ import annotations

import pytest

from fanlight.config.system import BadValue, SystemVariables


def test_a_variable_has_a_default_and_keeps_what_it_is_given() -> None:
    system = SystemVariables()
    assert [variable.name for variable in system.declared()] == sorted(variable.name for variable in system.declared())
    assert "log_filter" in system
    assert system.get("log_filter") == ""
    assert system.set("log_filter", " shop=debug , info ") == "shop=debug,info"
    assert system.get("log_filter") == "shop=debug,info"
    assert system.set("log_filter", None) == ""


def test_a_value_that_it_does_not_take_changes_nothing() -> None:
    system = SystemVariables()
    told: list[str] = []
    system.watch(lambda name, value: told.append(value))
    system.set("log_filter", "info")
    with pytest.raises(BadValue):
        system.set("log_filter", "inof")
    assert (system.get("log_filter"), told) == ("info", ["info"])


@pytest.mark.parametrize("name", ["LOG_FILTER", "statement_timeout", ""])
def test_names_are_exact(name: str) -> None:
    system = SystemVariables()
    assert name not in system
    with pytest.raises(KeyError):
        system.get(name)
    with pytest.raises(KeyError):
        system.set(name, "info")


def test_who_watches_no_more_is_not_told() -> None:
    system, told = SystemVariables(), list[tuple[str, str]]()
    unwatch = system.watch(lambda name, value: told.append((name, value)))
    system.set("opentelemetry_filter", "warn")
    unwatch()
    system.set("opentelemetry_filter", None)
    assert told == [("opentelemetry_filter", "warn")]
