"""Identities: values that say who, by whose word, and with which privilege."""

from __future__ import annotations

import pytest

from fanlight.auth.identity import Identity


@pytest.mark.parametrize(
    ("internal", "superuser", "privileged"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_who_is_privileged(internal: bool, superuser: bool, privileged: bool) -> None:
    assert Identity("ada", internal=internal, superuser=superuser).privileged is privileged


def test_an_admin_of_a_provider_is_not_privileged_by_that() -> None:
    assert not Identity("ada", "Frontegg", admin=True).privileged


def test_an_identity_is_a_value() -> None:
    assert Identity("ada") == Identity("ada", "None", None)
    assert Identity("ada") != Identity("ada", groups=())
    assert len({Identity("ada"), Identity("ada"), Identity("ada", "Password")}) == 2
    with pytest.raises(AttributeError):
        Identity("ada").user = "mz_system"  # type: ignore[misc]
