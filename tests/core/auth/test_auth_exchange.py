"""The exchange of app passwords, closely: what is asked and how long, what is kept, who pays, what is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from fanlight.asks import Sleep
from fanlight.auth import app_passwords
from fanlight.auth.chain import Rejected, too_many
from fanlight.auth.effects import FetchDocument, Fetched, FetchFailed
from fanlight.auth.frontegg import BAD, OUTAGE, PREFIX, FronteggSettings, read_access
from fanlight.auth.identity import Identity
from fanlight.observe.records import Trouble

from .tenancy import CLAIMS, NOW, PASSWORD, PEER, SETTINGS, TENANT, URSULA, Tenant, reply
from .test_auth_frontegg import bearer

OTHER_PASSWORD = PREFIX + "1f" * 16 + "a0" * 16
SAME_CLIENT = PREFIX + "0f" * 16 + "b0" * 16
ELSEWHERE = "198.51.100.9"


def ask(tenant: Tenant, answer: Any, peer: str = PEER, password: str = PASSWORD) -> Any:
    """The outcome of one attempt of Ursula's from `peer`."""
    return tenant.prove(answer, password=password, peer=peer)


def test_what_is_asked() -> None:
    tenant = Tenant()
    tenant.start()
    ((_, effect),) = tenant.crowd.asked
    assert isinstance(effect, FetchDocument)
    assert (effect.url, effect.seconds, effect.limit) == (SETTINGS.token_url, 5.0, 64 * 1024)


def test_groups_and_the_end_come_from_the_token() -> None:
    claims = {**CLAIMS, "groups": ["b", "a"]}
    assert bearer(claims) == Identity("Ursula@Example.com", "Frontegg", groups=("a", "b"))
    assert ask(Tenant(), reply(claims)) == Identity("Ursula@Example.com", "Frontegg", groups=("a", "b"))


@pytest.mark.parametrize("change", [str.upper, str.lower])
def test_a_tenant_is_the_same_in_both_cases(change: Callable[[str], str]) -> None:
    lettered = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
    settings = FronteggSettings(token_url=SETTINGS.token_url, tenant_id=lettered, public_key=SETTINGS.public_key)
    for tenant_id, same in ((change(lettered), True), (change(lettered.replace("a", "f")), False)):
        payload = json.dumps({**CLAIMS, "tenantId": tenant_id}).encode()
        assert (read_access(payload, settings, NOW) is not None) is same
        again = evolve(settings, tenant_id=change(lettered))
        assert (read_access(payload, again, NOW) is not None) is same


@pytest.mark.parametrize("exp", [2**63, 9 * 10**308, -(2**63)], ids=["just", "no float", "before"])
def test_times_that_no_clock_has(exp: int) -> None:
    assert bearer({**CLAIMS, "exp": exp}) == Rejected(BAD)
    assert ask(Tenant(), reply({**CLAIMS, "exp": exp})) == Rejected(OUTAGE, user="ursula@example.com")


def test_each_password_has_an_exchange_of_its_own() -> None:
    tenant = Tenant()
    bob = {**CLAIMS, "email": "bob@example.com"}
    assert ask(tenant, reply()) == URSULA
    for password in (OTHER_PASSWORD, SAME_CLIENT):
        assert ask(tenant, reply(bob), password=password) == Rejected(BAD, user="ursula@example.com")
    assert tenant.tokens.passwords.exchanges == 3
    # Nor is what one tenant's server said worth anything at another's.
    elsewhere = FronteggSettings(
        token_url="https://other.example/token", tenant_id=TENANT, public_key=SETTINGS.public_key
    )
    tenant.crowd.start(tenant.tokens.prove_password(elsewhere, PEER, "ursula@example.com", PASSWORD))
    assert tenant.tokens.passwords.exchanges == 4


def test_wrong_secrets_count_by_network_and_client() -> None:
    tenant = Tenant()
    refused, limited = Rejected(BAD, user="ursula@example.com"), too_many(60, "ursula@example.com")
    assert [ask(tenant, Fetched(403, b"")) for _ in range(4)] == [refused] * 3 + [limited]
    # The same client, whatever the secret; neither another client nor another network.
    assert ask(tenant, Fetched(403, b""), password=SAME_CLIENT) == limited
    assert ask(tenant, Fetched(403, b""), password=OTHER_PASSWORD) == refused
    assert ask(tenant, Fetched(403, b""), ELSEWHERE) == refused
    assert tenant.tokens.passwords.exchanges == 5


def test_who_is_limited_does_not_even_get_what_is_kept() -> None:
    tenant = Tenant()
    assert ask(tenant, reply()) == URSULA
    for _ in range(3):
        ask(tenant, Fetched(403, b""), password=SAME_CLIENT)
    assert ask(tenant, reply()) == too_many(60, "ursula@example.com")
    assert ask(tenant, reply(), ELSEWHERE) == URSULA
    tenant.crowd.pass_time(60)
    assert ask(tenant, reply()) == URSULA


def test_a_kept_token_is_never_used_after_its_end() -> None:
    tenant = Tenant()
    assert ask(tenant, reply({**CLAIMS, "exp": NOW + 10})) == URSULA
    # Only the date goes on: the clock was set.
    now = tenant.crowd.now
    tenant.crowd.now = type(now)(now.mono, now.wall + 11)
    assert ask(tenant, reply({**CLAIMS, "exp": NOW + 10})) == Rejected(OUTAGE, user="ursula@example.com")
    assert tenant.tokens.passwords.exchanges == 2


def test_a_token_that_ends_as_it_comes_is_kept_for_a_moment() -> None:
    tenant = Tenant()
    assert ask(tenant, reply({**CLAIMS, "exp": NOW})) == URSULA
    assert ask(tenant, reply()) == URSULA
    assert tenant.tokens.passwords.exchanges == 1


def test_the_longest_unused_goes_when_too_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_passwords, "KEPT", 2)
    tenant = Tenant()
    third = PREFIX + "2f" * 32
    for password in (PASSWORD, OTHER_PASSWORD, PASSWORD, third):
        assert ask(tenant, reply(), password=password) == URSULA
    assert tenant.tokens.passwords.exchanges == 3
    ask(tenant, reply(), password=PASSWORD)
    assert tenant.tokens.passwords.exchanges == 3
    ask(tenant, reply(), password=OTHER_PASSWORD)
    assert tenant.tokens.passwords.exchanges == 4


def test_who_leaves_an_exchange_costs_nothing() -> None:
    tenant = Tenant()
    for _ in range(5):
        tenant.start().leave()
    assert ask(tenant, reply()) == URSULA


def test_those_who_wait_share_a_refusal() -> None:
    tenant = Tenant()
    actors = [tenant.start() for _ in range(3)]
    tenant.crowd.answer(Fetched(403, b""))
    assert [actor.result for actor in actors] == [Rejected(BAD, user="ursula@example.com")] * 3
    assert tenant.crowd.asked == []


def test_an_answer_that_is_none_is_no_wrong_password() -> None:
    tenant = Tenant()
    for _ in range(5):
        ask(tenant, reply({**CLAIMS, "tenantId": CLAIMS["sub"]}))
    assert ask(tenant, reply()) == URSULA


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (Fetched(503, b"", "\\x41"), "status 503, trace \\x41"),
        (Fetched(503, b""), "status 503"),
        (FetchFailed("timeout"), "timeout"),
    ],
)
def test_an_outage_is_told_with_the_number_of_the_exchange(answer: Any, what: str) -> None:
    tenant = Tenant()
    tenant.start()
    while tenant.crowd.asked:
        sleeps = isinstance(tenant.crowd.asked[0][1], Sleep)
        tenant.crowd.pass_time(tenant.crowd.asked[0][1].seconds if sleeps else 0.0)
        tenant.crowd.answer(None if sleeps else answer)
    told = [record.text for record in tenant.crowd.reported if isinstance(record, Trouble)]
    assert told == [f"app passwords cannot be exchanged: {what}"]
