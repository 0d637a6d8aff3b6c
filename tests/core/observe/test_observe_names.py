"""`fanlight.observe.names`: spelt as prometheus_client spells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import exposition as theirs

from fanlight.observe.names import help_text, label_name, label_value, labels_text, metric_name, openmetrics_sample_name
from tests.core.observe.registries import current

names = st.text(st.characters(codec="utf-8"), max_size=6) | st.from_regex(r"[a-z0-9_:.\n]{0,6}")


@current
@given(names)
def test_metric_names_are_theirs(name: str) -> None:
    assert metric_name(name) == theirs.escape_metric_name(name)


@current
@given(names)
def test_label_names_are_theirs(name: str) -> None:
    assert label_name(name) == theirs.escape_label_name(name)


@current
@given(names)
def test_sample_names_are_theirs(name: str) -> None:
    spelt = theirs._escape(name, theirs.UNDERSCORES, theirs._is_legacy_labelname_rune)
    assert openmetrics_sample_name(name) == spelt


@pytest.mark.parametrize(
    ("name", "shown"), [("a.b", "a_b"), ("0a", "_a"), ("größe", "gr__e"), ("x:y", "x:y"), ("", ""), ("ok_1", "ok_1")]
)
def test_known_metric_names(name: str, shown: str) -> None:
    assert metric_name(name) == shown


@given(st.text())
def test_label_values_are_told_apart_and_stay_on_their_line(value: str) -> None:
    shown = label_value(value)
    assert "\n" not in shown
    plain = shown.replace(r"\\", "\0").replace(r"\n", "\n").replace(r"\"", '"').replace("\0", "\\")
    if "\0" not in value:
        assert plain == value


def test_help_keeps_its_quotes() -> None:
    assert help_text('a "b" \\ \n') == 'a "b" \\\\ \\n'


def test_labels_stand_in_the_order_of_their_unescaped_names() -> None:
    assert labels_text({"b": "2", "a.z": '"', "a": "1"}.items()) == '{a="1",a_z="\\"",b="2"}'
    assert labels_text(()) == ""
