"""`fanlight.auth.fields`: what every answer carries."""

from __future__ import annotations

import pytest

from fanlight.auth.fields import common_fields
from fanlight.http.response import Response, empty, html, text

NOSNIFF = ("x-content-type-options", "nosniff")
CSP = ("content-security-policy", "default-src 'self'; frame-ancestors 'none'")
REFERRER = ("referrer-policy", "no-referrer")
NO_STORE = ("cache-control", "no-store")
CACHED = ("cache-control", "max-age=60")


@pytest.mark.parametrize(
    ("response", "credentialed", "fields"),
    [
        (text(200, "x"), False, {NOSNIFF}),
        (text(200, "x"), True, {NOSNIFF, NO_STORE}),
        (empty(404), False, {NOSNIFF}),
        (text(401, "unauthorized"), False, {NOSNIFF, NO_STORE}),
        (text(200, "x", CACHED), True, {NOSNIFF}),
        (text(401, "x", CACHED), False, {NOSNIFF}),
        (html(200, "x"), False, {NOSNIFF, CSP, REFERRER}),
        (html(200, "x"), True, {NOSNIFF, CSP, REFERRER, NO_STORE}),
        (html(200, "x", CACHED), True, {NOSNIFF, CSP, REFERRER}),
        (html(200, "x", ("content-security-policy", "script-src 'self'")), False, {NOSNIFF, REFERRER}),
        (html(200, "x", NOSNIFF, CSP, REFERRER, NO_STORE), True, set()),
    ],
)
def test_fields(response: Response, credentialed: bool, fields: set[tuple[str, str]]) -> None:
    found = common_fields(response, credentialed=credentialed)
    assert set(found) == fields
    assert len(found) == len(fields)
