"""The page of settings tells every attribute with its default, and the files shown are files that work."""

from __future__ import annotations

import inspect
from typing import Any

import attrs
import pytest

from fanlight import App
from fanlight.auth.groups import CONFIGURED_GROUPS
from fanlight.config.file import from_mapping, parse
from fanlight.config.listeners import Listener, vet
from fanlight.config.settings import Dialect, Settings
from fanlight.config.system import SystemVariables
from tests.docs.markdown import ROOT, Sample, code, rows, samples

PAGE = ROOT / "docs" / "reference" / "settings.md"
# Defaults that the page tells in words, not as a value.
IN_WORDS = {"groups", "allowed_hosts", "trusted_proxies", "allowed_origins"}


def spelled(value: Any) -> str:
    """A default as the page writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{value}`"


def documented(columns: int) -> dict[str, list[str]]:
    """The rows with so many cells, by the name in the first."""
    return {code(row[0])[0]: row[1:] for row in rows(PAGE) if len(row) == columns and code(row[0])}


def test_every_attribute_of_a_listener_has_a_row() -> None:
    written = documented(4)
    assert list(written) == [attribute.name for attribute in attrs.fields(Listener)]
    for attribute in attrs.fields(Listener):
        if attribute.name not in IN_WORDS:
            assert written[attribute.name][1] == spelled(attribute.default), attribute.name


def test_every_member_of_the_file_is_named_and_known() -> None:
    members = {member for name, row in documented(4).items() if name != "name" for member in code(row[0]) or [name]}
    same = {member: attrs.fields_dict(Listener)[member].default for member in members & set(documented(4))}
    required = {"addr": "127.0.0.1:1", "authenticator_kind": "None", "enable_tls": False}
    assert members == {*same, *required, "unix_path", "routes"}
    routes = {group: {"enabled": False} for group in CONFIGURED_GROUPS}
    # A name that the reader of files does not know would be a remark.
    assert from_mapping({"sql": {}, "http": {"main": {**required, **same, "routes": routes}}}).remarks == ()


def test_every_server_wide_setting_and_name_has_a_row() -> None:
    written = documented(3)
    expected = [attribute for owner in (Settings, Dialect) for attribute in attrs.fields(owner)]
    arguments = [name for name in inspect.signature(App).parameters if name != "self"]
    system = [variable.name for variable in SystemVariables().declared() if variable.name not in arguments]
    assert list(written) == [*arguments, *(attribute.name for attribute in expected), *system]
    for attribute in expected:
        if attribute.name not in IN_WORDS:
            assert written[attribute.name][0] == spelled(attribute.default), attribute.name
    for name in ("sql_writers", "sql_connections", "sql_result_bytes", "heap_frames", "fork", "pages"):
        assert written[name][0] == spelled(inspect.signature(App).parameters[name].default), name


@pytest.mark.parametrize("sample", [s for s in samples("toml") if "[sql]" in s.text], ids=str)
def test_the_files_shown_are_accepted(sample: Sample) -> None:
    configuration = parse(sample.text, "toml")
    remarks = [*configuration.remarks, *vet(configuration.listeners, configuration.settings)]
    assert [remark for remark in remarks if "unknown" in remark.text] == []
