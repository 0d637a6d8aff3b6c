"""Readiness: named conditions, from any thread."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanlight.health.readiness import Readiness, State


def test_without_conditions_it_is_ready() -> None:
    readiness = Readiness()
    assert readiness.ready
    assert not readiness.failed
    assert readiness.states() == {}


def test_a_condition_may_hold_and_cease_to_hold() -> None:
    readiness = Readiness()
    readiness.set("engine", False)
    assert (readiness.ready, readiness.failed, readiness.states()) == (False, False, {"engine": "pending"})
    readiness.set("engine", True)
    assert readiness.ready
    readiness.set("engine", False)
    assert not readiness.ready


def test_one_failed_condition_makes_waiting_pointless() -> None:
    readiness = Readiness()
    readiness.set("engine", True)
    readiness.fail("disk")
    assert (readiness.ready, readiness.failed) == (False, True)
    readiness.set("disk", True)
    assert (readiness.ready, readiness.failed) == (True, False)


def test_what_is_removed_counts_no_more() -> None:
    readiness = Readiness()
    readiness.fail("disk")
    readiness.remove("disk")
    readiness.remove("never there")
    assert readiness.ready


def test_states_are_a_copy() -> None:
    readiness = Readiness()
    readiness.set("engine", False)
    readiness.states()["engine"] = "met"
    assert not readiness.ready


ACTS = st.tuples(st.sampled_from(["met", "pending", "failed", "remove"]), st.sampled_from("abc"))


@given(st.lists(ACTS))
def test_ready_is_all_met_and_failed_is_any_failed(acts: list[tuple[str, str]]) -> None:
    readiness, model = Readiness(), dict[str, State]()
    for act, name in acts:
        if act == "remove":
            readiness.remove(name)
            model.pop(name, None)
        elif act == "failed":
            readiness.fail(name)
            model[name] = "failed"
        else:
            readiness.set(name, act == "met")
            model[name] = "met" if act == "met" else "pending"
    assert readiness.states() == model
    assert readiness.ready == (set(model.values()) <= {"met"})
    assert readiness.failed == ("failed" in model.values())


def test_who_watches_is_told_of_changes_until_he_has_heard_enough() -> None:
    readiness, told = Readiness(), list[dict[str, State]]()

    def watch() -> bool:
        told.append(readiness.states())
        return readiness.failed

    readiness.watch(watch)
    readiness.set("engine", False)
    readiness.set("engine", True)
    readiness.remove("engine")
    readiness.fail("disk")
    readiness.set("disk", True)
    assert told == [{"engine": "pending"}, {"engine": "met"}, {}, {"disk": "failed"}]


def test_a_check_is_kept_by_its_name_and_is_no_condition() -> None:
    readiness = Readiness()

    @readiness.check("database")
    def ping() -> bool:
        return False

    assert ping() is False
    assert [check.name for check in readiness.checks] == ["database"]
    assert readiness.ready
    readiness.remove("database")
    assert readiness.checks == []
