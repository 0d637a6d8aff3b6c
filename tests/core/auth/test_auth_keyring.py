"""The key ring: when it fetches, when it does not, and what it makes of what comes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fanlight.asks import ClientGone
from fanlight.auth.effects import FetchDocument, Fetched, FetchFailed
from fanlight.auth.jwk import Jwk
from fanlight.auth.keyring import BAD_ISSUER, FETCH_FAILED, NO_KEY, KeyRing, discovery_url, issuer_problem
from fanlight.observe.records import Trouble

from .driving import Actor, Crowd
from .providing import ISSUER, Provider, jwk


class Ring:
    """A key ring and its provider."""

    def __init__(self, *kinds: str) -> None:
        self.provider = Provider(*kinds)
        self.ring = KeyRing()
        self.crowd = Crowd()

    def start(self, kid: str, issuer: str = ISSUER) -> Actor:
        return self.crowd.start(self.ring.find(issuer, kid))

    def answer(self) -> None:
        """The provider answers everything that waits."""
        while self.crowd.asked:
            self.crowd.answer(self.provider.answer(self.crowd.asked[0][1]))

    def find(self, kid: str, issuer: str = ISSUER) -> Any:
        actor = self.start(kid, issuer)
        self.answer()
        assert actor.ended
        return actor.result


def test_fetched_once_and_kept() -> None:
    ring = Ring("RSA", "EC")
    assert isinstance(ring.find("RSA"), Jwk)
    assert isinstance(ring.find("EC"), Jwk)
    assert ring.provider.fetched == 2


def test_made_up_names_cause_no_traffic() -> None:
    ring = Ring("RSA")
    for number in range(1000):
        assert ring.find(f"ghost {number}") == NO_KEY
    assert ring.provider.fetched == 2
    ring.crowd.pass_time(9.9)
    assert ring.find("ghost") == NO_KEY
    assert ring.provider.fetched == 2
    ring.crowd.pass_time(0.1)
    assert ring.find("ghost") == NO_KEY
    assert ring.provider.fetched == 4


def test_rotation_replaces_the_whole_set() -> None:
    ring = Ring("RSA")
    assert isinstance(ring.find("RSA"), Jwk)
    ring.provider.keys = [jwk("EC")]
    ring.crowd.pass_time(10)
    assert isinstance(ring.find("EC"), Jwk)
    ring.crowd.pass_time(10)
    assert ring.find("RSA") == NO_KEY


def test_a_failure_is_not_remembered_and_keeps_what_there_is() -> None:
    ring = Ring("RSA")
    ring.provider.down = True
    assert ring.find("RSA") == FETCH_FAILED
    ring.provider.down = False
    assert isinstance(ring.find("RSA"), Jwk)
    ring.provider.down = True
    ring.crowd.pass_time(60)
    assert ring.find("ghost") == FETCH_FAILED
    assert isinstance(ring.find("RSA"), Jwk)


def test_old_keys_are_looked_at_again_and_go_on_for_a_day() -> None:
    ring = Ring("RSA")
    ring.find("RSA")
    ring.crowd.pass_time(3601)
    # At once, with the old keys: nobody waits for the new ones.
    actors = [ring.start("RSA") for _ in range(3)]
    assert all(isinstance(actor.result, Jwk) for actor in actors)
    assert len(ring.crowd.begun) == 1
    ring.answer()
    assert ring.provider.fetched == 4
    assert ring.crowd.begun[0].ended
    ring.provider.down = True
    for _ in range(23):
        ring.crowd.pass_time(3600)
        assert isinstance(ring.find("RSA"), Jwk)
        fetched = ring.provider.fetched
        assert isinstance(ring.find("RSA"), Jwk)
        assert ring.provider.fetched == fetched
    ring.crowd.pass_time(3600 + 1)
    assert ring.find("RSA") == FETCH_FAILED


def test_a_refresh_in_the_background_takes_what_there_is() -> None:
    ring = Ring("RSA")
    ring.find("RSA")
    ring.crowd.pass_time(3601)
    ring.provider.keys = [jwk("EC")]
    assert isinstance(ring.find("RSA"), Jwk)
    assert isinstance(ring.find("EC"), Jwk)
    assert ring.find("RSA") == NO_KEY
    assert ring.provider.fetched == 4


def test_a_refresh_in_the_background_is_shared_and_dropped_for_another_issuer() -> None:
    ring = Ring("RSA")
    ring.find("RSA")
    ring.crowd.pass_time(3601)
    ring.start("RSA")
    waiting = ring.start("ghost")
    assert len(ring.crowd.asked) == 1
    ring.answer()
    assert waiting.result == NO_KEY
    ring.crowd.pass_time(3601)
    ring.crowd.begun.clear()
    ring.start("RSA")
    (task,) = ring.crowd.begun
    ring.start("RSA", "https://second.example")
    ring.provider.keys = []
    ring.crowd.answer(ring.provider.answer(ring.crowd.asked[0][1]))
    ring.crowd.answer(ring.provider.answer(ring.crowd.asked[1][1]), 1)
    assert task.ended
    assert ring.ring._issuer == "https://second.example"


def test_all_who_wait_share_one_refresh() -> None:
    ring = Ring("RSA")
    actors = [ring.start("RSA") for _ in range(20)] + [ring.start("ghost")]
    ring.answer()
    assert ring.provider.fetched == 2
    assert all(isinstance(actor.result, Jwk) for actor in actors[:-1])
    assert actors[-1].result == NO_KEY


def test_a_failure_is_shared_too() -> None:
    ring = Ring("RSA")
    ring.provider.down = True
    actors = [ring.start("RSA") for _ in range(5)]
    ring.answer()
    assert [actor.result for actor in actors] == [FETCH_FAILED] * 5
    assert ring.provider.fetched == 1


def test_so_many_wait_and_no_more() -> None:
    ring = Ring("RSA")
    actors = [ring.start("RSA") for _ in range(1027)]
    assert [actor.result for actor in actors if actor.ended] == [FETCH_FAILED] * 2
    ring.answer()
    assert all(actor.ended for actor in actors)


def test_who_fetches_and_leaves_is_replaced() -> None:
    ring = Ring("RSA")
    first, second = ring.start("RSA"), ring.start("RSA")
    first.leave()
    assert isinstance(first.error, ClientGone)
    ring.answer()
    assert isinstance(second.result, Jwk)


def test_keys_belong_to_one_issuer() -> None:
    ring = Ring("RSA")
    ring.find("RSA")
    waiting = ring.start("ghost")
    ring.crowd.pass_time(10)
    late = ring.start("ghost")
    assert waiting.result == NO_KEY
    other = "https://second.example"
    assert ring.start("RSA", other).ended is False
    ring.provider.issuer = other
    ring.crowd.answer(ring.provider.answer(ring.crowd.asked[1][1]), 1)
    ring.crowd.answer(ring.provider.answer(ring.crowd.asked[1][1]), 1)
    # What comes late for the first issuer does not touch the keys of the second.
    ring.provider.issuer, ring.provider.keys = ISSUER, []
    ring.answer()
    assert late.result == NO_KEY
    assert isinstance(ring.find("RSA", other), Jwk)


@pytest.mark.parametrize("issuer", ["", "idp.example", "https://", "ftp://idp.example", "https://[", "https://a b"])
def test_an_issuer_that_is_no_url(issuer: str) -> None:
    ring = Ring()
    assert ring.find("RSA", issuer) == BAD_ISSUER
    assert ring.provider.fetched == 0


DISCOVERY = {"issuer": ISSUER, "jwks_uri": "https://keys.example/keys"}


@pytest.mark.parametrize(
    "answer",
    [
        FetchFailed("timeout"),
        Fetched(500, json.dumps(DISCOVERY).encode()),
        Fetched(302, json.dumps(DISCOVERY).encode()),
        Fetched(200, b"<html>"),
        Fetched(200, b"[]"),
        Fetched(200, json.dumps({**DISCOVERY, "issuer": ISSUER + "/"}).encode()),
        Fetched(200, json.dumps({"issuer": ISSUER}).encode()),
        Fetched(200, json.dumps({**DISCOVERY, "jwks_uri": 5}).encode()),
        Fetched(200, json.dumps({**DISCOVERY, "jwks_uri": "http://keys.example/keys"}).encode()),
        Fetched(200, json.dumps({**DISCOVERY, "jwks_uri": "file:///etc/passwd"}).encode()),
    ],
)
def test_a_discovery_document_that_is_none(answer: Fetched | FetchFailed) -> None:
    ring = Ring()
    actor = ring.start("RSA")
    effect = ring.crowd.answer(answer)
    assert (effect.url, effect.same_host) == (discovery_url(ISSUER), True)
    assert actor.result == FETCH_FAILED
    assert ring.crowd.asked == []


def test_keys_come_from_a_public_address_or_the_providers_own_network() -> None:
    ring = Ring()
    actor = ring.start("RSA")
    ring.crowd.answer(Fetched(200, json.dumps(DISCOVERY).encode()))
    effect = ring.crowd.answer(Fetched(200, b"{}"))
    assert isinstance(effect, FetchDocument)
    assert (effect.url, effect.unless_private) == ("https://keys.example/keys", ISSUER)
    assert actor.result == FETCH_FAILED


def test_an_outage_is_told_once_a_minute() -> None:
    ring = Ring()
    ring.provider.down = True
    for _ in range(70):
        ring.find("RSA")
        ring.crowd.pass_time(1)
    told = [record for record in ring.crowd.reported if isinstance(record, Trouble)]
    assert [record.text for record in told] == ["the keys of the OpenID provider cannot be fetched: timeout"] * 2


def test_discovery_urls() -> None:
    assert discovery_url("https://a.example/") == "https://a.example/.well-known/openid-configuration"
    assert discovery_url("https://a.example//") == "https://a.example//.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("issuer", "problem"),
    [
        ("https://idp.test/realms/main", None),
        ("http://localhost:8080", None),
        ("not a url", "oidc_issuer is not a parseable URL"),
        ("https://[", "oidc_issuer is not a parseable URL"),
        ("https://a.example:99999", "oidc_issuer is not a parseable URL"),
        ("ftp://idp.test", "oidc_issuer must use the https or http scheme"),
        ("https://user:secret@idp.test", "oidc_issuer must not contain userinfo"),
        ("https://idp.test?x=secret", "oidc_issuer must not contain a query or fragment"),
        ("https://idp.test/#", "oidc_issuer must not contain a query or fragment"),
    ],
)
def test_issuers_that_may_be_published(issuer: str, problem: str | None) -> None:
    assert issuer_problem(issuer) == problem
