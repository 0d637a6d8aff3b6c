"""The document of `/prof/`: states in words, only what is possible, nothing that a policy would stop."""

from __future__ import annotations

import re

import pytest

from fanlight.pages.prof_shell import COSTS, document, elapsed
from fanlight.profiling.effects import HeapMode, Profilers

OFF = HeapMode(True, False, "tracemalloc", 16, 0)
ON = HeapMode(True, True, "tracemalloc", 25, 12_300_000, 4_000, 3723.0)
OWNED = HeapMode(True, True, "tracemalloc", 25, 1, 1)
NONE = HeapMode(False, False, "none", 0, 0)
QUIET = Profilers(False, False)


def actions(text: str) -> set[str]:
    return set(re.findall(r'name="action" value="([a-z_]+)"', text))


@pytest.mark.parametrize(
    ("mode", "state"),
    [
        (OFF, "Heap profiling enabled but inactive."),
        (ON, "Heap profiling active for 1h 2m 3s"),
        (OWNED, "Heap profiling active, begun by the application."),
        (NONE, "Heap profiling is not available."),
    ],
)
def test_the_state_in_words(mode: HeapMode, state: str) -> None:
    assert f"<p>{state}</p>" in document(mode, QUIET)


def test_only_what_is_possible_has_a_button() -> None:
    assert actions(document(OFF, QUIET)) == {"activate", "time_fg"}
    assert actions(document(ON, QUIET)) == {"deactivate", "dump_jeheap", "dump_sym_mzfg", "mem_fg", "time_fg"}
    assert actions(document(NONE, QUIET)) == {"time_fg"}
    assert actions(document(NONE, Profilers(False, True))) == {"time_fg", "memray_capture"}


def test_the_numbers_of_the_tracer() -> None:
    assert "25 frames of each stack kept; 12.3 MB traced, 4.0 kB taken by the tracer." in document(ON, QUIET)
    assert "16 frames of each stack would be kept." in document(OFF, QUIET)


def test_a_capture_that_runs_is_told() -> None:
    assert "A CPU profile is being taken." in document(OFF, Profilers(True, False))
    assert "A CPU profile is being taken." not in document(OFF, QUIET)


def test_the_measured_costs_are_shown() -> None:
    for frames, times, size in COSTS:
        assert f"<tr><td>{frames}</td><td>{times}x</td><td>{size} MB</td></tr>" in document(OFF, QUIET)
    assert "<table>" not in document(NONE, QUIET)


def test_the_forms_have_the_fields_of_the_contract() -> None:
    text = document(OFF, QUIET)
    assert '<input type="number" name="time_secs" value="10" min="1"' in text
    assert '<input type="number" name="hz" value="99" min="1" max="999"' in text
    assert '<input type="checkbox" name="threads" value="merge">' in text
    assert 'href="?action=dump_stats"' in text


@pytest.mark.parametrize("mode", [OFF, ON, OWNED, NONE])
def test_nothing_needs_a_script_or_another_host(mode: HeapMode) -> None:
    text = document(mode, Profilers(True, True))
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")
    assert not re.search(r"<script|<style|style=| on[a-z]+=|https?:", text)
    for link in re.findall(r'(?:href|action|src)="([^"]+)"', text):
        assert not link.startswith("/")
    for tag in ("section", "form", "p", "label", "select", "button", "table", "tr"):
        assert len(re.findall(rf"<{tag}[ >]", text)) == text.count(f"</{tag}>"), tag


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0s"), (59.9, "59s"), (60, "1m 0s"), (3600, "1h 0m 0s"), (90061, "25h 1m 1s")]
)
def test_elapsed(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text
