"""Discovery, closely: what is fetched and for how long, which documents and URLs are good, when the time is up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fanlight.auth.effects import FetchDocument, Fetched
from fanlight.auth.jwk import Jwk
from fanlight.auth.keyring import FETCH_FAILED, NO_KEY, issuer_problem, url_scheme
from fanlight.observe.records import Trouble

from .providing import ISSUER, jwk
from .test_auth_keyring import DISCOVERY, Ring

LOCAL = "http://127.0.0.1:5556/realm"


def document(**changed: Any) -> Fetched:
    """A discovery document."""
    return Fetched(200, json.dumps({**DISCOVERY, **changed}).encode())


def test_each_document_has_ten_seconds_and_a_mebibyte() -> None:
    ring = Ring("RSA")
    ring.start("RSA")
    fetches = [ring.crowd.answer(document()), ring.crowd.answer(Fetched(200, b"{}"))]
    for fetch in fetches:
        assert isinstance(fetch, FetchDocument)
        assert (fetch.seconds, fetch.limit, fetch.body) == (10.0, 1024 * 1024, None)


@pytest.mark.parametrize(
    ("issuer", "uri", "fetched"),
    [
        (ISSUER, "https://keys.example/keys", True),
        (ISSUER, "http://keys.example/keys", False),
        (LOCAL, "http://127.0.0.1:5556/keys", True),
        # From the plain scheme to the better one, but never to a third.
        (LOCAL, "https://keys.example/keys", True),
        (LOCAL, "ftp://keys.example/keys", False),
        (ISSUER, "https://", False),
        (ISSUER, "https://a b/keys", False),
    ],
)
def test_keys_are_fetched_as_safely_as_the_document(issuer: str, uri: str, fetched: bool) -> None:
    ring = Ring()
    actor = ring.start("RSA", issuer)
    ring.crowd.answer(document(issuer=issuer, jwks_uri=uri))
    assert [effect.url for _, effect in ring.crowd.asked] == ([uri] if fetched else [])
    if fetched:
        ring.crowd.answer(Fetched(200, json.dumps({"keys": [jwk("RSA")]}).encode()))
        assert isinstance(actor.result, Jwk)
    else:
        assert actor.result == FETCH_FAILED


@pytest.mark.parametrize(("status", "good"), [(199, False), (200, True), (204, True), (299, True), (300, False)])
def test_statuses(status: int, good: bool) -> None:
    ring = Ring()
    ring.start("RSA")
    ring.crowd.answer(Fetched(status, document().body))
    assert len(ring.crowd.asked) == good


def test_what_went_wrong_is_told() -> None:
    for answer, problem in ((Fetched(200, b"<html>"), "no JSON object"), (Fetched(418, b""), "status 418")):
        ring = Ring()
        ring.start("RSA")
        ring.crowd.answer(answer)
        told = [record.text for record in ring.crowd.reported if isinstance(record, Trouble)]
        assert told == [f"the keys of the OpenID provider cannot be fetched: {problem}"]


def test_told_again_after_a_minute_to_the_second() -> None:
    ring = Ring()
    ring.provider.down = True
    for seconds in (0.0, 59.9, 0.1, 0.1):
        ring.crowd.pass_time(seconds)
        ring.find("RSA")
    assert len([record for record in ring.crowd.reported if isinstance(record, Trouble)]) == 2


def test_who_stops_waiting_makes_room_for_others() -> None:
    ring = Ring("RSA")
    ring.start("RSA")
    for _ in range(1100):
        ring.start("RSA").leave()
    last = ring.start("RSA")
    assert not last.ended
    ring.answer()
    assert isinstance(last.result, Jwk)


def test_a_key_that_a_refresh_took_away_is_no_key() -> None:
    ring = Ring("RSA")
    ring.find("RSA")
    ring.provider.keys = [jwk("EC")]
    ring.crowd.pass_time(3600.5)
    ring.find("RSA")
    assert ring.find("RSA") == NO_KEY


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("https://idp.example", "https"),
        ("http://127.0.0.1:1", "http"),
        ("HTTPS://idp.example", "https"),
        ("https://idp.example:0", "https"),
        ("https://idp.example:65536", None),
        ("https://idp.example/a\tb", None),
        ("ftp://idp.example", None),
        ("//idp.example", None),
        ("https:idp.example", None),
    ],
)
def test_schemes(url: str, scheme: str | None) -> None:
    assert url_scheme(url) == scheme


@pytest.mark.parametrize(
    ("issuer", "fine"),
    [
        ("https://", False),
        ("//idp.test", False),
        ("https:///path", False),
        ("https://idp.test/a b", False),
        ("https://idp.test/\x1f", False),
        ("https://idp.test/realm", True),
    ],
)
def test_what_is_no_url_is_not_published(issuer: str, fine: bool) -> None:
    assert issuer_problem(issuer) == (None if fine else "oidc_issuer is not a parseable URL")
